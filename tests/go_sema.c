/* SPDX-License-Identifier: MIT */
/*
 * go_sema.c - what x/sync tests of its weighted semaphore (semaphore/semaphore_test.go).
 *
 * Ours has no size: what is too big waits like the rest and is in front of others until it gives
 * up; releasing more than was held is found out beyond INT64_MAX only (sema.c).  A context is the
 * caller's bound one.
 */
#include "support.h"

struct hammer { go_sema s; atomic_long held; go_waitgroup wg; int size; };

static void hammer(struct hammer *h, int n, int loops) {
	struct support_rng rng = support_rng((uint64_t)n);

	for (int i = 0; i < loops; i++) {
		go_sema_acquire(&h->s, n);
		CHECK(atomic_fetch_add(&h->held, n) + n <= h->size);
		go_sleep(support_below(&rng, 100) * GO_MICROSECOND);
		atomic_fetch_sub(&h->held, n);
		go_sema_release(&h->s, n);
	}
}
GO_TASK(hammer, struct hammer *, int, int);

struct part { struct hammer *h; int n, loops; };

static void *hammer_in_a_thread(void *arg) {
	struct part *p = arg;

	hammer(p->h, p->n, p->loops);
	return NULL;
}

/* Go: x/sync TestWeighted */
TEST(each_goroutine_takes_a_number_of_its_own) {
	enum { SIZE = 8 };
	int loops = (int)support_scale(200);
	struct hammer h = {.s = GO_SEMA_INIT(SIZE), .size = SIZE};
	struct part p = {&h, 3, loops};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, hammer_in_a_thread, &p), 0);
	for (int i = 0; i < SIZE; i++)
		GO_WG(&h.wg, hammer, &h, i, loops);
	go_wg_wait(&h.wg);
	pthread_join(thread, NULL);
	CHECK(go_sema_try_acquire(&h.s, SIZE));
	CHECK(!go_sema_try_acquire(&h.s, 1));
}

/* Go: x/sync TestWeightedTryAcquire */
TEST(try_acquire_tells_what_is_left) {
	go_sema s = GO_SEMA_INIT(2);

	go_sema_acquire(&s, 1);
	CHECK(go_sema_try_acquire(&s, 1));
	CHECK(!go_sema_try_acquire(&s, 1));
	go_sema_release(&s, 2);
	CHECK(go_sema_try_acquire(&s, 1));
	go_sema_acquire(&s, 1);
	CHECK(!go_sema_try_acquire(&s, 1));
}

static bool acquire_soon(go_sema *s, int64_t n) {
	return go_sema_acquire_until(s, n, go_now() + 10 * GO_MILLISECOND) == 0;
}

/* Go: x/sync TestWeightedAcquire */
TEST(acquire_until_waits_for_what_is_not_left) {
	go_sema s = GO_SEMA_INIT(2);

	go_sema_acquire(&s, 1);
	CHECK(acquire_soon(&s, 1));
	CHECK(!acquire_soon(&s, 1));
	go_sema_release(&s, 2);
	CHECK(acquire_soon(&s, 1));
	go_sema_acquire(&s, 1);
	CHECK(!acquire_soon(&s, 1));
}

static void want_too_much(go_sema *s) {
	CHECK_EQ(go_sema_acquire_until(s, 3, go_now() + 10 * GO_MILLISECOND), -ETIMEDOUT);
}
GO_TASK(want_too_much, go_sema *);

static void use_for_a_moment(go_sema *s) {
	go_sema_acquire(s, 1);
	go_sleep(GO_MILLISECOND);
	go_sema_release(s, 1);
}
GO_TASK(use_for_a_moment, go_sema *);

/* Go: x/sync TestWeightedDoesntBlockIfTooBig; here it blocks until it gives up. */
TEST(what_is_too_big_does_not_block_for_ever) {
	go_sema s = GO_SEMA_INIT(2);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, want_too_much, &s);
	go_yield();
	for (int i = 0; i < 6; i++)
		GO_WG(&wg, use_for_a_moment, &s);
	go_wg_wait(&wg);
	CHECK(go_sema_try_acquire(&s, 2));
}

struct crowd { go_sema s; atomic_bool running; };

static void come_and_go(struct crowd *c) {
	while (atomic_load(&c->running)) {
		go_sleep(GO_MILLISECOND);
		go_sema_release(&c->s, 1);
		go_sema_acquire(&c->s, 1);
	}
	go_sema_release(&c->s, 1);
}
GO_TASK(come_and_go, struct crowd *);

/* Go: x/sync TestLargeAcquireDoesntStarve */
TEST(who_wants_all_is_not_starved) {
	enum { N = 8 };
	struct crowd c = {.s = GO_SEMA_INIT(N), .running = true};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < N; i++) {
		go_sema_acquire(&c.s, 1);
		GO_WG(&wg, come_and_go, &c);
	}
	go_sema_acquire(&c.s, N);
	atomic_store(&c.running, false);
	go_sema_release(&c.s, N);
	go_wg_wait(&wg);
	CHECK(go_sema_try_acquire(&c.s, N));
}

static void acquire_bound(go_sema *s, go_ctx *ctx, int64_t n) {
	go_ctx_unref(go_ctx_bind(ctx));
	CHECK_EQ(go_sema_acquire_until(s, n, GO_FOREVER), -ECANCELED);
}
GO_TASK(acquire_bound, go_sema *, go_ctx *, int64_t);

static void cancel(go_ctx *ctx) { go_ctx_cancel(ctx); }
GO_TASK(cancel, go_ctx *);

/* Go: x/sync TestAllocCancelDoesntStarve */
TEST(who_waits_behind_one_who_is_cancelled_is_served) {
	for (int i = 0; i < (int)support_scale(200); i++) {
		go_sema s = GO_SEMA_INIT(10);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		go_ctx *ctx = go_ctx_with_cancel(NULL);

		go_sema_acquire(&s, 1);
		GO_WG(&wg, acquire_bound, &s, ctx, 10);
		while (go_sema_try_acquire(&s, 1)) {
			go_sema_release(&s, 1);
			go_yield();
		}
		GO_WG(&wg, cancel, ctx);
		go_sema_acquire(&s, 1);
		go_sema_release(&s, 1);
		go_wg_wait(&wg);
		CHECK(go_sema_try_acquire(&s, 9));
		go_ctx_unref(ctx);
	}
}

static void cancel_and_release(go_sema *s, go_ctx *ctx) {
	while (go_sema_try_acquire(s, 1)) {
		go_sema_release(s, 1);
		go_yield();
	}
	go_ctx_cancel(ctx);
	go_sema_release(s, 1);
}
GO_TASK(cancel_and_release, go_sema *, go_ctx *);

/* Go: x/sync TestWeightedAcquireCanceled; but what is free is taken, whatever the context says. */
TEST(who_is_cancelled_before_the_release_takes_nothing) {
	for (int i = 0; i < (int)support_scale(200); i++) {
		go_sema s = GO_SEMA_INIT(2);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		go_ctx *ctx = go_ctx_with_cancel(NULL);

		go_ctx_bind(ctx);
		go_sema_acquire(&s, 1);
		GO_WG(&wg, cancel_and_release, &s, ctx);
		CHECK_EQ(go_sema_acquire_until(&s, 2, GO_FOREVER), -ECANCELED);
		go_wg_wait(&wg);
		CHECK(go_sema_try_acquire(&s, 2));
		CHECK_EQ(go_sema_acquire_until(&s, 1, GO_FOREVER), -ECANCELED);
		go_sema_release(&s, 2);
		CHECK_EQ(go_sema_acquire_until(&s, 1, GO_FOREVER), 0);
		go_ctx_unref(go_ctx_bind(NULL));
		go_ctx_unref(ctx);
	}
}

static void release_too_late(go_sema *s, atomic_int *over) {
	wait_until(atomic_load(over) == 1);
	go_sema_release(s, 1);
}
GO_TASK(release_too_late, go_sema *, atomic_int *);

/* The same with a deadline. */
TEST(giving_up_takes_nothing) {
	go_sema s = GO_SEMA_INIT(2);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int over = 0;

	go_sema_acquire(&s, 1);
	GO_WG(&wg, release_too_late, &s, &over);
	CHECK(!acquire_soon(&s, 2));
	atomic_store(&over, 1);
	go_wg_wait(&wg);
	CHECK(go_sema_try_acquire(&s, 2));
	go_sema_release(&s, 2);
	CHECK_EQ(go_sema_acquire_until(&s, 1, GO_NOWAIT), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_goroutine_takes_a_number_of_its_own),
	cmocka_unit_test(try_acquire_tells_what_is_left),
	cmocka_unit_test(acquire_until_waits_for_what_is_not_left),
	cmocka_unit_test(what_is_too_big_does_not_block_for_ever),
	cmocka_unit_test(who_wants_all_is_not_starved),
	cmocka_unit_test(who_waits_behind_one_who_is_cancelled_is_served),
	cmocka_unit_test(who_is_cancelled_before_the_release_takes_nothing),
	cmocka_unit_test(giving_up_takes_nothing),
};

SUPPORT_MAIN(tests)
