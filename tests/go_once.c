/* SPDX-License-Identifier: MIT */
/*
 * go_once.c - what Go tests of Once, OnceFunc and OnceValue (sync/once_test.go, oncefunc_test.go).
 *
 * Ours panics in the call that ran the function and not in the later ones, as sync.Once does and
 * OnceFunc does not.  once.c has more of our own.
 */
#include "support.h"

struct one { go_once once; int n; go_waitgroup wg; };

static void increment(void *arg) { ((struct one *)arg)->n++; }

static void run_one(struct one *o) {
	go_once_do(&o->once, increment, o);
	CHECK_EQ(o->n, 1);
}
GO_TASK(run_one, struct one *);

/* Go: sync TestOnce */
TEST(all_callers_see_one_call) {
	for (int round = 0; round < (int)support_scale(200); round++) {
		struct one o = {.n = 0};

		for (int i = 0; i < 10; i++)
			GO_WG(&o.wg, run_one, &o);
		go_wg_wait(&o.wg);
		CHECK_EQ(o.n, 1);
	}
}

static __attribute__((noinline)) void fail_once(void *arg) {
	((struct one *)arg)->n++;
	go_panic("failed");
}

static void do_fail(void *arg) { go_once_do(&((struct one *)arg)->once, fail_once, arg); }

static void not_again(__attribute__((unused)) void *arg) { CHECK_MSG(false, "called twice"); }

/* Go: sync TestOncePanic, TestOnceFuncPanic */
TEST(a_panic_counts_as_done) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	struct one o = {.n = 0};

	CHECK(!go_try(do_fail, &o, &info));
	CHECK_STR(info.message, "failed");
	CHECK(go_try(do_fail, &o, NULL));
	go_once_do(&o.once, not_again, NULL);
	CHECK_EQ(o.n, 1);
}

/* Go: sync TestOnceFuncPanicTraceback */
TEST(the_panic_tells_where_it_was) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	uintptr_t begin = (uintptr_t)fail_once, end = begin + 4096;
	struct one o = {.n = 0};
	int found = 0;

	CHECK(!go_try(do_fail, &o, &info));
	for (int i = 0; i < info.depth; i++)
		found += (uintptr_t)info.pc[i] > begin && (uintptr_t)info.pc[i] < end;
	CHECK(found > 0);
}

static void fail_in_a_deferred_call(void *arg) {
	((struct one *)arg)->n++;
	go_panic("deferred");
}

static void fail_twice(void *arg) {
	go_defer(fail_in_a_deferred_call, arg);
	((struct one *)arg)->n++;
	go_panic("first");
}

static void do_fail_twice(void *arg) { go_once_do(&((struct one *)arg)->once, fail_twice, arg); }

TEST(a_panic_in_a_deferred_call_of_it_counts_as_done) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	struct one o = {.n = 0};

	CHECK(!go_try(do_fail_twice, &o, &info));
	CHECK_STR(info.message, "deferred");
	go_once_do(&o.once, not_again, NULL);
	CHECK_EQ(o.n, 2);
}

static void catch_its_own(void *arg) {
	CHECK(!go_try(fail_once, arg, NULL));
}

TEST(a_panic_caught_inside_is_nobody_elses) {
	struct one o = {.n = 0};

	go_once_do(&o.once, catch_its_own, &o);
	go_once_do(&o.once, not_again, NULL);
	CHECK_EQ(o.n, 1);
}

static void exit_once(void *arg) {
	((struct one *)arg)->n++;
	go_exit();
}

static void do_exit(struct one *o) {
	go_once_do(&o->once, exit_once, o);
}
GO_TASK(do_exit, struct one *);

/* Go: sync TestOnceFuncGoexit */
TEST(an_exit_counts_as_done) {
	struct one o = {.n = 0};

	for (int i = 0; i < 2; i++) {
		GO_WG(&o.wg, do_exit, &o);
		go_wg_wait(&o.wg);
	}
	CHECK_EQ(o.n, 1);
}

static void exit_while_panicking(void *arg) {
	go_defer(exit_once, arg);
	go_panic("never seen");
}

static void do_exit_while_panicking(struct one *o) {
	go_once_do(&o->once, exit_while_panicking, o);
}
GO_TASK(do_exit_while_panicking, struct one *);

TEST(an_exit_in_place_of_a_panic_counts_as_done) {
	struct one o = {.n = 0};

	GO_WG(&o.wg, do_exit_while_panicking, &o);
	go_wg_wait(&o.wg);
	go_once_do(&o.once, not_again, NULL);
	CHECK_EQ(o.n, 1);
}

static void *make(void *arg) {
	((struct one *)arg)->n++;
	return arg;
}

/* Go: sync TestOnceValue, TestOnceValues */
TEST(a_value_is_kept) {
	struct one o = {.n = 0};
	void *slot = NULL;

	for (int i = 0; i < 10; i++)
		CHECK(go_once_value(&o.once, &slot, make, &o) == &o);
	CHECK_EQ(o.n, 1);
}

static void *fail_to_make(void *arg) {
	((struct one *)arg)->n++;
	go_panic("no value");
}

struct made { struct one o; void *slot; };

static void get_made(void *arg) {
	struct made *m = arg;

	CHECK(go_once_value(&m->o.once, &m->slot, fail_to_make, &m->o) == NULL);
}

/* Go: sync TestOnceValuePanic; the later ones get what was in the slot. */
TEST(a_value_that_was_not_made_is_what_was_there) {
	struct made m = {.slot = NULL};

	CHECK(!go_try(get_made, &m, NULL));
	CHECK(go_try(get_made, &m, NULL));
	CHECK_EQ(m.o.n, 1);
}

static void call_itself(void *arg) { go_once_do(arg, call_itself, arg); }

static void call_the_other(void *arg);
static go_once left_once, right_once;
static void call_left(__attribute__((unused)) void *arg) {
	go_once_do(&left_once, call_the_other, &right_once);
}
static void call_the_other(void *arg) { go_once_do(arg, call_left, NULL); }

CHILD(a_once_in_itself) {
	go_once once = GO_ONCE_INIT;

	if (arg[0] == 'd')
		go_once_do(&once, call_itself, &once);
	else
		call_left(NULL);
	return 0;
}

TEST(a_call_inside_itself_is_a_deadlock) {
	static const char text[] = "fatal error: all goroutines are asleep - deadlock!";

	CHECK_DIES(a_once_in_itself, "direct", text);
	CHECK_DIES(a_once_in_itself, "round", text);
	CHECK_DIES(a_once_in_itself, "round", "[sync.Once.Do");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_callers_see_one_call),
	cmocka_unit_test(a_panic_counts_as_done),
	cmocka_unit_test(the_panic_tells_where_it_was),
	cmocka_unit_test(a_panic_in_a_deferred_call_of_it_counts_as_done),
	cmocka_unit_test(a_panic_caught_inside_is_nobody_elses),
	cmocka_unit_test(an_exit_counts_as_done),
	cmocka_unit_test(an_exit_in_place_of_a_panic_counts_as_done),
	cmocka_unit_test(a_value_is_kept),
	cmocka_unit_test(a_value_that_was_not_made_is_what_was_there),
	cmocka_unit_test(a_call_inside_itself_is_a_deadlock),
};

SUPPORT_MAIN(tests)
