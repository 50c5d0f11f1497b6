/* SPDX-License-Identifier: MIT */
/*
 * go_pool.c - what Go's sync/pool_test.go expects of sync.Pool, retold.  Each test names the one
 * it follows.
 */
#include "support.h"

static char a[] = "a", b[] = "b";

/* Go: sync TestPool */
TEST(what_was_put_is_got_and_then_nothing) {
	go_pool p = {.make = NULL};
	int procs = go_procs(1);
	void *got[2];

	go_yield();	/* to the one that is left */
	CHECK(go_pool_get(&p) == NULL);
	go_pool_put(&p, a);
	go_pool_put(&p, b);
	got[0] = go_pool_get(&p);
	got[1] = go_pool_get(&p);
	CHECK((got[0] == a && got[1] == b) || (got[0] == b && got[1] == a));
	CHECK(go_pool_get(&p) == NULL);
	go_procs(procs);
	go_pool_drain(&p);
}

static void *count_up(void *arg) { return (void *)(uintptr_t)++*(int *)arg; }

/* Go: sync TestPoolNew */
TEST(make_is_called_when_nothing_is_there) {
	int i = 0, procs = go_procs(1);
	go_pool p = GO_POOL_INIT(count_up, NULL, &i);

	CHECK((uintptr_t)go_pool_get(&p) == 1);
	CHECK((uintptr_t)go_pool_get(&p) == 2);
	go_pool_put(&p, (void *)42);
	CHECK((uintptr_t)go_pool_get(&p) == 42);
	CHECK((uintptr_t)go_pool_get(&p) == 3);
	go_procs(procs);
	go_pool_drain(&p);
}

static void count_end(void *obj) { atomic_fetch_add((atomic_int *)obj, 1); }

/* Go: sync TestPoolGC, TestPoolRelease: what draining, not the collector, is to give back */
TEST(nothing_stays_in_a_drained_pool) {
	go_pool p = GO_POOL_INIT(NULL, count_end, NULL);
	atomic_int ended[100] = {0};

	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 100; i++)
			go_pool_put(&p, &ended[i]);
		go_pool_drain(&p);
		for (int i = 0; i < 100; i++)
			CHECK_EQ(atomic_load(&ended[i]), round);
	}
}

static void stress(go_pool *p, int loops, go_waitgroup *wg) {
	static int zero;
	void *v = &zero;

	for (int i = 0; i < loops; i++) {
		go_pool_put(p, v);
		v = go_pool_get(p);
		CHECK(v == NULL || v == &zero);
		v = &zero;
	}
	go_wg_done(wg);
}
GO_TASK(stress, go_pool *, int, go_waitgroup *);

/* Go: sync TestPoolStress */
TEST(ten_put_and_get_a_million_times) {
	go_pool p = {.make = NULL};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 10);
	for (int i = 0; i < 10; i++)
		GO(stress, &p, (int)support_scale(100000), &wg);
	go_wg_wait(&wg);
	go_pool_drain(&p);
}

/* One puts items, nine take them: each comes out once, by get or by destroy. */
struct flow { go_pool pool; atomic_bool done; int n; atomic_uchar *seen; atomic_int out; };

static struct flow *flow_of_destroy;

static void see(struct flow *f, uintptr_t item) {
	CHECK_EQ(atomic_fetch_add(&f->seen[item - 1], 1), 0);
	atomic_fetch_add(&f->out, 1);
}

static void see_destroyed(void *obj) { see(flow_of_destroy, (uintptr_t)obj); }

static void take(struct flow *f, go_waitgroup *wg) {
	void *item;

	for (;;) {
		bool done = atomic_load(&f->done);

		if ((item = go_pool_get(&f->pool)) != NULL)
			see(f, (uintptr_t)item);
		else if (done)
			break;
		else
			go_yield();
	}
	go_wg_done(wg);
}
GO_TASK(take, struct flow *, go_waitgroup *);

/* Go: sync TestPoolDequeue, TestPoolChain: their subject through the pool */
TEST(each_item_comes_out_exactly_once) {
	struct flow f = {.pool = GO_POOL_INIT(NULL, see_destroyed, NULL), .n = (int)support_scale(200000)};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	f.seen = calloc((size_t)f.n, sizeof *f.seen);
	assert_non_null(f.seen);
	flow_of_destroy = &f;
	go_wg_add(&wg, 9);
	for (int i = 0; i < 9; i++)
		GO(take, &f, &wg);
	for (int i = 0; i < f.n; i++) {
		go_pool_put(&f.pool, (void *)(uintptr_t)(i + 1));
		if (i % 32 == 0)
			go_yield();
	}
	atomic_store(&f.done, true);
	go_wg_wait(&wg);
	go_pool_drain(&f.pool);
	CHECK_EQ(atomic_load(&f.out), f.n);
	free(f.seen);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_put_is_got_and_then_nothing),
	cmocka_unit_test(make_is_called_when_nothing_is_there),
	cmocka_unit_test(nothing_stays_in_a_drained_pool),
	cmocka_unit_test(ten_put_and_get_a_million_times),
	cmocka_unit_test(each_item_comes_out_exactly_once),
};

SUPPORT_MAIN(tests)
