/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers and functions that run later, with the meaning they have since Go 1.23.
 *
 * After Go's time/sleep_test.go: TestAfterFunc, TestAfterFuncStarvation, TestAfter, TestAfterStop,
 * TestAfterQueuing, TestTimerStopStress, TestReset, TestOverflowSleep, TestZeroTimer; and the first
 * half of tick_test.go's TestChan.
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

/* ------------------------------------------------------------ one shot --- */

/* TestAfter */
TEST(a_timer_sends_the_time_once_and_not_early) {
	static const int64_t delays[] = {1, 1000, 100000, 3 * GO_MILLISECOND, 40 * GO_MILLISECOND};

	for (int i = 0; i < 5; i++) {
		int64_t start = go_now(), when;
		go_timer *t = go_timer_new(delays[i]);

		when = receive(t);
		CHECK(when >= start + delays[i]);
		CHECK(when <= go_now());
		go_sleep(delays[i] < GO_MILLISECOND ? GO_MILLISECOND : delays[i]);
		CHECK(!ready(t));
		CHECK(!go_timer_stop(t));
		go_timer_free(t);
	}
}

TEST(a_timer_without_delay_fires_at_once) {
	static const int64_t delays[] = {0, -1, -GO_HOUR, INT64_MIN, INT64_MIN + 1};

	for (int i = 0; i < 5; i++) {
		go_timer *t = go_timer_new(delays[i]);

		CHECK(receive(t) > 0);
		CHECK(!go_timer_reset(t, delays[i]));
		CHECK(receive(t) > 0);
		go_timer_free(t);
	}
}

static int first(go_timer *a, go_timer *b) {
	return go_select(GO_RECV(go_timer_c(a), NULL), GO_RECV(go_timer_c(b), NULL));
}

/* TestOverflowSleep */
TEST(the_longest_timers_never_fire) {
	static const int64_t delays[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2};

	for (int i = 0; i < 3; i++) {
		go_timer *t = go_timer_new(delays[i]), *near = go_timer_new(5 * GO_MILLISECOND);

		CHECK_EQ(first(t, near), 1);
		CHECK(go_timer_reset(t, delays[i] - go_now()));
		go_timer_reset(near, 5 * GO_MILLISECOND);
		CHECK_EQ(first(t, near), 1);
		CHECK(go_timer_stop(t));
		go_timer_free(t);
		go_timer_free(near);
	}
	go_timer_free(NULL);
}

/* TestAfterStop */
TEST(a_stopped_timer_does_not_fire) {
	go_timer *t = go_timer_new(GO_HOUR), *soon = go_timer_new(10 * GO_SECOND);

	CHECK(go_timer_stop(soon));
	CHECK(!go_timer_stop(soon));
	CHECK(go_timer_reset(t, 20 * GO_MILLISECOND));
	CHECK(!go_timer_reset(soon, GO_HOUR));
	CHECK(go_timer_stop(soon));
	receive(t);
	CHECK(!ready(soon));
	CHECK(!go_timer_stop(t));
	go_timer_free(t);
	go_timer_free(soon);
}

/* Fired, nobody has received: still active, and the value goes with the stop. */
TEST(stop_and_reset_leave_no_stale_value) {
	go_timer *t = go_timer_new(1);

	for (int i = 0; i < (int)support_scale(50); i++) {
		go_sleep(100 * GO_MICROSECOND);
		CHECK(go_timer_stop(t));
		CHECK(!ready(t));
		CHECK_EQ(go_chan_len(go_timer_chan(t)), 0);
		CHECK(!go_timer_stop(t));
		CHECK(!go_timer_reset(t, 1));
		go_sleep(100 * GO_MICROSECOND);
		CHECK(go_timer_reset(t, GO_HOUR));
		CHECK(!ready(t));
		CHECK(go_timer_reset(t, 1));
		receive(t);
		CHECK(!ready(t));
		CHECK(!go_timer_reset(t, 1));
	}
	go_timer_free(t);
}

/* TestReset */
TEST(reset_moves_the_time) {
	const int64_t d = 5 * GO_MILLISECOND;
	int64_t start = go_now();
	go_timer *t = go_timer_new(2 * d);

	CHECK(go_timer_reset(t, 8 * d));
	CHECK(receive(t) >= start + 8 * d);
	CHECK(!go_timer_reset(t, GO_HOUR));
	start = go_now();
	CHECK(go_timer_reset(t, d));
	CHECK(receive(t) >= start + d);
	go_timer_free(t);
}

static void receive_from(go_timer *t, go_ch *done) {
	receive(t);
	go_chan_send(done, NULL);
}
GO_TASK(receive_from, go_timer *, go_ch *);

/* TestChan: the receiver waits already while the timer is stopped and moved about. */
TEST(a_waiting_receiver_follows_stop_and_reset) {
	go_timer *t = go_timer_new(GO_HOUR);
	go_ch *done = go_chan_make(0, 2);

	GO(receive_from, t, done);
	GO(receive_from, t, done);
	support_settle();
	CHECK(go_timer_reset(t, 2 * GO_HOUR));
	CHECK(go_timer_stop(t));
	support_settle();
	CHECK_EQ(go_chan_len(done), 0);
	CHECK(!go_timer_reset(t, GO_MILLISECOND));
	go_chan_recv(done, NULL);
	go_sleep(5 * GO_MILLISECOND);
	CHECK_EQ(go_chan_len(done), 0);         /* one value for one of them */
	CHECK(!go_timer_reset(t, 1));
	go_chan_recv(done, NULL);
	wait_until(go_count() == 2);
	go_timer_free(t);
	go_chan_unref(done);
}

/* ------------------------------------------------------------ order and number --- */

struct slot { int slot; int64_t when; };

static void await_slot(int slot, int64_t delay, go_sender(struct slot) result) {
	go_timer *t = go_timer_new(delay);

	go_send(result, (struct slot){slot, receive(t)});
	go_timer_free(t);
}
GO_TASK(await_slot, int, int64_t, go_sender(struct slot));

static bool in_order(int64_t delta) {
	static const int slots[13] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
	go_chan(struct slot) result = go_make(struct slot, 13);
	int64_t start = go_now();
	struct slot s, last = {0, 0};
	bool ordered = true;

	for (int i = 0; i < 13; i++)
		GO(await_slot, slots[i], slots[i] * delta, go_send_only(result));
	for (int i = 0; i < 13; i++, last = s) {
		go_recv(result, &s);
		CHECK(s.when >= start + s.slot * delta);
		ordered = ordered && s.slot >= last.slot;
	}
	wait_until(go_count() == 2);
	go_unref(result);
	return ordered;
}

/* TestAfterQueuing; as there, another try with longer delays if the machine was too busy. */
TEST(timers_fire_in_the_order_of_their_times) {
	bool ok = false;

	for (int64_t delta = 10; delta <= 160 && !ok; delta *= 2)
		ok = in_order(delta * GO_MILLISECOND);
	CHECK(ok);
}

static void add_one(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

/* TestZeroTimer: in groups, so that not all of their goroutines are alive at once. */
TEST(a_hundred_thousand_timers_without_delay_all_fire) {
	int n = (int)support_scale(100000), group = SUPPORT_TSAN ? 100 : 1000;
	go_timer *timers[1000];
	atomic_int fired = 0;

	for (int done = 0; done < n; done += group) {
		for (int i = 0; i < group; i++)
			timers[i] = go_after_func(0, add_one, &fired);
		wait_until(atomic_load(&fired) == done + group);
		for (int i = 0; i < group; i++)
			go_timer_free(timers[i]);
	}
}

TEST(ten_thousand_timers_with_channels_all_fire) {
	int n = support_scale(10000) < 10000 ? (int)support_scale(10000) : 10000;
	struct support_rng rng = support_rng(1);
	static go_timer *timers[10000];

	for (int i = 0; i < n; i++)
		timers[i] = go_timer_new(support_below(&rng, 10) * GO_MILLISECOND);
	for (int i = 0; i < n; i++)
		receive(timers[i]);
	for (int i = 0; i < n; i++)
		go_timer_free(timers[i]);
}

/* ------------------------------------------------------------ functions --- */

struct again { atomic_int left; go_timer *t; go_ch *done; uint64_t starter; };

static void run_again(void *arg) {
	struct again *a = arg;

	CHECK(go_running());
	CHECK(go_id() != a->starter);
	if (atomic_fetch_sub(&a->left, 1) > 1)
		go_timer_reset(a->t, 100 * GO_MICROSECOND);
	else
		go_chan_send(a->done, NULL);
}

/* TestAfterFunc */
TEST(a_function_runs_in_its_own_goroutine_and_may_start_again) {
	struct again a = {.left = 10, .done = go_chan_make(0, 0), .starter = go_id()};

	a.t = go_after_func(GO_HOUR, run_again, &a);
	CHECK(go_timer_chan(a.t) == NULL);
	CHECK(go_timer_reset(a.t, 0));
	go_chan_recv(a.done, NULL);
	CHECK_EQ(atomic_load(&a.left), 0);
	CHECK(!go_timer_stop(a.t));
	go_timer_free(a.t);
	go_chan_unref(a.done);
}

struct self { go_timer *t; go_chan(char) go_on; go_ch *done; };

static void free_itself(void *arg) {
	struct self *s = arg;

	go_recv(s->go_on, NULL);
	go_timer_free(s->t);
	go_chan_send(s->done, NULL);
}

TEST(a_function_may_free_its_timer) {
	for (int i = 0; i < (int)support_scale(200); i++) {
		struct self s = {NULL, go_make(char, 0), go_chan_make(0, 0)};

		s.t = go_after_func(0, free_itself, &s);
		go_send(s.go_on, 'x');
		go_chan_recv(s.done, NULL);
		go_unref(s.go_on);
		go_chan_unref(s.done);
	}
}

static void sleep_and_add(void *arg) {
	go_sleep(2 * GO_MILLISECOND);
	atomic_fetch_add((atomic_int *)arg, 1);
}

TEST(freeing_a_timer_lets_its_running_function_end) {
	atomic_int n = 0;
	int fired = 0;

	for (int i = 0; i < 20; i++) {
		go_timer *t = go_after_func(1, sleep_and_add, &n);

		go_sleep(GO_MILLISECOND);
		fired += !go_timer_stop(t);
		go_timer_free(t);
	}
	wait_until(go_count() == 2);
	CHECK(fired > 0);
	CHECK_EQ(atomic_load(&n), fired);
}

static void stop_it_in_time(go_waitgroup *wg, atomic_int *fired) {
	go_timer *t = go_after_func(30 * GO_SECOND, add_one, fired);

	go_sleep(50 * GO_MILLISECOND);
	CHECK(go_timer_stop(t));
	CHECK(!go_timer_reset(t, 30 * GO_SECOND));
	go_timer_free(t);
	go_wg_done(wg);
}
GO_TASK(stop_it_in_time, go_waitgroup *, atomic_int *);

/* TestTimerStopStress */
TEST(a_stopped_function_never_runs) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int fired = 0;

	for (int i = 0; i < 100; i++) {
		go_wg_add(&wg, 1);
		GO(stop_it_in_time, &wg, &fired);
	}
	go_wg_wait(&wg);
	support_settle();
	CHECK_EQ(atomic_load(&fired), 0);
}

static void set_flag(void *arg) { atomic_store((atomic_bool *)arg, true); }

static void feed(atomic_bool *stop, go_sender(int) c) {
	while (!atomic_load(stop))
		go_send(c, 1);
	go_close(c);
}
GO_TASK(feed, atomic_bool *, go_sender(int));

/* TestAfterFuncStarvation: two that wake each other for ever, on one P. */
TEST(a_function_gets_its_turn_beside_a_ping_pong) {
	go_chan(int) c = go_make(int, 1);
	int procs = go_procs(1);
	atomic_bool stop = false;
	go_timer *t;

	GO(feed, &stop, go_send_only(c));
	t = go_after_func(GO_MICROSECOND, set_flag, &stop);
	go_range(v, c)
		CHECK_EQ(v, 1);
	CHECK(atomic_load(&stop));
	go_procs(procs);
	wait_until(go_count() == 2);
	go_timer_free(t);
	go_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_timer_sends_the_time_once_and_not_early),
	cmocka_unit_test(a_timer_without_delay_fires_at_once),
	cmocka_unit_test(the_longest_timers_never_fire),
	cmocka_unit_test(a_stopped_timer_does_not_fire),
	cmocka_unit_test(stop_and_reset_leave_no_stale_value),
	cmocka_unit_test(reset_moves_the_time),
	cmocka_unit_test(a_waiting_receiver_follows_stop_and_reset),
	cmocka_unit_test(timers_fire_in_the_order_of_their_times),
	cmocka_unit_test(a_hundred_thousand_timers_without_delay_all_fire),
	cmocka_unit_test(ten_thousand_timers_with_channels_all_fire),
	cmocka_unit_test(a_function_runs_in_its_own_goroutine_and_may_start_again),
	cmocka_unit_test(a_function_may_free_its_timer),
	cmocka_unit_test(freeing_a_timer_lets_its_running_function_end),
	cmocka_unit_test(a_stopped_function_never_runs),
	cmocka_unit_test(a_function_gets_its_turn_beside_a_ping_pong),
};

SUPPORT_MAIN(tests)
