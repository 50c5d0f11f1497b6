/* SPDX-License-Identifier: MIT */
/*
 * cxx_panic.cpp - C++ exceptions next to deferred calls, panics, go_try and go_once, and the state
 * of the C++ runtime while goroutines move from thread to thread.  C++11 and later.
 */
#if defined __SANITIZE_THREAD__
#define TSAN
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define TSAN
#endif
#endif
#if defined __SANITIZE_ADDRESS__
#define ASAN
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ASAN
#endif
#endif

#include "goro.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char **environ;

/* Not assert(), which a release build leaves out; usable in every goroutine. */
#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char *condition)
{
	std::fprintf(stderr, "cxx_panic.cpp:%d: %s does not hold\n", line, condition);
	std::_Exit(1);
}

static int uncaught()
{
#if defined __cpp_lib_uncaught_exceptions
	return std::uncaught_exceptions();
#else
	return std::uncaught_exception() ? 1 : 0;
#endif
}

static void count(void *n) { ++*static_cast<int *>(n); }
static void panic_with(void *text) { go_panic("%s", static_cast<const char *>(text)); }
static char oops[] = "oops";

/* --- Helpers --------------------------------------------------------------------------- */

static void helpers_take_handles_of_both_directions()
{
	go_chan(int) c = go_make(int, 1);
	go_receiver(int) in = go_recv_only(go_ref(c));
	int v = 0;

	{
		go_defer_close(go_send_only(c));
		go_send(c, 3);
	}
	{
		go_defer_unref(c);
	}
	CHECK(go_recv(in, &v) && v == 3 && !go_recv(in, &v));
	go_unref(in);
	c = go_make(int, 1);
	in = go_recv_only(go_ref(c));
	{
		go_defer_close_unref(c);
		go_defer_timer_free(go_timer_new(GO_HOUR));
		go_defer_timer_free(nullptr);
	}
	CHECK(!go_recv(in, &v));
	c = go_make(int, 0);
	go_close_unref(go_send_only(go_ref(c)));
	CHECK(!go_recv(c, &v));
	go_unref(c);
	go_unref(in);
}

/* --- Exceptions and deferred calls ----------------------------------------------------- */

__attribute__((noinline)) static void throw_through(int depth, int *deferred)
{
	go_defer(count, deferred);
	go_yield();
	if (depth == 0)
		throw depth;
	throw_through(depth - 1, deferred);
}

struct both {
	int deferred;
	go_panic_info info;
};

static void throw_catch_panic(void *arg)
{
	both *b = static_cast<both *>(arg);

	go_defer(count, &b->deferred);
	try {
		throw_through(9, &b->deferred);
	} catch (int) {
		CHECK(b->deferred == 10);
	}
	go_panic("after");
}

/* The list is whole after an exception: a panic runs what is left, and no more. */
static void a_panic_after_an_exception_finds_its_way()
{
	for (int i = 0; i < 100; i++) {
		both b = {0, GO_PANIC_INFO_INIT};

		CHECK(!go_try(throw_catch_panic, &b, &b.info));
		CHECK(b.deferred == 11 && std::strcmp(b.info.message, "after") == 0);
	}
}

static void catch_own(void *n)
{
	try {
		go_defer(count, n);
		throw std::runtime_error("own");
	} catch (const std::exception &) {
		go_yield();
		count(n);
	}
}

static void panic_over_a_catch(void *n)
{
	go_defer(catch_own, n);
	go_defer(catch_own, n);
	go_panic("over");
}

static void deferred_calls_of_a_panic_may_throw_and_catch()
{
	int n = 0;

	CHECK(!go_try(panic_over_a_catch, &n, nullptr) && n == 4);
}

static void panic_in_catch(void *)
{
	try {
		throw std::string("being handled");
	} catch (const std::string &) {
		go_panic("in the handler");
	}
}

struct panics_at_end {
	~panics_at_end()
	{
		static volatile bool yes = true;	/* or the handler below is optimized away */

		CHECK(uncaught() == 1);
		if (yes)
			go_panic("in a destructor");
	}
};

static void panic_while_unwinding(void *)
{
	try {
		panics_at_end p;

		throw 5;
	} catch (int) {
		CHECK(false);
	}
}

/* Exceptions that a panic leaves behind are lost, as destructors are, but do not stay "current". */
static void a_caught_panic_leaves_no_exception_behind()
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	for (int i = 0; i < 10; i++) {
#if !defined ASAN	/* which complains of their memory */
		CHECK(!go_try(panic_in_catch, nullptr, &info));
		CHECK(std::strcmp(info.message, "in the handler") == 0);
		CHECK(std::current_exception() == nullptr && uncaught() == 0);
		CHECK(!go_try(panic_while_unwinding, nullptr, &info));
		CHECK(std::strcmp(info.message, "in a destructor") == 0);
		CHECK(std::current_exception() == nullptr && uncaught() == 0);
#endif
	}
	try {
		throw 1;
	} catch (int) {
		CHECK(!go_try(panic_with, oops, &info));
		try {
			throw;		/* still the one from before */
		} catch (int v) {
			CHECK(v == 1);
		}
	}
}

/* --- Moving about ---------------------------------------------------------------------- */

struct checks_count {
	int expected;
	~checks_count()
	{
		CHECK(uncaught() == expected);
		for (int i = 0; i < 3; i++)
			go_yield();
		try {
			throw 2.0;	/* one within the other's unwinding */
		} catch (double) {
			go_yield();
		}
		CHECK(uncaught() == expected);
	}
};

static void nested_unwinding_moves(int id)
{
	for (int i = 0; i < 50; i++) {
		try {
			checks_count c = {1};

			go_yield();
			throw id;
		} catch (int v) {
			CHECK(v == id && uncaught() == 0);
			go_sleep(GO_MICROSECOND);
			std::exception_ptr e = std::current_exception();
			try {
				std::rethrow_exception(e);
			} catch (int w) {
				go_yield();
				CHECK(w == id);
			}
		}
		CHECK(std::current_exception() == nullptr);
	}
}

static void panic_catch_and_throw(int id)
{
	for (int i = 0; i < 50; i++) {
		both b = {0, GO_PANIC_INFO_INIT};
		bool caught = false;

		CHECK(!go_try(throw_catch_panic, &b, &b.info) && b.deferred == 11);
		try {
			throw std::runtime_error(std::to_string(id));
		} catch (const std::exception &e) {
			CHECK(!go_try(panic_with, oops, &b.info));
			go_yield();
			caught = e.what() == std::to_string(id);
		}
		CHECK(caught && std::current_exception() == nullptr);
	}
}

static void exceptions_and_panics_keep_apart_on_several_threads()
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	std::vector<std::thread> threads;

	for (int i = 0; i < 12; i++) {
		GO_WG(&wg, nested_unwinding_moves, i);
		GO_WG(&wg, panic_catch_and_throw, i);
	}
	for (int i = 0; i < 3; i++)
		threads.emplace_back([i] { nested_unwinding_moves(i); panic_catch_and_throw(i); });
	go_wg_wait(&wg);
	for (std::thread &t : threads)
		t.join();
}

/* --- Exceptions that nobody catches, in child processes -------------------------------- */

struct reached {
	~reached() { std::_Exit(3); }
};

static void throw_it(void *) { throw std::runtime_error("nobody's"); }
static void *throw_from_blocking(void *) { throw std::runtime_error("nobody's"); }
static int throw_from_run(void *) { throw std::runtime_error("nobody's"); }

static void panic_and_throw(void *)
{
	go_defer(throw_it, nullptr);
	go_panic("replaced by an exception");
}

/* Each would be caught here, were it allowed to leave what goro calls. */
static void throw_where(const std::string &where)
{
	try {
		reached not_unwound;

		if (where == "try")
			go_try(throw_it, nullptr, nullptr);
		else if (where == "panic")
			go_try(panic_and_throw, nullptr, nullptr);
		else if (where == "blocking")
			go_blocking(throw_from_blocking, nullptr);
		else if (where == "run")
			go_run(throw_from_run, nullptr);
		else if (where == "goroutine")
			go_spawn(throw_it, nullptr);
		else if (where == "lambda")
			go([] { throw_it(nullptr); });
		else if (where == "timer")
			go_after_func(0, throw_it, nullptr);
		go_sleep(30 * GO_SECOND);
	} catch (...) {
		std::_Exit(4);
	}
}

/* This program again, by the emulator that $GORO_TEST_RUNNER names if we run in one. */
static pid_t start_child(const char *where)
{
	const char *runner = std::getenv("GORO_TEST_RUNNER");
	std::istringstream words(runner != nullptr ? runner : "");
	std::vector<std::string> command;
	std::vector<char *> argv;
	char self[4096] = "";
	pid_t pid = -1;

	CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	for (std::string word; words >> word;)
		command.push_back(word);
	command.push_back(self);
	command.push_back("--child");
	command.push_back(where);
	for (std::string &word : command)
		argv.push_back(&word[0]);
	argv.push_back(nullptr);
	CHECK(posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
	return pid;
}

static void an_exception_leaving_what_goro_calls_terminates()
{
	static const char *const where[] = {"try", "panic", "blocking", "run", "goroutine", "lambda",
					    "timer"};

	for (const char *w : where) {
		pid_t pid = start_child(w);
		int status = 0;

		CHECK(waitpid(pid, &status, 0) == pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
			std::fprintf(stderr, "%s: wait status %#x\n", w, unsigned(status));
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	}
}

static int run(int argc, char **argv)
{
	go_procs(4);
	if (argc == 3) {
		std::set_terminate([] {
			std::_Exit(std::current_exception() != nullptr ? 42 : 43);
		});
		throw_where(argv[2]);
		return 5;
	}
	helpers_take_handles_of_both_directions();
	a_panic_after_an_exception_finds_its_way();
	deferred_calls_of_a_panic_may_throw_and_catch();
	a_caught_panic_leaves_no_exception_behind();
	exceptions_and_panics_keep_apart_on_several_threads();
	an_exception_leaving_what_goro_calls_terminates();
	return 0;
}
GO_MAIN(run)
