/* SPDX-License-Identifier: MIT */
/* unit_timer.c - the heap of timers against a list that is searched from end to end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../src/base/rand.h"
#include "../src/sched/timer.h"

enum { TIMERS = 300, PS = 3 };

struct item {
	struct timer	timer;
	int64_t		when;
	int		in;		/* P whose heap it should be in, or -1 */
	bool		sure;
	int		fired;
};

static struct p *ps[PS];
static struct item items[TIMERS];
static struct rand rnd = {1};

static struct g *fired(struct timer *t, int64_t now, struct timer **later)
{
	struct item *it = container_of(t, struct item, timer);

	assert_true(it->when <= now);
	assert_int_equal(t->pos, 0);
	it->fired++;
	t->later = *later;
	*later = t;
	return NULL;
}

static void reset(void)
{
	int i;

	for (i = 0; i < PS; i++) {
		ps[i] = aligned_alloc(CACHE_LINE, sizeof(struct p));
		assert_non_null(ps[i]);
		memset(ps[i], 0, sizeof(struct p));
		ps[i]->timers.first = OS_NEVER;
	}
	for (i = 0; i < TIMERS; i++)
		items[i] = (struct item){.timer = {.fire = fired}, .in = -1};
}

static void drop(void)
{
	int i;

	for (i = 0; i < PS; i++) {
		if (ps[i]->timers.slot != NULL)
			free(ps[i]->timers.slot - 3);
		free(ps[i]);
	}
}

static int64_t expected_first(int p)
{
	int64_t first = OS_NEVER;
	int i;

	for (i = 0; i < TIMERS; i++)
		if (items[i].in == p && items[i].when < first)
			first = items[i].when;
	return first;
}

static void check_heap(int p)
{
	struct timer_heap *h = &ps[p]->timers;
	uint32_t n = 0, i;

	for (i = 1; i < h->n; i++)
		assert_true(h->slot[(i - 1) / 4].when <= h->slot[i].when);
	for (i = 0; i < TIMERS; i++)
		n += items[i].in == p;
	assert_int_equal(h->n, n);
	assert_true(timers_first(ps[p]) == expected_first(p));
	assert_true(h->slot == NULL || ((uintptr_t)&h->slot[1]) % CACHE_LINE == 0);
}

static int64_t some_time(void)
{
	/* Few different ones, so that many are equal; and the ends of the range. */
	switch (rand_below(&rnd, 20)) {
	case 0: return INT64_MAX;
	case 1: return INT64_MIN;
	default: return rand_below(&rnd, 50);
	}
}

static void add(struct item *it, int p)
{
	int64_t when = some_time(), before = expected_first(p);
	bool earliest;

	it->sure = rand_below(&rnd, 3) == 0;
	it->when = when;
	earliest = (it->sure ? timer_add_sure : timer_add)(ps[p], &it->timer, when);
	it->in = p;
	/* Among equals it may be said of any, but nobody may miss a new earliest. */
	assert_true(when >= before || earliest);
	assert_true(when <= before || !earliest);
}

static void move(struct item *it, int p)
{
	int64_t when = some_time();
	bool earliest = false, moved = timer_move(ps[p], &it->timer, when, &earliest);

	assert_true(moved == (it->in == p));
	if (!moved)
		return;
	it->when = when;
	assert_true(!earliest || expected_first(p) == when);
}

static void run_due(int p)
{
	int64_t now = some_time(), last = INT64_MIN;
	struct timer *later = NULL, *t;
	struct gqueue ready = {0};
	uint32_t max = 1 + rand_below(&rnd, 40), n = timers_due(ps[p], now, &ready, &later, max), i = 0;
	int64_t newest = INT64_MAX;

	for (t = later; t != NULL; t = t->later, i++) {
		struct item *it = container_of(t, struct item, timer);

		assert_int_equal(it->in, p);
		assert_true(it->when <= newest);	/* the list has the last at its head */
		last = it->when > last ? it->when : last;
		newest = it->when;
		it->in = -1;
	}
	assert_int_equal(i, n);
	assert_true(n == max || expected_first(p) > now || expected_first(p) == OS_NEVER);
	assert_true(n == 0 || last <= expected_first(p));
}

static void step(void)
{
	struct item *it = &items[rand_below(&rnd, TIMERS)];
	int p = (int)rand_below(&rnd, PS), in = it->in;

	switch (rand_below(&rnd, 8)) {
	case 0: case 1: case 2:
		if (in < 0)
			add(it, p);
		break;
	case 3: case 4:
		if (in >= 0 && it->sure)
			break;
		assert_true(timer_del(&it->timer) == (in >= 0));
		assert_true(in < 0 || it->timer.out);
		it->in = -1;
		break;
	case 5: case 6:
		if (in < 0 || !it->sure)
			move(it, p);
		break;
	default:
		if (rand_below(&rnd, 16) == 0)
			run_due(p);
	}
}

static void the_heap_does_as_a_list_does(void **state)
{
	int i, p;

	(void)state;
	for (int round = 0; round < 10; round++) {
		reset();
		for (i = 0; i < 5000; i++) {
			step();
			if (i % 16 == 0)
				for (p = 0; p < PS; p++)
					check_heap(p);
		}
		drop();
	}
}

/* As if it had moved to another heap after del and move had read which one it is in. */
static void a_timer_that_has_moved_meanwhile_is_not_found(void **state)
{
	bool earliest;

	(void)state;
	reset();
	timer_add(ps[0], &items[0].timer, 1);
	timer_add(ps[1], &items[1].timer, 2);
	items[0].timer.p = ps[1];
	assert_false(timer_del(&items[0].timer));
	assert_false(timer_move(ps[1], &items[0].timer, 3, &earliest));
	assert_false(items[0].timer.out);
	assert_int_equal(ps[1]->timers.n, 1);
	assert_true(timers_first(ps[1]) == 2);
	items[0].timer.p = ps[0];
	assert_true(timer_del(&items[0].timer));
	assert_true(timer_del(&items[1].timer));
	drop();
}

/* Threads take out and put back the same timers: del is right wherever the timer is now. */
enum { SHARED = 4, ROUNDS = 20000 };
static int64_t moved[2];

static void *toss(void *arg)
{
	struct rand r = {(uint64_t)(uintptr_t)arg + 7};
	int64_t n = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct timer *t = &items[rand_below(&r, SHARED)].timer;
		bool earliest;

		(void)timer_move(ps[rand_below(&r, PS)], t, rand_below(&r, 100), &earliest);
		if (!timer_del(t))
			continue;
		timer_add(ps[rand_below(&r, PS)], t, rand_below(&r, 100));	/* it is ours alone */
		n++;
	}
	moved[(uintptr_t)arg] = n;
	return NULL;
}

static void a_timer_is_taken_out_by_one_thread_only(void **state)
{
	pthread_t threads[2];
	uint32_t n = 0;

	(void)state;
	reset();
	for (int i = 0; i < SHARED; i++)
		timer_add(ps[i % PS], &items[i].timer, i);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, toss, (void *)i), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PS; i++)
		n += ps[i]->timers.n;
	assert_int_equal(n, SHARED);
	assert_true(moved[0] > 0 && moved[1] > 0);
	for (int i = 0; i < SHARED; i++)
		assert_true(timer_del(&items[i].timer));
	drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_heap_does_as_a_list_does),
		cmocka_unit_test(a_timer_that_has_moved_meanwhile_is_not_found),
		cmocka_unit_test(a_timer_is_taken_out_by_one_thread_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
