/* SPDX-License-Identifier: MIT */
/*
 * go_waitgroup.c - what Go tests of its WaitGroup (sync/waitgroup_test.go), misuse in particular.
 *
 * waitgroup.c has TestWaitGroup, TestWaitGroupMisuse, TestWaitGroupRace and TestWaitGroupAlign, and
 * what is our own.
 */
#include "support.h"

/* ------------------------------------------------------------ misuse --- */

static bool is_misuse(const char *message) {
	static const char *const texts[] = {
		"sync: negative WaitGroup counter",
		"sync: WaitGroup misuse: Add called concurrently with Wait",
		"sync: WaitGroup is reused before previous Wait has returned",
	};

	for (int i = 0; i < 3; i++)
		if (strncmp(message, texts[i], strlen(texts[i])) == 0)
			return true;
	return false;
}

struct misuse { go_waitgroup wg; go_ch *over; };

static void add_and_done(void *arg) {
	struct misuse *m = arg;

	go_wg_add(&m->wg, 1);           /* this is wrong: the other may be waiting for 0 */
	go_wg_done(&m->wg);
}

static void wait_for_it(void *arg) { go_wg_wait(&((struct misuse *)arg)->wg); }

static void try_misuse(struct misuse *m, go_fn fn) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	bool bad = !go_try(fn, m, &info);

	CHECK_MSG(!bad || is_misuse(info.message), "\"%s\"", info.message);
	go_chan_send(m->over, &bad);
}
GO_TASK(try_misuse, struct misuse *, go_fn);

/* Go: sync TestWaitGroupMisuse2.  Whether it is found out depends on the moment; nobody hangs. */
TEST(adding_while_others_wait_for_zero_is_found_out_or_harmless) {
	go_ch *over = go_chan_make(sizeof(bool), 2);

	for (int i = 0; i < (int)support_scale(5000); i++) {
		struct misuse *m = calloc(1, sizeof *m);

		assert_non_null(m);
		m->over = over;
		go_wg_add(&m->wg, 1);
		GO(try_misuse, m, wait_for_it);
		GO(try_misuse, m, add_and_done);
		go_wg_done(&m->wg);
		go_chan_recv(over, NULL);
		go_chan_recv(over, NULL);
		free(m);
	}
	wait_until(go_count() == 2);
	go_chan_unref(over);
}

static void done_it(go_waitgroup *wg) { go_wg_done(wg); }
GO_TASK(done_it, go_waitgroup *);

static void use_again(void *arg) {
	struct misuse *m = arg;

	go_wg_wait(&m->wg);
	go_wg_add(&m->wg, 1);
	GO(done_it, &m->wg);
	go_wg_wait(&m->wg);
}

/* Go: sync TestWaitGroupMisuse3.  Found out if the others have not even been woken. */
TEST(using_it_again_before_all_have_returned_is_found_out_or_harmless) {
	go_ch *over = go_chan_make(sizeof(bool), 1);

	for (int i = 0; i < (int)support_scale(5000); i++) {
		struct misuse m = {.over = over};

		go_wg_add(&m.wg, 1);
		GO(done_it, &m.wg);
		GO(try_misuse, &m, use_again);
		go_wg_wait(&m.wg);
		go_chan_recv(over, NULL);
	}
	wait_until(go_count() == 2);
	go_chan_unref(over);
}

static void wait_again(struct misuse *m, atomic_int *woken) {
	go_wg_wait(&m->wg);
	atomic_fetch_add(woken, 1);
}
GO_TASK(wait_again, struct misuse *, atomic_int *);

/* They are woken by the last done, and need not run before it is used again. */
TEST(those_who_were_woken_return_whatever_becomes_of_it) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		struct misuse m = {.over = NULL};
		atomic_int woken = 0;

		go_wg_add(&m.wg, 1);
		for (int k = 0; k < 3; k++)
			GO(wait_again, &m, &woken);
		while (i % 2 == 0 && support_parked("", "sync.WaitGroup.Wait") < 3)
			go_yield();
		go_wg_done(&m.wg);
		if (i % 2 == 0)
			go_wg_add(&m.wg, 1);
		wait_until(atomic_load(&woken) == 3);
		if (i % 2 == 0)
			go_wg_done(&m.wg);
	}
}

static void too_often(void *arg) {
	for (int i = 0; i < 3; i++)
		go_wg_done(arg);
}

CHILD(done_too_often) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 2);
	too_often(&wg);
	return 0;
}

/* Go: sync TestWaitGroupMisuse */
TEST(more_done_than_added_ends_the_process) {
	CHECK_DIES(done_too_often, NULL, "panic: sync: negative WaitGroup counter");
}

/* ------------------------------------------------------------ wait with a deadline --- */

struct wakes { go_waitgroup wg; atomic_int early, ok; go_waitgroup all; atomic_bool over; };

static void wait_both_ways(struct wakes *w, int64_t limit) {
	int rc = go_wg_wait_until(&w->wg, go_now() + limit);

	CHECK(rc == 0 || rc == -ETIMEDOUT);
	if (rc == 0)
		CHECK(atomic_load(&w->over));
	else
		go_wg_wait(&w->wg);
	CHECK(atomic_load(&w->over));
	atomic_fetch_add(rc == 0 ? &w->ok : &w->early, 1);
}
GO_TASK(wait_both_ways, struct wakes *, int64_t);

static void last_done(struct wakes *w, int64_t after) {
	go_sleep(after);
	atomic_store(&w->over, true);
	go_wg_done(&w->wg);
}
GO_TASK(last_done, struct wakes *, int64_t);

TEST(nobody_is_woken_early_and_nobody_is_forgotten) {
	struct support_rng rng = support_rng(11);

	for (int i = 0; i < (int)support_scale(300); i++) {
		struct wakes w = {.early = 0};

		go_wg_add(&w.wg, 1);
		for (int k = 0; k < 6; k++)
			GO_WG(&w.all, wait_both_ways, &w, support_below(&rng, 80) * GO_MICROSECOND);
		GO_WG(&w.all, last_done, &w, support_below(&rng, 80) * GO_MICROSECOND);
		go_wg_wait(&w.all);
		CHECK_EQ(atomic_load(&w.early) + atomic_load(&w.ok), 6);
		CHECK_EQ(go_wg_wait_until(&w.wg, GO_NOWAIT), 0);
	}
}

/* ------------------------------------------------------------ Go --- */

static void set_flag(atomic_int *n) { atomic_fetch_add(n, 1); }
GO_TASK(set_flag, atomic_int *);

/* Go: sync TestWaitGroupGo */
TEST(a_task_is_waited_for) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int n = 0;

	GO_WG(&wg, set_flag, &n);
	go_wg_wait(&wg);
	CHECK_EQ(atomic_load(&n), 1);
}

static void just_panic(__attribute__((unused)) void *arg) { go_panic("test"); }

static void panic_with(__attribute__((unused)) int a, __attribute__((unused)) int b) {
	go_panic("test");
}
GO_TASK(panic_with, int, int);

static void panic_again(__attribute__((unused)) void *arg) { go_panic("again"); }

static void panic_twice(void *arg) {
	go_defer(panic_again, arg);
	go_panic("test");
}

static void exit_now(__attribute__((unused)) void *arg) { go_exit(); }

static void exit_and_panic(void *arg) {
	go_defer(panic_again, arg);
	go_exit();
}

static void panic_exit_and_panic(void *arg) {
	go_defer(panic_again, arg);
	go_defer(exit_now, arg);
	go_panic("test");
}

static go_waitgroup dying;

/* Looks all the time, and leaves without a word as soon as the task counts as done. */
static void *leave_when_done(__attribute__((unused)) void *arg) {
	while (go_wg_wait_until(&dying, GO_NOWAIT) != 0)
		;
	_exit(7);
	return NULL;
}

CHILD(task_panics) {
	pthread_t thread;

	go_wg_add(&dying, 1);
	if (pthread_create(&thread, NULL, leave_when_done, NULL) != 0)
		return 1;
	switch (arg[0]) {
	case '1': go_wg_spawn(&dying, just_panic, NULL); break;
	case '2': GO_WG(&dying, panic_with, 1, 2); break;
	case '3': go_wg_spawn(&dying, panic_twice, NULL); break;
	case '4': go_wg_spawn(&dying, exit_and_panic, NULL); break;
	default:  go_wg_spawn(&dying, panic_exit_and_panic, NULL); break;
	}
	go_wg_done(&dying);
	go_wg_wait(&dying);
	return 7;
}

/* Go: sync TestIssue76126 */
TEST(a_task_that_dies_of_a_panic_is_never_done) {
	for (int i = 0; i < 3; i++) {
		CHECK_DIES(task_panics, "1", "panic: test");
		CHECK_DIES(task_panics, "2", "panic: test");
		CHECK_DIES(task_panics, "3", "panic: again");
		CHECK_DIES(task_panics, "4", "panic: again");
		CHECK_DIES(task_panics, "5", "panic: again");
	}
}

static void exit_instead(void *arg) {
	go_defer(exit_now, arg);
	go_panic("never seen");
}

static void catch_it(__attribute__((unused)) void *arg) { CHECK(!go_try(just_panic, NULL, NULL)); }

TEST(a_panic_that_is_stopped_leaves_it_done) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn(&wg, exit_instead, NULL);
	go_wg_spawn(&wg, catch_it, NULL);
	go_wg_spawn(&wg, exit_now, NULL);
	go_wg_wait(&wg);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(adding_while_others_wait_for_zero_is_found_out_or_harmless),
	cmocka_unit_test(using_it_again_before_all_have_returned_is_found_out_or_harmless),
	cmocka_unit_test(those_who_were_woken_return_whatever_becomes_of_it),
	cmocka_unit_test(more_done_than_added_ends_the_process),
	cmocka_unit_test(nobody_is_woken_early_and_nobody_is_forgotten),
	cmocka_unit_test(a_task_is_waited_for),
	cmocka_unit_test(a_task_that_dies_of_a_panic_is_never_done),
	cmocka_unit_test(a_panic_that_is_stopped_leaves_it_done),
};

SUPPORT_MAIN(tests)
