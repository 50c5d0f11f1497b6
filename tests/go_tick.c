/* SPDX-License-Identifier: MIT */
/*
 * go_tick.c - Go's time/tick_test.go, what ticker.c does not retell.
 *
 * The long one is TestChan: all that can be done to a timer and a ticker while somebody waits on
 * the channel or nobody does, with the meaning of Go 1.23: the channel looks unbuffered, and there
 * is never a stale value.
 */
#include "support.h"

enum { TICK = 2 * 1000 * 1000 };        /* enough for a timer of 1 ns to fire */

struct chan_test {
	go_timer *t;
	bool ticks;
	go_chan(char) stop, done;
};

static bool ready(struct chan_test *x) {
	return go_tryrecv(go_timer_c(x->t), NULL);
}

static void check_tick(struct chan_test *x) {
	CHECK_EQ(go_recv_until(go_timer_c(x->t), NULL, go_now() + 60 * GO_SECOND), 0);
}

static void check_done(struct chan_test *x) {
	CHECK_EQ(go_recv_until(x->done, NULL, go_now() + 60 * GO_SECOND), 0);
}

static void check_not_done(struct chan_test *x) {
	CHECK(!go_tryrecv(x->done, NULL));
}

static void check_unbuffered(struct chan_test *x) {
	CHECK_EQ(go_len(go_timer_c(x->t)), 0);
	CHECK_EQ(go_cap(go_timer_c(x->t)), 0);
}

static void at_rest(struct chan_test *x) {
	check_unbuffered(x);
	CHECK(go_timer_stop(x->t));
	CHECK(!ready(x));
	CHECK(!go_timer_reset(x->t, GO_HOUR));
	CHECK(!ready(x));
	CHECK(go_timer_reset(x->t, 1));
	go_sleep(TICK);
	check_unbuffered(x);
	check_tick(x);
	go_sleep(TICK);                                 /* a ticker ticks again */
	CHECK(go_timer_reset(x->t, GO_HOUR) == x->ticks);
	CHECK(!ready(x));
	check_unbuffered(x);
}

static void receive_one(struct chan_test *x) {
	CHECK(go_recv(go_timer_c(x->t), NULL));
	go_send(x->done, 'd');
}
GO_TASK(receive_one, struct chan_test *);

static void with_a_receiver(struct chan_test *x) {
	GO(receive_one, x);
	go_sleep(TICK);
	check_not_done(x);
	CHECK(go_timer_reset(x->t, 2 * GO_HOUR));
	go_sleep(TICK);
	check_not_done(x);
	CHECK(go_timer_reset(x->t, 1));
	check_done(x);
	if (x->ticks)
		check_tick(x);
	else
		CHECK(!ready(x));
	go_timer_stop(x->t);
	CHECK(!ready(x));
}

static void select_one(struct chan_test *x) {
	if (go_select(GO_RECV(go_timer_c(x->t), NULL), GO_RECV(x->stop, NULL)) == 0)
		go_send(x->done, 'd');
}
GO_TASK(select_one, struct chan_test *);

static void two_selects(struct chan_test *x) {
	GO(select_one, x);
	GO(select_one, x);
	go_sleep(TICK);
	check_not_done(x);
}

static void end_selects(struct chan_test *x) {
	go_close(x->stop);
	wait_until(go_count() == 2);
	go_unref(x->stop);
	x->stop = go_make(char, 0);
}

static void with_selects(struct chan_test *x) {
	CHECK(!go_timer_reset(x->t, GO_HOUR));
	two_selects(x);
	CHECK(go_timer_reset(x->t, TICK / 2));
	check_done(x);
	go_timer_stop(x->t);
	end_selects(x);
	if (x->ticks)                                   /* both may have got one */
		(void)go_tryrecv(x->done, NULL);
	CHECK(!ready(x));
	check_not_done(x);

	two_selects(x);                                 /* of a stopped timer they get nothing */
	end_selects(x);
	check_not_done(x);
}

/* Go: "Stop and Reset block old values from being received" */
static void no_old_values(struct chan_test *x) {
	CHECK(!go_timer_reset(x->t, 1));
	go_sleep(TICK);
	CHECK(go_timer_stop(x->t));
	CHECK(!ready(x));
	CHECK(!go_timer_reset(x->t, GO_HOUR));
	CHECK(!ready(x));
	CHECK(go_timer_reset(x->t, 1));
	check_tick(x);
	go_sleep(TICK);
	if (x->ticks)
		check_tick(x);
	else
		CHECK(!ready(x));
	go_sleep(TICK);
	CHECK(go_timer_reset(x->t, GO_HOUR) == x->ticks);
	CHECK(!ready(x));
}

/* Go: time TestChan */
TEST(a_channel_has_no_stale_value_whatever_is_done_to_its_timer) {
	for (int round = 0; round < 4; round++) {
		struct chan_test x = {NULL, round % 2 == 1, go_make(char, 0), go_make(char, 2)};

		x.t = x.ticks ? go_ticker_new(GO_HOUR) : go_timer_new(GO_HOUR);
		at_rest(&x);
		with_a_receiver(&x);
		with_selects(&x);
		no_old_values(&x);
		go_timer_free(x.t);
		go_unref(x.stop);
		go_unref(x.done);
	}
}

/* ------------------------------------------------------------ which time --- */

/* When the value of a timer of 10 ms was made, if it is fetched long after. */
static int64_t age(bool ticks) {
	int64_t start = go_now(), when = 0;
	go_timer *t = ticks ? go_ticker_new(10 * GO_MILLISECOND) : go_timer_new(10 * GO_MILLISECOND);

	go_sleep(200 * GO_MILLISECOND);
	CHECK(go_recv(go_timer_c(t), &when));
	CHECK(when >= start + 10 * GO_MILLISECOND);
	go_timer_free(t);
	return when - start;
}

/* Go: time TestAfterTimes, TestTickTimes; as there, ten tries on a busy machine. */
TEST(the_value_is_the_time_of_the_event_not_of_its_receipt) {
	for (int ticks = 0; ticks < 2; ticks++) {
		int64_t least = INT64_MAX;

		for (int i = 0; i < 10 && least >= 150 * GO_MILLISECOND; i++) {
			int64_t a = age(ticks);

			least = a < least ? a : least;
		}
		CHECK_MSG(least < 150 * GO_MILLISECOND, "%jd ns", (intmax_t)least);
	}
}

/* ------------------------------------------------------------ many --- */

static void sleep_shortly(go_waitgroup *wg) {
	go_sleep(10 * GO_MICROSECOND);
	go_wg_done(wg);
}
GO_TASK(sleep_shortly, go_waitgroup *);

/* What goes in comes out in order, whatever the number waiting: a queue of any length. */
static void keep_queue(go_receiver(int) in, go_sender(int) out) {
	int q[64], head = 0, n = 0, v;
	bool more = true;

	while (more || n > 0) {
		go_case c[2] = {
			GO_RECV_OK(more && n < 64 ? in : NULL, &v, &more),
			GO_SEND(n > 0 ? out : NULL, q[head]),
		};

		if (go_selectv(c, 2, GO_FOREVER) == 0) {
			if (more)
				q[(head + n++) % 64] = v;
		} else {
			head = (head + 1) % 64;
			n--;
		}
	}
	go_close(out);
}
GO_TASK(keep_queue, go_receiver(int), go_sender(int));

/* Go: time TestLongAdjustTimers: time limits that never pass, over a heap that was long. */
TEST(many_time_limits_that_do_not_pass_after_many_sleeps) {
	int n = support_goroutines(5000), rounds = (int)support_scale(5000);
	go_chan(int) in = go_make(int, 0), out = go_make(int, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int v = 0;

	for (int i = 0; i < n; i++) {
		go_wg_add(&wg, 1);
		GO(sleep_shortly, &wg);
	}
	for (int i = 0; i < n; i++)
		go_sleep(GO_MICROSECOND);
	GO(keep_queue, go_recv_only(in), go_send_only(out));
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 20; k++)
			go_send(in, k);
		for (int k = 0; k < 20; k++) {
			CHECK_EQ(go_select(GO_RECV(out, &v), GO_AFTER(60 * GO_SECOND)), 0);
			CHECK_EQ(v, k);
		}
	}
	go_close(in);
	CHECK(!go_recv(out, &v));
	go_wg_wait(&wg);
	wait_until(go_count() == 2);
	go_unref(in);
	go_unref(out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_channel_has_no_stale_value_whatever_is_done_to_its_timer),
	cmocka_unit_test(the_value_is_the_time_of_the_event_not_of_its_receipt),
	cmocka_unit_test(many_time_limits_that_do_not_pass_after_many_sleeps),
};

SUPPORT_MAIN(tests)
