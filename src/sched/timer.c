/* SPDX-License-Identifier: MIT */
/*
 * timer.c - a 4-ary heap of timers per P.
 *
 * Four children share a cache line (16 bytes a slot, see grow), and the heap is half as deep as
 * a binary one.  The times are copied into the slots, so that sifting reads no timers.  It
 * writes to those it moves, where they are now, unless they are never looked for: a sleeper's
 * is on a stack that nobody has touched for long, and each write would be two misses.  Those
 * have the lowest bit of their address set in the slot, SURE.
 *
 * Locking.  The heap's lock (rank TIMER) protects the heap and the `when' and `pos' of its
 * timers.  `first' is a copy of the earliest time for those who only want to know
 * [timer-first].
 *
 * `pos' and `p' are written under the lock of the heap that a timer is in or enters.  Who holds
 * another heap's, because the timer has moved since `p' was read, sees anything there; so what
 * counts is whether that slot of this heap holds the timer (locate).
 */
#include "timer.h"

#include <stdlib.h>
#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"

#define SURE	((uintptr_t)1)

static ALWAYS_INLINE void
place(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	h->slot[i] = s;
	if ((s.timer & SURE) == 0)
		store_rlx(&((struct timer *)s.timer)->pos, i + 1);
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
sift(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	if (i > 0 && s.when < h->slot[(i - 1) / 4].when)
		sift_up(h, i, s);
	else
		sift_down(h, i, s);
}

static void
set_first(struct timer_heap *h)
{
	store_rel(&h->first, h->n > 0 ? h->slot[0].when : OS_NEVER);	/* [timer-first] */
}

static struct timer *
remove_at(struct timer_heap *h, uint32_t i)
{
	struct timer_slot last = h->slot[h->n - 1];
	struct timer *t = (struct timer *)(h->slot[i].timer & ~SURE);

	store_rlx(&t->pos, 0);
	store_rlx(&h->n, h->n - 1);
	if (i != h->n)
		sift(h, i, last);
	return t;
}

/*
 * The children of slot i are 4i + 1 to 4i + 4: slot 1 must begin a cache line.  The memory is
 * allocated three slots before slot 0.
 */
enum { BEFORE = 3 };

static void
grow(struct timer_heap *h)
{
	uint32_t cap = h->cap == 0 ? 64 : h->cap * 2;
	struct timer_slot *s;

	race_acquire(h);
	if (posix_memalign((void **)&s, CACHE_LINE, (BEFORE + (size_t)cap) * sizeof(*s)) != 0)
		fatal("out of memory adding a timer (%u pending)", h->n);
	if (h->slot != NULL) {
		memcpy(s + BEFORE, h->slot, h->n * sizeof(*s));
		free(h->slot - BEFORE);
	}
	race_release(h);
	h->slot = s + BEFORE;
	h->cap = cap;
}

static ALWAYS_INLINE bool
add(struct p *p, struct timer *t, int64_t when, uintptr_t sure)
{
	struct timer_heap *h = &p->timers;
	bool earliest;

	lock(&h->lock, RANK_TIMER);
	ensure(load_rlx(&t->pos) == 0);
	if (unlikely(h->n == h->cap))
		grow(h);
	t->when = when;
	t->out = false;
	store_rlx(&t->p, p);
	store_rlx(&h->n, h->n + 1);
	sift_up(h, h->n - 1, (struct timer_slot){when, (uintptr_t)t | sure});
	earliest = h->slot[0].timer == ((uintptr_t)t | sure);
	if (earliest)
		set_first(h);
	unlock(&h->lock);
	return earliest;
}

bool
timer_add(struct p *p, struct timer *t, int64_t when)
{
	return add(p, t, when, 0);
}

bool
timer_add_sure(struct p *p, struct timer *t, int64_t when)
{
	return add(p, t, when, SURE);
}

/* h is locked; false: t is not in it. */
static bool
locate(struct timer_heap *h, struct timer *t, uint32_t *i)
{
	assert_held(&h->lock);
	*i = load_rlx(&t->pos) - 1;
	return *i < h->n && h->slot[*i].timer == (uintptr_t)t;
}

bool
timer_del(struct timer *t)
{
	struct p *p = load_rlx(&t->p);
	struct timer_heap *h;
	uint32_t i;
	bool was;

	if (p == NULL)
		return false;
	h = &p->timers;
	lock(&h->lock, RANK_TIMER);
	was = locate(h, t, &i);
	if (was) {
		t->out = true;
		remove_at(h, i);
		if (i == 0)
			set_first(h);
	}
	unlock(&h->lock);
	return was;
}

bool
timer_move(struct p *p, struct timer *t, int64_t when, bool *earliest)
{
	struct timer_heap *h = &p->timers;
	uint32_t i;
	bool was;

	if (load_rlx(&t->p) != p)
		return false;
	lock(&h->lock, RANK_TIMER);
	was = locate(h, t, &i);
	if (was) {
		t->when = when;
		sift(h, i, (struct timer_slot){when, (uintptr_t)t});
		*earliest = load_rlx(&t->pos) == 1;
		if (i == 0 || *earliest)
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
		struct timer *t = remove_at(h, 0);
		struct g *g = t->fire(t, now, later);

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
