/* SPDX-License-Identifier: MIT */
/*
 * "Evenly, at random" taken literally: chi-square tests of what select chooses among ready cases.
 * The bounds are such that a fair choice fails about once in a million runs.
 */
#include "support.h"

enum { MAX = 200 };

/* ------------------------------------------------------------ statistics --- */

static double
chi_square(const int *counts, int n, double total)
{
	double expected = total / n, sum = 0;

	for (int i = 0; i < n; i++)
		sum += (counts[i] - expected) * (counts[i] - expected) / expected;
	return sum;
}

/* Mean d and variance 2d for d degrees of freedom; six deviations, and more for a few degrees. */
static double
chi_bound(int degrees)
{
	double root = 1;

	for (int i = 0; i < 30; i++)
		root = (root + 2.0 * degrees / root) / 2;
	return degrees + 6 * root + 14;
}

static void
check_even(const int *counts, int n, const char *what)
{
	double total = 0, chi;

	for (int i = 0; i < n; i++)
		total += counts[i];
	chi = chi_square(counts, n, total);
	CHECK_MSG(chi < chi_bound(n - 1), "%s, %d cases, %.0f choices: chi-square %.1f > %.1f",
		  what, n, total, chi, chi_bound(n - 1));
}

static int
samples(int cases)
{
	int64_t n = support_scale(200) * cases, least = 20 * cases;

	n = n < 5000 ? 5000 : n;
	return (int)(n > least ? n : least);
}

/* ------------------------------------------------------------ the tests --- */

static go_ch *closed[MAX];

static void
make_closed(void)
{
	for (int i = 0; i < MAX && closed[MAX - 1] == NULL; i++) {
		closed[i] = go_chan_make(sizeof(int), 1);
		go_chan_close(closed[i]);
	}
}

static void
choose_closed(int n, int *counts)
{
	go_case cases[MAX];

	for (int i = 0; i < n; i++)
		cases[i] = (go_case){closed[i], NULL, NULL, 0, GO_OP_RECV, 0};
	for (int i = samples(n); i > 0; i--) {
		int k = go_selectv(cases, n, GO_FOREVER);

		if (!CHECK_IN(k, 0, n - 1))
			return;
		counts[k]++;
	}
}

TEST(closed_channels_are_chosen_evenly)
{
	static const int sizes[] = {2, 3, 4, 5, 8, 16, 17, 64, MAX};

	make_closed();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int counts[MAX] = {0};

		choose_closed(sizes[i], counts);
		check_even(counts, sizes[i], "closed");
	}
}

TEST(senders_and_receivers_are_chosen_evenly)
{
	enum { N = 64 };
	go_ch *c[N];
	go_case cases[N];
	int counts[N] = {0}, v = 1;

	for (int i = 0; i < N; i++) {                   /* even: room for ever; odd: never empty */
		c[i] = go_chan_make(i % 2 ? 0 : sizeof v, 100000);
		cases[i] = (go_case){c[i], &v, NULL, 0, i % 2 ? GO_OP_RECV : GO_OP_SEND, 0};
		for (int k = 0; i % 2 && k < 90000; k++)
			go_chan_send(c[i], NULL);
	}
	for (int i = samples(N); i > 0; i--)
		counts[go_selectv(cases, N, GO_FOREVER) % N]++;
	check_even(counts, N, "both directions");
	for (int i = 0; i < N; i++)
		go_chan_unref(c[i]);
}

/* The place of a case among those that are not ready makes no difference. */
TEST(few_ready_among_many_are_chosen_evenly)
{
	static const int ready[] = {0, 1, 30, 62, 63};
	go_ch *never = go_chan_make(1, 0);
	go_case cases[64];
	int counts[64] = {0}, tally[5];

	make_closed();
	for (int i = 0; i < 64; i++)
		cases[i] = (go_case){i % 3 ? never : NULL, NULL, NULL, 0, GO_OP_RECV, 0};
	for (int i = 0; i < 5; i++)
		cases[ready[i]].chan = closed[i];
	for (int i = samples(64); i > 0; i--)
		counts[go_selectv(cases, 64, GO_FOREVER) & 63]++;
	for (int i = 0; i < 5; i++)
		tally[i] = counts[ready[i]];
	check_even(tally, 5, "few ready");
	go_chan_unref(never);
}

TEST(same_channel_twice_is_chosen_evenly)
{
	int counts[3] = {0};

	make_closed();
	for (int i = samples(3); i > 0; i--) {
		go_case cases[] = {{closed[0], NULL, NULL, 0, GO_OP_RECV, 0},
				   {closed[1], NULL, NULL, 0, GO_OP_RECV, 0},
				   {closed[0], NULL, NULL, 0, GO_OP_RECV, 0}};

		counts[go_selectv(cases, 3, GO_NOWAIT) % 3]++;
	}
	check_even(counts, 3, "a channel twice");
}

TEST(default_and_time_do_not_take_part)
{
	int counts[2] = {0}, n = samples(2);
	go_chan(int) a, b;

	make_closed();
	a = (go_chan(int))closed[0];
	b = (go_chan(int))closed[1];
	for (int i = 0; i < n; i++) {
		int k = go_select(GO_DEFAULT, GO_RECV(a, NULL), GO_AFTER(0), GO_RECV(b, NULL),
				  GO_UNTIL(0));

		CHECK(k == 1 || k == 3);
		counts[k == 3]++;
	}
	check_even(counts, 2, "beside default");
}

/* No round robin and no sticking to one: the next choice does not depend on the last two. */
TEST(choices_are_independent)
{
	int pairs[16] = {0}, triples[8] = {0}, changes = 0, n = samples(64);
	int last = 0, k, history = 0;
	go_case cases[4];

	make_closed();
	for (int i = 0; i < 4; i++)
		cases[i] = (go_case){closed[i], NULL, NULL, 0, GO_OP_RECV, 0};
	for (int i = 0; i < n; i++) {
		k = go_selectv(cases, 4, GO_FOREVER) & 3;
		if (i > 0)
			pairs[4 * last + k]++;
		last = k;
	}
	check_even(pairs, 16, "pairs");
	for (int i = 0; i < n; i++) {
		k = go_selectv(cases, 2, GO_FOREVER) & 1;
		changes += k != (history & 1);
		history = (history << 1 | k) & 0xff;
		if (i >= 2)
			triples[history & 7]++;
	}
	check_even(triples, 8, "triples");
	CHECK_IN(changes, n * 35 / 100, n * 65 / 100);
}

static void
choose_once(int *slot, go_waitgroup *wg)
{
	go_case cases[4];

	go_defer_done(wg);
	for (int i = 0; i < 4; i++)
		cases[i] = (go_case){closed[i], NULL, NULL, 0, GO_OP_RECV, 0};
	*slot = go_selectv(cases, 4, GO_FOREVER);
}
GO_TASK(choose_once, int *, go_waitgroup *);

/* The first choice of a fresh goroutine is as random as any. */
TEST(first_choices_are_even)
{
	enum { BATCH = 100 };
	int counts[4] = {0}, slots[BATCH];

	make_closed();
	for (int round = 0; round < 40; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, BATCH);
		for (int i = 0; i < BATCH; i++)
			GO(choose_once, &slots[i], &wg);
		go_wg_wait(&wg);
		for (int i = 0; i < BATCH; i++)
			counts[slots[i] & 3]++;
	}
	check_even(counts, 4, "first choices");
}

static void
choose_many(int *counts, go_waitgroup *wg)
{
	go_defer_done(wg);
	choose_closed(8, counts);
}
GO_TASK(choose_many, int *, go_waitgroup *);

TEST(every_goroutine_chooses_evenly)
{
	int counts[8][MAX] = {{0}};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	make_closed();
	go_wg_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		GO(choose_many, counts[i], &wg);
	go_wg_wait(&wg);
	for (int i = 0; i < 8; i++) {
		check_even(counts[i], 8, "one of eight goroutines");
		for (int k = 0; k < i; k++)
			CHECK(memcmp(counts[i], counts[k], sizeof counts[i]) != 0);
	}
}

static void *
choose_in_thread(void *counts)
{
	choose_closed(64, counts);
	return NULL;
}

TEST(foreign_threads_choose_evenly)
{
	int counts[2][MAX] = {{0}};
	pthread_t t[2];

	make_closed();
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, choose_in_thread, counts[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		check_even(counts[i], 64, "foreign thread");
	}
	CHECK(memcmp(counts[0], counts[1], sizeof counts[0]) != 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(closed_channels_are_chosen_evenly),
	cmocka_unit_test(senders_and_receivers_are_chosen_evenly),
	cmocka_unit_test(few_ready_among_many_are_chosen_evenly),
	cmocka_unit_test(same_channel_twice_is_chosen_evenly),
	cmocka_unit_test(default_and_time_do_not_take_part),
	cmocka_unit_test(choices_are_independent),
	cmocka_unit_test(first_choices_are_even),
	cmocka_unit_test(every_goroutine_chooses_evenly),
	cmocka_unit_test(foreign_threads_choose_evenly),
};

SUPPORT_MAIN(tests)
