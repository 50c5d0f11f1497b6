/* SPDX-License-Identifier: MIT */
/* Trees of contexts: wide, deep, random; cancelled from the top, and all over at the same time. */
#include "support.h"

static atomic_int destroyed;

static void count_destroyed(void *value) {
	CHECK(value == &destroyed);
	atomic_fetch_add(&destroyed, 1);
}

/* One of the kinds that pass cancellation on. */
static go_ctx *
child_of(const go_ctx *parent, int kind)
{
	static char key;

	switch (kind % 3) {
	case 0:
		return go_ctx_with_cancel(parent);
	case 1:
		return go_ctx_with_timeout(parent, GO_HOUR);
	default:
		return go_ctx_with_value(parent, &key, &destroyed, count_destroyed);
	}
}

static int
count_not_done(go_ctx **ctx, int n, int err)
{
	int bad = 0;

	for (int i = 0; i < n; i++)
		bad += go_ctx_err(ctx[i]) != err;
	return bad;
}

enum { MANY = 100000 };

static int
many(void)
{
	return (int)support_scale(MANY) > 2000 ? (int)support_scale(MANY) : 2000;
}

/* How many goroutines there are, when those of earlier tests are gone. */
static int
goroutines(void)
{
	wait_until(go_count() == 2);
	return 2;
}

/* All of a tree is done when the call is back, and no goroutine was started for any of it. */
static void
cancel_and_free(go_ctx *root, go_ctx **ctx, int n)
{
	int values = 0, before = goroutines();

	CHECK_EQ(count_not_done(ctx, n, 0), 0);
	go_ctx_cancel(root);
	CHECK_EQ(count_not_done(ctx, n, -ECANCELED), 0);
	CHECK_EQ(go_count(), before);
	destroyed = 0;
	for (int i = 0; i < n; i++) {
		values += i % 3 == 2;
		go_ctx_unref(ctx[i]);
	}
	go_ctx_unref(root);
	CHECK_EQ(destroyed, values);
}

TEST(a_wide_tree_is_cancelled_and_freed) {
	int n = many(), before = goroutines();
	go_ctx *root = go_ctx_with_cancel(NULL), **ctx = calloc((size_t)n, sizeof *ctx);

	for (int i = 0; i < n; i++)
		ctx[i] = child_of(root, i);
	CHECK_EQ(go_count(), before);
	cancel_and_free(root, ctx, n);
	free(ctx);
}

/* Neither cancelling nor freeing recurses: the stack would not do for such a chain. */
TEST(a_deep_chain_is_cancelled_and_freed) {
	int n = many();
	go_ctx *root = go_ctx_with_cancel(NULL), **ctx = calloc((size_t)n, sizeof *ctx);

	for (int i = 0; i < n; i++)
		ctx[i] = child_of(i == 0 ? root : ctx[i - 1], i);
	cancel_and_free(root, ctx, n);
	free(ctx);
}

TEST(the_last_reference_to_a_deep_chain_frees_it) {
	int n = many();
	go_ctx *last = NULL;

	destroyed = 0;
	for (int i = 0; i < n; i++) {
		go_ctx *next = child_of(last, 2);

		go_ctx_unref(last);
		last = next;
	}
	CHECK_EQ(destroyed, 0);
	go_ctx_unref(last);             /* not cancelled */
	CHECK_EQ(destroyed, n);
}

TEST(a_bushy_tree_is_cancelled_and_freed) {
	int n = many();
	struct support_rng rng = support_rng(1);
	go_ctx *root = go_ctx_with_cancel(NULL), **ctx = calloc((size_t)n, sizeof *ctx);

	for (int i = 0; i < n; i++) {
		int at = support_below(&rng, i + 1);

		ctx[i] = child_of(at == i ? root : ctx[at], i);
	}
	cancel_and_free(root, ctx, n);
	free(ctx);
}

/* A deadline cancels a large tree as well, bit by bit and without a goroutine. */
TEST(a_deadline_reaches_all_of_a_large_tree) {
	int n = many() / 2, before = goroutines();
	struct support_rng rng = support_rng(2);
	go_ctx **ctx = calloc((size_t)n, sizeof *ctx);
	go_ctx *root = go_ctx_with_cancel(NULL), *limit;

	limit = go_ctx_with_timeout(root, 30 * GO_MILLISECOND);
	for (int i = 0; i < n; i++) {
		int at = support_below(&rng, i + 1);

		ctx[i] = child_of(i % 2 && i > 0 ? ctx[i - 1] : at == i ? limit : ctx[at], i);
	}
	go_recv(go_ctx_done(limit), NULL);
	CHECK_EQ(go_count(), before);
	for (int i = 0; i < n; i++)
		wait_until(go_ctx_err(ctx[i]) == -ETIMEDOUT);
	CHECK_EQ(go_count(), before);
	CHECK_EQ(go_ctx_err(root), 0);
	destroyed = 0;
	for (int i = 0; i < n; i++)
		go_ctx_unref(ctx[i]);
	go_ctx_end(limit);
	go_ctx_end(root);
	free(ctx);
}

/* What is cancelled, freed or both while a deadline is at work. */
TEST(a_tree_may_be_freed_while_its_deadline_passes) {
	int n = 50 + (int)support_scale(2000);
	go_ctx **ctx = calloc((size_t)n, sizeof *ctx);

	for (int round = 0; round < (int)support_scale(20) + 2; round++) {
		go_ctx *limit = go_ctx_with_timeout(NULL, 100 * GO_MICROSECOND);
		int values = 0;

		destroyed = 0;
		for (int i = 0; i < n; i++) {
			ctx[i] = child_of(i % 5 ? ctx[i - 1] : limit, i);
			values += i % 3 == 2;
		}
		if (round % 2)
			go_ctx_end(limit);
		else
			go_ctx_unref(limit);
		for (int i = 0; i < n; i++)
			round % 3 ? go_ctx_end(ctx[i]) : go_ctx_unref(ctx[i]);
		wait_until(destroyed == values);
	}
	free(ctx);
}

static void
cancel_some(go_ctx **ctx, int n, int from, int step)
{
	for (int i = from; i < n; i += step)
		go_ctx_cancel_cause(ctx[i], -1 - i, "because");
}
GO_TASK(cancel_some, go_ctx **, int, int, int);

/* Every node is cancelled by somebody, in no order, while its ancestors are as well. */
TEST(cancellations_all_over_a_tree_reach_everybody) {
	struct support_rng rng = support_rng(3);
	enum { N = 300, CREW = 5 };
	go_ctx *ctx[N];

	for (int round = 0; round < (int)support_scale(100) + 2; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < N; i++)
			ctx[i] = child_of(i == 0 ? NULL : ctx[support_below(&rng, i)], i);
		for (int i = 0; i < CREW; i++)
			GO_WG(&wg, cancel_some, ctx, N, i, CREW);
		go_wg_wait(&wg);
		for (int i = 0; i < N; i++) {
			const char *why = NULL;

			CHECK_EQ(go_ctx_err(ctx[i]), -ECANCELED);
			CHECK(go_ctx_cause(ctx[i], &why) >= -1 - i);
			CHECK_STR(why, "because");
		}
		for (int i = 0; i < N; i++)
			go_ctx_unref(ctx[i]);
	}
}

static void
end_all(go_ctx **ctx, int n)
{
	for (int i = n; i-- > 0;)
		go_ctx_end(ctx[i]);
}
GO_TASK(end_all, go_ctx **, int);

/* Children lose their last reference while the parent's walk comes along. */
TEST(children_may_go_while_their_parent_is_cancelled) {
	enum { N = 60 };

	for (int round = 0; round < (int)support_scale(1000) + 10; round++) {
		go_ctx *root = go_ctx_with_cancel(NULL), *ctx[N];
		go_waitgroup wg = GO_WAITGROUP_INIT;

		destroyed = 0;
		for (int i = 0; i < N; i++)
			ctx[i] = child_of(i % 4 ? ctx[i - 1] : root, i);
		GO_WG(&wg, end_all, ctx, N);
		if (round % 2)
			go_yield();
		go_ctx_end(root);
		go_wg_wait(&wg);
		CHECK_EQ(destroyed, N / 3);
	}
}

static void
make_children(const go_ctx *parent, int n, atomic_int *missed)
{
	for (int i = 0; i < n; i++) {
		bool before = go_ctx_err(parent) != 0;
		go_ctx *c = child_of(parent, i), *below = go_ctx_with_cancel(c);

		if (before)
			CHECK_EQ(go_ctx_err(below), -ECANCELED);
		go_ctx_unref(c);
		go_recv(go_ctx_done(below), NULL);
		atomic_fetch_sub(missed, 1);
		go_ctx_unref(below);
	}
}
GO_TASK(make_children, const go_ctx *, int, atomic_int *);

/* A child made while its parent is cancelled is either found or born done. */
TEST(no_child_is_missed) {
	enum { CREW = 4, EACH = 5 };

	for (int round = 0; round < (int)support_scale(500) + 5; round++) {
		go_ctx *root = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		atomic_int missed = CREW * EACH;

		for (int i = 0; i < CREW; i++)
			GO_WG(&wg, make_children, root, EACH, &missed);
		for (int i = round % 4; i > 0; i--)
			go_yield();
		go_ctx_cancel(root);
		go_wg_wait(&wg);
		CHECK_EQ(missed, 0);
		go_ctx_unref(root);
	}
}

static void
ask_for_channel(const go_ctx *ctx)
{
	go_ch *done = go_ctx_done_chan(ctx);

	go_chan_recv(done, NULL);
	CHECK(done == go_ctx_done_chan(ctx));
	CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
}
GO_TASK(ask_for_channel, const go_ctx *);

TEST(a_done_channel_asked_for_during_the_cancellation_is_closed) {
	for (int round = 0; round < (int)support_scale(2000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 3; i++)
			GO_WG(&wg, ask_for_channel, ctx);
		for (int i = round % 3; i > 0; i--)
			go_yield();
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		go_ctx_unref(ctx);
	}
}

struct cancelled { _Atomic(go_ctx *) next; int rounds; };

static void *
cancel_each_in_thread(void *arg)
{
	struct cancelled *c = arg;
	go_ctx *ctx;

	for (int i = 0; i < c->rounds; i++) {
		while ((ctx = atomic_exchange(&c->next, NULL)) == NULL)
			go_checkpoint();
		go_ctx_end(ctx);
	}
	return NULL;
}

/* Go's Context says so: while Done is not closed, Err returns nil. */
TEST(who_finds_it_done_finds_its_channel_closed) {
	struct cancelled c = {.rounds = (int)support_scale(20000) + 5};
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, cancel_each_in_thread, &c), 0);
	for (int i = 0; i < c.rounds; i++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		go_receiver(char) done = go_ctx_done(ctx);

		go_ctx_ref(ctx);
		atomic_store(&c.next, ctx);
		while (go_ctx_err(ctx) == 0)
			go_checkpoint();
		CHECK_EQ(go_select(GO_RECV(done, NULL), GO_DEFAULT), 0);
		go_ctx_unref(ctx);
	}
	pthread_join(t, NULL);
}

static void *
cancel_in_thread(void *arg)
{
	go_ctx **ctx = arg;

	go_recv(go_ctx_done(ctx[1]), NULL);
	go_ctx_cancel_cause(ctx[0], -EINTR, "thread");
	CHECK_EQ(go_select_until(go_now() + GO_MINUTE, GO_DONE(ctx[2])), 0);
	CHECK_EQ(go_ctx_cause(ctx[2], NULL), -EINTR);
	return NULL;
}

TEST(threads_watch_and_cancel_as_well) {
	for (int round = 0; round < (int)support_scale(50) + 1; round++) {
		go_ctx *ctx[3];
		pthread_t t;

		ctx[0] = go_ctx_with_cancel(NULL);
		ctx[1] = go_ctx_with_cancel(NULL);
		ctx[2] = go_ctx_with_timeout(ctx[0], GO_HOUR);
		CHECK_EQ(pthread_create(&t, NULL, cancel_in_thread, ctx), 0);
		go_ctx_cancel(ctx[1]);
		go_recv(go_ctx_done(ctx[2]), NULL);
		CHECK_EQ(go_ctx_cause(ctx[0], NULL), -EINTR);
		pthread_join(t, NULL);
		for (int i = 0; i < 3; i++)
			go_ctx_unref(ctx[i]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_wide_tree_is_cancelled_and_freed),
	cmocka_unit_test(a_deep_chain_is_cancelled_and_freed),
	cmocka_unit_test(the_last_reference_to_a_deep_chain_frees_it),
	cmocka_unit_test(a_bushy_tree_is_cancelled_and_freed),
	cmocka_unit_test(a_deadline_reaches_all_of_a_large_tree),
	cmocka_unit_test(a_tree_may_be_freed_while_its_deadline_passes),
	cmocka_unit_test(cancellations_all_over_a_tree_reach_everybody),
	cmocka_unit_test(children_may_go_while_their_parent_is_cancelled),
	cmocka_unit_test(no_child_is_missed),
	cmocka_unit_test(a_done_channel_asked_for_during_the_cancellation_is_closed),
	cmocka_unit_test(who_finds_it_done_finds_its_channel_closed),
	cmocka_unit_test(threads_watch_and_cancel_as_well),
};

SUPPORT_MAIN(tests)
