/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - wait groups between goroutines and threads.
 *
 * After Go's sync/waitgroup_test.go: TestWaitGroup, TestWaitGroupMisuse, TestWaitGroupRace,
 * TestWaitGroupAlign, TestWaitGroupGo, TestIssue76126.
 */
#include "support.h"

/* ------------------------------------------------------------ counting --- */

enum { CREW = 16 };

static void cross(go_waitgroup *ready, go_waitgroup *leave, go_ch *left) {
	go_wg_done(ready);
	go_wg_wait(leave);
	go_chan_send(left, NULL);
}
GO_TASK(cross, go_waitgroup *, go_waitgroup *, go_ch *);

/* TestWaitGroup */
TEST(two_groups_make_a_barrier_time_and_again) {
	go_waitgroup ready = GO_WAITGROUP_INIT, leave = GO_WAITGROUP_INIT;
	go_ch *left = go_chan_make(0, CREW);

	for (int round = 0; round < (int)support_scale(100); round++) {
		go_wg_add(&ready, CREW);
		go_wg_add(&leave, CREW);
		for (int i = 0; i < CREW; i++)
			GO(cross, &ready, &leave, left);
		go_wg_wait(&ready);
		for (int i = 0; i < CREW; i++) {
			CHECK_EQ(go_chan_len(left), 0);         /* not before the last done */
			go_wg_done(&leave);
		}
		for (int i = 0; i < CREW; i++)
			go_chan_recv(left, NULL);
	}
	go_chan_unref(left);
}

TEST(waiting_for_nothing_returns_at_once) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_wait(&wg);
	CHECK_EQ(go_wg_wait_until(&wg, -1), 0);
	CHECK_EQ(go_wg_wait_until(&wg, GO_NOWAIT), 0);
	CHECK_EQ(go_wg_wait_until(&wg, GO_FOREVER), 0);
	go_wg_add(&wg, 5);
	go_wg_add(&wg, -3);
	go_wg_done(&wg);
	go_wg_add(&wg, 0);
	CHECK_EQ(go_wg_wait_until(&wg, GO_NOWAIT), -ETIMEDOUT);
	go_wg_done(&wg);
	go_wg_wait(&wg);
}

static void done_once_too_often(void *arg) {
	go_wg_add(arg, 1);
	go_wg_done(arg);
	go_wg_done(arg);
	CHECK(false);
}

static void add_below_zero(void *arg) {
	go_wg_add(arg, -1);
	CHECK(false);
}

/* TestWaitGroupMisuse */
TEST(a_negative_count_is_a_panic) {
	static const go_fn bad[] = {done_once_too_often, add_below_zero};

	for (int i = 0; i < 2; i++) {
		go_panic_info info = GO_PANIC_INFO_INIT;
		go_waitgroup wg = GO_WAITGROUP_INIT;

		CHECK(!go_try(bad[i], &wg, &info));
		CHECK_STR(info.message, "sync: negative WaitGroup counter");
	}
}

struct late { go_waitgroup wg; atomic_int n; };

static void add_late(void *arg) {
	struct late *l = arg;

	atomic_fetch_add(&l->n, 1);
	go_wg_done(&l->wg);
}

/* TestWaitGroupRace */
TEST(wait_returns_after_both_and_not_before) {
	for (int i = 0; i < (int)support_scale(5000); i++) {
		struct late l = {.n = 0};

		go_wg_add(&l.wg, 1);
		go_spawn(add_late, &l);
		go_wg_add(&l.wg, 1);
		go_spawn(add_late, &l);
		go_wg_wait(&l.wg);
		CHECK_EQ(atomic_load(&l.n), 2);
	}
}

struct odd { char c; go_waitgroup wg; char d; };

static void done_odd(void *arg) { go_wg_done(&((struct odd *)arg)->wg); }

/* TestWaitGroupAlign */
TEST(it_may_stand_anywhere_in_a_struct) {
	struct odd x = {.c = 'c', .d = 'd'};

	go_wg_add(&x.wg, 1);
	go_spawn(done_odd, &x);
	go_wg_wait(&x.wg);
	CHECK(x.c == 'c' && x.d == 'd');
}

static void add_more(struct late *l, int depth);
GO_TASK(add_more, struct late *, int);
static void add_more(struct late *l, int depth) {
	if (depth > 0) {
		go_wg_add(&l->wg, 2);           /* somebody may be waiting */
		GO_WG(&l->wg, add_more, l, depth - 1);
		go_wg_add(&l->wg, -2);
		GO_WG(&l->wg, add_more, l, depth - 1);
	}
	atomic_fetch_add(&l->n, 1);
}

TEST(those_who_are_counted_may_add_more) {
	int depth = SUPPORT_TSAN ? 5 : 9;
	struct late l = {.n = 0};

	GO_WG(&l.wg, add_more, &l, depth);
	go_wg_wait(&l.wg);
	CHECK_EQ(atomic_load(&l.n), (2 << depth) - 1);
}

/* ------------------------------------------------------------ spawning --- */

static void add_one(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

static void add_one_and_exit(void *arg) {
	atomic_fetch_add((atomic_int *)arg, 1);
	go_exit();
}

static void add_pointed(void *arg) {
	CHECK_EQ((uintptr_t)arg % 16, 0);
	atomic_fetch_add(*(atomic_int **)arg, 1);
}

static void add_both(atomic_int *n, int k) { atomic_fetch_add(n, k); }
GO_TASK(add_both, atomic_int *, int);

static void add_nothing(void) { }
GO_TASK(add_nothing);

/* TestWaitGroupGo */
TEST(spawn_counts_until_the_function_returns_or_exits) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int n = 0, *p = &n;

	for (int i = 0; i < 50; i++) {
		go_wg_spawn(&wg, add_one, &n);
		go_wg_spawn(&wg, add_one_and_exit, &n);
		go_wg_spawn_copy(&wg, add_pointed, &p, sizeof p);
		GO_WG(&wg, add_both, &n, 2);
		GO_WG(&wg, add_nothing);
	}
	go_wg_wait(&wg);
	CHECK_EQ(atomic_load(&n), 250);
}

static void note_end(void *arg) {
	go_sleep(GO_MILLISECOND);
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void defer_and_leave(void *arg) {
	go_defer(note_end, arg);
	go_exit();
}

TEST(done_comes_after_the_deferred_calls) {
	for (int i = 0; i < 20; i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		atomic_int n = 0;

		go_wg_spawn(&wg, defer_and_leave, &n);
		go_wg_wait(&wg);
		CHECK_EQ(atomic_load(&n), 1);
	}
}

static void panic_test(void *arg) {
	(void)arg;
	go_panic("test");
}

CHILD(panic_in_a_group) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn(&wg, panic_test, NULL);
	go_wg_wait(&wg);                /* must not return */
	return 7;
}

/* TestIssue76126 */
TEST(a_panic_ends_the_process_and_not_the_wait) {
	for (int i = 0; i < 3; i++)
		CHECK_DIES(panic_in_a_group, NULL, "panic: test");
}

/* ------------------------------------------------------------ time limits --- */

TEST(wait_until_gives_up_at_its_deadline) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int64_t start = support_clock();

	go_wg_add(&wg, 1);
	CHECK_EQ(go_wg_wait_until(&wg, -1), -ETIMEDOUT);
	CHECK_EQ(go_wg_wait_until(&wg, go_now() + 20 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(support_clock() - start >= 20 * GO_MILLISECOND);
	go_wg_done(&wg);
	CHECK_EQ(go_wg_wait_until(&wg, go_now()), 0);
}

struct waiters { go_waitgroup wg; atomic_int timed_out, done; };

static void wait_a_while(struct waiters *w, int64_t limit) {
	int rc = go_wg_wait_until(&w->wg, limit == GO_FOREVER ? limit : go_now() + limit);

	CHECK(rc == 0 || rc == -ETIMEDOUT);
	atomic_fetch_add(rc == 0 ? &w->done : &w->timed_out, 1);
}
GO_TASK(wait_a_while, struct waiters *, int64_t);

static void *wait_in_a_thread(void *arg) {
	wait_a_while(arg, 5 * GO_MILLISECOND);
	wait_a_while(arg, GO_FOREVER);
	return NULL;
}

TEST(some_give_up_and_the_others_are_woken) {
	struct waiters w = {.done = 0};
	pthread_t threads[2];

	go_wg_add(&w.wg, 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_in_a_thread, &w), 0);
	for (int i = 0; i < 10; i++) {
		GO(wait_a_while, &w, 5 * GO_MILLISECOND);
		GO(wait_a_while, &w, GO_FOREVER);
	}
	wait_until(atomic_load(&w.timed_out) == 12);
	CHECK_EQ(atomic_load(&w.done), 0);
	for (int i = 0; i < 3; i++)
		go_wg_done(&w.wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&w.done), 12);
}

TEST(time_outs_race_with_the_last_done) {
	struct support_rng rng = support_rng(5);
	int rounds = (int)support_scale(1000);
	struct waiters w = {.done = 0};

	for (int i = 0; i < rounds; i++) {
		go_wg_add(&w.wg, 1);
		GO(wait_a_while, &w, support_below(&rng, 100) * GO_MICROSECOND);
		GO(wait_a_while, &w, support_below(&rng, 100) * GO_MICROSECOND);
		if (i % 2 == 0)
			go_sleep(support_below(&rng, 100) * GO_MICROSECOND);
		go_wg_done(&w.wg);
		wait_until(atomic_load(&w.done) + atomic_load(&w.timed_out) == 2 * (i + 1));
	}
}

/* ------------------------------------------------------------ lifetime --- */

static void *done_in_a_thread(void *arg) {
	go_wg_done(arg);
	return NULL;
}

static void wait_here(void *arg) {
	go_wg_wait(arg);
}

static void done_arg(void *arg) { go_wg_done(arg); }

/* Its frame is written over as soon as it has returned. */
static __attribute__((noinline)) void wait_on_the_stack(int n) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, n);
	for (int i = 0; i < n; i++)
		go_spawn(done_arg, &wg);
	go_wg_wait(&wg);
}

static __attribute__((noinline)) void write_over_the_stack(void) {
	volatile unsigned char block[1024];

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = 0xa5;
	go_yield();
	for (size_t i = 0; i < sizeof block; i++)
		if (!CHECK_EQ(block[i], 0xa5))
			break;
}

TEST(it_may_be_gone_after_wait) {
	for (int i = 0; i < (int)support_scale(5000); i++) {
		wait_on_the_stack(1 + i % 5);
		write_over_the_stack();
	}
}

TEST(it_may_be_freed_after_wait) {
	for (int i = 0; i < (int)support_scale(5000); i++) {
		go_waitgroup *wg = calloc(1, sizeof *wg);

		assert_non_null(wg);
		go_wg_add(wg, 3);
		for (int k = 0; k < 3; k++)
			go_spawn(done_arg, wg);
		go_wg_wait(wg);
		memset(wg, 0xa5, sizeof *wg);
		go_yield();
		for (size_t k = 0; k < sizeof *wg; k++)
			CHECK_EQ(((unsigned char *)wg)[k], 0xa5);
		free(wg);
	}
}

TEST(it_may_be_gone_when_threads_were_done) {
	for (int i = 0; i < (int)support_scale(500); i++) {
		go_waitgroup *wg = calloc(1, sizeof *wg);
		pthread_t threads[2];

		assert_non_null(wg);
		go_wg_add(wg, 2);
		for (int k = 0; k < 2; k++)
			CHECK_EQ(pthread_create(&threads[k], NULL, done_in_a_thread, wg), 0);
		go_wg_wait(wg);
		memset(wg, 0xa5, sizeof *wg);
		for (int k = 0; k < 2; k++)
			pthread_join(threads[k], NULL);
		for (size_t k = 0; k < sizeof *wg; k++)
			CHECK_EQ(((unsigned char *)wg)[k], 0xa5);
		free(wg);
	}
}

/*
 * Threads, whose deadlines are the most exact; done() comes as close behind this one as it can be
 * brought, for that is where giving up and the last done() may meet.
 */
struct meeting {
	go_waitgroup wg;
	go_waitgroup *_Atomic given;
	_Atomic int64_t when;
	atomic_bool over;
};

static void *done_at_a_time(void *arg) {
	struct meeting *m = arg;

	while (!atomic_load(&m->over)) {
		go_waitgroup *wg = atomic_exchange(&m->given, NULL);
		int64_t when = atomic_load(&m->when);

		if (wg == NULL)
			continue;
		while (go_now() < when)
			continue;
		go_wg_done(wg);
	}
	return NULL;
}

static void *wait_twice(void *arg) {
	struct meeting *m = arg;
	volatile uint64_t *word = (volatile uint64_t *)(void *)&m->wg;
	int rounds = (int)support_scale(15000);
	int64_t later = 50 * GO_MICROSECOND, end = go_now() + 5 * GO_SECOND;

	for (int i = 0; i < rounds && go_now() < end; i++) {
		int64_t deadline = go_now() + 20 * GO_MICROSECOND;

		m->wg = (go_waitgroup)GO_WAITGROUP_INIT;
		go_wg_add(&m->wg, 1);
		atomic_store(&m->when, deadline + later + i * 37 % 1000);
		atomic_store(&m->given, &m->wg);
		if (go_wg_wait_until(&m->wg, deadline) == 0) {
			later += 100;
		} else {
			later -= 100;
			go_wg_wait(&m->wg);
		}
		*word = UINT64_C(0xa5a5a5a5a5a5a5a5);
		for (int k = 0; k < 3000; k++)
			if (!CHECK(*word == UINT64_C(0xa5a5a5a5a5a5a5a5)))
				return NULL;
	}
	return NULL;
}

TEST(it_may_be_gone_after_a_second_wait) {
	struct meeting *m = calloc(1, sizeof *m);
	pthread_t waiter, doer;

	assert_non_null(m);
	CHECK_EQ(pthread_create(&doer, NULL, done_at_a_time, m), 0);
	CHECK_EQ(pthread_create(&waiter, NULL, wait_twice, m), 0);
	pthread_join(waiter, NULL);
	atomic_store(&m->over, true);
	pthread_join(doer, NULL);
	free(m);
}

TEST(many_may_wait) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	for (int i = 0; i < 200; i++)
		go_spawn(wait_here, &wg);
	support_settle();
	CHECK_EQ(go_count(), 202);
	go_wg_done(&wg);
	wait_until(go_count() == 2);
	go_wg_add(&wg, 1);              /* and it can be used again */
	go_spawn(wait_here, &wg);
	go_wg_done(&wg);
	wait_until(go_count() == 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(two_groups_make_a_barrier_time_and_again),
	cmocka_unit_test(waiting_for_nothing_returns_at_once),
	cmocka_unit_test(a_negative_count_is_a_panic),
	cmocka_unit_test(wait_returns_after_both_and_not_before),
	cmocka_unit_test(it_may_stand_anywhere_in_a_struct),
	cmocka_unit_test(those_who_are_counted_may_add_more),
	cmocka_unit_test(spawn_counts_until_the_function_returns_or_exits),
	cmocka_unit_test(done_comes_after_the_deferred_calls),
	cmocka_unit_test(a_panic_ends_the_process_and_not_the_wait),
	cmocka_unit_test(wait_until_gives_up_at_its_deadline),
	cmocka_unit_test(some_give_up_and_the_others_are_woken),
	cmocka_unit_test(time_outs_race_with_the_last_done),
	cmocka_unit_test(it_may_be_gone_after_wait),
	cmocka_unit_test(it_may_be_freed_after_wait),
	cmocka_unit_test(it_may_be_gone_when_threads_were_done),
	cmocka_unit_test(it_may_be_gone_after_a_second_wait),
	cmocka_unit_test(many_may_wait),
};

SUPPORT_MAIN(tests)
