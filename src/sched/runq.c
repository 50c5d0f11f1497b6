/* SPDX-License-Identifier: MIT */
/*
 * runq.c - the rings of a P.
 *
 * Why two.  A goroutine just spawned is best run newest first: a fork-join or skynet then
 * goes depth first and needs a few warm stacks, where first-in-first-out needs one for every
 * goroutine.  A goroutine that yielded or was woken must wait its turn, or it would starve
 * the others.  So `fresh' is a deque that the owner uses as a stack while thieves take the
 * oldest, that is the largest piece of work (Chase and Lev, SPAA 2005; the orders after Le
 * et al., PPoPP 2013), and `queue' is a ring used oldest first by everybody, as Go's.
 *
 * Nobody starves: every AGING picks the queue goes before what is fresh; when the P looks
 * around (LOOK_AROUND picks) one of the global queue goes first, and once in AGE_EVERY the
 * oldest of the fresh.  More often would be fairer, but it is that which makes a tree of
 * goroutines go wide instead of deep.
 *
 * Indices count for ever and wrap; slot[i % RUNQ_SIZE] for head <= i < tail is in use.
 */
#include "runq.h"

#include "../base/fatal.h"

bool
ring_push(struct ring *r, struct g *g)
{
	uint32_t h = load_acq(&r->head);	/* [runq-head] slots below h are free again */
	uint32_t t = load_own(&r->tail);

	if (t - h >= RUNQ_SIZE)
		return false;
	store_rlx(&r->slot[t % RUNQ_SIZE], g);
	store_rel(&r->tail, t + 1);		/* [runq-tail] publishes the slot and the G */
	return true;
}

/*
 * Take back the newest.  We lower tail first; the exchange orders that before the look at
 * head, as the thief's fence orders its look at head before that at tail.  So for the last
 * element at least one of us sees the other, and the CAS on head decides [runq-last].
 */
struct g *
ring_pop_newest(struct ring *r)
{
	uint32_t t = load_own(&r->tail), h = load_rlx(&r->head);
	struct g *g;

	if (t == h)
		return NULL;			/* head only grows: empty for sure */
	t--;
	xchg_sc(&r->tail, t);			/* [runq-last] */
	h = load_sc(&r->head);
	if ((int32_t)(t - h) < 0) {
		store_rel(&r->tail, h);		/* [runq-tail] thieves were faster */
		return NULL;
	}
	g = load_rlx(&r->slot[t % RUNQ_SIZE]);
	if (t != h)
		return g;
	if (!cas_sc(&r->head, &h, h + 1))	/* [runq-last] */
		g = NULL;
	store_rel(&r->tail, t + 1);		/* [runq-tail] */
	return g;
}

struct g *
ring_pop_oldest(struct ring *r, bool lifo)
{
	uint32_t h = load_acq(&r->head), t;	/* [runq-head] */
	struct g *g;

	for (;;) {
		if (lifo)
			fence_sc();		/* [runq-last] */
		t = load_acq(&r->tail);		/* [runq-tail] */
		if ((int32_t)(t - h) <= 0)
			return NULL;
		g = load_rlx(&r->slot[h % RUNQ_SIZE]);
		if (cas_sc(&r->head, &h, h + 1))	/* [runq-head] [runq-last] */
			return g;
	}
}

/*
 * Take the older half in one step.  Only where nobody pops the newest: there the slots
 * between head and tail change hands by head alone.
 */
static uint32_t
grab_half(struct ring *r, struct gqueue *out)
{
	uint32_t h = load_acq(&r->head), t, n, i;	/* [runq-head] */
	struct g *batch[RUNQ_SIZE / 2 + 1];

	for (;;) {
		t = load_acq(&r->tail);			/* [runq-tail] */
		n = t - h;
		n -= n / 2;
		if ((int32_t)n <= 0)
			return 0;
		if (n > RUNQ_SIZE / 2) {		/* h and t are not of one moment */
			h = load_acq(&r->head);		/* [runq-head] */
			continue;
		}
		for (i = 0; i < n; i++)
			batch[i] = load_rlx(&r->slot[(h + i) % RUNQ_SIZE]);
		if (cas_ar(&r->head, &h, h + n))	/* [runq-head] */
			break;
	}
	for (i = 0; i < n; i++)
		gqueue_push(out, batch[i]);
	return n;
}

/* --- The global queue --- */

void
runq_put_global(struct g *g)
{
	lock(&sched.lock, RANK_SCHED);
	gqueue_push(&sched.global, g);
	unlock(&sched.lock);
	fence_sc();		/* [idle] for those without a P, whom a lone searcher does not barrier */
}

void
runq_put_global_all(struct gqueue *q)
{
	if (q->n == 0)
		return;
	lock(&sched.lock, RANK_SCHED);
	gqueue_append(&sched.global, q);
	unlock(&sched.lock);
}

/*
 * A share for each P, but no more than fills our queue to its half: what does not fit would only
 * go back, and 100,000 goroutines that wait there would be moved in circles.
 */
static uint32_t
fair_share(struct p *p)
{
	uint32_t n = sched.global.n / (uint32_t)sched.procs + 1, len = ring_len(&p->queue);
	uint32_t room = len < RUNQ_SIZE / 2 ? RUNQ_SIZE / 2 - len : 1;

	assert_held(&sched.lock);
	return n < room ? n : room;
}

struct g *
runq_global(struct p *p, bool one)
{
	struct gqueue mine = {0};
	struct g *g, *first;
	uint32_t n;

	if (load_rlx(&sched.global.n) == 0)
		return NULL;
	lock(&sched.lock, RANK_SCHED);
	for (n = one ? 1 : fair_share(p); n > 0 && (g = gqueue_pop(&sched.global)) != NULL; n--)
		gqueue_push(&mine, g);
	unlock(&sched.lock);
	first = gqueue_pop(&mine);
	while ((g = gqueue_pop(&mine)) != NULL)
		runq_yielded(p, g);
	return first;
}

/* A full ring: its older half and g go to the global queue, in that order. */
static NOINLINE void
overflow(struct ring *r, struct g *g)
{
	struct gqueue q = {0};

	grab_half(r, &q);	/* by the owner, who does not pop the newest meanwhile */
	gqueue_push(&q, g);
	runq_put_global_all(&q);
}

void
runq_spawned(struct p *p, struct g *g)
{
	if (likely(ring_push(&p->fresh, g)))
		return;
	/* Keep the newest with us: it runs first. */
	struct gqueue q = {0};

	grab_half(&p->fresh, &q);
	runq_put_global_all(&q);
	while (!ring_push(&p->fresh, g))
		continue;	/* grab_half made room, or a thief did */
}

void
runq_yielded(struct p *p, struct g *g)
{
	if (unlikely(!ring_push(&p->queue, g)))
		overflow(&p->queue, g);
}

void
runq_next(struct p *p, struct g *g)
{
	struct g *old = p->next;

	p->next = g;
	if (old != NULL)
		runq_yielded(p, old);
}

struct g *
runq_pick(struct p *p)
{
	struct g *g = p->next;

	if (g != NULL) {
		/*
		 * Those who wake each other by turns share one slice of time, as one goroutine
		 * that computes would have: neither may starve the rest, and a pair that does
		 * little gets as much as one that does much (Go's inherited time slice).
		 */
		if (likely(load_rlx(&sched.now) - p->slice < NEXT_SLICE)) {
			p->next = NULL;
			return g;
		}
		p->slice = load_rlx(&sched.now);
		g = ring_pop_oldest(&p->queue, false);
		if (g == NULL)
			g = ring_pop_newest(&p->fresh);
		if (g != NULL)
			return g;
		g = p->next;
		p->next = NULL;
		return g;
	}
	p->slice = load_rlx(&sched.now);
	if (p->tick % AGING == 0 && (g = ring_pop_oldest(&p->queue, false)) != NULL)
		return g;
	if ((g = ring_pop_newest(&p->fresh)) != NULL)
		return g;
	/* A few that yield all the time must not keep us from what overflowed. */
	if (p->tick % AGING == 1 && (g = runq_global(p, false)) != NULL)
		return g;
	return ring_pop_oldest(&p->queue, false);
}

struct g *
runq_oldest(struct p *p, int64_t now)
{
	if (now - p->aged < AGE_EVERY)
		return NULL;
	p->aged = now;
	return ring_pop_oldest(&p->fresh, true);
}

/* --- Stealing --- */

/* One CAS each, but by one thief in a row: the cache line stays with us. */
static uint32_t
steal_fresh(struct p *from, struct gqueue *out)
{
	uint32_t n = ring_len(&from->fresh), got = 0;
	struct g *g;

	for (n -= n / 2; got < n; got++) {
		g = ring_pop_oldest(&from->fresh, true);
		if (g == NULL)
			break;
		gqueue_push(out, g);
	}
	return got;
}

struct g *
runq_steal(struct p *p, struct p *from)
{
	struct gqueue got = {0};
	struct g *g, *first;

	if (ring_len(&from->queue) > 0)
		grab_half(&from->queue, &got);
	if (got.n == 0 && ring_len(&from->fresh) > 0)
		steal_fresh(from, &got);
	if (got.n == 0)
		return NULL;
	store_own(&p->n_steals, p->n_steals + got.n);
	first = gqueue_pop(&got);
	while ((g = gqueue_pop(&got)) != NULL)
		runq_yielded(p, g);
	return first;
}

bool
runq_has_work(struct p *p)
{
	return ring_len(&p->fresh) > 0 || ring_len(&p->queue) > 0;
}

void
runq_flush(struct p *p)
{
	struct gqueue q = {0};
	struct g *g;

	while ((g = ring_pop_oldest(&p->queue, false)) != NULL)
		gqueue_push(&q, g);
	while ((g = ring_pop_oldest(&p->fresh, true)) != NULL)
		gqueue_push(&q, g);
	if (p->next != NULL) {
		gqueue_push(&q, p->next);
		p->next = NULL;
	}
	runq_put_global_all(&q);
}
