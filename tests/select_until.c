/* SPDX-License-Identifier: MIT */
/* Select with time limits: the deadline of the call, GO_AFTER and GO_UNTIL. */
#include "support.h"

TEST(ready_case_wins_over_time_that_is_over)
{
	go_chan(int) c = go_make(int, 1);
	int v = 0;

	for (int i = 0; i < 100; i++) {
		go_send(c, i);
		CHECK_EQ(go_select(GO_AFTER(0), GO_RECV(c, &v)), 1);
		CHECK_EQ(v, i);
		CHECK_EQ(go_select(GO_AFTER(-5), GO_SEND(c, i)), 1);
		CHECK_EQ(go_select(GO_RECV(c, &v), GO_UNTIL(0), GO_UNTIL(INT64_MIN)), 0);
		CHECK_EQ(go_select_until(INT64_MIN, GO_SEND(c, i)), 0);
		CHECK_EQ(go_select_until(go_now() - 1, GO_RECV(c, &v), GO_AFTER(-1)), 0);
	}
	go_close(c);
	CHECK_EQ(go_select_until(GO_NOWAIT, GO_AFTER(0), GO_RECV(c, &v)), 1);
	go_unref(c);
}

TEST(time_that_is_over_fires_at_once_when_nothing_is_ready)
{
	static const int64_t over[] = {0, -1, -GO_HOUR, INT64_MIN};
	go_chan(int) c = go_make(int, 0);
	int64_t start = support_clock();

	for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
		CHECK_EQ(go_select(GO_RECV(c, NULL), GO_AFTER(over[i])), 1);
		CHECK_EQ(go_select(GO_UNTIL(over[i]), GO_RECV(c, NULL), GO_SEND(c, 1)), 0);
		CHECK_EQ(go_select_until(over[i], GO_RECV(c, NULL)), -ETIMEDOUT);
		CHECK_EQ(go_select(GO_AFTER(over[i])), 0);
	}
	CHECK_EQ(go_select(GO_RECV(c, NULL), GO_UNTIL(go_now() - 1)), 1);
	CHECK(support_clock() - start < 10 * GO_SECOND);
	go_unref(c);
}

TEST(time_limits_are_not_early_and_not_very_late)
{
	static const int64_t delays[] = {1, 10000, GO_MILLISECOND, 30 * GO_MILLISECOND};
	go_chan(int) c = go_make(int, 0);

	for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
		for (int form = 0; form < 3; form++) {
			int64_t d = delays[i], start = go_now(), took;
			int rc = form == 0 ? go_select(GO_RECV(c, NULL), GO_AFTER(d))
			       : form == 1 ? go_select(GO_RECV(c, NULL), GO_UNTIL(start + d))
					   : go_select_until(start + d, GO_RECV(c, NULL));

			took = go_now() - start;
			CHECK_EQ(rc, form == 2 ? -ETIMEDOUT : 1);
			CHECK_MSG(took >= d, "form %d: %jd ns instead of %jd", form, (intmax_t)took,
				  (intmax_t)d);
			CHECK_MSG(took < d + 10 * GO_SECOND, "form %d: %jd ns", form,
				  (intmax_t)took);
		}
	}
	go_unref(c);
}

TEST(first_of_several_limits_counts)
{
	go_chan(int) c = go_make(int, 0);
	int64_t ms = GO_MILLISECOND, never = GO_FOREVER;

	for (int i = 0; i < 5; i++) {
		CHECK_EQ(go_select(GO_AFTER(GO_HOUR), GO_AFTER(ms), GO_RECV(c, NULL)), 1);
		CHECK_EQ(go_select(GO_AFTER(ms), GO_AFTER(GO_HOUR), GO_AFTER(GO_MINUTE)), 0);
		CHECK_EQ(go_select(GO_UNTIL(go_now() + GO_HOUR), GO_AFTER(ms)), 1);
		CHECK_EQ(go_select(GO_AFTER(GO_HOUR), GO_UNTIL(go_now() + ms)), 1);
		CHECK_EQ(go_select_until(go_now() + GO_HOUR, GO_AFTER(ms)), 0);
		CHECK_EQ(go_select_until(go_now() + ms, GO_AFTER(GO_HOUR)), -ETIMEDOUT);
		CHECK_EQ(go_select_until(go_now() + ms, GO_UNTIL(never), GO_RECV(c, NULL)),
			 -ETIMEDOUT);
		CHECK_EQ(go_select_until(never, GO_AFTER(never), GO_AFTER(ms)), 1);
	}
	go_unref(c);
}

static void
send_soon(go_chan(int) c, int v)
{
	support_settle();
	go_send(c, v);
	go_unref(c);
}
GO_TASK(send_soon, go_chan(int), int);

TEST(limits_far_away_do_not_fire)
{
	int64_t far_off[] = {GO_FOREVER, GO_FOREVER - 1, GO_FOREVER / 2, go_now() + GO_HOUR};

	for (size_t i = 0; i < sizeof far_off / sizeof *far_off; i++) {
		go_chan(int) c = go_make(int, 0);
		int v = 0;

		GO(send_soon, go_ref(c), 5);
		CHECK_EQ(go_select(GO_AFTER(far_off[i]), GO_RECV(c, &v)), 1);
		CHECK_EQ(v, 5);
		GO(send_soon, go_ref(c), 6);
		CHECK_EQ(go_select(GO_RECV(c, &v), GO_UNTIL(far_off[i])), 0);
		CHECK_EQ(v, 6);
		go_unref(c);
	}
}

TEST(default_wins_over_time)
{
	go_chan(int) c = go_make(int, 0);

	CHECK_EQ(go_select(GO_RECV(c, NULL), GO_DEFAULT, GO_AFTER(GO_HOUR)), 1);
	CHECK_EQ(go_select_until(go_now() + GO_HOUR, GO_RECV(c, NULL), GO_DEFAULT), 1);
	go_unref(c);
}

TEST(empty_select_until_is_a_sleep)
{
	int64_t start = go_now();

	CHECK_EQ(go_selectv(NULL, 0, start + 2 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(go_now() - start >= 2 * GO_MILLISECOND);
}

/* The one that timed out does not stand in the queues any more. */
TEST(select_that_timed_out_is_gone)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0);
	int v = 9;

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(go_select(GO_RECV(a, &v), GO_SEND(b, 1), GO_AFTER(50000)), 2);
		CHECK(!go_trysend(a, 1));
		CHECK(!go_tryrecv(b, NULL));
		CHECK_EQ(v, 9);
	}
	go_unref(a);                    /* a waiter left behind would make this panic */
	go_unref(b);
}

/* --- limits and partners race: what was sent is received once --- */

enum { SIDES = 3 };
static atomic_int_least64_t sent_sum, recv_sum, sent_n, recv_n;

static void
race_send(go_sender(int64_t) a, go_sender(int64_t) b, int n, int id, go_waitgroup *wg)
{
	struct support_rng rng = support_rng((uint64_t)id);

	go_defer_done(wg);
	for (int i = 0; i < n; i++) {
		int64_t v = (int64_t)id * 1000000 + i, d = support_below(&rng, 30000);
		int k = i % 2 ? go_select(GO_SEND(a, v), GO_SEND(b, v), GO_AFTER(d))
			      : go_select_until(go_now() + d, GO_SEND(a, v), GO_SEND(b, v));

		CHECK(k == 0 || k == 1 || k == (i % 2 ? 2 : -ETIMEDOUT));
		if (k == 0 || k == 1) {
			atomic_fetch_add(&sent_sum, v);
			atomic_fetch_add(&sent_n, 1);
		}
	}
}
GO_TASK(race_send, go_sender(int64_t), go_sender(int64_t), int, int, go_waitgroup *);

static void
race_recv(go_receiver(int64_t) a, go_receiver(int64_t) b, int id, go_waitgroup *wg)
{
	struct support_rng rng = support_rng((uint64_t)id + 100);
	bool open_a = true, open_b = true;

	go_defer_done(wg);
	while (open_a && open_b) {
		int64_t va = -1, vb = -1, d = support_below(&rng, 30000);
		int k = go_select(GO_RECV_OK(a, &va, &open_a), GO_RECV_OK(b, &vb, &open_b),
				  GO_AFTER(d));

		CHECK(k == 0 || va == -1);
		CHECK(k == 1 || vb == -1);
		if (k != 2 && open_a && open_b) {
			atomic_fetch_add(&recv_sum, k == 0 ? va : vb);
			atomic_fetch_add(&recv_n, 1);
		}
	}
}
GO_TASK(race_recv, go_receiver(int64_t), go_receiver(int64_t), int, go_waitgroup *);

TEST(nothing_is_lost_when_limits_race_with_partners)
{
	for (size_t cap = 0; cap < 2; cap++) {
		go_chan(int64_t) a = go_make(int64_t, 0), b = go_make(int64_t, cap);
		go_waitgroup senders = GO_WAITGROUP_INIT, receivers = GO_WAITGROUP_INIT;
		int n = (int)support_scale(5000);
		int64_t v;

		sent_sum = recv_sum = sent_n = recv_n = 0;
		go_wg_add(&senders, SIDES);
		go_wg_add(&receivers, SIDES);
		for (int i = 0; i < SIDES; i++) {
			GO(race_send, go_send_only(a), go_send_only(b), n, i, &senders);
			GO(race_recv, go_recv_only(a), go_recv_only(b), i, &receivers);
		}
		go_wg_wait(&senders);
		go_close(a);
		go_close(b);
		go_wg_wait(&receivers);
		while (go_recv(b, &v)) {                /* left in the buffer */
			recv_sum += v;
			recv_n++;
		}
		CHECK_EQ(sent_n, recv_n);
		CHECK_EQ(sent_sum, recv_sum);
		go_unref(a);
		go_unref(b);
	}
}

static void
expire(go_chan(int) c, int64_t deadline, atomic_int *n)
{
	CHECK_EQ(go_select(GO_RECV(c, NULL), GO_UNTIL(deadline)), 1);
	CHECK(go_now() >= deadline);
	atomic_fetch_add(n, 1);
	go_unref(c);
}
GO_TASK(expire, go_chan(int), int64_t, atomic_int *);

TEST(many_limits_expire_in_any_order)
{
	static atomic_int n;
	go_chan(int) c = go_make(int, 0);
	int many = support_goroutines(2000);
	int64_t start = go_now();

	atomic_store(&n, 0);
	for (int i = 0; i < many; i++)
		GO(expire, go_ref(c), start + i * INT64_C(7919) % 1000 * 20 * GO_MICROSECOND, &n);
	wait_until(atomic_load(&n) == many);
	go_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ready_case_wins_over_time_that_is_over),
	cmocka_unit_test(time_that_is_over_fires_at_once_when_nothing_is_ready),
	cmocka_unit_test(time_limits_are_not_early_and_not_very_late),
	cmocka_unit_test(first_of_several_limits_counts),
	cmocka_unit_test(limits_far_away_do_not_fire),
	cmocka_unit_test(default_wins_over_time),
	cmocka_unit_test(empty_select_until_is_a_sleep),
	cmocka_unit_test(select_that_timed_out_is_gone),
	cmocka_unit_test(nothing_is_lost_when_limits_race_with_partners),
	cmocka_unit_test(many_limits_expire_in_any_order),
};

SUPPORT_MAIN(tests)
