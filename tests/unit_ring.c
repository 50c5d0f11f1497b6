/* SPDX-License-Identifier: MIT */
/*
 * unit_ring.c - the rings of a P: order, stealing, and that everybody comes out exactly once.
 *
 * After Go's runtime/proc_test.go: TestSchedLocalQueue and TestSchedLocalQueueSteal.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../src/sched/runq.h"

enum { MANY = RUNQ_SIZE + 8, THIEVES = 3 };

static struct g gs[MANY];
static struct p *a, *b;

static int start(void **state)
{
	(void)state;
	sched.procs = 1;
	sched.global = (struct gqueue){0};
	a = p_new(0);
	b = p_new(1);
	return a == NULL || b == NULL;
}

/* Go: TestSchedLocalQueue, at every level and wherever in the ring it begins */
static void a_ring_gives_the_oldest_or_the_newest(void **state)
{
	struct ring *r = &a->fresh;
	uint32_t n, i, k;

	(void)state;
	for (n = 0; n <= RUNQ_SIZE; n++) {
		for (i = 0; i < n; i++)
			assert_true(ring_push(r, &gs[i]));
		assert_int_equal(ring_len(r), n);
		if (n == RUNQ_SIZE)
			assert_false(ring_push(r, &gs[n]));
		for (i = 0, k = n; i < k;) {
			assert_ptr_equal(ring_pop_oldest(r, true), &gs[i++]);
			if (i < k)
				assert_ptr_equal(ring_pop_newest(r), &gs[--k]);
		}
		assert_int_equal(ring_len(r), 0);
		assert_null(ring_pop_oldest(r, true));
		assert_null(ring_pop_newest(r));
	}
}

static void once_each(struct p *p, unsigned char *seen, uint32_t n)
{
	struct g *g;

	while ((g = ring_pop_oldest(&p->queue, false)) != NULL ||
	       (g = ring_pop_oldest(&p->fresh, true)) != NULL) {
		assert_true((uint32_t)(g - gs) < n);
		seen[g - gs]++;
	}
}

/* Go: TestSchedLocalQueueSteal, at every level, from either ring */
static void half_is_stolen_and_nobody_lost(void **state)
{
	uint32_t n, i, got;
	int fresh;

	(void)state;
	for (fresh = 0; fresh < 2; fresh++)
		for (n = 0; n <= RUNQ_SIZE; n++) {
			unsigned char seen[MANY] = {0};
			struct g *g;

			for (i = 0; i < n; i++)
				assert_true(ring_push(fresh ? &a->fresh : &a->queue, &gs[i]));
			g = runq_steal(b, a);
			assert_true((g != NULL) == (n > 0));
			got = (g != NULL) + ring_len(&b->queue) + ring_len(&b->fresh);
			assert_int_equal(got, n - n / 2);
			if (g != NULL) {
				assert_ptr_equal(g, &gs[0]);	/* the oldest */
				seen[0]++;
			}
			once_each(b, seen, n);
			once_each(a, seen, n);
			for (i = 0; i < n; i++)
				assert_int_equal(seen[i], 1);
		}
}

/* --- Races --- */

static uint32_t stop, taken[MANY];	/* per G: 1 while it is out of the ring */
static uint64_t stolen;

static void take(struct g *g)
{
	if (add_rlx(&taken[g - gs], 1) != 0)
		abort();		/* somebody else has it as well */
}

static void *thief(void *lifo)
{
	struct ring *r = lifo != NULL ? &a->fresh : &a->queue;
	struct g *g;

	while (load_acq(&stop) == 0)
		if ((g = ring_pop_oldest(r, lifo != NULL)) != NULL) {
			add_rlx(&stolen, 1);
			take(g);
		}
	return NULL;
}

/* The owner puts in whoever is out, and takes from either end, while others take the oldest. */
static void race(struct ring *r, bool lifo)
{
	pthread_t t[THIEVES];
	uint64_t pushed = 0, popped = 0;
	uint32_t i, turn;
	struct g *g;

	store_rel(&stop, 0);
	stolen = 0;
	for (i = 0; i < MANY; i++)
		store_rlx(&taken[i], 1);
	for (i = 0; i < THIEVES; i++)
		assert_int_equal(pthread_create(&t[i], NULL, thief, lifo ? a : NULL), 0);
	for (turn = 0; turn < 200000; turn++) {
		i = turn % (HARD ? 3 : 5);	/* short and long by turns, mostly near empty */
		for (; i > 0; i--) {
			uint32_t k = (uint32_t)(pushed % MANY);

			if (load_acq(&taken[k]) != 1)
				break;
			store_rlx(&taken[k], 0);
			if (!ring_push(r, &gs[k])) {
				store_rlx(&taken[k], 1);
				break;
			}
			pushed++;
		}
		g = lifo ? ring_pop_newest(r) : ring_pop_oldest(r, false);
		if (g != NULL) {
			popped++;
			take(g);
		}
	}
	while ((g = lifo ? ring_pop_newest(r) : ring_pop_oldest(r, false)) != NULL) {
		popped++;
		take(g);
	}
	store_rel(&stop, 1);
	for (i = 0; i < THIEVES; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(ring_len(r), 0);
	assert_int_equal(pushed, popped + load_rlx(&stolen));
	for (i = 0; i < MANY; i++)
		assert_int_equal(load_rlx(&taken[i]), 1);
}

static void owner_and_thieves_share_what_was_spawned(void **state)
{
	(void)state;
	race(&a->fresh, true);
}

static void owner_and_thieves_share_what_was_woken(void **state)
{
	(void)state;
	race(&a->queue, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_ring_gives_the_oldest_or_the_newest, start),
		cmocka_unit_test_setup(half_is_stolen_and_nobody_lost, start),
		cmocka_unit_test_setup(owner_and_thieves_share_what_was_spawned, start),
		cmocka_unit_test_setup(owner_and_thieves_share_what_was_woken, start),
	};

	proc_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
