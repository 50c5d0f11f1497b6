/* SPDX-License-Identifier: MIT */
/*
 * Select over channels: which cases are ready, what a chosen and an unchosen case does, blocking
 * and waking.  Time limits are in select_until.c, chance in select_fair.c.
 */
#include "support.h"

enum { MANY = 1000 };

/* ------------------------------------------------------------ the ready case --- */

TEST(only_ready_case_is_chosen_wherever_it_stands)
{
	go_chan(int) ready = go_make(int, 1), full = go_make(int, 1), empty = go_make(int, 1);
	go_chan(int) nil = NULL;
	int v = -1;

	go_send(full, 0);
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(go_select(GO_SEND(ready, round), GO_SEND(full, 1), GO_RECV(empty, &v)), 0);
		CHECK_EQ(v, -1);
		CHECK_EQ(go_select(GO_SEND(full, 1), GO_RECV(nil, NULL), GO_RECV(ready, &v)), 2);
		CHECK_EQ(v, round);
		CHECK_EQ(go_select(GO_RECV(empty, &v), GO_SEND(ready, round), GO_SEND(nil, 1)), 1);
		CHECK_EQ(go_select(GO_RECV(ready, &v)), 0);
		CHECK_EQ(v, round);
		v = -1;
	}
	CHECK_EQ(go_len(full), 1);
	go_unref(ready);
	go_unref(full);
	go_unref(empty);
}

TEST(default_is_chosen_only_when_nothing_is_ready)
{
	go_chan(int) c = go_make(int, 1), nil = NULL;
	int v = 5;

	for (int round = 0; round < 50; round++) {
		CHECK_EQ(go_select(GO_RECV(c, &v), GO_DEFAULT), 1);
		CHECK_EQ(go_select(GO_DEFAULT, GO_RECV(c, &v), GO_RECV(nil, NULL)), 0);
		CHECK_EQ(v, 5);
		CHECK_EQ(go_select(GO_DEFAULT, GO_SEND(c, 5)), 1);
		CHECK_EQ(go_select(GO_SEND(c, 6), GO_DEFAULT, GO_SEND(nil, 6)), 1);
		CHECK_EQ(go_select(GO_DEFAULT, GO_SEND(c, 6), GO_RECV(c, &v)), 2);
		CHECK_EQ(v, 5);
	}
	CHECK_EQ(go_select(GO_DEFAULT), 0);
	CHECK_EQ(go_select_until(GO_NOWAIT, GO_RECV(c, NULL), GO_DEFAULT), 1);
	go_unref(c);
}

TEST(tryselect_never_blocks)
{
	go_chan(int) c = go_make(int, 1), nil = NULL;
	int v;

	CHECK_EQ(go_tryselect(GO_RECV(c, &v), GO_RECV(nil, &v), GO_SEND(nil, 1)), -ETIMEDOUT);
	CHECK_EQ(go_tryselect(GO_RECV(c, &v), GO_SEND(c, 3)), 1);
	CHECK_EQ(go_tryselect(GO_SEND(c, 4)), -ETIMEDOUT);
	CHECK_EQ(go_tryselect(GO_RECV(c, &v), GO_SEND(c, 4)), 0);
	CHECK_EQ(v, 3);
	CHECK_EQ(go_selectv(NULL, 0, GO_NOWAIT), -ETIMEDOUT);
	go_unref(c);
}

/* What a case that was not chosen points to stays, `ok` included. */
TEST(unchosen_cases_leave_everything_alone)
{
	go_chan(int) a = go_make(int, 1), b = go_make(int, 1), c = go_make(int, 1);
	int va, vb, vc;
	bool oka, okb, okc;

	for (int i = 0; i < 200; i++) {
		int chosen;

		va = vb = vc = -1;
		oka = okb = okc = i % 2;
		if (go_len(a) == 0)
			go_send(a, 10);
		if (go_len(b) == 0)
			go_send(b, 20);
		chosen = go_select(GO_RECV_OK(a, &va, &oka), GO_RECV_OK(b, &vb, &okb),
				   GO_RECV_OK(c, &vc, &okc));
		CHECK_EQ(va, chosen == 0 ? 10 : -1);
		CHECK_EQ(vb, chosen == 1 ? 20 : -1);
		CHECK_EQ(vc, -1);
		CHECK_EQ(oka, chosen == 0 ? true : i % 2);
		CHECK_EQ(okb, chosen == 1 ? true : i % 2);
		CHECK_EQ(okc, i % 2);
	}
	go_unref(a);
	go_unref(b);
	go_unref(c);
}

TEST(array_is_not_changed_and_can_be_used_again)
{
	go_chan(int) c = go_make(int, 1), other = go_make(int, 0);
	int in = 0, out = 0;
	bool ok;
	go_case cases[] = {
		{(go_ch *)c, &in, NULL, 0, GO_OP_SEND, 0},
		{(go_ch *)c, &out, &ok, 0, GO_OP_RECV, 0},
		{(go_ch *)other, &out, &ok, 0, GO_OP_RECV, 0},
		{NULL, &in, NULL, 0, GO_OP_SEND, 0},
		{NULL, NULL, NULL, GO_HOUR, GO_OP_AFTER, 0},
	}, before[5];

	memcpy(before, cases, sizeof cases);
	for (in = 1; in < 100; in++) {
		CHECK_EQ(go_selectv(cases, 5, GO_FOREVER), 0);
		CHECK_EQ(go_selectv(cases, 5, GO_FOREVER), 1);
		CHECK_EQ(out, in);
		CHECK_EQ(go_selectv(cases + 1, 4, GO_NOWAIT), -ETIMEDOUT);
		CHECK_EQ(go_selectv(cases + 1, 4, go_now() + 1000), -ETIMEDOUT);
		CHECK(memcmp(before, cases, sizeof cases) == 0);
	}
	go_unref(c);
	go_unref(other);
}

/* ------------------------------------------------------------ closed --- */

TEST(closed_channel_is_ready_and_gives_zero)
{
	go_chan(uint32_t) c = go_make(uint32_t, 2), open = go_make(uint32_t, 0);
	uint32_t v[3] = {0x5a5a5a5a, 0x5a5a5a5a, 0x5a5a5a5a};
	bool ok = false;

	go_send(c, 17);
	go_close(c);
	CHECK_EQ(go_select(GO_RECV(open, &v[0]), GO_RECV_OK(c, &v[1], &ok)), 1);
	CHECK(ok);
	CHECK_EQ(v[1], 17);
	for (int i = 0; i < 5; i++) {
		v[1] = 0x5a5a5a5a;
		ok = true;
		CHECK_EQ(go_select(GO_RECV(open, &v[0]), GO_RECV_OK(c, &v[1], &ok)), 1);
		CHECK(!ok);
		CHECK_EQ(v[0], 0x5a5a5a5a);
		CHECK_EQ(v[1], 0);              /* four bytes, and only those */
		CHECK_EQ(v[2], 0x5a5a5a5a);
		CHECK_EQ(go_tryselect(GO_RECV(c, NULL)), 0);
	}
	go_unref(c);
	go_unref(open);
}

static void
close_soon(go_chan(uint32_t) c)
{
	support_settle();
	go_close(c);
	go_unref(c);
}
GO_TASK(close_soon, go_chan(uint32_t));

TEST(close_wakes_a_blocked_select_with_zero)
{
	for (int i = 0; i < 20; i++) {
		go_chan(uint32_t) c = go_make(uint32_t, (size_t)i % 2), open = go_make(uint32_t, 0);
		uint32_t v[3] = {1, 0x5a5a5a5a, 1}, w = 7;
		bool ok = true, other = true;

		GO(close_soon, go_ref(c));
		CHECK_EQ(go_select(GO_RECV_OK(open, &w, &other), GO_SEND(open, 1),
				   GO_RECV_OK(c, &v[1], &ok)), 2);
		CHECK(!ok && other);
		CHECK(v[0] == 1 && v[1] == 0 && v[2] == 1 && w == 7);
		go_unref(c);
		go_unref(open);
	}
}

/* ------------------------------------------------------------ many cases --- */

static void
make_channels(go_ch **c, int n, size_t cap)
{
	for (int i = 0; i < n; i++)
		c[i] = go_chan_make(sizeof(int), cap);
}

static void
drop_channels(go_ch **c, int n)
{
	for (int i = 0; i < n; i++)
		go_chan_unref(c[i]);
}

static void
recv_cases(go_case *cases, go_ch **c, int n, int *v)
{
	for (int i = 0; i < n; i++)
		cases[i] = (go_case){c[i], &v[i], NULL, 0, GO_OP_RECV, 0};
}

static const int counts[] = {1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 33, 64, 65, 100, MANY};

TEST(any_number_of_cases_finds_the_ready_one)
{
	static go_ch *c[MANY];
	static go_case cases[MANY];
	static int v[MANY];

	make_channels(c, MANY, 1);
	recv_cases(cases, c, MANY, v);
	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
		int n = counts[k], step = n / 30 + 1;

		CHECK_EQ(go_selectv(cases, n, GO_NOWAIT), -ETIMEDOUT);
		for (int i = 0; i < n; i += step) {
			go_chan_send(c[i], &i);
			CHECK_EQ(go_selectv(cases, n, GO_FOREVER), i);
			CHECK_EQ(v[i], i);
		}
	}
	drop_channels(c, MANY);
}

static void
use_after_block(go_ch *c, int how, int v)
{
	wait_until(support_parked("chooser", "select") == 1);
	if (how == 0)
		go_chan_send(c, &v);
	else if (how == 1)
		CHECK(go_chan_recv(c, &v));
	else
		go_chan_close(c);
	go_chan_unref(c);
}
GO_TASK(use_after_block, go_ch *, int, int);

/* A blocked select is woken by its i-th channel, and leaves no waiter on the others. */
static void
block_and_wake(go_ch **c, int n, int i, int how)
{
	go_case *cases = calloc((size_t)n, sizeof *cases);
	int *v = calloc((size_t)n, sizeof *v), sent = -i;
	bool ok = how == 2;

	recv_cases(cases, c, n, v);
	if (how == 1)
		cases[i] = (go_case){c[i], &sent, NULL, 0, GO_OP_SEND, 0};
	else
		cases[i].ok = &ok;
	GO(use_after_block, go_chan_ref(c[i]), how, 1000 + i);
	CHECK_EQ(go_selectv(cases, n, GO_FOREVER), i);
	CHECK_EQ(ok, how == 0);
	CHECK_EQ(v[i], how == 0 ? 1000 + i : 0);
	for (int k = 0; k < n; k++)
		if (k != i || how == 0)
			CHECK_EQ(go_chan_send_until(c[k], &k, GO_NOWAIT), -ETIMEDOUT);
	free(cases);
	free(v);
}

TEST(blocked_select_is_woken_by_each_of_its_cases)
{
	static const int sizes[] = {1, 2, 5, 16, 17, 40};
	static go_ch *c[40];

	go_set_name("chooser");
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		int n = sizes[k];

		for (int how = 0; how < 3; how++) {
			for (int i = 0; i < n; i += n / 3 + 1) {
				make_channels(c, n, 0);
				block_and_wake(c, n, i, how);
				drop_channels(c, n);
			}
		}
	}
}

TEST(thousand_cases_can_block)
{
	static go_ch *c[MANY];

	go_set_name("chooser");
	make_channels(c, MANY, 0);
	block_and_wake(c, MANY, 0, 0);
	block_and_wake(c, MANY, MANY - 1, 0);
	block_and_wake(c, MANY, 500, 2);
	drop_channels(c, MANY);
}

/* ------------------------------------------------------------ blocking --- */

static atomic_int came_through;

static void
select_nothing(__attribute__((unused)) void *arg)
{
	go_selectv(NULL, 0, GO_FOREVER);
	atomic_fetch_add(&came_through, 1);
}

static void
select_nil(__attribute__((unused)) void *arg)
{
	go_chan(int) nil = NULL;

	go_set_name("chooses nil");
	go_select(GO_RECV(nil, NULL), GO_SEND(nil, 1), GO_AFTER(GO_FOREVER), GO_UNTIL(GO_FOREVER));
	atomic_fetch_add(&came_through, 1);
}

TEST(nothing_to_wait_for_blocks_for_ever)
{
	go_spawn(select_nothing, NULL);
	go_spawn(select_nil, NULL);
	wait_until(support_parked("", "select (no cases)") == 1);
	wait_until(support_parked("chooses nil", "select") == 1);
	support_settle();
	CHECK_EQ(atomic_load(&came_through), 0);
}

CHILD(select_deadlock)
{
	if (strcmp(arg, "none") == 0)
		select_nothing(NULL);
	else
		select_nil(NULL);
	return 0;
}

TEST(deadlock_in_select_is_reported)
{
	static const char text[] = "fatal error: all goroutines are asleep - deadlock!";
	struct support_result r;

	if (SUPPORT_TSAN)
		skip();                 /* its own thread might come */
	CHECK_DIES(select_deadlock, "none", text);
	CHECK_DIES(select_deadlock, "nil", text);
	support_child(select_deadlock, "none", &r);
	CHECK(strstr(r.err, "select (no cases)") != NULL);
	support_free(&r);
}

static void
selects_one(go_chan(int) a, go_chan(int) b, go_chan(int) out)
{
	int va, vb;

	go_set_name("chooses one");
	switch (go_select(GO_RECV(a, &va), GO_RECV(b, &vb))) {
	case 0:
		go_send(out, va);
		break;
	case 1:
		go_send(out, -vb);
		break;
	}
}
GO_TASK(selects_one, go_chan(int), go_chan(int), go_chan(int));

/* One value, one waiter: the others of the same channel stay. */
TEST(one_value_wakes_one_select)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0), out = go_make(int, 10);
	int sum = 0, v;

	for (int i = 0; i < 10; i++)
		GO(selects_one, a, b, out);
	wait_until(support_parked("chooses one", "select") == 10);
	for (int i = 1; i <= 10; i++) {
		if (i % 2)
			go_send(a, i);
		else
			go_send(b, i);
		wait_until(go_len(out) == 1);
		support_settle();
		CHECK_EQ(go_len(out), 1);
		CHECK(go_recv(out, &v));
		CHECK_EQ(v, i % 2 ? i : -i);
		sum += v;
	}
	CHECK_EQ(sum, -5);
	CHECK(!go_trysend(a, 1) && !go_trysend(b, 1));
	wait_until(support_parked("chooses one", "") == 0);
	go_unref(a);
	go_unref(b);
	go_unref(out);
}

static void
sends_one_of(go_chan(int) a, go_chan(int) b, int v, go_waitgroup *wg)
{
	go_defer_done(wg);
	go_select(GO_SEND(a, v), GO_SEND(b, v));
}
GO_TASK(sends_one_of, go_chan(int), go_chan(int), int, go_waitgroup *);

/* A send case that waited on two channels delivers its value to one of them. */
TEST(blocked_send_cases_deliver_once)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0);
	int n = (int)support_scale(2000), v, w;

	for (int i = 0; i < n; i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		v = w = -1;
		go_wg_add(&wg, 1);
		GO(sends_one_of, a, b, i, &wg);
		CHECK_IN(go_select(GO_RECV(b, &w), GO_RECV(a, &v)), 0, 1);
		CHECK((v == i) != (w == i));
		go_wg_wait(&wg);
		CHECK(!go_tryrecv(a, NULL) && !go_tryrecv(b, NULL));
	}
	go_unref(a);
	go_unref(b);
}

TEST(two_selects_meet)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0), nil = NULL;
	int v = -1;

	for (int i = 0; i < support_scale(2000); i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 1);
		GO(sends_one_of, i % 2 ? a : nil, i % 2 ? nil : b, i, &wg);
		CHECK_EQ(go_select(GO_RECV(b, &v), GO_RECV(a, &v), GO_RECV(nil, NULL)), i % 2);
		CHECK_EQ(v, i);
		go_wg_wait(&wg);
	}
	go_unref(a);
	go_unref(b);
}

/* The channel stands there twice, in both directions: a buffered one serves itself, in order. */
TEST(same_channel_in_several_cases)
{
	go_chan(int) c = go_make(int, 3);
	int next = 0, expected = 0, v = -1, w = -1;

	for (int i = 0; i < 2000; i++) {
		switch (go_select(GO_SEND(c, next), GO_RECV(c, &v), GO_SEND(c, next),
				  GO_RECV(c, &w))) {
		case 0:
		case 2:
			next++;
			break;
		case 1:
			CHECK_EQ(v, expected++);
			break;
		case 3:
			CHECK_EQ(w, expected++);
			break;
		}
	}
	CHECK_EQ(next - expected, go_len(c));
	CHECK(expected > 100);
	go_unref(c);
}

static atomic_int about_to_wait;

static void
selects_until_closed(go_chan(int) a, go_chan(int) b, go_waitgroup *wg)
{
	bool ok = true, ok2 = true;

	go_defer_done(wg);
	go_set_name("until closed");
	atomic_fetch_add(&about_to_wait, 1);
	go_select(GO_RECV_OK(a, NULL, &ok), GO_RECV_OK(b, NULL, &ok2));
	CHECK(!ok && ok2);
}
GO_TASK(selects_until_closed, go_chan(int), go_chan(int), go_waitgroup *);

TEST(close_wakes_every_select)
{
	int n = support_goroutines(2000);
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, n);
	for (int i = 0; i < n; i++)
		GO(selects_until_closed, a, b, &wg);
	wait_until(atomic_load(&about_to_wait) == n);
	wait_until(support_parked("until closed", "select") == n);
	go_close(a);
	go_wg_wait(&wg);
	go_unref(a);
	go_unref(b);                    /* nobody is left waiting here */
}

/* A select that has gone elsewhere must not take a value with it. */
TEST(loser_of_a_race_takes_nothing)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0), out = go_make(int, 1);
	int v, n = (int)support_scale(3000);

	for (int i = 1; i <= n; i++) {
		GO(selects_one, a, b, out);
		if (i % 3 == 0)
			go_yield();
		go_send(a, i);
		CHECK(!go_trysend(b, i));
		CHECK(go_recv(out, &v));
		CHECK_EQ(v, i);
	}
	go_unref(a);
	go_unref(b);
	go_unref(out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(only_ready_case_is_chosen_wherever_it_stands),
	cmocka_unit_test(default_is_chosen_only_when_nothing_is_ready),
	cmocka_unit_test(tryselect_never_blocks),
	cmocka_unit_test(unchosen_cases_leave_everything_alone),
	cmocka_unit_test(array_is_not_changed_and_can_be_used_again),
	cmocka_unit_test(closed_channel_is_ready_and_gives_zero),
	cmocka_unit_test(close_wakes_a_blocked_select_with_zero),
	cmocka_unit_test(any_number_of_cases_finds_the_ready_one),
	cmocka_unit_test(blocked_select_is_woken_by_each_of_its_cases),
	cmocka_unit_test(thousand_cases_can_block),
	cmocka_unit_test(nothing_to_wait_for_blocks_for_ever),
	cmocka_unit_test(deadlock_in_select_is_reported),
	cmocka_unit_test(one_value_wakes_one_select),
	cmocka_unit_test(blocked_send_cases_deliver_once),
	cmocka_unit_test(two_selects_meet),
	cmocka_unit_test(same_channel_in_several_cases),
	cmocka_unit_test(close_wakes_every_select),
	cmocka_unit_test(loser_of_a_race_takes_nothing),
};

SUPPORT_MAIN(tests)
