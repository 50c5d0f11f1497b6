/* SPDX-License-Identifier: MIT */
/*
 * go_timer.c - Go's time/sleep_test.go, what timer.c, timer_race.c and sleep.c do not retell.
 *
 * Many run with a timer's own channel and with a function that sends on one.
 */
#include "support.h"

/* A timer, and where its event comes from. */
struct event { go_timer *t; go_chan(int64_t) c; };

static void send_now(void *arg) {
	struct event *e = arg;

	(void)go_trysend(e->c, go_now());
}

static void event_start(struct event *e, bool func, int64_t ns) {
	*e = (struct event){NULL, NULL};
	if (func) {
		e->c = go_make(int64_t, 1);
		e->t = go_after_func(ns, send_now, e);
	} else {
		e->t = go_timer_new(ns);
	}
}

static go_receiver(int64_t) event_c(struct event *e) {
	return e->c != NULL ? go_recv_only(e->c) : go_timer_c(e->t);
}

/* Whoever frees a function's timer must know that it does not run any more. */
static void event_end(struct event *e) {
	go_timer_free(e->t);
	go_unref(e->c);
}

static int64_t event_wait(struct event *e) {
	int64_t when = 0;

	CHECK_EQ(go_recv_until(event_c(e), &when, go_now() + 60 * GO_SECOND), 0);
	return when;
}

/* ------------------------------------------------------------ once --- */

static void sleep_a_little(atomic_bool *stop) {
	while (!atomic_load(stop))
		free(malloc(1 << 16)), go_sleep(1);
}
GO_TASK(sleep_a_little, atomic_bool *);

/* Go: time TestTickerStress, with malloc for the collector. */
TEST(a_ticker_of_a_nanosecond_beside_short_sleeps) {
	atomic_bool stop = false;
	go_timer *t = go_ticker_new(1);

	GO(sleep_a_little, &stop);
	for (int i = 0; i < 100; i++)
		CHECK(go_recv(go_timer_c(t), NULL));
	go_timer_free(t);
	atomic_store(&stop, true);
	wait_until(go_count() == 2);
}

/* Go: time TestAfterTick; too slow is only a hang. */
TEST(one_wait_after_the_other_takes_at_least_the_sum) {
	const int64_t d = 10 * GO_MILLISECOND;
	int64_t start = go_now();

	for (int i = 0; i < 10; i++) {
		go_timer *t = go_timer_new(d);

		CHECK(go_recv(go_timer_c(t), NULL));
		go_timer_free(t);
	}
	CHECK(go_now() - start >= 10 * d);
	start = go_now();
	for (int i = 0; i < 10; i++)
		CHECK_EQ(go_select(GO_AFTER(d)), 0);
	CHECK(go_now() - start >= 10 * d);
}

/* false: the machine was too busy to say. */
static bool stop_before_it_fires(bool func, int64_t unit) {
	struct event a, b, later;
	bool in_time;

	event_start(&a, func, unit);
	event_start(&b, func, 3 * unit);
	event_start(&later, func, 4 * unit);
	in_time = go_timer_stop(a.t) && go_timer_stop(b.t);
	event_wait(&later);
	if (in_time) {
		CHECK(!go_tryrecv(event_c(&a), NULL));
		CHECK(!go_tryrecv(event_c(&b), NULL));
		CHECK(!go_timer_stop(a.t));
		CHECK(!go_timer_stop(b.t));
	}
	wait_until(go_count() == 2);
	event_end(&a);
	event_end(&b);
	event_end(&later);
	return in_time;
}

/* Go: time TestAfterStop */
TEST(what_was_stopped_does_not_fire_while_others_do) {
	for (int func = 0; func < 2; func++) {
		bool ok = false;

		for (int64_t unit = 10; unit <= 640 && !ok; unit *= 2)
			ok = stop_before_it_fires(func, unit * GO_MILLISECOND);
		CHECK(ok);
	}
}

/* ------------------------------------------------------------ order --- */

static const int slots[13] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};

struct ordered { int slot; go_chan(int) result; go_timer *t; };

static void send_slot(void *arg) {
	struct ordered *o = arg;

	go_send(o->result, o->slot);
}

static bool functions_in_order(int64_t delta) {
	go_chan(int) result = go_make(int, 13);
	struct ordered o[13];
	bool ordered = true;
	int last = 0, slot;

	for (int i = 0; i < 13; i++) {
		o[i] = (struct ordered){slots[i], result, NULL};
		o[i].t = go_after_func(slots[i] * delta, send_slot, &o[i]);
	}
	for (int i = 0; i < 13; i++, last = slot) {
		go_recv(result, &slot);
		ordered = ordered && slot >= last;
	}
	wait_until(go_count() == 2);
	for (int i = 0; i < 13; i++)
		go_timer_free(o[i].t);
	go_unref(result);
	return ordered;
}

/* Go: time TestAfterQueuing, impl=func */
TEST(functions_run_in_the_order_of_their_times) {
	bool ok = false;

	for (int64_t delta = 10; delta <= 160 && !ok; delta *= 2)
		ok = functions_in_order(delta * GO_MILLISECOND);
	CHECK(ok);
}

/* ------------------------------------------------------------ reset --- */

/* Go: time testReset; false: the machine was too busy to say. */
static bool reset_in_time(int64_t d) {
	int64_t start = go_now();
	go_timer *t = go_timer_new(2 * d);
	bool was, early;

	go_sleep(d);
	was = go_timer_reset(t, 3 * d);
	if (!was)
		CHECK(go_now() - start >= 2 * d);
	go_sleep(2 * d);
	early = go_tryrecv(go_timer_c(t), NULL);
	if (early)
		CHECK(go_now() - start >= 4 * d);
	if (was && !early) {
		CHECK(go_recv(go_timer_c(t), NULL));
		CHECK(go_now() - start >= 4 * d);
		CHECK(!go_timer_reset(t, 50 * GO_MILLISECOND));
	}
	go_timer_free(t);
	return was && !early;
}

/* Go: time TestReset */
TEST(a_reset_timer_counts_from_the_reset) {
	bool ok = false;

	for (int64_t d = 5; d <= 640 && !ok; d *= 2)
		ok = reset_in_time(d * GO_MILLISECOND);
	CHECK(ok);
}

/* Go: time TestOverflowSleep */
TEST(the_longest_waits_in_a_select_do_not_overflow) {
	CHECK_EQ(go_select(GO_AFTER(INT64_MAX), GO_AFTER(5 * GO_MILLISECOND)), 1);
	CHECK_EQ(go_select(GO_AFTER(5 * GO_MILLISECOND), GO_AFTER(INT64_MAX - go_now())), 0);
	CHECK_EQ(go_select(GO_AFTER(INT64_MIN), GO_AFTER(GO_HOUR)), 0);
	CHECK_EQ(go_select(GO_AFTER(GO_HOUR), GO_AFTER(INT64_MIN)), 1);
	CHECK_EQ(go_select(GO_UNTIL(INT64_MIN), GO_AFTER(GO_HOUR)), 0);
	CHECK_EQ(go_select(GO_UNTIL(INT64_MAX), GO_AFTER(1)), 1);
}

/* Go: time TestOverflowPeriodRuntimeTimer */
TEST(a_ticker_with_an_enormous_period_harms_no_other) {
	go_timer *t = go_ticker_new(1), *soon;

	CHECK(go_recv(go_timer_c(t), NULL));
	go_timer_reset(t, INT64_MAX);
	soon = go_timer_new(5 * GO_MILLISECOND);
	CHECK_EQ(go_select(GO_RECV(go_timer_c(t), NULL), GO_RECV(go_timer_c(soon), NULL)), 1);
	CHECK(go_timer_stop(t));
	go_timer_free(t);
	go_timer_free(soon);
}

/* Go: time TestZeroTimer: a new timer each time, with a channel or a function, and one used again. */
TEST(a_million_timers_without_delay_one_after_the_other) {
	int n = (int)support_scale(333333);
	struct event e;

	for (int func = 0; func < 2; func++)
		for (int i = 0; i < n; i++) {
			event_start(&e, func, 0);
			event_wait(&e);
			if (func)
				wait_until(go_count() == 2);
			event_end(&e);
		}
	event_start(&e, true, GO_HOUR);
	CHECK(go_timer_stop(e.t));
	for (int i = 0; i < n; i++) {
		CHECK(!go_timer_reset(e.t, 0));
		event_wait(&e);
	}
	wait_until(go_count() == 2);
	event_end(&e);
}

/* ------------------------------------------------------------ state machine --- */

/* Go: time TestTimerModifiedEarlier, with a function */
TEST(a_function_moved_to_the_past_is_not_dropped) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		struct event e;

		event_start(&e, true, GO_HOUR);
		for (int j = 0; j < 10; j++) {
			if (!go_timer_stop(e.t))
				event_wait(&e);
			go_timer_reset(e.t, -GO_HOUR);
		}
		event_wait(&e);
		wait_until(go_count() == 2);
		event_end(&e);
	}
}

static bool adjust(struct event *e, int state) {
	static const int64_t far[] = {0, 0, GO_MINUTE, 0, 3 * GO_MINUTE, 0, 2 * GO_MINUTE};

	switch (state) {
	case 0:
		event_start(e, true, 0);
		return true;
	case 1: case 9:
		event_wait(e);
		return true;
	case 2: case 4: case 6:
		CHECK(!go_timer_reset(e->t, far[state]));
		return true;
	case 3: case 5: case 7:
		CHECK(go_timer_stop(e->t));
		return true;
	case 8:
		CHECK(!go_timer_reset(e->t, 0));
		return true;
	default:
		return false;
	}
}

/* Go: time TestAdjustTimers: a hundred timers, each with a function and in a random state. */
TEST(functions_moved_about_are_not_lost) {
	struct support_rng rng = support_rng(0);
	struct event timers[100];
	int states[100] = {0}, order[100], left = 100;

	for (int i = 0; i < 100; i++)
		order[i] = i;
	while (left > 0) {
		int at = support_below(&rng, left), i = order[at];

		if (!adjust(&timers[i], states[i]++))
			order[at] = order[--left];
	}
	wait_until(go_count() == 2);
	for (int i = 0; i < 100; i++)
		event_end(&timers[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_ticker_of_a_nanosecond_beside_short_sleeps),
	cmocka_unit_test(one_wait_after_the_other_takes_at_least_the_sum),
	cmocka_unit_test(what_was_stopped_does_not_fire_while_others_do),
	cmocka_unit_test(functions_run_in_the_order_of_their_times),
	cmocka_unit_test(a_reset_timer_counts_from_the_reset),
	cmocka_unit_test(the_longest_waits_in_a_select_do_not_overflow),
	cmocka_unit_test(a_ticker_with_an_enormous_period_harms_no_other),
	cmocka_unit_test(a_million_timers_without_delay_one_after_the_other),
	cmocka_unit_test(a_function_moved_to_the_past_is_not_dropped),
	cmocka_unit_test(functions_moved_about_are_not_lost),
};

SUPPORT_MAIN(tests)
