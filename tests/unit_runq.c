/* SPDX-License-Identifier: MIT */
/*
 * unit_runq.c - the queues of a P and the global one: nobody lost, nobody moved in circles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../src/sched/runq.h"

static struct g *gs;	/* as many as the test wants, numbered by id */
static struct p *p;

static void make(size_t n)
{
	free(gs);
	gs = aligned_alloc(_Alignof(struct g), n * sizeof(*gs));
	assert_non_null(gs);
	memset(gs, 0, n * sizeof(*gs));
	for (size_t i = 0; i < n; i++)
		gs[i].id = i + 1;
}

static int start(void **state)
{
	(void)state;
	sched.global = (struct gqueue){0};
	sched.procs = 1;
	p = p_new(0);
	return 0;
}

/* What the scheduler does between two turns, without its looks at the clock. */
static struct g *pick(void)
{
	struct g *g;

	p->tick++;
	g = p->tick % LOOK_AROUND == 0 ? runq_global(p, true) : NULL;
	if (g == NULL)
		g = runq_pick(p);
	return g != NULL ? g : runq_global(p, false);
}

static void what_came_from_the_global_queue_does_not_go_back(void **state)
{
	enum { N = 10000 };
	struct g *g;
	size_t picked = 0;

	(void)state;
	make(N);
	for (size_t i = 0; i < N; i++)
		if (i % 8 == 0)		/* the queue full, the rest global */
			runq_yielded(p, &gs[i]);
		else
			runq_put_global(&gs[i]);
	for (;; picked++) {
		uint32_t before = sched.global.n;

		g = pick();
		if (g == NULL)
			break;
		assert_true(sched.global.n <= before);
		assert_int_not_equal(g->id, 0);
		g->id = 0;		/* it parks: not to be seen again */
	}
	assert_int_equal(picked, N);
}

/* Thousands that yield for ever: each gets its turns, and few moves are made for one. */
static void yielders_beyond_the_ring_are_seldom_moved(void **state)
{
	enum { N = 16 * RUNQ_SIZE, ROUNDS = 200 };
	unsigned turns[N] = {0};
	uint64_t moves = 0, picks = 0;

	(void)state;
	make(N);
	for (size_t i = 0; i < N; i++)
		runq_put_global(&gs[i]);
	for (; picks < (uint64_t)N * ROUNDS; picks++) {
		uint32_t before = sched.global.n;
		struct g *g = pick();

		assert_non_null(g);
		turns[g->id - 1]++;
		if (sched.global.n < before)
			moves += before - sched.global.n;
		before = sched.global.n;
		runq_yielded(p, g);
		if (sched.global.n > before)
			moves += sched.global.n - before;
	}
	for (size_t i = 0; i < N; i++)
		assert_true(turns[i] > 0);
	assert_true(moves <= picks);
}

/* A share for each P, at least one, and no more than the queue has room for. */
static void shares_of_the_global_queue_are_fair_and_fit(void **state)
{
	enum { N = 4 * RUNQ_SIZE };

	(void)state;
	make(N);
	sched.procs = 4;
	for (size_t i = 0; i < N / 8; i++)
		runq_put_global(&gs[i]);
	assert_non_null(runq_global(p, false));
	assert_int_equal(N / 8 - sched.global.n, N / 8 / 4 + 1 < RUNQ_SIZE / 2 ? N / 8 / 4 + 1 : RUNQ_SIZE / 2);
	assert_int_equal(ring_len(&p->queue), N / 8 - sched.global.n - 1);

	sched.procs = 1;
	for (size_t i = N / 8; i < N; i++)
		runq_put_global(&gs[i]);
	assert_non_null(runq_global(p, false));
	assert_true(ring_len(&p->queue) <= RUNQ_SIZE / 2);
	while (ring_len(&p->queue) < RUNQ_SIZE)
		assert_true(ring_push(&p->queue, gqueue_pop(&sched.global)));
	for (uint32_t left = sched.global.n; left > 0; left--) {
		assert_non_null(runq_global(p, false));	/* full: one at a time, to run at once */
		assert_int_equal(sched.global.n, left - 1);
	}
	assert_null(runq_global(p, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_came_from_the_global_queue_does_not_go_back, start),
		cmocka_unit_test_setup(yielders_beyond_the_ring_are_seldom_moved, start),
		cmocka_unit_test_setup(shares_of_the_global_queue_are_fair_and_fit, start),
	};

	proc_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
