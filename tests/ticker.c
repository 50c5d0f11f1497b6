/* SPDX-License-Identifier: MIT */
/*
 * ticker.c - tickers: no tick early, none piled up, none after a stop.
 *
 * After Go's time/tick_test.go: TestTicker, TestTeardown, TestNewTickerLtZeroDuration,
 * TestTickerResetLtZeroDuration, and the second half of TestChan.
 */
#include "support.h"

static bool ready(go_timer *t) {
	return go_tryrecv(go_timer_c(t), NULL);
}

static int64_t receive(go_timer *t) {
	int64_t when = 0;

	CHECK(go_recv(go_timer_c(t), &when));
	return when;
}

TEST(the_nth_tick_is_never_before_n_periods) {
	static const int64_t periods[] = {1, 10 * 1000, GO_MILLISECOND, 7 * GO_MILLISECOND};

	for (int p = 0; p < 4; p++) {
		int64_t start = go_now(), last = 0;
		go_timer *t = go_ticker_new(periods[p]);

		for (int n = 1; n <= 20; n++) {
			int64_t when = receive(t);

			CHECK(when >= start + n * periods[p]);
			CHECK(when >= last && when <= go_now());
			last = when;
			if (n == 10)
				go_sleep(3 * periods[p]);
		}
		go_timer_free(t);
	}
}

/* TestTicker */
TEST(reset_changes_the_period) {
	const int64_t d = 5 * GO_MILLISECOND;
	int64_t start = go_now();
	go_timer *t = go_ticker_new(d);

	for (int i = 0; i < 5; i++)
		receive(t);
	CHECK(go_now() - start >= 5 * d);
	start = go_now();
	CHECK(go_timer_reset(t, 2 * d));
	for (int i = 0; i < 5; i++)
		receive(t);
	CHECK(go_now() - start >= 10 * d);
	CHECK(go_timer_stop(t));
	go_sleep(4 * d);
	CHECK(!ready(t));
	CHECK(!go_timer_stop(t));
	CHECK(!go_timer_reset(t, d));
	receive(t);
	go_timer_free(t);
}

/* The clock may run on between the pause and the count: another try then. */
TEST(ticks_do_not_pile_up) {
	const int64_t d = 30 * GO_MILLISECOND;
	int waiting = 0, tries = 0;
	int64_t end;

	do {
		go_timer *t = go_ticker_new(d);

		go_sleep(6 * d + d / 2);
		end = go_now() + d / 3;
		for (waiting = 0; waiting < 6 && ready(t); waiting++)
			;
		go_timer_free(t);
	} while (go_now() > end && ++tries < 20);
	CHECK_IN((uintmax_t)waiting, 1, 2);
}

TEST(stop_and_reset_leave_no_stale_tick) {
	go_timer *t = go_ticker_new(1);

	for (int i = 0; i < (int)support_scale(50); i++) {
		go_sleep(100 * GO_MICROSECOND);
		CHECK(go_timer_stop(t));
		CHECK(!ready(t));
		CHECK(!go_timer_reset(t, 1));
		receive(t);
		receive(t);
		go_sleep(100 * GO_MICROSECOND);
		CHECK(go_timer_reset(t, GO_HOUR));
		CHECK(!ready(t));
		CHECK(go_timer_reset(t, 1));
	}
	go_timer_free(t);
}

/* TestTeardown */
TEST(a_ticker_may_be_freed_between_ticks) {
	for (int i = 0; i < 50; i++) {
		go_timer *t = go_ticker_new(200 * GO_MICROSECOND);

		receive(t);
		if (i % 2 == 0)
			go_timer_stop(t);
		go_timer_free(t);
	}
}

static void count_ticks(go_timer *t, go_chan(char) stop, atomic_int *n) {
	while (go_select(GO_RECV(go_timer_c(t), NULL), GO_RECV(stop, NULL)) == 0)
		atomic_fetch_add(n, 1);
}
GO_TASK(count_ticks, go_timer *, go_chan(char), atomic_int *);

/* TestChan: with receivers that wait all the time, in selects. */
TEST(waiting_selects_see_no_tick_of_a_stopped_ticker) {
	go_timer *t = go_ticker_new(GO_HOUR);
	go_chan(char) stop = go_make(char, 0);
	atomic_int n = 0;
	int seen;

	for (int i = 0; i < 3; i++)
		GO(count_ticks, t, stop, &n);
	support_settle();
	CHECK_EQ(atomic_load(&n), 0);
	CHECK(go_timer_reset(t, 100 * GO_MICROSECOND));
	wait_until(atomic_load(&n) >= 10);
	CHECK(go_timer_stop(t));
	support_settle();               /* those who were woken by the last tick count it */
	seen = atomic_load(&n);
	go_sleep(5 * GO_MILLISECOND);
	CHECK_EQ(atomic_load(&n), seen);
	go_close(stop);
	wait_until(go_count() == 2);
	go_timer_free(t);
	go_unref(stop);
}

static void new_ticker(void *arg) { go_ticker_new(*(int64_t *)arg); }

struct bad_reset { go_timer *t; int64_t ns; };

static void reset_ticker(void *arg) {
	struct bad_reset *b = arg;

	go_timer_reset(b->t, b->ns);
}

/* TestNewTickerLtZeroDuration, TestTickerResetLtZeroDuration */
TEST(a_period_that_is_not_positive_is_a_panic) {
	int64_t bad[] = {0, -1, INT64_MIN};
	struct bad_reset b = {go_ticker_new(GO_HOUR), 0};

	for (int i = 0; i < 3; i++) {
		go_panic_info info = GO_PANIC_INFO_INIT;

		CHECK(!go_try(new_ticker, &bad[i], &info));
		CHECK_STR(info.message, "non-positive interval for NewTicker");
		b.ns = bad[i];
		CHECK(!go_try(reset_ticker, &b, &info));
		CHECK_STR(info.message, "non-positive interval for Ticker.Reset");
	}
	CHECK(go_timer_stop(b.t));
	go_timer_free(b.t);
}

TEST(the_longest_period_never_ticks) {
	go_timer *t = go_ticker_new(INT64_MAX);

	go_sleep(5 * GO_MILLISECOND);
	CHECK(!ready(t));
	CHECK(go_timer_reset(t, INT64_MAX - 1));
	go_sleep(GO_MILLISECOND);
	CHECK(!ready(t));
	go_timer_free(t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_nth_tick_is_never_before_n_periods),
	cmocka_unit_test(reset_changes_the_period),
	cmocka_unit_test(ticks_do_not_pile_up),
	cmocka_unit_test(stop_and_reset_leave_no_stale_tick),
	cmocka_unit_test(a_ticker_may_be_freed_between_ticks),
	cmocka_unit_test(waiting_selects_see_no_tick_of_a_stopped_ticker),
	cmocka_unit_test(a_period_that_is_not_positive_is_a_panic),
	cmocka_unit_test(the_longest_period_never_ticks),
};

SUPPORT_MAIN(tests)
