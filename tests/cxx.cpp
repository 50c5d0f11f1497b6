/* SPDX-License-Identifier: MIT */
/*
 * cxx.cpp - the C++ side of the public header at run time: goroutines from lambdas and with
 * move-only arguments, channels as templates, and exceptions that are thrown and caught by
 * goroutines which meanwhile move from thread to thread.  C++11 and later.
 */
#if defined __SANITIZE_THREAD__
#define TSAN
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define TSAN
#endif
#endif

#include "goro.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/* Not assert(), which a release build leaves out; usable in every goroutine. */
#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char *condition)
{
	std::fprintf(stderr, "cxx.cpp:%d: %s does not hold\n", line, condition);
	std::_Exit(1);
}

struct pair { int x, y; };
struct one { int only; };

/* Counts the objects alive. */
struct counted {
	static std::atomic<int> alive;
	counted() { alive++; }
	counted(const counted &) { alive++; }
	counted(counted &&) noexcept { alive++; }
	~counted() { alive--; }
};
std::atomic<int> counted::alive(0);

/* The last goroutine may still be on its way out when its result is here. */
static bool all_gone()
{
	for (int i = 0; i < 10000 && counted::alive != 0; i++)
		go_sleep(GO_MILLISECOND);
	return counted::alive == 0;
}

/* --- Channels -------------------------------------------------------------------------- */

static void channels_convert_to_their_element_type()
{
	go_chan(int) a = go_make(int, 1), b = go_ref(a);
	go_chan(long) l = go_make(long, 2);
	go_chan(int *) p = go_make(int *, 2);
	go_chan(pair) s = go_make(pair, 1);
	int n = 0;
	int *pointer = &n;
	long wide = 0;
	pair got = {0, 0};

	CHECK(a == b);
	go_send(l, 1);
	CHECK(go_trysend(l, 'a') && !go_trysend(l, 3));
	CHECK(go_recv(l, &wide) && wide == 1);
	CHECK(go_len(l) == 1 && go_cap(l) == 2);
	go_send(p, nullptr);
	go_send(p, NULL);
	CHECK(go_recv(p, &pointer) && pointer == nullptr);
	CHECK(go_tryrecv(p, nullptr) && !go_tryrecv(p, &pointer));
	go_send(s, {1, 2});
	CHECK(go_recv(s, &got) && got.x == 1 && got.y == 2);
	CHECK(go_send_until(s, pair{3, 4}, go_now()) == 0);
	CHECK(go_send_until(s, pair{5, 6}, go_now()) == -ETIMEDOUT);
	CHECK(go_recv_until(s, &got, go_now()) == 0 && got.y == 4);
	go_close(s);
	CHECK(!go_recv(s, &got) && got.y == 0);
	go_unref(b);
	go_unref(a);
	go_unref(l);
	go_unref(p);
	go_unref(s);
}

static void select_takes_values_and_evaluates_them_once()
{
	go_chan(long) c = go_make(long, 1);
	go_chan(one) nil = nullptr;
	int evaluated = 0;
	long got = 0;
	bool ok = false;
	auto next = [&evaluated] { return ++evaluated; };

	CHECK(go_select(GO_SEND(nil, one{next()}), GO_SEND(c, next())) == 1);
	CHECK(evaluated == 2);
	CHECK(go_tryselect(GO_SEND(c, 9)) == -ETIMEDOUT);
	CHECK(go_select(GO_SEND(c, 9), GO_DEFAULT) == 1);
	CHECK(go_select(GO_AFTER(GO_HOUR), GO_RECV_OK(c, &got, &ok)) == 1 && ok);
	CHECK(got == 1 || got == 2);	/* arguments of a function: in any order */
	CHECK(go_select_until(go_now(), GO_RECV(c, nullptr)) == -ETIMEDOUT);
	CHECK(go_select(GO_UNTIL(go_now()), GO_RECV(c, NULL)) == 0);

	auto send = GO_SEND(c, 7);
	go_case cases[] = {GO_RECV(c, &got), send};

	CHECK(go_selectv(cases, 2, GO_FOREVER) == 1);
	CHECK(go_selectv(cases, 2, GO_FOREVER) == 0 && got == 7);
	CHECK(go_select(send, cases[0]) == 0);
	go_unref(c);
}

static go_chan(int) numbers(int n)
{
	go_chan(int) c = go_make(int, size_t(n));

	for (int i = 1; i <= n; i++)
		go_send(c, i);
	go_close(c);
	return c;
}

static void ranges_nest_and_break()
{
	go_chan(go_chan(int)) c = go_make(go_chan(int), 2);
	int sum = 0, calls = 0;
	auto get = [&] { calls++; return c; };

	go_send(c, numbers(3));
	go_send(c, numbers(4));
	go_close(c);
	go_range(inner, get()) {
		go_range(v, inner) {
			if (v == 1)
				continue;
			if (v == 4)
				break;
			sum = 10 * sum + v;
		}
		go_unref(inner);
	}
	CHECK(sum == 2323 && calls == 1);
	go_unref(c);
}

/* --- Tasks ----------------------------------------------------------------------------- */

static void lambdas_are_goroutines()
{
	go_chan(int) c = go_make(int, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	std::string text(1000, 'x');
	int got = 0, n = 4;

	go([c, n] { go_send(c, n); });				/* copied as bytes */
	CHECK(go_recv(c, &got) && got == 4);
	go([c, text] { go_send(c, int(text.size())); });	/* allocated */
	CHECK(go_recv(c, &got) && got == 1000);
	go_spawn([&] { go_send(c, n + 1); });
	CHECK(go_recv(c, &got) && got == 5);
	go_wg_spawn(&wg, [&] { n = 6; });
	go_wg_wait(&wg);
	CHECK(n == 6);
	GO_WG(&wg, [](int *p, int v) { *p = v; }, &n, 7);
	go_wg_wait(&wg);
	CHECK(n == 7);

	std::function<void(int)> f = [c](int v) { go_send(c, v); };

	GO(f, 8);
	CHECK(go_recv(c, &got) && got == 8);
	go_unref(c);
}

static void keep(std::unique_ptr<int> p, std::string text, int &out, go_sender(int) done)
{
	out = *p + int(text.size());
	go_send(done, 1);
}

static void arguments_move_and_convert_before_go_returns()
{
	go_chan(int) done = go_make(int, 0);
	char text[] = "long enough not to fit into the string object itself";
	int out = 0, expected = 40 + int(sizeof text) - 1;
	std::unique_ptr<int> p(new int(40));

	GO(keep, std::move(p), text, std::ref(out), go_send_only(done));
	CHECK(p == nullptr);
	text[3] = '\0';	/* too late to matter */
	CHECK(go_recv(done, nullptr) && out == expected);
	GO([](std::unique_ptr<int> q, go_chan(int) to) { go_send(to, *q); },
	   std::unique_ptr<int>(new int(3)), done);
	CHECK(go_recv(done, &out) && out == 3);
	go_unref(done);
}

static void tree(int depth, go_waitgroup *wg, std::atomic<int> *leaves);
GO_TASK(tree, int, go_waitgroup *, std::atomic<int> *);

static void tree(int depth, go_waitgroup *wg, std::atomic<int> *leaves)
{
	if (depth == 0) {
		++*leaves;
		return;
	}
	GO_WG(wg, tree, depth - 1, wg, leaves);
	GO_WG(wg, tree, depth - 1, wg, leaves);
}

static void a_task_may_start_itself()
{
	std::atomic<int> leaves(0);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, tree, 6, &wg, &leaves);
	go_wg_wait(&wg);
	CHECK(leaves == 64);
}

static void large_and_aligned_tasks_arrive_whole()
{
	struct large { alignas(16) unsigned char bytes[2000]; };
	go_chan(int) c = go_make(int, 0);
	large l;
	int got = 0;

	std::memset(l.bytes, 3, sizeof l.bytes);
	go([l, c] {
		int sum = 0;
		for (unsigned char b : l.bytes)
			sum += b;
		go_send(c, reinterpret_cast<uintptr_t>(&l) % 16 == 0 ? sum : -1);
	});
	CHECK(go_recv(c, &got) && got == 6000);
	go_unref(c);
}

static void captured_objects_are_destroyed_once()
{
	go_waitgroup wg = GO_WAITGROUP_INIT;

	{
		counted object;

		go_wg_spawn(&wg, [object] { });
		go_wg_spawn(&wg, [object] { go_exit(); });
		GO_WG(&wg, [](const counted &) { go_yield(); }, object);
		GO_WG(&wg, [](counted) { }, std::move(object));
	}
	go_wg_wait(&wg);
	CHECK(all_gone());
}

static void threads_may_use_channels()
{
	go_chan(int) to = go_make(int, 0), from = go_make(int, 0);
	int got = 0;
	std::thread t([=] {
		go_range(v, to)
			go_send(from, 2 * v);
		go_close(from);
	});

	for (int i = 0; i < 100; i++) {
		go_send(to, i);
		CHECK(go_recv(from, &got) && got == 2 * i);
	}
	go_close(to);
	CHECK(!go_recv(from, &got));
	t.join();
	go_unref(to);
	go_unref(from);
}

/* --- Exceptions ------------------------------------------------------------------------ */

/* Bounces values off a partner, so that one wakes now on this thread, now on that. */
struct hop {
	go_chan(int) to, from;

	hop() : to(go_make(int, 0)), from(go_make(int, 0))
	{
		go_chan(int) in = go_ref(to), out = go_ref(from);

		go([in, out] {
			go_range(v, in)
				go_send(out, v);
			go_unref(in);
			go_unref(out);
		});
	}
	void operator()() const
	{
		int v = 0;

		go_send(to, 5);
		CHECK(go_recv(from, &v) && v == 5);
		go_yield();
	}
	~hop()
	{
		go_close(to);
		go_unref(to);
		go_unref(from);
	}
	hop(const hop &) = delete;
	hop &operator=(const hop &) = delete;
};

static bool unwinding()
{
#if defined __cpp_lib_uncaught_exceptions
	return std::uncaught_exceptions() > 0;
#else
	return std::uncaught_exception();
#endif
}

/* Moves about while an exception passes through. */
struct hop_in_destructor {
	const hop &move;
	explicit hop_in_destructor(const hop &h) : move(h) { }
	~hop_in_destructor()
	{
		CHECK(unwinding());
		move();
		CHECK(unwinding());
	}
	hop_in_destructor(const hop_in_destructor &) = delete;
};

static void count(void *n)
{
	++*static_cast<int *>(n);
}

__attribute__((noinline)) static void throw_from(int depth, int id, int *deferred, const hop &move)
{
	counted object;

	go_defer(count, deferred);
	if (depth == 0) {
		move();
		throw std::runtime_error(std::to_string(id));
	}
	throw_from(depth - 1, id, deferred, move);
}

static void catch_and_rethrow(int id, const hop &move)
{
	try {
		try {
			hop_in_destructor mover(move);
			throw id;
		} catch (int v) {
			CHECK(v == id);
			move();		/* caught, not yet done with */
			throw;		/* still ours? */
		}
	} catch (int v) {
		CHECK(v == id);
		move();
		try {
			throw std::string(std::to_string(v));
		} catch (const std::string &s) {
			move();
			CHECK(s == std::to_string(id));
		}
		move();
		CHECK(std::current_exception() != nullptr);
		try {
			throw;
		} catch (int w) {
			CHECK(w == id);
		}
	}
	CHECK(std::current_exception() == nullptr);
}

static void throw_and_catch(int goroutine)
{
	hop move;

	for (int i = 0; i < 30; i++) {
		int id = 1000 * goroutine + i, deferred = 0;
		bool caught = false;

		try {
			throw_from(5, id, &deferred, move);
		} catch (const std::exception &e) {
			move();
			caught = e.what() == std::to_string(id);
		}
		CHECK(caught && deferred == 6);
		CHECK(!unwinding());
		catch_and_rethrow(id, move);
	}
}

static void exceptions_stay_with_their_goroutine()
{
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 1; i <= 16; i++)
		GO_WG(&wg, throw_and_catch, i);
	go_wg_wait(&wg);
	CHECK(all_gone());
}

static void exceptions_travel_as_pointers()
{
#ifdef TSAN
	return;		/* the counts in libstdc++'s exceptions are atomic, but TSan cannot see that */
#endif
	go_chan(std::exception_ptr *) c = go_make(std::exception_ptr *, 0);
	std::exception_ptr *sent = nullptr;
	std::string text;

	go([c] {
		try {
			throw std::runtime_error("from elsewhere");
		} catch (...) {
			go_send(c, new std::exception_ptr(std::current_exception()));
		}
	});
	CHECK(go_recv(c, &sent));
	try {
		std::rethrow_exception(*sent);
	} catch (const std::runtime_error &e) {
		text = e.what();
	}
	delete sent;
	CHECK(text == "from elsewhere");
	go_unref(c);
}

static void a_panic_stops_at_go_try()
{
	go_panic_info info = GO_PANIC_INFO_INIT;
	int deferred = 0;

	CHECK(!go_try([](void *n) {
		go_defer(count, n);
		go_panic("number %d", 5);
	}, &deferred, &info));
	CHECK(deferred == 1 && std::strcmp(info.message, "number 5") == 0);
	CHECK(go_try([](void *n) { count(n); }, &deferred, nullptr) && deferred == 2);
}

/* --- Contexts -------------------------------------------------------------------------- */

static void contexts_end_selects_and_waits()
{
	go_ctx *outer = go_ctx_with_cancel(GO_CTX_BACKGROUND);
	go_chan(int) c = go_make(int, 0);
	std::atomic<int> called(0);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	{
		go_ctx *ctx = go_ctx_with_timeout(outer, GO_HOUR);
		go_defer_end(ctx);

		go_receiver(char) done = go_ctx_done(ctx);
		CHECK(go_tryselect(GO_DONE(ctx), GO_RECV(done, nullptr)) == -ETIMEDOUT);
		go_ctx_after_func(ctx, [](void *n) { ++*static_cast<std::atomic<int> *>(n); }, &called);
		go_wg_spawn(&wg, [=] {
			go_ctx_unref(go_ctx_bind(ctx));
			CHECK(go_recv_until(c, nullptr, GO_FOREVER) == -ECANCELED);
			CHECK(go_select_until(GO_FOREVER, GO_RECV(c, nullptr)) == -ECANCELED);
			CHECK(go_select(GO_RECV(c, nullptr), GO_DONE(ctx)) == 1);
			CHECK(go_select(GO_RECV(c, nullptr), GO_AFTER(1)) == 1);
		});
		go_ctx_cancel_cause(outer, -EIO, "why");
		const char *why;
		CHECK(go_ctx_cause(ctx, &why) == -EIO && std::strcmp(why, "why") == 0);
		go_wg_wait(&wg);
	}
	while (called != 1)
		go_yield();
	go_ctx_unref(outer);
	go_unref(c);
}

static int run(int, char **)
{
	go_procs(4);
	channels_convert_to_their_element_type();
	select_takes_values_and_evaluates_them_once();
	ranges_nest_and_break();
	lambdas_are_goroutines();
	arguments_move_and_convert_before_go_returns();
	a_task_may_start_itself();
	large_and_aligned_tasks_arrive_whole();
	captured_objects_are_destroyed_once();
	threads_may_use_channels();
	exceptions_stay_with_their_goroutine();
	exceptions_travel_as_pointers();
	a_panic_stops_at_go_try();
	contexts_end_selects_and_waits();
	return 0;
}
GO_MAIN(run)
