/* SPDX-License-Identifier: MIT */
/*
 * timer_race.c - timers stopped, reset and freed while they fire.
 *
 * After Go's time/sleep_test.go: TestTimerModifiedEarlier, TestAdjustTimers, TestStopResult,
 * TestResetResult, TestMultiWakeupTimer, TestMultiWakeupTicker, TestTickerConcurrentStress.
 */
#include "support.h"

static void receive(go_timer *t) {
	CHECK_EQ(go_recv_until(go_timer_c(t), NULL, go_now() + 60 * GO_SECOND), 0);
}

/* TestTimerModifiedEarlier */
TEST(a_timer_moved_to_the_past_is_not_dropped) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		go_timer *t = go_timer_new(GO_HOUR);

		for (int j = 0; j < 10; j++) {
			go_timer_stop(t);
			go_timer_reset(t, -GO_HOUR);
		}
		receive(t);
		go_timer_free(t);
	}
}

/* The life of one timer: what is done to it in the step-th step. */
static void adjust(go_timer **t, int step) {
	static const int64_t far[] = {0, 0, GO_MINUTE, 0, 3 * GO_MINUTE, 0, 2 * GO_MINUTE};

	switch (step) {
	case 0: *t = go_timer_new(0); break;
	case 1: receive(*t); break;
	case 2: case 4: case 6: CHECK(!go_timer_reset(*t, far[step])); break;
	case 3: case 5: case 7: CHECK(go_timer_stop(*t)); break;
	case 8: CHECK(!go_timer_reset(*t, 0)); break;
	case 9: receive(*t); break;
	default: go_timer_free(*t);
	}
}

static void adjust_many(uint64_t salt, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);
	struct { go_timer *t; int step; } timers[100] = {{NULL, 0}};
	int left = 100;

	while (left > 0) {
		int i = support_below(&rng, left);

		adjust(&timers[i].t, timers[i].step);
		if (timers[i].step++ == 10)
			timers[i] = timers[--left];
		if (support_below(&rng, 64) == 0)
			go_sleep(support_below(&rng, 50) * GO_MICROSECOND);
	}
	go_wg_done(wg);
}
GO_TASK(adjust_many, uint64_t, go_waitgroup *);

/* TestAdjustTimers */
TEST(timers_moved_about_are_not_lost) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (uint64_t i = 0; i < 8; i++) {
		go_wg_add(&wg, 1);
		GO(adjust_many, i, &wg);
	}
	go_wg_wait(&wg);
}

static bool end_it(go_timer *t, bool stop) {
	return stop ? go_timer_stop(t) : go_timer_reset(t, GO_HOUR);
}

/* Of two timers due together: once stop or reset says "not active", its value must be there. */
static void race_two(bool stop, go_waitgroup *wg) {
	for (int i = 0; i < 20; i++) {
		go_timer *a = go_timer_new(GO_MILLISECOND), *b = go_timer_new(GO_MILLISECOND);
		int which = go_select(GO_RECV(go_timer_c(a), NULL), GO_RECV(go_timer_c(b), NULL));
		go_timer *other = which == 0 ? b : a;

		if (!end_it(other, stop))
			receive(other);
		else
			CHECK(!go_tryrecv(go_timer_c(other), NULL));
		go_timer_free(a);
		go_timer_free(b);
	}
	go_wg_done(wg);
}
GO_TASK(race_two, bool, go_waitgroup *);

/* TestStopResult, TestResetResult */
TEST(stop_and_reset_say_whether_a_value_will_come) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = SUPPORT_TSAN ? 50 : 500;

	for (int stop = 0; stop < 2; stop++) {
		for (int i = 0; i < n; i++) {
			go_wg_add(&wg, 1);
			GO(race_two, stop == 0, &wg);
		}
		go_wg_wait(&wg);
	}
}

struct once_only { atomic_int ran; };

static void ran(void *arg) { atomic_fetch_add(&((struct once_only *)arg)->ran, 1); }

/* A function whose stop said true does not run; otherwise it runs once. */
TEST(stop_of_a_function_tells_the_truth) {
	int n = (int)support_scale(5000);
	struct support_rng rng = support_rng(2);
	atomic_int expected = 0;
	struct once_only o = {0};

	for (int i = 0; i < n; i++) {
		go_timer *t = go_after_func(support_below(&rng, 20) * GO_MICROSECOND, ran, &o);

		int64_t end = support_clock() + support_below(&rng, 20000);

		while (i % 2 == 0 && support_clock() < end)
			;
		go_yield();
		if (!go_timer_stop(t))
			atomic_fetch_add(&expected, 1);
		go_timer_free(t);
	}
	wait_until(atomic_load(&o.ran) == atomic_load(&expected));
	support_settle();
	CHECK_EQ(atomic_load(&o.ran), atomic_load(&expected));
}

static void poke(go_timer *t, bool ticker, go_waitgroup *wg) {
	for (int i = 0; i < (int)support_scale(3000); i++) {
		if (ticker) {
			int rc = go_recv_until(go_timer_c(t), NULL, go_now() + GO_MILLISECOND);

			CHECK(rc == 0 || rc == -ETIMEDOUT);
			if (i % 64 == 0)
				go_timer_reset(t, 1 + i);
		} else {
			(void)go_tryrecv(go_timer_c(t), NULL);
			go_timer_reset(t, 1);
		}
	}
	go_wg_done(wg);
}
GO_TASK(poke, go_timer *, bool, go_waitgroup *);

/* TestMultiWakeupTimer, TestMultiWakeupTicker */
TEST(many_may_use_one_timer_at_once) {
	for (int ticker = 0; ticker < 2; ticker++) {
		go_timer *t = ticker ? go_ticker_new(1000) : go_timer_new(1);
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 8; i++) {
			go_wg_add(&wg, 1);
			GO(poke, t, ticker, &wg);
		}
		go_wg_wait(&wg);
		go_timer_free(t);
	}
}

static void *poke_in_a_thread(void *arg) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		go_timer_reset(arg, i % 3 * GO_MICROSECOND);
		if (i % 2 == 0)
			go_timer_stop(arg);
		else if (i % 5 == 0)
			(void)go_tryrecv(go_timer_c((go_timer *)arg), NULL);
	}
	return NULL;
}

TEST(threads_may_use_timers) {
	go_timer *t = go_timer_new(GO_HOUR);
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, poke_in_a_thread, t), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	go_timer_reset(t, 0);
	receive(t);
	go_timer_free(t);
}

static void tick_for_a_while(go_waitgroup *wg) {
	go_timer *t = go_ticker_new(100 * GO_MICROSECOND);

	for (int i = 0; i < 20; i++)
		receive(t);
	go_timer_free(t);
	go_wg_done(wg);
}
GO_TASK(tick_for_a_while, go_waitgroup *);

/* TestTickerConcurrentStress, and the Ps change meanwhile. */
TEST(tickers_survive_a_change_of_procs) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int procs = go_procs(0);

	for (int i = 0; i < 50; i++) {
		go_wg_add(&wg, 1);
		GO(tick_for_a_while, &wg);
	}
	for (int i = 0; go_wg_wait_until(&wg, go_now() + GO_MILLISECOND) != 0; i++)
		go_procs(1 + i % 16);
	go_procs(procs);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_timer_moved_to_the_past_is_not_dropped),
	cmocka_unit_test(timers_moved_about_are_not_lost),
	cmocka_unit_test(stop_and_reset_say_whether_a_value_will_come),
	cmocka_unit_test(stop_of_a_function_tells_the_truth),
	cmocka_unit_test(many_may_use_one_timer_at_once),
	cmocka_unit_test(threads_may_use_timers),
	cmocka_unit_test(tickers_survive_a_change_of_procs),
};

SUPPORT_MAIN(tests)
