/* SPDX-License-Identifier: MIT */
/* go_ctx_after_func and go_ctx_stop_func. */
#include "support.h"

static atomic_int ran;

static void run_one(void *arg) {
	atomic_fetch_add((atomic_int *)arg, 1);
}

TEST(a_function_runs_once_after_the_cancellation) {
	go_ctx *ctx = go_ctx_with_cancel(NULL), *child = go_ctx_with_cancel(ctx);
	uint64_t a, b;

	ran = 0;
	a = go_ctx_after_func(ctx, run_one, &ran);
	b = go_ctx_after_func(child, run_one, &ran);
	CHECK(a != 0 && b != 0);
	support_settle();
	CHECK_EQ(ran, 0);
	go_ctx_cancel(ctx);
	wait_until(ran == 2);
	CHECK(!go_ctx_stop_func(ctx, a));
	CHECK(!go_ctx_stop_func(child, b));
	go_ctx_cancel(ctx);
	support_settle();
	CHECK_EQ(ran, 2);
	go_ctx_unref(child);
	go_ctx_unref(ctx);
}

TEST(a_function_of_a_done_context_runs_at_once) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);

	ran = 0;
	go_ctx_cancel(ctx);
	CHECK_EQ(go_ctx_after_func(ctx, run_one, &ran), 0);
	wait_until(ran == 1);
	CHECK(!go_ctx_stop_func(ctx, 0));
	go_ctx_unref(ctx);
}

TEST(a_function_runs_when_the_deadline_passes) {
	go_ctx *ctx = go_ctx_with_timeout(NULL, GO_MILLISECOND);

	ran = 0;
	go_ctx_after_func(ctx, run_one, &ran);
	wait_until(ran == 1);
	CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
	go_ctx_end(ctx);
}

TEST(a_stopped_function_does_not_run) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	uint64_t a, b;

	ran = 0;
	a = go_ctx_after_func(ctx, run_one, &ran);
	CHECK(go_ctx_stop_func(ctx, a));
	CHECK(!go_ctx_stop_func(ctx, a));
	b = go_ctx_after_func(ctx, run_one, &ran);
	CHECK(b != a);
	CHECK(!go_ctx_stop_func(ctx, a));       /* the slot is another's now */
	CHECK(!go_ctx_stop_func(ctx, 0));
	CHECK(!go_ctx_stop_func(ctx, UINT64_MAX));
	CHECK(go_ctx_stop_func(ctx, b));
	go_ctx_cancel(ctx);
	support_settle();
	CHECK_EQ(ran, 0);
	go_ctx_unref(ctx);
}

/* The caller that cancels does not wait for the function. */
static void wait_for(void *arg) {
	go_chan_recv(arg, NULL);
	run_one(&ran);
}

TEST(a_function_has_a_goroutine_of_its_own) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_ch *c = go_chan_make(0, 0);

	ran = 0;
	go_ctx_after_func(ctx, wait_for, c);
	go_ctx_after_func(ctx, wait_for, c);
	go_ctx_end(ctx);
	support_settle();
	CHECK_EQ(ran, 0);
	go_chan_close(c);
	wait_until(ran == 2);
	go_chan_unref(c);
}

TEST(what_nobody_can_cancel_any_more_does_not_run) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);

	ran = 0;
	go_ctx_after_func(ctx, run_one, &ran);
	go_ctx_unref(ctx);
	support_settle();
	CHECK_EQ(ran, 0);
}

/* What was written before after_func and before the cancellation is seen. */
struct seen { int early, late; atomic_int ok; };

static void look(void *arg) {
	struct seen *s = arg;

	atomic_store(&s->ok, s->early == 1 && s->late == 2 ? 1 : -1);
}

static void
cancel_later(go_ctx *ctx, struct seen *s)
{
	s->late = 2;
	go_ctx_end(ctx);
}
GO_TASK(cancel_later, go_ctx *, struct seen *);

TEST(a_function_sees_what_was_done_before) {
	for (int i = 0; i < (int)support_scale(500) + 5; i++) {
		struct seen s = {.ok = 0};
		go_ctx *ctx = go_ctx_with_cancel(NULL);

		go_ctx_ref(ctx);
		GO(cancel_later, ctx, &s);
		s.early = 1;
		go_ctx_after_func(ctx, look, &s);
		wait_until(s.ok != 0);
		CHECK_EQ(s.ok, 1);
		go_ctx_unref(ctx);
	}
}

/* Thousands on one context: each runs, or was stopped; a slot's next user is not its last. */
TEST(many_functions_come_and_go) {
	int n = support_goroutines(20000);
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	uint64_t *token = calloc((size_t)n, sizeof *token);
	struct support_rng rng = support_rng(0);
	int live = 0;

	ran = 0;
	for (int i = 0; i < 5 * n; i++) {
		int k = support_below(&rng, n);

		if (token[k] != 0) {
			CHECK(go_ctx_stop_func(ctx, token[k]));
			CHECK(!go_ctx_stop_func(ctx, token[k]));
			token[k] = 0;
			live--;
		} else {
			token[k] = go_ctx_after_func(ctx, run_one, &ran);
			CHECK(token[k] != 0);
			live++;
		}
	}
	go_ctx_cancel(ctx);
	wait_until(ran == live);
	for (int k = 0; k < n; k++)
		CHECK(!go_ctx_stop_func(ctx, token[k]));
	support_settle();
	CHECK_EQ(ran, live);
	go_ctx_unref(ctx);
	free(token);
}

static void
add_and_stop(const go_ctx *ctx, int n, atomic_int *stopped)
{
	for (int i = 0; i < n; i++) {
		uint64_t t = go_ctx_after_func(ctx, run_one, &ran);

		if (i % 3 == 0)
			go_yield();
		if (i % 2 == 0 && go_ctx_stop_func(ctx, t))
			atomic_fetch_add(stopped, 1);
	}
}
GO_TASK(add_and_stop, const go_ctx *, int, atomic_int *);

TEST(each_runs_once_or_was_stopped) {
	enum { CREW = 4, EACH = 20 };

	for (int round = 0; round < (int)support_scale(300) + 5; round++) {
		go_ctx *ctx = round % 3 ? go_ctx_with_cancel(NULL)
					: go_ctx_with_timeout(NULL, 20 * GO_MICROSECOND);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		atomic_int stopped = 0;

		ran = 0;
		for (int i = 0; i < CREW; i++)
			GO_WG(&wg, add_and_stop, ctx, EACH, &stopped);
		for (int i = round % 5; i > 0; i--)
			go_yield();
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		wait_until(ran + stopped == CREW * EACH);
		go_ctx_unref(ctx);
	}
}

CHILD(null_function) {
	(void)arg;
	go_ctx_after_func(NULL, NULL, NULL);
	return 0;
}

TEST(a_null_function_is_fatal) {
	struct support_result r;

	support_child(null_function, "", &r);
	CHECK_EQ(r.status, 2);
	CHECK(strstr(r.err, "fatal error: go of nil func value") != NULL);
	support_free(&r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_function_runs_once_after_the_cancellation),
	cmocka_unit_test(a_function_of_a_done_context_runs_at_once),
	cmocka_unit_test(a_function_runs_when_the_deadline_passes),
	cmocka_unit_test(a_stopped_function_does_not_run),
	cmocka_unit_test(a_function_has_a_goroutine_of_its_own),
	cmocka_unit_test(what_nobody_can_cancel_any_more_does_not_run),
	cmocka_unit_test(a_function_sees_what_was_done_before),
	cmocka_unit_test(many_functions_come_and_go),
	cmocka_unit_test(each_runs_once_or_was_stopped),
	cmocka_unit_test(a_null_function_is_fatal),
};

SUPPORT_MAIN(tests)
