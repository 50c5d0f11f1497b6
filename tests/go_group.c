/* SPDX-License-Identifier: MIT */
/*
 * go_group.c - what errgroup_test.go of Go's x/sync expects, retold.  Each test names the one it
 * follows.
 */
#include "support.h"

enum { ERR1 = -1001, ERR2 = -1002 };

static int give(void *arg) { return (int)(intptr_t)arg; }

static void *as_arg(int err) { return (void *)(intptr_t)err; }

/* Go: errgroup TestZeroGroup */
TEST(the_first_error_stays) {
	static const struct { int n, err[3]; } cases[] = {
		{0, {0}}, {1, {0}}, {1, {ERR1}}, {2, {ERR1, 0}}, {3, {ERR1, 0, ERR2}},
	};

	for (int i = 0; i < 5; i++) {
		go_group g;
		int first = 0;

		memset(&g, 0, sizeof g);
		for (int k = 0; k < cases[i].n; k++) {
			int err = cases[i].err[k];

			go_group_spawn(&g, give, as_arg(err));
			if (first == 0)
				first = err;
			CHECK_EQ(go_group_wait(&g), first);
		}
		CHECK_EQ(go_group_wait(&g), first);
	}
}

/* Go: errgroup TestWithContext, TestCancelCause */
TEST(the_context_is_cancelled_by_the_first_error_or_by_wait) {
	static const struct { int n, err[2], want; } cases[] = {
		{0, {0}, 0}, {1, {0}, 0}, {1, {ERR1}, ERR1}, {2, {0, ERR2}, ERR2},
	};

	for (int i = 0; i < 4; i++) {
		go_group g = GO_GROUP_INIT;
		const go_ctx *ctx = go_ctx_ref(go_group_ctx(&g, NULL));

		CHECK_EQ(go_ctx_err(ctx), 0);
		for (int k = 0; k < cases[i].n; k++)
			go_group_spawn(&g, give, as_arg(cases[i].err[k]));
		CHECK_EQ(go_group_wait(&g), cases[i].want);
		CHECK(!go_recv(go_ctx_done(ctx), NULL));
		CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
		CHECK_EQ(go_ctx_cause(ctx, NULL), cases[i].want != 0 ? cases[i].want : -ECANCELED);
		go_ctx_unref(ctx);
	}
}

static int send_one(void *arg) {
	go_chan_send(arg, NULL);
	return 0;
}

static void receive(go_ch *c, int n) {
	while (n-- > 0)
		go_chan_recv(c, NULL);
}
GO_TASK(receive, go_ch *, int);

/* Go: errgroup TestTryGo */
TEST(try_spawn_heeds_the_limit) {
	go_group g = GO_GROUP_INIT;
	go_ch *c = go_chan_make(0, 0);
	enum { N = 42 };

	go_group_limit(&g, N);
	for (int i = 0; i < N; i++)
		CHECK(go_group_try_spawn(&g, send_one, c));
	CHECK(!go_group_try_spawn(&g, send_one, c));
	GO(receive, c, (int)N);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK(go_group_try_spawn(&g, send_one, c));
	go_chan_recv(c, NULL);
	CHECK_EQ(go_group_wait(&g), 0);

	go_group_limit(&g, 1);
	CHECK(go_group_try_spawn(&g, send_one, c));
	CHECK(!go_group_try_spawn(&g, send_one, c));
	go_chan_recv(c, NULL);
	CHECK_EQ(go_group_wait(&g), 0);

	go_group_limit(&g, 0);
	for (int i = 0; i < 1 << 10; i++)
		CHECK(!go_group_try_spawn(&g, send_one, c));
	CHECK_EQ(go_group_wait(&g), 0);
	wait_until(go_count() == 2);
	go_chan_unref(c);
}

enum { LIMIT = 10 };

static int count_active(void *arg) {
	atomic_int *active = arg;
	int n = atomic_fetch_add(active, 1) + 1;

	if (n > LIMIT)
		return n;
	go_sleep(GO_MICROSECOND);
	atomic_fetch_sub(active, 1);
	return 0;
}

/* Go: errgroup TestGoLimit */
TEST(never_more_than_the_limit_are_active) {
	go_group g = GO_GROUP_INIT;
	atomic_int active = 0;

	go_group_limit(&g, LIMIT);
	for (int i = 0; i <= (int)support_scale(1 << 10); i++)
		go_group_spawn(&g, count_active, &active);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK_EQ(atomic_load(&active), 0);
}

/* Go: errgroup ExampleGroup_justErrors */
TEST(one_error_among_many_is_the_result) {
	go_group g = GO_GROUP_INIT;

	for (int i = 0; i < support_goroutines(1000); i++)
		go_group_spawn(&g, give, as_arg(i == 17 ? ERR1 : 0));
	CHECK_EQ(go_group_wait(&g), support_goroutines(1000) > 17 ? ERR1 : 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_error_stays),
	cmocka_unit_test(the_context_is_cancelled_by_the_first_error_or_by_wait),
	cmocka_unit_test(try_spawn_heeds_the_limit),
	cmocka_unit_test(never_more_than_the_limit_are_active),
	cmocka_unit_test(one_error_among_many_is_the_result),
};

SUPPORT_MAIN(tests)
