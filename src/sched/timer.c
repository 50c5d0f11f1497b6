/* SPDX-License-Identifier: MIT */
/*
 * timer.c - a 4-ary heap of timers per P.
 *
 * Four children share a cache line (16 bytes a slot), and the heap is half as deep as a
 * binary one.  The times are copied into the slots, so that sifting touches no timer but the
 * ones it moves.
 *
 * Locking.  The heap's lock (rank TIMER) protects the heap and the `when' and `pos' of its
 * timers.  `first' is a copy of the earliest time for those who only want to know
 * [timer-first].
 */
#include "timer.h"

#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"

void (*timers_finish)(struct timer *later);

static void
place(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	h->slot[i] = s;
	s.timer->pos = i + 1;
}

static void
sift_up(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 4;

		if (h->slot[parent].when <= s.when)
			break;
		place(h, i, h->slot[parent]);
		i = parent;
	}
	place(h, i, s);
}

static void
sift_down(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	for (;;) {
		uint32_t child = i * 4 + 1, end = child + 4, least = child, c;

		if (child >= h->n)
			break;
		for (c = child + 1; c < end && c < h->n; c++)
			if (h->slot[c].when < h->slot[least].when)
				least = c;
		if (s.when <= h->slot[least].when)
			break;
		place(h, i, h->slot[least]);
		i = least;
	}
	place(h, i, s);
}

static void
set_first(struct timer_heap *h)
{
	store_rel(&h->first, h->n > 0 ? h->slot[0].when : OS_NEVER);	/* [timer-first] */
}

static void
remove_at(struct timer_heap *h, uint32_t i)
{
	struct timer_slot last = h->slot[h->n - 1];

	h->slot[i].timer->pos = 0;
	store_rlx(&h->n, h->n - 1);
	if (i == h->n)
		return;
	if (i > 0 && last.when < h->slot[(i - 1) / 4].when)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

static void
grow(struct timer_heap *h)
{
	uint32_t cap = h->cap == 0 ? 64 : h->cap * 2;
	struct timer_slot *s;

	race_acquire(h);
	s = realloc(h->slot, cap * sizeof(*s));
	race_release(h);
	if (s == NULL)
		fatal("out of memory adding a timer (%u pending)", h->n);
	h->slot = s;
	h->cap = cap;
}

bool
timer_add(struct p *p, struct timer *t, int64_t when)
{
	struct timer_heap *h = &p->timers;
	bool earliest;

	lock(&h->lock, RANK_TIMER);
	ensure(t->pos == 0);
	if (h->n == h->cap)
		grow(h);
	t->when = when;
	store_rlx(&t->p, p);
	store_rlx(&h->n, h->n + 1);
	sift_up(h, h->n - 1, (struct timer_slot){when, t});
	earliest = t->pos == 1;
	if (earliest)
		set_first(h);
	unlock(&h->lock);
	return earliest;
}

bool
timer_del(struct timer *t)
{
	struct p *p = load_rlx(&t->p);	/* only timer_add changes it, and its caller owns t */
	struct timer_heap *h;
	bool was;

	if (p == NULL)
		return false;
	h = &p->timers;
	lock(&h->lock, RANK_TIMER);
	was = t->pos != 0;
	if (was) {
		uint32_t i = t->pos - 1;

		remove_at(h, i);
		if (i == 0)
			set_first(h);
	}
	unlock(&h->lock);
	return was;
}

uint32_t
timers_due(struct p *p, int64_t now, struct gqueue *ready, struct timer **later, uint32_t max)
{
	struct timer_heap *h = &p->timers;
	uint32_t n = 0;

	if (timers_first(p) > now)
		return 0;
	lock(&h->lock, RANK_TIMER);
	while (h->n > 0 && h->slot[0].when <= now && n < max) {
		struct timer *t = h->slot[0].timer;
		struct g *g;

		remove_at(h, 0);
		g = t->fire(t, now, later);
		if (g != NULL)
			gqueue_push(ready, g);
		n++;
	}
	set_first(h);
	unlock(&h->lock);
	return n;
}

int64_t
timers_earliest(void)
{
	int64_t first = OS_NEVER;
	int i, n = p_count();

	for (i = 0; i < n; i++) {
		int64_t f = timers_first(sched.p[i]);

		first = f < first ? f : first;
	}
	return first;
}

uint64_t
timers_count(void)
{
	uint64_t sum = 0;
	int i, n = p_count();

	for (i = 0; i < n; i++)
		sum += load_rlx(&sched.p[i]->timers.n);
	return sum;
}
