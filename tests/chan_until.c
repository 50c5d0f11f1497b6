/* SPDX-License-Identifier: MIT */
/*
 * Channel operations with a deadline: what proceeds, what times out, what is closed, and that a
 * waiter that has given up is gone.
 */
#include "support.h"

static int64_t
past(int i)
{
	return i == 0 ? GO_NOWAIT : i == 1 ? INT64_MIN : i == 2 ? -1 : go_now() - 1;
}

TEST(what_can_proceed_does_so_past_the_deadline)
{
	go_chan(int) c = go_make(int, 2);
	int v;

	for (int i = 0; i < 4; i++) {
		CHECK_EQ(go_send_until(c, i, past(i)), 0);
		CHECK_EQ(go_send_until(c, i + 10, past(i)), 0);
		CHECK_EQ(go_recv_until(c, &v, past(i)), 0);
		CHECK_EQ(v, i);
		CHECK_EQ(go_recv_until(c, &v, past(i)), 0);
		CHECK_EQ(v, i + 10);
	}
	go_unref(c);
}

TEST(what_cannot_proceed_times_out_at_once_past_the_deadline)
{
	go_chan(int) c = go_make(int, 1), u = go_make(int, 0), nil = NULL;
	int64_t start = support_clock();
	int v = 3;

	go_send(c, 1);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(go_send_until(c, 2, past(i)), -ETIMEDOUT);
		CHECK_EQ(go_send_until(u, 2, past(i)), -ETIMEDOUT);
		CHECK_EQ(go_recv_until(u, &v, past(i)), -ETIMEDOUT);
		CHECK_EQ(go_send_until(nil, 2, past(i)), -ETIMEDOUT);
		CHECK_EQ(go_recv_until(nil, &v, past(i)), -ETIMEDOUT);
	}
	CHECK_EQ(v, 3);
	CHECK_EQ(go_len(c), 1);
	CHECK(support_clock() - start < 10 * GO_SECOND);
	go_unref(c);
	go_unref(u);
}

TEST(closed_wins_over_the_deadline)
{
	for (size_t cap = 0; cap < 3; cap++) {
		go_chan(int) c = go_make(int, cap);
		int v = 3;

		go_close(c);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(go_send_until(c, 1, past(i)), -EPIPE);
			CHECK_EQ(go_recv_until(c, &v, past(i)), -EPIPE);
		}
		CHECK_EQ(go_send_until(c, 1, GO_FOREVER), -EPIPE);
		CHECK_EQ(go_recv_until(c, &v, GO_FOREVER), -EPIPE);
		CHECK_EQ(go_send_until(c, 1, go_now() + GO_HOUR), -EPIPE);
		CHECK_EQ(go_recv_until(c, &v, go_now() + GO_HOUR), -EPIPE);
		CHECK_EQ(v, 3);                 /* -EPIPE leaves the element alone */
		CHECK_EQ(go_len(c), 0);
		go_unref(c);
	}
}

TEST(closed_channel_drains_first_with_any_deadline)
{
	go_chan(int) c = go_make(int, 3);
	int v;

	for (int i = 0; i < 3; i++)
		go_send(c, i);
	go_close(c);
	CHECK_EQ(go_send_until(c, 9, GO_FOREVER), -EPIPE);
	CHECK_EQ(go_recv_until(c, &v, GO_NOWAIT), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(go_recv_until(c, &v, GO_FOREVER), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(go_recv_until(c, &v, go_now() + GO_SECOND), 0);
	CHECK_EQ(v, 2);
	CHECK_EQ(go_recv_until(c, &v, GO_NOWAIT), -EPIPE);
	CHECK_EQ(v, 2);
	go_unref(c);
}

TEST(deadline_is_not_early_and_not_very_late)
{
	static const int64_t delays[] = {1, GO_MICROSECOND, 100 * GO_MICROSECOND, GO_MILLISECOND,
					 7 * GO_MILLISECOND, 50 * GO_MILLISECOND};
	go_chan(int) full = go_make(int, 1), empty = go_make(int, 0), nil = NULL;

	go_send(full, 1);
	for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
		for (int op = 0; op < 4; op++) {
			int64_t deadline = go_now() + delays[i], late;
			int rc = op == 0 ? go_recv_until(empty, NULL, deadline)
			       : op == 1 ? go_send_until(full, 2, deadline)
			       : op == 2 ? go_recv_until(nil, NULL, deadline)
					 : go_send_until(nil, 2, deadline);

			late = go_now() - deadline;
			CHECK_EQ(rc, -ETIMEDOUT);
			CHECK_MSG(late >= 0, "op %d: %jd ns early", op, -(intmax_t)late);
			CHECK_MSG(late < 10 * GO_SECOND, "op %d: %jd ns late", op, (intmax_t)late);
		}
	}
	CHECK_EQ(go_len(full), 1);
	go_unref(full);
	go_unref(empty);
}

static void
send_later(go_chan(int) c, int64_t ns, int v)
{
	go_sleep(ns);
	go_send(c, v);
	go_unref(c);
}
GO_TASK(send_later, go_chan(int), int64_t, int);

static void
recv_later(go_chan(int) c, int64_t ns, int v)
{
	int got;

	go_sleep(ns);
	CHECK(go_recv(c, &got));
	CHECK_EQ(got, v);
	go_unref(c);
}
GO_TASK(recv_later, go_chan(int), int64_t, int);

TEST(partner_before_the_deadline_is_success)
{
	static const int64_t waits[] = {GO_HOUR, GO_FOREVER};
	int v;

	for (int i = 0; i < 20; i++) {
		go_chan(int) c = go_make(int, 0);
		int64_t deadline = i % 2 ? GO_FOREVER : go_now() + waits[0];

		GO(send_later, go_ref(c), i * 100 * GO_MICROSECOND, i);
		CHECK_EQ(go_recv_until(c, &v, deadline), 0);
		CHECK_EQ(v, i);
		GO(recv_later, go_ref(c), i * 100 * GO_MICROSECOND, i);
		CHECK_EQ(go_send_until(c, i, deadline), 0);
		go_unref(c);
	}
}

static atomic_int results[2];           /* how often 0 and something else was the answer */

static void
send_until_closed(go_chan(int) c, int64_t deadline, int expected)
{
	int rc;

	go_set_name("waits with deadline");
	rc = go_send_until(c, 77, deadline);
	CHECK_EQ(rc, expected);
	atomic_fetch_add(&results[rc != 0], 1);
	go_unref(c);
}
GO_TASK(send_until_closed, go_chan(int), int64_t, int);

static void
recv_until_closed(go_chan(int) c, int64_t deadline, int expected)
{
	int rc, v = 5;

	go_set_name("waits with deadline");
	rc = go_recv_until(c, &v, deadline);
	CHECK_EQ(rc, expected);
	CHECK_EQ(v, 5);
	atomic_fetch_add(&results[rc != 0], 1);
	go_unref(c);
}
GO_TASK(recv_until_closed, go_chan(int), int64_t, int);

static int64_t
far_away(int i)
{
	return i % 2 ? GO_FOREVER : go_now() + GO_HOUR;
}

/* What the senders had is not delivered; what was buffered is. */
TEST(close_wakes_timed_waiters_with_epipe)
{
	for (int cap = 0; cap < 3; cap++) {
		go_chan(int) c = go_make(int, (size_t)cap);
		int v;

		memset(results, 0, sizeof results);
		for (int i = 0; i < cap; i++)
			go_send(c, i);
		for (int i = 0; i < 10; i++)
			GO(send_until_closed, go_ref(c), far_away(i), -EPIPE);
		wait_until(support_parked("waits with deadline", "chan send") == 10);
		go_close(c);
		wait_until(atomic_load(&results[1]) == 10);
		for (int i = 0; i < cap; i++) {
			CHECK(go_recv(c, &v));
			CHECK_EQ(v, i);
		}
		CHECK(!go_recv(c, &v));
		go_unref(c);

		c = go_make(int, (size_t)cap);
		for (int i = 0; i < 10; i++)
			GO(recv_until_closed, go_ref(c), far_away(i), -EPIPE);
		wait_until(support_parked("waits with deadline", "chan receive") == 10);
		go_close(c);
		wait_until(atomic_load(&results[1]) == 20);
		go_unref(c);
	}
}

/* Those who gave up are not counted, not served and not in the way of those before and behind. */
TEST(waiter_that_gave_up_is_gone)
{
	go_chan(int) c = go_make(int, 0);
	int v;

	memset(results, 0, sizeof results);
	for (int i = 0; i < 5; i++)
		GO(send_until_closed, go_ref(c), go_now() + GO_MILLISECOND, -ETIMEDOUT);
	GO(send_later, go_ref(c), 0, 42);
	for (int i = 0; i < 5; i++)
		GO(send_until_closed, go_ref(c), go_now() + GO_MILLISECOND, -ETIMEDOUT);
	wait_until(atomic_load(&results[1]) == 10);
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, 42);
	CHECK(!go_tryrecv(c, &v));

	for (int i = 0; i < 5; i++)
		GO(recv_until_closed, go_ref(c), go_now() + GO_MILLISECOND, -ETIMEDOUT);
	GO(recv_later, go_ref(c), 0, 43);
	for (int i = 0; i < 5; i++)
		GO(recv_until_closed, go_ref(c), go_now() + GO_MILLISECOND, -ETIMEDOUT);
	wait_until(atomic_load(&results[1]) == 20);
	go_send(c, 43);
	CHECK(!go_trysend(c, 44));
	go_unref(c);                    /* nobody waits: this must not panic */
}

/* --- partners and deadlines race; every value that was sent is received, once --- */

enum { RACERS = 4 };
static atomic_int_least64_t sent_sum, recv_sum, sent_n, recv_n, timeouts;

static void
race_send(go_sender(int64_t) c, int n, int id, go_waitgroup *wg)
{
	struct support_rng rng = support_rng((uint64_t)id);

	go_defer_done(wg);
	for (int i = 0; i < n; i++) {
		int64_t v = (int64_t)id * 1000000 + i;
		int rc = go_send_until(c, v, go_now() + support_below(&rng, 30000));

		if (rc == 0) {
			atomic_fetch_add(&sent_sum, v);
			atomic_fetch_add(&sent_n, 1);
		} else {
			CHECK_EQ(rc, -ETIMEDOUT);
			atomic_fetch_add(&timeouts, 1);
		}
	}
}
GO_TASK(race_send, go_sender(int64_t), int, int, go_waitgroup *);

static void
race_recv(go_receiver(int64_t) c, int id, go_waitgroup *wg)
{
	struct support_rng rng = support_rng((uint64_t)id + 100);
	int64_t v;
	int rc;

	go_defer_done(wg);
	for (;;) {
		v = -1;
		rc = go_recv_until(c, &v, go_now() + support_below(&rng, 30000));
		if (rc == -EPIPE)
			break;
		if (rc == 0) {
			atomic_fetch_add(&recv_sum, v);
			atomic_fetch_add(&recv_n, 1);
		} else {
			CHECK_EQ(rc, -ETIMEDOUT);
			CHECK_EQ(v, -1);
		}
	}
}
GO_TASK(race_recv, go_receiver(int64_t), int, go_waitgroup *);

TEST(nothing_is_lost_when_deadlines_race_with_partners)
{
	for (size_t cap = 0; cap < 3; cap++) {
		go_chan(int64_t) c = go_make(int64_t, cap);
		go_waitgroup senders = GO_WAITGROUP_INIT, receivers = GO_WAITGROUP_INIT;
		int n = (int)support_scale(5000);

		sent_sum = recv_sum = sent_n = recv_n = 0;
		go_wg_add(&senders, RACERS);
		go_wg_add(&receivers, RACERS);
		for (int i = 0; i < RACERS; i++) {
			GO(race_send, go_send_only(c), n, i, &senders);
			GO(race_recv, go_recv_only(c), i, &receivers);
		}
		go_wg_wait(&senders);
		go_close(c);
		go_wg_wait(&receivers);
		CHECK_EQ(sent_n, recv_n);
		CHECK_EQ(sent_sum, recv_sum);
		go_unref(c);
	}
	CHECK(sent_n + timeouts > 0);
}

static void
sleep_on(go_chan(int) c, int64_t deadline, int order)
{
	int rc = go_recv_until(c, NULL, deadline);

	CHECK_EQ(rc, -ETIMEDOUT);
	CHECK(go_now() >= deadline);
	atomic_fetch_add(&results[1], order >= 0);
	go_unref(c);
}
GO_TASK(sleep_on, go_chan(int), int64_t, int);

/* Many time limits on one channel, set in an order that is not theirs. */
TEST(many_deadlines_on_one_channel_all_expire)
{
	go_chan(int) c = go_make(int, 0);
	int n = support_goroutines(2000);
	int64_t start = go_now();

	memset(results, 0, sizeof results);
	for (int i = 0; i < n; i++)
		GO(sleep_on, go_ref(c), start + i * INT64_C(7919) % 1000 * 20 * GO_MICROSECOND, i);
	wait_until(atomic_load(&results[1]) == n);
	CHECK(!go_trysend(c, 1));
	go_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_can_proceed_does_so_past_the_deadline),
	cmocka_unit_test(what_cannot_proceed_times_out_at_once_past_the_deadline),
	cmocka_unit_test(closed_wins_over_the_deadline),
	cmocka_unit_test(closed_channel_drains_first_with_any_deadline),
	cmocka_unit_test(deadline_is_not_early_and_not_very_late),
	cmocka_unit_test(partner_before_the_deadline_is_success),
	cmocka_unit_test(close_wakes_timed_waiters_with_epipe),
	cmocka_unit_test(waiter_that_gave_up_is_gone),
	cmocka_unit_test(nothing_is_lost_when_deadlines_race_with_partners),
	cmocka_unit_test(many_deadlines_on_one_channel_all_expire),
};

SUPPORT_MAIN(tests)
