/* SPDX-License-Identifier: MIT */
/*
 * pool.c - pools of objects: nothing is lost, nothing is given to two, what is kept is bounded.
 */
#include "support.h"

enum { KEPT = 64 };	/* goro.h: at most so many per P */

struct thing { atomic_int holders; atomic_int *out; };

static atomic_long made, destroyed;

static void *make_thing(void *arg) {
	struct thing *t = calloc(1, sizeof *t);

	if (t == NULL)
		abort();
	t->out = arg;
	atomic_fetch_add(&made, 1);
	return t;
}

static void destroy_thing(void *obj) {
	struct thing *t = obj;

	CHECK_EQ(atomic_load(&t->holders), 0);
	atomic_fetch_add(&destroyed, 1);
	free(t);
}

static void count_from_zero(void) {
	atomic_store(&made, 0);
	atomic_store(&destroyed, 0);
}

/* ------------------------------------------------------------ one user --- */

TEST(nothing_put_is_nothing_got) {
	go_pool p = GO_POOL_INIT(NULL, NULL, NULL), zero;

	memset(&zero, 0, sizeof zero);
	assert_memory_equal(&p, &zero, sizeof p);
	CHECK(go_pool_get(&p) == NULL);
	go_pool_put(&p, NULL);
	CHECK(go_pool_get(&p) == NULL);
	go_pool_drain(&p);
}

TEST(an_empty_pool_makes_with_its_argument) {
	atomic_int out = 0;
	go_pool p = GO_POOL_INIT(make_thing, destroy_thing, &out);
	struct thing *t = go_pool_get(&p);

	CHECK(t->out == &out);
	go_pool_put(&p, t);
	go_pool_drain(&p);
}

TEST(draining_destroys_all_and_the_pool_goes_on) {
	go_pool p = GO_POOL_INIT(make_thing, destroy_thing, NULL);
	void *t[100];

	count_from_zero();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			t[i] = go_pool_get(&p);
		for (int i = 0; i < 100; i++)
			go_pool_put(&p, t[i]);
		CHECK(atomic_load(&made) > atomic_load(&destroyed));
		go_pool_drain(&p);
		CHECK_EQ(atomic_load(&made), atomic_load(&destroyed));
		go_pool_drain(&p);
	}
	CHECK_IN(atomic_load(&made), 100, 300);
}

TEST(what_is_kept_after_a_burst_is_bounded) {
	go_pool p = GO_POOL_INIT(make_thing, destroy_thing, NULL);
	static void *t[10000];

	count_from_zero();
	for (int i = 0; i < 10000; i++)
		t[i] = go_pool_get(&p);
	CHECK_EQ(atomic_load(&made), 10000);
	for (int i = 0; i < 10000; i++)
		go_pool_put(&p, t[i]);
	CHECK_IN(atomic_load(&made) - atomic_load(&destroyed), 1, KEPT * (go_procs(0) + 1));
	go_pool_drain(&p);
	CHECK_EQ(atomic_load(&made), atomic_load(&destroyed));
}

static void put_static(void *arg) {
	static int objects[100];

	for (int i = 0; i < 100; i++)
		go_pool_put(arg, &objects[i]);
}

TEST(without_destroy_what_is_not_kept_is_forgotten) {
	go_pool p = {.make = NULL};
	int n = 0;

	put_static(&p);
	while (go_pool_get(&p) != NULL)
		n++;
	CHECK_IN(n, 1, 100);
	put_static(&p);
	go_pool_drain(&p);
	CHECK(go_pool_get(&p) == NULL);
}

/* ------------------------------------------------------------ user functions --- */

static void *make_from_itself(void *arg) {
	go_pool *p = arg;

	go_yield();
	p->make = NULL;
	CHECK(go_pool_get(p) == NULL);
	p->make = make_from_itself;
	return make_thing(NULL);
}

static void destroy_and_use(void *obj) {
	static go_pool *p;

	if (p == NULL) {	/* first call: told the pool */
		p = obj;
		return;
	}
	destroy_thing(obj);
	go_pool_drain(p);
	go_sleep(1);
}

TEST(make_and_destroy_may_block_and_use_the_pool) {
	go_pool p = GO_POOL_INIT(make_from_itself, destroy_and_use, &p);
	void *t[10];

	destroy_and_use(&p);
	count_from_zero();
	for (int i = 0; i < 10; i++)
		t[i] = go_pool_get(&p);
	for (int i = 0; i < 10; i++)
		go_pool_put(&p, t[i]);
	go_pool_drain(&p);
	CHECK_EQ(atomic_load(&made), atomic_load(&destroyed));
}

static void *use_in_section(void *arg) {
	go_pool *p = arg;
	void *t = go_pool_get(p);

	CHECK(t != NULL);
	go_pool_put(p, t);
	go_pool_drain(p);
	return NULL;
}

TEST(it_can_be_used_in_blocking_code) {
	go_pool p = GO_POOL_INIT(make_thing, destroy_thing, NULL);

	count_from_zero();
	go_blocking(use_in_section, &p);
	CHECK_EQ(atomic_load(&made), 1);
	CHECK_EQ(atomic_load(&destroyed), 1);
}

/* ------------------------------------------------------------ changing procs --- */

static void put_some(go_pool *p, atomic_int *put, go_waitgroup *wg) {
	void *t[4];

	for (int i = 0; i < 4; i++)
		t[i] = make_thing(NULL);
	for (int i = 0; i < 4; i++) {
		go_pool_put(p, t[i]);
		atomic_fetch_add(put, 1);
		usleep(20);
	}
	go_wg_done(wg);
}
GO_TASK(put_some, go_pool *, atomic_int *, go_waitgroup *);

static int get_one(go_pool *p) {
	struct thing *t = go_pool_get(p);

	free(t);
	return t != NULL;
}

/* Only one processor is left, and all is in reach once we are on it. */
TEST(objects_of_processors_that_are_gone_are_found) {
	go_pool p = {.destroy = destroy_thing};
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int put = 0;
	int procs = go_procs(12), n = 0;

	count_from_zero();
	for (int i = 0; i < 12; i++) {
		go_wg_add(&wg, 1);
		GO(put_some, &p, &put, &wg);
	}
	go_wg_wait(&wg);
	CHECK_EQ(atomic_load(&put), 48);
	go_procs(1);
	wait_until((n += get_one(&p)) + atomic_load(&destroyed) == 48);
	go_procs(procs);
	go_pool_drain(&p);
	CHECK_EQ(n + atomic_load(&destroyed), 48);
}

/* ------------------------------------------------------------ many users --- */

struct crowd { go_pool pool; atomic_int out; atomic_bool stop; int loops; go_waitgroup wg; };

static void hold(struct thing *t, bool long_time) {
	CHECK_EQ(atomic_fetch_add(&t->holders, 1), 0);
	if (long_time)
		go_yield();
	CHECK_EQ(atomic_fetch_sub(&t->holders, 1), 1);
}

static void use_pool(void *arg) {
	struct crowd *c = arg;
	struct support_rng r = support_rng((uint64_t)atomic_fetch_add(&c->out, 1));
	struct thing *t[8];

	for (int i = 0; i < c->loops; i++) {
		int n = 1 + support_below(&r, 8);

		for (int k = 0; k < n; k++)
			t[k] = go_pool_get(&c->pool);
		for (int k = 0; k < n; k++)
			hold(t[k], support_below(&r, 16) == 0);
		for (int k = 0; k < n; k++)
			go_pool_put(&c->pool, t[k]);
		if (support_below(&r, 256) == 0)
			go_pool_drain(&c->pool);
	}
	go_wg_done(&c->wg);
}

static void *use_pool_thread(void *arg) {
	use_pool(arg);
	return NULL;
}

static void change_procs(void *arg) {
	struct crowd *c = arg;
	int procs = go_procs(0), n = 0;

	while (!atomic_load(&c->stop)) {
		go_procs(1 + n++ % 9);
		go_sleep(200 * GO_MICROSECOND);
	}
	go_procs(procs);
	go_wg_done(&c->wg);
}

TEST(goroutines_and_threads_never_share_an_object) {
	struct crowd c = {.pool = GO_POOL_INIT(make_thing, destroy_thing, &c.out),
			  .loops = (int)support_scale(2000)};
	pthread_t threads[4];

	count_from_zero();
	go_wg_add(&c.wg, 16);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_pool_thread, &c), 0);
	for (int i = 0; i < 12; i++)
		go_spawn(use_pool, &c);
	go_wg_wait(&c.wg);
	go_wg_add(&c.wg, 9);
	go_spawn(change_procs, &c);
	c.loops /= 4;
	for (int i = 0; i < 8; i++)
		go_spawn(use_pool, &c);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	wait_until(atomic_load(&c.out) >= 20);
	atomic_store(&c.stop, true);
	go_wg_wait(&c.wg);
	CHECK(atomic_load(&made) >= atomic_load(&destroyed));
	go_pool_drain(&c.pool);
	CHECK_EQ(atomic_load(&made), atomic_load(&destroyed));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_put_is_nothing_got),
	cmocka_unit_test(an_empty_pool_makes_with_its_argument),
	cmocka_unit_test(draining_destroys_all_and_the_pool_goes_on),
	cmocka_unit_test(what_is_kept_after_a_burst_is_bounded),
	cmocka_unit_test(without_destroy_what_is_not_kept_is_forgotten),
	cmocka_unit_test(make_and_destroy_may_block_and_use_the_pool),
	cmocka_unit_test(it_can_be_used_in_blocking_code),
	cmocka_unit_test(objects_of_processors_that_are_gone_are_found),
	cmocka_unit_test(goroutines_and_threads_never_share_an_object),
};

SUPPORT_MAIN(tests)
