/* SPDX-License-Identifier: MIT */
/*
 * Random trees of contexts: goroutines and threads add children, values, deadlines and functions,
 * wait bound and unbound, cancel and drop, all on the same nodes.  At the end everything made is
 * accounted for: each function ran once or was stopped, each value was destroyed, everybody came
 * back.
 */
#include "support.h"

enum { NODES = 64, CREW = 6, THREADS = 2 };

struct node { go_mutex m; go_ctx *ctx; };       /* the lock is for exchanging ctx only */

static struct {
	struct node node[NODES];
	go_ctx *root;
	atomic_int made_values, destroyed, made_funcs, ran, stopped, bound, ended;
} s;

static void count_destroyed(void *value) {
	CHECK(value == &s);
	atomic_fetch_add(&s.destroyed, 1);
}

static void run_func(void *arg) {
	CHECK(arg == &s);
	atomic_fetch_add(&s.ran, 1);
}

/* A reference to a random node's context, or to the root. */
static go_ctx *
pick(struct support_rng *rng)
{
	struct node *n = &s.node[support_below(rng, NODES)];
	go_ctx *ctx;

	go_mutex_lock(&n->m);
	ctx = n->ctx != NULL ? n->ctx : s.root;
	go_ctx_ref(ctx);
	go_mutex_unlock(&n->m);
	return ctx;
}

/* A child of some node takes a random node's place; what was there is cancelled or just dropped. */
static void
replace(struct support_rng *rng)
{
	struct node *n = &s.node[support_below(rng, NODES)];
	go_ctx *parent = pick(rng), *ctx, *old;
	static char key;

	if (go_ctx_err(parent) != 0 && support_below(rng, 4) != 0) {    /* the dead have few */
		go_ctx_unref(parent);
		parent = (go_ctx *)(uintptr_t)go_ctx_ref(s.root);
	}
	switch (support_below(rng, 5)) {
	case 0:
		ctx = go_ctx_with_cancel(parent);
		break;
	case 1:
		ctx = go_ctx_with_timeout(parent, support_below(rng, 300000));
		break;
	case 2:
		ctx = go_ctx_with_timeout(parent, GO_HOUR);
		break;
	case 3:
		atomic_fetch_add(&s.made_values, 1);
		ctx = go_ctx_with_value(parent, &key, &s, count_destroyed);
		break;
	default:
		ctx = go_ctx_without_cancel(parent);
		break;
	}
	go_ctx_unref(parent);
	go_mutex_lock(&n->m);
	old = n->ctx;
	n->ctx = ctx;
	go_mutex_unlock(&n->m);
	go_ctx_end(old);        /* no function may be waiting on what is only dropped */
}

static void
add_func(struct support_rng *rng)
{
	go_ctx *ctx = pick(rng);
	uint64_t token;

	atomic_fetch_add(&s.made_funcs, 1);
	token = go_ctx_after_func(ctx, run_func, &s);
	if (support_below(rng, 2) && go_ctx_stop_func(ctx, token))
		atomic_fetch_add(&s.stopped, 1);
	go_ctx_unref(ctx);
}

static void
wait_bound(struct support_rng *rng)
{
	go_ctx *ctx = pick(rng);
	go_chan(int) never = NULL;
	int r;

	go_ctx_unref(go_ctx_bind(ctx));
	atomic_fetch_add(&s.bound, 1);
	r = go_recv_until(never, NULL, go_now() + support_below(rng, 100000));
	CHECK(r == -ETIMEDOUT || r == -ECANCELED);
	r = go_select(GO_DONE(ctx), GO_AFTER(support_below(rng, 50000)));
	CHECK(r == 0 ? go_ctx_err(ctx) != 0 : r == 1);
	atomic_fetch_add(&s.ended, 1);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(ctx);
}

static void
cancel_some(struct support_rng *rng)
{
	go_ctx *ctx = pick(rng);
	const char *why;

	if (ctx != s.root) {
		go_ctx_cancel_cause(ctx, -1 - support_below(rng, 100), "because");
		CHECK(go_ctx_err(ctx) != 0);
		CHECK(go_ctx_cause(ctx, &why) != 0);
		CHECK(why == NULL || strcmp(why, "because") == 0);
		CHECK(!go_chan_recv(go_ctx_done_chan(ctx), NULL));
	}
	go_ctx_unref(ctx);
}

static void
work(uint64_t salt, int n)
{
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < n; i++) {
		int what = support_below(&rng, 100);

		if (what < 45)
			replace(&rng);
		else if (what < 75)
			add_func(&rng);
		else if (what < 85)
			wait_bound(&rng);
		else if (what < 99)
			cancel_some(&rng);
		else
			go_yield();
	}
}
GO_TASK(work, uint64_t, int);

static void *work_in_thread(void *arg)
{
	work(1000 + (uint64_t)(uintptr_t)arg, (int)support_scale(3000) + 20);
	return NULL;
}

TEST(random_trees_lose_nothing)
{
	for (int round = 0; round < 3; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		pthread_t thread[THREADS];

		memset(&s, 0, sizeof s);
		s.root = go_ctx_with_cancel(NULL);
		for (int i = 0; i < CREW; i++)
			GO_WG(&wg, work, (uint64_t)(round * CREW + i),
			      (int)support_scale(6000) + 20);
		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&thread[i], NULL, work_in_thread, (void *)i), 0);
		go_wg_wait(&wg);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		for (int i = 0; i < NODES; i++)
			go_ctx_end(s.node[i].ctx);
		go_ctx_cancel(s.root);
		wait_until(s.ran + s.stopped == s.made_funcs);
		CHECK_EQ(s.bound, s.ended);
		go_ctx_unref(s.root);
		wait_until(s.destroyed == s.made_values);
		CHECK_EQ(s.ran + s.stopped, s.made_funcs);
		CHECK(s.made_funcs > 0 && s.made_values > 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_trees_lose_nothing),
};

SUPPORT_MAIN(tests)
