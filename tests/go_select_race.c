/* SPDX-License-Identifier: MIT */
/*
 * The select tests of Go's runtime/chan_test.go, retold: races between selects, and between selects
 * and everything else.  Above each test stands the name of what it retells.
 */
#include "support.h"

/* ------------------------------------------------------------ NonblockSelectRace --- */

static void
try_both(go_receiver(int) a, go_receiver(int) b, go_sender(bool) done)
{
	go_send(done, go_select(GO_RECV(a, NULL), GO_RECV(b, NULL), GO_DEFAULT) != 2);
}
GO_TASK(try_both, go_receiver(int), go_receiver(int), go_sender(bool));

/* One of two channels is ready at every moment, so a polling select must find one. */
static void
check_select_race(bool with_close)
{
	go_chan(bool) done = go_make(bool, 1);
	int misses = 0;

	for (int i = 0; i < support_scale(50000); i++) {
		go_chan(int) a = go_make(int, 1), b = go_make(int, with_close ? 0 : 1);
		bool found = false;

		go_send(a, 1);
		GO(try_both, go_recv_only(a), go_recv_only(b), go_send_only(done));
		if (with_close)
			go_close(b);
		else
			go_send(b, 1);
		go_tryselect(GO_RECV(a, NULL));
		CHECK(go_recv(done, &found));
		misses += !found;
		go_unref(a);
		go_unref(b);
	}
	CHECK_EQ(misses, 0);
	go_unref(done);
}

/* TestNonblockSelectRace */
TEST(polling_select_sees_one_moment)
{
	check_select_race(false);
}

/* TestNonblockSelectRace2 */
TEST(polling_select_sees_one_moment_with_close)
{
	check_select_race(true);
}

/* ------------------------------------------------------------ SelfSelect --- */

static void
send_or_receive(go_chan(int) c, int me, int n, go_waitgroup *wg)
{
	go_defer_done(wg);
	for (int i = 0; i < n; i++) {
		int v = -1, k;

		if ((me + i) % 2)
			k = go_select(GO_SEND(c, me), GO_RECV(c, &v));
		else
			k = 1 - go_select(GO_RECV(c, &v), GO_SEND(c, me));
		CHECK(k == 0 ? v == -1 : go_cap(c) > 0 ? v == 0 || v == 1 : v == 1 - me);
	}
}
GO_TASK(send_or_receive, go_chan(int), int, int, go_waitgroup *);

/* TestSelfSelect: it never meets itself, and the two always meet each other */
TEST(select_on_both_sides_of_a_channel_does_not_meet_itself)
{
	static const size_t caps[] = {0, 10};
	int n = (int)support_scale(20000);

	for (int i = 0; i < 2; i++) {
		go_chan(int) c = go_make(int, caps[i]);
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 2);
		GO(send_or_receive, c, 0, n, &wg);
		GO(send_or_receive, c, 1, n, &wg);
		go_wg_wait(&wg);
		go_unref(c);
	}
}

/* ------------------------------------------------------------ SelectStress --- */

struct stress { go_chan(int) c[4]; int n; atomic_int sent[4], received[4]; go_waitgroup wg; };

static void
send_plain(struct stress *s, int k)
{
	go_defer_done(&s->wg);
	for (int i = 0; i < s->n; i++) {
		go_send(s->c[k], 0);
		atomic_fetch_add(&s->sent[k], 1);
	}
}
GO_TASK(send_plain, struct stress *, int);

static void
recv_plain(struct stress *s, int k)
{
	go_defer_done(&s->wg);
	for (int i = 0; i < s->n; i++) {
		CHECK(go_recv(s->c[k], NULL));
		atomic_fetch_add(&s->received[k], 1);
	}
}
GO_TASK(recv_plain, struct stress *, int);

/* n times on each channel; a channel whose share is done becomes nil. */
static void
select_on_all(struct stress *s, bool send)
{
	go_chan(int) c[4] = {s->c[0], s->c[1], s->c[2], s->c[3]};
	int count[4] = {0, 0, 0, 0};

	go_defer_done(&s->wg);
	for (int i = 0; i < 4 * s->n; i++) {
		int k = send ? go_select(GO_SEND(c[3], 0), GO_SEND(c[2], 0), GO_SEND(c[1], 0),
					 GO_SEND(c[0], 0))
			     : go_select(GO_RECV(c[0], NULL), GO_RECV(c[1], NULL),
					 GO_RECV(c[2], NULL), GO_RECV(c[3], NULL));

		k = send ? 3 - k : k;
		atomic_fetch_add(send ? &s->sent[k] : &s->received[k], 1);
		if (!CHECK(++count[k] <= s->n))
			return;
		if (count[k] == s->n)
			c[k] = NULL;
	}
}
GO_TASK(select_on_all, struct stress *, bool);

/* TestSelectStress */
TEST(plain_and_select_partners_mixed_all_finish)
{
	static struct stress s;

	s.n = (int)support_scale(30000);
	for (int k = 0; k < 4; k++)
		s.c[k] = go_make(int, (size_t)(k < 2 ? 0 : k));
	go_wg_add(&s.wg, 10);
	for (int k = 0; k < 4; k++) {
		GO(send_plain, &s, k);
		GO(recv_plain, &s, k);
	}
	GO(select_on_all, &s, true);
	GO(select_on_all, &s, false);
	go_wg_wait(&s.wg);
	for (int k = 0; k < 4; k++) {
		CHECK_EQ(s.sent[k], 2 * s.n);
		CHECK_EQ(s.received[k], 2 * s.n);
		CHECK_EQ(go_len(s.c[k]), 0);
		go_unref(s.c[k]);
	}
}

/* ------------------------------------------------------------ chance --- */

/* TestSelectFairness */
TEST(two_ready_cases_among_four_share_evenly)
{
	enum { TRIALS = 10000 };
	go_chan(char) c[4];
	int counts[2] = {0, 0};

	for (int i = 0; i < 4; i++)
		c[i] = go_make(char, i < 2 ? TRIALS + 1 : 0);
	for (int i = 0; i <= TRIALS; i++) {
		go_send(c[0], 'a');
		go_send(c[1], 'b');
	}
	for (int i = 0; i < TRIALS; i++) {
		int k = go_select(GO_RECV(c[2], NULL), GO_RECV(c[0], NULL), GO_RECV(c[3], NULL),
				  GO_RECV(c[1], NULL));

		CHECK(k == 1 || k == 3);
		counts[k == 3]++;
	}
	CHECK_IN(counts[0], TRIALS / 2 - 500, TRIALS / 2 + 500);        /* ten deviations */
	for (int i = 0; i < 4; i++)
		go_unref(c[i]);
}

static void
send_random_bits(go_sender(int) c, int n)
{
	for (int i = 0; i < n; i++)
		go_select(GO_SEND(c, 0), GO_SEND(c, 1));
	go_unref(c);
}
GO_TASK(send_random_bits, go_sender(int), int);

/* TestPseudoRandomSend */
TEST(two_send_cases_both_get_their_turn)
{
	enum { N = 200 };

	for (size_t cap = 0; cap < 100; cap += 9) {
		go_chan(int) c = go_make(int, cap);
		int ones = 0, v;

		GO(send_random_bits, go_send_only(go_ref(c)), N);
		for (int i = 0; i < N; i++) {
			go_yield();
			CHECK(go_recv(c, &v));
			ones += v;
		}
		CHECK_IN(ones, N / 10, N - N / 10);
		go_unref(c);
	}
}

/* ------------------------------------------------------------ SelectDuplicateChannel --- */

static void
select_twice_the_same(go_chan(int) c, go_chan(int) d, go_chan(int) e)
{
	go_set_name("twice");
	CHECK_EQ(go_select(GO_RECV(c, NULL), GO_RECV(c, NULL), GO_RECV(d, NULL)), 2);
	go_send(e, 9);
}
GO_TASK(select_twice_the_same, go_chan(int), go_chan(int), go_chan(int));

static void
recv_value(go_receiver(int) c, int expected, go_sender(int) done)
{
	int v = -1;

	go_set_name("behind");
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, expected);
	go_send(done, v);
}
GO_TASK(recv_value, go_receiver(int), int, go_sender(int));

/* TestSelectDuplicateChannel: leaving takes both of its entries out of the queue */
TEST(channel_that_stands_twice_in_a_select_is_left_twice)
{
	go_chan(int) c = go_make(int, 0), d = go_make(int, 0), e = go_make(int, 0);
	int v;

	for (int i = 0; i < 5; i++) {
		GO(select_twice_the_same, c, d, e);
		wait_until(support_parked("twice", "select") == 1);
		GO(recv_value, go_recv_only(c), 8, go_send_only(e));
		wait_until(support_parked("behind", "chan receive") == 1);
		go_send(d, 7);
		CHECK(go_recv(e, &v));
		CHECK_EQ(v, 9);
		go_send(c, 8);          /* finds the receiver, not what is left of the select */
		CHECK(go_recv(e, &v));
		CHECK_EQ(v, 8);
		CHECK(!go_trysend(c, 1));
	}
	go_unref(c);
	go_unref(d);
	go_unref(e);
}

/* ------------------------------------------------------------ a barrier of selects --- */

static void
produce(go_sender(int) c, go_receiver(bool) stop, atomic_int *produced, go_waitgroup *wg)
{
	go_defer_done(wg);
	while (go_select(GO_SEND(c, 1), GO_RECV(stop, NULL)) == 0)
		atomic_fetch_add(produced, 1);
}
GO_TASK(produce, go_sender(int), go_receiver(bool), atomic_int *, go_waitgroup *);

static void
consume(go_receiver(int) c, go_receiver(bool) stop, atomic_int *consumed, go_waitgroup *wg)
{
	go_defer_done(wg);
	while (go_select(GO_RECV(c, NULL), GO_RECV(stop, NULL)) == 0)
		atomic_fetch_add(consumed, 1);
}
GO_TASK(consume, go_receiver(int), go_receiver(bool), atomic_int *, go_waitgroup *);

/* BenchmarkSelectProdCons, as a test: a stop channel in every select ends all; nothing is lost */
TEST(stop_channel_ends_every_select)
{
	for (size_t cap = 0; cap < 3; cap++) {
		go_chan(int) c = go_make(int, cap);
		go_chan(bool) stop = go_make(bool, 0), stop2 = go_make(bool, 0);
		atomic_int produced = 0, consumed = 0;
		go_waitgroup producers = GO_WAITGROUP_INIT, consumers = GO_WAITGROUP_INIT;

		go_wg_add(&producers, 8);
		go_wg_add(&consumers, 8);
		for (int i = 0; i < 8; i++) {
			GO(produce, go_send_only(c), go_recv_only(stop), &produced, &producers);
			GO(consume, go_recv_only(c), go_recv_only(stop2), &consumed, &consumers);
		}
		wait_until(atomic_load(&consumed) > support_scale(20000));
		go_close(stop);
		go_wg_wait(&producers);
		wait_until(go_len(c) == 0);
		go_close(stop2);
		go_wg_wait(&consumers);
		CHECK_EQ(produced, consumed);
		go_unref(c);
		go_unref(stop);
		go_unref(stop2);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(polling_select_sees_one_moment),
	cmocka_unit_test(polling_select_sees_one_moment_with_close),
	cmocka_unit_test(select_on_both_sides_of_a_channel_does_not_meet_itself),
	cmocka_unit_test(plain_and_select_partners_mixed_all_finish),
	cmocka_unit_test(two_ready_cases_among_four_share_evenly),
	cmocka_unit_test(two_send_cases_both_get_their_turn),
	cmocka_unit_test(channel_that_stands_twice_in_a_select_is_left_twice),
	cmocka_unit_test(stop_channel_ends_every_select),
};

SUPPORT_MAIN(tests)
