/* SPDX-License-Identifier: MIT */
/*
 * once.c - Once, plain and with a value, between goroutines and threads.
 *
 * After Go's sync/once_test.go (TestOnce, TestOncePanic) and oncefunc_test.go (TestOnceFunc,
 * TestOnceValue, TestOnceFuncPanic, TestOnceFuncGoexit).
 */
#include "support.h"

struct call { go_once once; atomic_int entered, left; go_waitgroup wg; };

static void slow_setup(void *arg) {
	struct call *c = arg;

	atomic_fetch_add(&c->entered, 1);
	for (int i = 0; i < 10; i++)
		go_yield();
	go_sleep(200 * GO_MICROSECOND);
	atomic_fetch_add(&c->left, 1);
}

static void call_it(void *arg) {
	struct call *c = arg;

	go_once_do(&c->once, slow_setup, c);
	CHECK_EQ(atomic_load(&c->left), 1);     /* whoever did it, it is complete */
	go_wg_done(&c->wg);
}

static void *call_it_in_a_thread(void *arg) {
	call_it(arg);
	return NULL;
}

/* TestOnce */
TEST(the_function_runs_once_and_everybody_waits_for_it) {
	for (int round = 0; round < (int)support_scale(200); round++) {
		struct call c = {.entered = 0};

		go_wg_add(&c.wg, 10);
		for (int i = 0; i < 10; i++)
			go_spawn(call_it, &c);
		go_wg_wait(&c.wg);
		CHECK_EQ(atomic_load(&c.entered), 1);
		CHECK_EQ(atomic_load(&c.left), 1);
	}
}

TEST(threads_and_goroutines_share_it) {
	for (int round = 0; round < (int)support_scale(100); round++) {
		struct call c = {.entered = 0};
		pthread_t threads[3];

		go_wg_add(&c.wg, 8);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(pthread_create(&threads[i], NULL, call_it_in_a_thread, &c), 0);
			go_spawn(call_it, &c);
		}
		go_spawn(call_it, &c);
		call_it(&c);
		go_wg_wait(&c.wg);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		CHECK_EQ(atomic_load(&c.entered), 1);
	}
}

static void count(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

TEST(each_once_is_its_own) {
	go_once a = GO_ONCE_INIT, b = GO_ONCE_INIT;
	atomic_int n = 0;

	for (int i = 0; i < 5; i++) {
		go_once_do(&a, count, &n);
		go_once_do(&b, count, &n);
	}
	CHECK_EQ(atomic_load(&n), 2);
}

struct nest { go_once inner; atomic_int n; };

static void outer_setup(void *arg) {
	struct nest *n = arg;

	go_once_do(&n->inner, count, &n->n);
	atomic_fetch_add(&n->n, 1);
}

TEST(one_may_use_another) {
	go_once outer = GO_ONCE_INIT;
	struct nest n = {.n = 0};

	go_once_do(&outer, outer_setup, &n);
	go_once_do(&outer, outer_setup, &n);
	go_once_do(&n.inner, count, &n.n);
	CHECK_EQ(atomic_load(&n.n), 2);
}

/* ------------------------------------------------------------ panic and exit --- */

struct failing { go_once once; atomic_int calls; go_waitgroup wg; };

static void fail_slowly(void *arg) {
	struct failing *f = arg;

	atomic_fetch_add(&f->calls, 1);
	go_sleep(2 * GO_MILLISECOND);
	go_panic("failed %d", 3);
}

static void do_failing(void *arg) {
	struct failing *f = arg;

	go_once_do(&f->once, fail_slowly, f);
}

static void try_failing(struct failing *f, atomic_int *panics) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (!go_try(do_failing, f, &info)) {
		CHECK_STR(info.message, "failed 3");
		atomic_fetch_add(panics, 1);
	}
	go_wg_done(&f->wg);
}
GO_TASK(try_failing, struct failing *, atomic_int *);

/* TestOncePanic: the caller whose call it was gets the panic, the others return. */
TEST(a_function_that_panics_has_run) {
	struct failing f = {.calls = 0};
	atomic_int panics = 0;

	go_wg_add(&f.wg, 8);
	for (int i = 0; i < 8; i++)
		GO(try_failing, &f, &panics);
	go_wg_wait(&f.wg);
	CHECK_EQ(atomic_load(&panics), 1);
	CHECK_EQ(atomic_load(&f.calls), 1);
	go_once_do(&f.once, fail_slowly, &f);
	CHECK_EQ(atomic_load(&f.calls), 1);
}

static void exit_slowly(void *arg) {
	struct failing *f = arg;

	atomic_fetch_add(&f->calls, 1);
	go_sleep(2 * GO_MILLISECOND);
	go_exit();
}

static void do_exiting(void *arg) {
	struct failing *f = arg;

	go_once_do(&f->once, exit_slowly, f);
}

/* TestOnceFuncGoexit */
TEST(a_function_that_exits_has_run) {
	struct failing f = {.calls = 0};

	for (int i = 0; i < 8; i++)
		go_wg_spawn(&f.wg, do_exiting, &f);
	go_wg_wait(&f.wg);
	CHECK_EQ(atomic_load(&f.calls), 1);
	do_exiting(&f);
	CHECK_EQ(atomic_load(&f.calls), 1);
}

/* ------------------------------------------------------------ values --- */

struct value { go_once once; void *slot; atomic_int calls; go_waitgroup wg; };

static void *make_value(void *arg) {
	struct value *v = arg;

	atomic_fetch_add(&v->calls, 1);
	go_sleep(200 * GO_MICROSECOND);
	return &v->calls;
}

static void get_value(void *arg) {
	struct value *v = arg;

	CHECK(go_once_value(&v->once, &v->slot, make_value, v) == &v->calls);
	CHECK(v->slot == &v->calls);
	go_wg_done(&v->wg);
}

static void *get_value_in_a_thread(void *arg) {
	get_value(arg);
	return NULL;
}

/* TestOnceValue */
TEST(a_value_is_made_once_and_kept) {
	for (int round = 0; round < (int)support_scale(100); round++) {
		struct value v = {.slot = NULL};
		pthread_t thread;

		go_wg_add(&v.wg, 10);
		CHECK_EQ(pthread_create(&thread, NULL, get_value_in_a_thread, &v), 0);
		for (int i = 0; i < 8; i++)
			go_spawn(get_value, &v);
		get_value(&v);
		go_wg_wait(&v.wg);
		pthread_join(thread, NULL);
		CHECK_EQ(atomic_load(&v.calls), 1);
	}
}

static void *make_null(void *arg) {
	atomic_fetch_add((atomic_int *)arg, 1);
	return NULL;
}

TEST(null_is_a_value) {
	go_once once = GO_ONCE_INIT;
	atomic_int calls = 0;
	void *slot = &calls;

	for (int i = 0; i < 3; i++)
		CHECK(go_once_value(&once, &slot, make_null, &calls) == NULL);
	CHECK(slot == NULL);
	CHECK_EQ(atomic_load(&calls), 1);
}

static void use_itself(void *arg) {
	go_once_do(arg, use_itself, arg);
}

CHILD(once_inside_itself) {
	go_once once = GO_ONCE_INIT;

	go_once_do(&once, use_itself, &once);
	return 0;
}

TEST(a_function_that_uses_its_own_once_is_a_deadlock) {
	CHECK_DIES(once_inside_itself, NULL, "fatal error: all goroutines are asleep - deadlock!");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_function_runs_once_and_everybody_waits_for_it),
	cmocka_unit_test(threads_and_goroutines_share_it),
	cmocka_unit_test(each_once_is_its_own),
	cmocka_unit_test(one_may_use_another),
	cmocka_unit_test(a_function_that_panics_has_run),
	cmocka_unit_test(a_function_that_exits_has_run),
	cmocka_unit_test(a_value_is_made_once_and_kept),
	cmocka_unit_test(null_is_a_value),
	cmocka_unit_test(a_function_that_uses_its_own_once_is_a_deadlock),
};

SUPPORT_MAIN(tests)
