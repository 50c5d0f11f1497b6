/* SPDX-License-Identifier: MIT */
/*
 * Go's own tests of package context, retold: context_test.go, x_test.go and the built-in half of
 * afterfunc_test.go.  Above each test stands the name of what it retells.  What looks into Go's
 * structs, or prints contexts, is retold as what a user can see of it.
 */
#include "support.h"

static bool
is_done(const go_ctx *ctx)
{
	return go_select(GO_DONE(ctx), GO_DEFAULT) == 0;
}

static void
check_cancelled(const go_ctx *ctx)
{
	CHECK(is_done(ctx));
	CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
	CHECK_STR(go_ctx_strerror(ctx), "context canceled");
}

static void
check_open(const go_ctx *ctx)
{
	CHECK(!is_done(ctx));
	CHECK_EQ(go_ctx_err(ctx), 0);
	CHECK_EQ(go_ctx_cause(ctx, NULL), 0);
}

/* TestBackground, TestTODO */
TEST(background_and_todo_never_end) { check_open(GO_CTX_BACKGROUND); check_open(GO_CTX_TODO); }

/* TestWithCancel */
TEST(cancelling_reaches_the_child_before_it_returns)
{
	go_ctx *c1 = go_ctx_with_cancel(GO_CTX_BACKGROUND), *c2 = go_ctx_with_cancel(c1);

	CHECK(go_ctx_done(c1) != NULL && go_ctx_done(c2) != NULL);
	check_open(c1);
	check_open(c2);
	go_ctx_cancel(c1);
	check_cancelled(c1);
	check_cancelled(c2);
	go_ctx_unref(c2);
	go_ctx_unref(c1);
}

static void count_call(void *arg) {
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* TestParentFinishesChild */
TEST(a_parent_ends_its_children)
{
	static char key;
	atomic_int called = 0;
	go_ctx *parent = go_ctx_with_cancel(NULL), *child[4], *late;

	child[0] = go_ctx_with_cancel(parent);
	child[1] = go_ctx_with_value(parent, &key, &key, NULL);
	child[2] = go_ctx_with_timeout(child[1], 10000 * GO_HOUR);
	child[3] = go_ctx_with_cancel(parent);
	go_ctx_after_func(child[3], count_call, &called);
	for (int i = 0; i < 4; i++)
		check_open(child[i]);
	go_ctx_cancel(parent);
	check_cancelled(parent);
	for (int i = 0; i < 4; i++)
		check_cancelled(child[i]);
	wait_until(called == 1);
	late = go_ctx_with_value(parent, &key, &called, NULL);
	check_cancelled(late);
	CHECK(go_ctx_value(late, &key) == &called);
	go_ctx_unref(late);
	for (int i = 0; i < 4; i++)
		go_ctx_unref(child[i]);
	go_ctx_unref(parent);
}

/* TestChildFinishesFirst */
TEST(a_child_that_ends_leaves_its_parent_alone)
{
	go_ctx *cancelable = go_ctx_with_cancel(NULL);
	const go_ctx *parents[] = {GO_CTX_BACKGROUND, cancelable};

	for (int i = 0; i < 2; i++) {
		go_ctx *child = go_ctx_with_cancel(parents[i]);

		check_open(parents[i]);
		check_open(child);
		go_ctx_cancel(child);
		check_cancelled(child);
		check_open(parents[i]);
		go_ctx_unref(child);
	}
	go_ctx_end(cancelable);
}

static void
check_deadline(go_ctx *ctx)
{
	CHECK_EQ(go_select(GO_DONE(ctx), GO_AFTER(GO_MINUTE)), 0);
	CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
	CHECK_STR(go_ctx_strerror(ctx), "context deadline exceeded");
	go_ctx_end(ctx);
}

/* TestDeadline */
TEST(deadlines_of_all_sorts_come)
{
	go_ctx *outer;

	check_deadline(go_ctx_with_deadline(NULL, go_now() + 20 * GO_MILLISECOND));
	outer = go_ctx_with_deadline(NULL, go_now() + 20 * GO_MILLISECOND);
	check_deadline(go_ctx_with_deadline(outer, go_now() + 10 * GO_MINUTE));
	go_ctx_end(outer);
	check_deadline(go_ctx_with_deadline(NULL, go_now() - GO_MILLISECOND));
	check_deadline(go_ctx_with_deadline(NULL, go_now()));
}

/* TestTimeout */
TEST(timeouts_of_all_sorts_come)
{
	go_ctx *outer;

	check_deadline(go_ctx_with_timeout(NULL, 20 * GO_MILLISECOND));
	outer = go_ctx_with_timeout(NULL, 20 * GO_MILLISECOND);
	check_deadline(go_ctx_with_timeout(outer, 10 * GO_MINUTE));
	go_ctx_end(outer);
}

/* TestCanceledTimeout */
TEST(a_timeout_can_be_cancelled_before)
{
	go_ctx *outer = go_ctx_with_timeout(NULL, GO_HOUR);
	go_ctx *ctx = go_ctx_with_timeout(outer, 2 * GO_HOUR);

	go_ctx_cancel(ctx);
	check_cancelled(ctx);
	check_open(outer);
	go_ctx_unref(ctx);
	go_ctx_end(outer);
}

/* TestValues */
TEST(values_shadow_those_above)
{
	static int k[3];
	static char s[4];
	static const struct { int key, value, see[3]; } step[] = {
		{0, 1, {1, 0, 0}}, {1, 2, {1, 2, 0}}, {2, 3, {1, 2, 3}}, {0, 0, {0, 2, 3}},
		{2, 0, {0, 2, 0}},
	};
	enum { STEPS = sizeof step / sizeof *step };
	go_ctx *ctx[STEPS];

	for (int i = 0; i < STEPS; i++) {
		ctx[i] = go_ctx_with_value(i > 0 ? ctx[i - 1] : NULL, &k[step[i].key],
					   step[i].value != 0 ? &s[step[i].value] : NULL, NULL);
		for (int j = 0; j <= i; j++)
			for (int n = 0; n < 3; n++)
				CHECK(go_ctx_value(ctx[j], &k[n]) ==
				      (step[j].see[n] != 0 ? &s[step[j].see[n]] : NULL));
	}
	for (int i = 0; i < STEPS; i++)
		go_ctx_unref(ctx[i]);
}

static void
cancel_one(go_ctx *ctx)
{
	go_ctx_cancel(ctx);
}
GO_TASK(cancel_one, go_ctx *);

/* TestSimultaneousCancels */
TEST(a_whole_tree_is_cancelled_by_everybody_at_once)
{
	enum { N = 100 };
	struct support_rng rng = support_rng(0);
	go_ctx *ctx[N];

	for (int round = 0; round < (int)support_scale(50) + 2; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < N; i++)
			ctx[i] = go_ctx_with_cancel(i > 0 ? ctx[(i - 1) / 4] : NULL);
		for (int i = N - 1; i > 0; i--) {       /* a random order */
			int k = support_below(&rng, i + 1);
			go_ctx *c = ctx[i];

			ctx[i] = ctx[k];
			ctx[k] = c;
		}
		for (int i = 0; i < N; i++)
			GO_WG(&wg, cancel_one, ctx[i]);
		for (int i = 0; i < N; i++)
			CHECK_EQ(go_select(GO_DONE(ctx[i]), GO_AFTER(GO_MINUTE)), 0);
		CHECK_EQ(go_wg_wait_until(&wg, go_now() + GO_MINUTE), 0);
		for (int i = 0; i < N; i++)
			go_ctx_unref(ctx[i]);
	}
}

static void
look_and_cancel(go_ctx *parent, go_ctx *child)
{
	go_ctx_done_chan(parent);
	go_ctx_cancel(child);
}
GO_TASK(look_and_cancel, go_ctx *, go_ctx *);

/* TestInterlockedCancels */
TEST(parent_and_child_cancel_at_the_same_time)
{
	for (int round = 0; round < (int)support_scale(1000) + 2; round++) {
		go_ctx *parent = go_ctx_with_cancel(NULL), *child = go_ctx_with_cancel(parent);
		go_waitgroup wg = GO_WAITGROUP_INIT;

		GO_WG(&wg, look_and_cancel, parent, child);
		go_ctx_cancel(parent);
		CHECK_EQ(go_select(GO_DONE(child), GO_AFTER(GO_MINUTE)), 0);
		go_wg_wait(&wg);
		go_ctx_unref(child);
		go_ctx_unref(parent);
	}
}

enum { LAYERS = 33 };

static void
check_layers(bool time_out, uint64_t salt)
{
	struct support_rng rng = support_rng(salt);
	static char keys[LAYERS];
	go_ctx *ctx[LAYERS];
	int kind[LAYERS], last = LAYERS - 1, victim;

	for (int i = 0; i < LAYERS; i++) {
		const go_ctx *parent = i > 0 ? ctx[i - 1] : NULL;

		kind[i] = i < 3 ? i : support_below(&rng, 3);
		ctx[i] = kind[i] == 0 ? go_ctx_with_value(parent, &keys[i], &keys[i], NULL)
		       : kind[i] == 1 ? go_ctx_with_cancel(parent)
		       : go_ctx_with_timeout(parent, time_out ? 30 * GO_MILLISECOND : GO_HOUR);
	}
	if (!time_out) {
		CHECK(!is_done(ctx[last]));
		do
			victim = support_below(&rng, LAYERS);
		while (kind[victim] == 0);
		go_ctx_cancel(ctx[victim]);
		check_cancelled(ctx[last]);
		check_cancelled(ctx[victim]);
		if (victim > 0)
			check_open(ctx[victim - 1]);
	} else {
		CHECK_EQ(go_select(GO_DONE(ctx[last]), GO_AFTER(GO_MINUTE)), 0);
		CHECK_EQ(go_ctx_err(ctx[last]), -ETIMEDOUT);
	}
	for (int i = 0; i < LAYERS; i++)
		CHECK(go_ctx_value(ctx[last], &keys[i]) == (kind[i] == 0 ? &keys[i] : NULL));
	for (int i = 0; i < LAYERS; i++)
		go_ctx_unref(ctx[i]);
}

/* TestLayersCancel */
TEST(random_layers_are_cancelled)
{
	for (int i = 0; i < 50; i++)
		check_layers(false, (uint64_t)i);
}

/* TestLayersTimeout */
TEST(random_layers_time_out)
{
	for (int i = 0; i < 3; i++)
		check_layers(true, (uint64_t)i + 1000);
}

static atomic_int destroyed;

static void count_destroyed(void *value) {
	(void)value;
	atomic_fetch_add(&destroyed, 1);
}

/* TestCancelRemoves: what has been cancelled is not kept by its parent, nor by a timer */
TEST(what_is_cancelled_and_dropped_is_gone_although_its_parent_stays)
{
	go_ctx *parent = go_ctx_with_cancel(NULL);
	static char key;

	for (int kind = 0; kind < 3; kind++) {
		go_ctx *v = go_ctx_with_value(parent, &key, &key, count_destroyed);
		go_ctx *c = kind == 0 ? go_ctx_with_cancel(v) : go_ctx_with_timeout(v, GO_HOUR);

		destroyed = 0;
		if (kind == 2)
			go_ctx_after_func(c, count_call, &destroyed);
		go_ctx_unref(v);
		CHECK_EQ(destroyed, 0);
		go_ctx_end(c);
		wait_until(destroyed == (kind == 2 ? 2 : 1));
		check_open(parent);
	}
	go_ctx_end(parent);
}

/* TestWithCancelCanceledParent */
TEST(a_child_of_a_cancelled_parent_is_born_cancelled)
{
	go_ctx *parent = go_ctx_with_cancel(NULL), *child;
	const char *why;

	go_ctx_cancel_cause(parent, -EPERM, "because");
	child = go_ctx_with_cancel(parent);
	check_cancelled(child);
	CHECK_EQ(go_ctx_cause(child, &why), -EPERM);
	CHECK_STR(why, "because");
	go_ctx_unref(child);
	go_ctx_unref(parent);
}

/* TestWithCancelSimultaneouslyCanceledParent */
TEST(a_child_made_while_its_parent_is_cancelled_ends)
{
	for (int i = 0; i < 100; i++) {
		go_ctx *parent = go_ctx_with_cancel(NULL), *child;
		go_waitgroup wg = GO_WAITGROUP_INIT;

		GO_WG(&wg, cancel_one, parent);
		if (i % 2)
			go_yield();
		child = go_ctx_with_cancel(parent);
		go_recv(go_ctx_done(child), NULL);
		CHECK_EQ(go_ctx_err(child), -ECANCELED);
		go_wg_wait(&wg);
		go_ctx_unref(child);
		go_ctx_unref(parent);
	}
}

static void with_null_key(void *arg) {
	(void)arg;
	go_ctx_with_value(NULL, NULL, &destroyed, NULL);
}

/* TestWithValueChecksKey */
TEST(a_value_needs_a_key)
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(with_null_key, NULL, &info));
	CHECK_STR(info.message, "nil key");
}

/* TestDeadlineExceededIsNetError, TestDeadlineExceededSupportsTimeout: its error is a timeout's */
TEST(a_deadline_s_error_says_timeout)
{
	go_ctx *ctx = go_ctx_with_timeout(NULL, -1);

	CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
	go_ctx_end(ctx);
}

/* How many goroutines there are, when those of earlier tests are gone. */
static int
goroutines(void)
{
	wait_until(go_count() == 2);
	return 2;
}

/* TestCustomContextGoroutines: a tree costs no goroutines */
TEST(no_context_has_a_goroutine)
{
	static char key;
	int before = goroutines();
	go_ctx *a = go_ctx_with_cancel(NULL), *b = go_ctx_with_value(a, &key, &key, NULL);
	go_ctx *c = go_ctx_with_timeout(b, GO_HOUR), *d = go_ctx_without_cancel(c);
	uint64_t token = go_ctx_after_func(c, count_call, &destroyed);

	CHECK(go_ctx_done(c) != NULL && go_ctx_done(d) != NULL);
	CHECK_EQ(go_count(), before);
	CHECK(go_ctx_stop_func(c, token));
	go_ctx_cancel(a);
	go_ctx_cancel(d);
	CHECK_EQ(go_count(), before);
	go_ctx_unref(d);
	go_ctx_unref(c);
	go_ctx_unref(b);
	go_ctx_unref(a);
}

/* ------------------------------------------------------------ TestCause --- */

enum { NOTHING, PLAIN, CAUSE, CAUSE_NULL, LATE };       /* what happens to a context */
enum { P_CAUSE = -1001, C_CAUSE = -1002 };

struct cause_row {
	const char *name;
	bool timeout;           /* the child is one with a past deadline */
	bool without;           /* the child is one without cancel */
	bool child_first;
	int parent, child;      /* what happens to them */
	int parent_err, parent_cause, err, cause;
};

#define END -ECANCELED
#define LIMIT -ETIMEDOUT
static const struct cause_row cause_rows[] = {
	{"open", false, false, false, NOTHING, NOTHING, 0, 0, 0, 0},
	{"plain", false, false, false, NOTHING, PLAIN, 0, 0, END, END},
	{"cause", false, false, false, NOTHING, CAUSE, 0, 0, END, C_CAUSE},
	{"null cause", false, false, false, NOTHING, CAUSE_NULL, 0, 0, END, END},
	{"parent only", false, false, false, CAUSE, NOTHING, END, P_CAUSE, END, P_CAUSE},
	{"parent null", false, false, false, CAUSE_NULL, NOTHING, END, END, END, END},
	{"parent then child", false, false, false, CAUSE, CAUSE, END, P_CAUSE, END, P_CAUSE},
	{"child then parent", false, false, true, CAUSE, CAUSE, END, P_CAUSE, END, C_CAUSE},
	{"plain child then parent", false, false, true, CAUSE, PLAIN, END, P_CAUSE, END, END},
	{"plain parent then child", false, false, false, PLAIN, CAUSE, END, END, END, END},
	{"timeout", true, false, false, NOTHING, NOTHING, 0, 0, LIMIT, LIMIT},
	{"timeout then cause", true, false, false, NOTHING, CAUSE, 0, 0, LIMIT, LIMIT},
	{"timeout then parent", true, false, false, CAUSE, NOTHING, END, P_CAUSE, LIMIT, LIMIT},
	{"parent then timeout", true, false, false, LATE, NOTHING, END, P_CAUSE, END, P_CAUSE},
	{"without cancel", false, true, false, CAUSE, NOTHING, END, P_CAUSE, 0, 0},
	{"without then cause", false, true, false, CAUSE, CAUSE, END, P_CAUSE, END, C_CAUSE},
	{"without, of the dead", false, true, false, LATE, NOTHING, END, P_CAUSE, 0, 0},
};

static void
happen(go_ctx *ctx, int what, int cause)
{
	if (what == PLAIN)
		go_ctx_cancel(ctx);
	else if (what != NOTHING)
		go_ctx_cancel_cause(ctx, what == CAUSE_NULL ? 0 : cause, NULL);
}

/* TestCause */
TEST(causes_are_those_of_the_first_cancellation)
{
	for (size_t i = 0; i < sizeof cause_rows / sizeof *cause_rows; i++) {
		const struct cause_row *r = &cause_rows[i];
		go_ctx *parent = go_ctx_with_cancel(NULL), *child;

		if (r->parent == LATE)          /* before the child is made */
			happen(parent, CAUSE, P_CAUSE);
		child = r->timeout ? go_ctx_with_timeout(parent, 0)
		      : r->without ? go_ctx_without_cancel(parent) : go_ctx_with_cancel(parent);
		if (r->child_first)
			happen(child, r->child, C_CAUSE);
		if (r->parent != LATE)
			happen(parent, r->parent, P_CAUSE);
		if (!r->child_first)
			happen(child, r->child, C_CAUSE);
		CHECK_MSG(go_ctx_err(parent) == r->parent_err, "%s", r->name);
		CHECK_MSG(go_ctx_cause(parent, NULL) == r->parent_cause, "%s", r->name);
		CHECK_MSG(go_ctx_err(child) == r->err, "%s", r->name);
		CHECK_MSG(go_ctx_cause(child, NULL) == r->cause, "%s: %d", r->name,
			  go_ctx_cause(child, NULL));
		go_ctx_unref(child);
		go_ctx_unref(parent);
	}
}

static void
cancel_with_cause(go_ctx *ctx)
{
	go_ctx_cancel_cause(ctx, -EDOM, "raced");
}
GO_TASK(cancel_with_cause, go_ctx *);

/* TestCauseRace */
TEST(a_cause_is_there_as_soon_as_the_end_is)
{
	for (int round = 0; round < (int)support_scale(500) + 2; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		const char *why;
		int cause;

		GO_WG(&wg, cancel_with_cause, ctx);
		while ((cause = go_ctx_cause(ctx, &why)) == 0)
			go_yield();
		CHECK_EQ(cause, -EDOM);
		CHECK_STR(why, "raced");
		go_wg_wait(&wg);
		go_ctx_unref(ctx);
	}
}

/* TestWithoutCancel */
TEST(without_cancel_is_for_ever_and_has_values)
{
	static char key;
	go_ctx *parent = go_ctx_with_value(NULL, &key, &key, NULL);
	go_ctx *ctx = go_ctx_without_cancel(parent);

	CHECK_EQ(go_ctx_deadline(ctx), GO_FOREVER);
	check_open(ctx);
	CHECK(go_ctx_value(ctx, &key) == &key);
	go_ctx_unref(ctx);
	go_ctx_unref(parent);
}

/* ------------------------------------------------------------ TestAfterFunc... --- */

static void tell(void *arg) { go_chan_send(arg, NULL); }

static bool
told(go_ch *c, int64_t ns)
{
	return go_chan_recv_until(c, NULL, go_now() + ns) == 0;
}

/* TestAfterFuncCalledAfterCancel, ...CalledAfterTimeout, ...CalledImmediately */
TEST(a_function_is_called_after_the_end_however_it_comes)
{
	for (int how = 0; how < 3; how++) {
		go_ctx *ctx = how == 1 ? go_ctx_with_timeout(NULL, 10 * GO_MILLISECOND)
				       : go_ctx_with_cancel(NULL);
		go_ch *c = go_chan_make(0, 1);
		uint64_t token;

		if (how == 2)
			go_ctx_cancel(ctx);
		token = go_ctx_after_func(ctx, tell, c);
		if (how == 0) {
			CHECK(!told(c, GO_MILLISECOND));
			go_ctx_cancel(ctx);
		}
		CHECK(told(c, GO_MINUTE));
		CHECK(!go_ctx_stop_func(ctx, token));
		go_ctx_end(ctx);
		go_chan_unref(c);
	}
}

/* TestAfterFuncNotCalledAfterStop */
TEST(a_function_that_was_stopped_is_not_called)
{
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_ch *c = go_chan_make(0, 1);
	uint64_t token = go_ctx_after_func(ctx, tell, c);

	CHECK(go_ctx_stop_func(ctx, token));
	go_ctx_cancel(ctx);
	CHECK(!told(c, GO_MILLISECOND));
	CHECK(!go_ctx_stop_func(ctx, token));
	go_ctx_unref(ctx);
	go_chan_unref(c);
}

/* TestAfterFuncCalledAsynchronously: the function blocks, the cancellation does not */
TEST(a_function_is_called_asynchronously)
{
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_ch *c = go_chan_make(0, 0);

	go_ctx_after_func(ctx, tell, c);
	go_ctx_cancel(ctx);
	CHECK(told(c, GO_MINUTE));
	go_ctx_unref(ctx);
	go_chan_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(background_and_todo_never_end),
	cmocka_unit_test(cancelling_reaches_the_child_before_it_returns),
	cmocka_unit_test(a_parent_ends_its_children),
	cmocka_unit_test(a_child_that_ends_leaves_its_parent_alone),
	cmocka_unit_test(deadlines_of_all_sorts_come),
	cmocka_unit_test(timeouts_of_all_sorts_come),
	cmocka_unit_test(a_timeout_can_be_cancelled_before),
	cmocka_unit_test(values_shadow_those_above),
	cmocka_unit_test(a_whole_tree_is_cancelled_by_everybody_at_once),
	cmocka_unit_test(parent_and_child_cancel_at_the_same_time),
	cmocka_unit_test(random_layers_are_cancelled),
	cmocka_unit_test(random_layers_time_out),
	cmocka_unit_test(what_is_cancelled_and_dropped_is_gone_although_its_parent_stays),
	cmocka_unit_test(a_child_of_a_cancelled_parent_is_born_cancelled),
	cmocka_unit_test(a_child_made_while_its_parent_is_cancelled_ends),
	cmocka_unit_test(a_value_needs_a_key),
	cmocka_unit_test(a_deadline_s_error_says_timeout),
	cmocka_unit_test(no_context_has_a_goroutine),
	cmocka_unit_test(causes_are_those_of_the_first_cancellation),
	cmocka_unit_test(a_cause_is_there_as_soon_as_the_end_is),
	cmocka_unit_test(without_cancel_is_for_ever_and_has_values),
	cmocka_unit_test(a_function_is_called_after_the_end_however_it_comes),
	cmocka_unit_test(a_function_that_was_stopped_is_not_called),
	cmocka_unit_test(a_function_is_called_asynchronously),
};

SUPPORT_MAIN(tests)
