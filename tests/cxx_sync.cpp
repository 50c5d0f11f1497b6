/* SPDX-License-Identifier: MIT */
/*
 * cxx_sync.cpp - the sync types from C++: initializers, and exceptions that leave a function which
 * a go_once runs.
 */
#include "goro.h"

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char *condition)
{
	std::fprintf(stderr, "cxx_sync.cpp:%d: %s does not hold\n", line, condition);
	std::_Exit(1);
}

struct calls {
	go_once once = GO_ONCE_INIT;
	std::atomic<int> begun{0}, caught{0}, returned{0}, deferred{0};
	go_waitgroup wg = GO_WAITGROUP_INIT;
};

static void count_deferred(void *arg) { static_cast<calls *>(arg)->deferred++; }

static void throw_slowly(void *arg)
{
	calls *c = static_cast<calls *>(arg);

	c->begun++;
	go_defer(count_deferred, c);
	go_sleep(GO_MILLISECOND);
	throw std::runtime_error("left");
}

static void call_once(void *arg)
{
	calls *c = static_cast<calls *>(arg);

	try {
		go_once_do(&c->once, throw_slowly, c);
		c->returned++;
	} catch (const std::runtime_error &) {
		c->caught++;
	}
	CHECK(c->begun == 1 && c->deferred == 1);
}

static void a_function_that_is_left_by_an_exception_has_run()
{
	for (int round = 0; round < 50; round++) {
		calls c;
		std::thread thread(call_once, &c);

		for (int i = 0; i < 8; i++)
			go_wg_spawn(&c.wg, call_once, &c);
		call_once(&c);
		thread.join();
		go_wg_wait(&c.wg);
		CHECK(c.begun == 1 && c.caught == 1 && c.returned == 9);
	}
}

static void exit_thread(void *arg)
{
	static_cast<calls *>(arg)->begun++;
	go_sleep(GO_MILLISECOND);
	pthread_exit(nullptr);
}

static void *exit_inside(void *arg)
{
	go_once_do(&static_cast<calls *>(arg)->once, exit_thread, arg);
	return arg;
}

static void a_thread_that_exits_inside_has_run_it()
{
	calls c;
	pthread_t threads[2];
	void *result[2];

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], nullptr, exit_inside, &c) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], &result[i]) == 0);
	CHECK(c.begun == 1 && (result[0] == nullptr) != (result[1] == nullptr));
	go_once_do(&c.once, exit_thread, &c);
}

struct nest { calls inner; go_once outer = GO_ONCE_INIT; int begun = 0; };

static void call_inner(void *arg)
{
	nest *n = static_cast<nest *>(arg);

	n->begun++;
	go_once_do(&n->inner.once, throw_slowly, &n->inner);
}

static void call_outer(void *arg)
{
	nest *n = static_cast<nest *>(arg);
	bool thrown = false;

	try {
		go_once_do(&n->outer, call_inner, n);
	} catch (const std::runtime_error &) {
		thrown = true;
	}
	CHECK(thrown == (n->begun == 1 && n->inner.caught++ == 0));
}

static void one_inside_another_is_left_as_well()
{
	nest n;

	call_outer(&n);
	call_outer(&n);
	CHECK(n.begun == 1 && n.inner.begun == 1 && n.inner.deferred == 1);
	go_once_do(&n.inner.once, throw_slowly, &n.inner);
}

/* The deferred calls of the caller are still in order. */
static void deferred_calls_around_it_are_kept()
{
	calls c;

	try {
		go_defer(count_deferred, &c);
		call_once(&c);
		CHECK(c.caught == 1);
		throw 1;
	} catch (int) {
	}
	CHECK(c.deferred == 2);
}

static void panic_later(void *)
{
	calls c;

	call_once(&c);
	go_panic("later");
}

static void a_panic_after_it_is_caught()
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_later, nullptr, &info));
}

static void objects_can_be_initialized()
{
	go_sema s = GO_SEMA_INIT(2);
	go_cond c = GO_COND_INIT;
	go_value v = GO_VALUE_INIT;
	go_mutex m = GO_MUTEX_INIT;
	int one = 1;

	CHECK(go_sema_try_acquire(&s, 2) && !go_sema_try_acquire(&s, 1));
	go_mutex_lock(&m);
	CHECK(go_cond_wait_until(&c, &m, GO_NOWAIT) == -ETIMEDOUT);
	go_mutex_unlock(&m);
	CHECK(go_value_load(&v) == nullptr);
	go_value_store(&v, &one, nullptr);
	CHECK(go_value_load(&v) == &one);
	go_value_release(&v, &one);
	go_value_clear(&v);
}

static int run(int, char **)
{
	objects_can_be_initialized();
	a_function_that_is_left_by_an_exception_has_run();
	a_thread_that_exits_inside_has_run_it();
	one_inside_another_is_left_as_well();
	deferred_calls_around_it_are_kept();
	a_panic_after_it_is_caught();
	return 0;
}
GO_MAIN(run)
