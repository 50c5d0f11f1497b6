/* SPDX-License-Identifier: MIT */
/*
 * pool.c - go_pool.
 *
 * For each P a place of its own: a spare, for its holder alone, and a list, from which others
 * take when theirs are empty.  Threads without a P share place 0.  Places come in chunks that
 * are made when first needed and stay where they are until go_pool_drain takes them away.
 *
 *   Holders of a P  look at the chunks in a grace section (grace.h).  The spare needs no locked
 *                   instruction; a list has a lock.
 *   Others          hold the table lock, which keeps the chunks there.
 *   Draining        takes the chunks away under the table lock, waits for the sections, and
 *                   then has what they hold to itself.
 *
 * A P that is idle, or beyond go_procs, leaves its spare behind.  Who would have to make an object
 * claims it: the holder, if there is one by now, sees the claim or is waited for, as in grace.h.
 *
 * What is kept is bounded by BOUND per P, the rest destroyed when it is put.  Go has the garbage
 * collector throw out what one or two cycles have not used; we have no such clock, and a bound
 * takes memory back after a burst at once.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/san.h"
#include "../sched/grace.h"

enum { BOUND = HARD ? 2 : 63, CHUNKS = 4, PLACES = MAX_PROCS + 1 };
static const uint32_t chunk_from[CHUNKS + 1] = {0, 8, 64, 256, PLACES};

struct list {
	struct lock	lock;		/* rank POOLLIST */
	uint32_t	n;		/* under lock; may be peeked */
	void		*item[BOUND];
};

struct place {
	void		*spare;		/* o  or the claimer's */
	uint32_t	claimed;	/* a  [pool-claim] the spare is not the holder's now */
	struct list	list ALIGNED(CACHE_LINE);
} ALIGNED(CACHE_LINE);

/* What go__w is: the chunks [pool-chunk], and the table lock, rank POOL. */
static uintptr_t *
chunk(go_pool *pool, int k)
{
	return &pool->go__w[k];
}

static struct lock *
table_lock(go_pool *pool)
{
	return (struct lock *)(void *)&pool->go__w[CHUNKS];
}
_Static_assert(sizeof(((go_pool *)0)->go__w) == (CHUNKS + 1) * sizeof(uintptr_t), "");

static int
chunk_of(uint32_t i)
{
	int k = 0;

	while (i >= chunk_from[k + 1])
		k++;
	return k;
}

/* NULL: not made yet. */
static struct place *
place(go_pool *pool, uint32_t i)
{
	int k = chunk_of(i);
	struct place *c = (void *)load_acq(chunk(pool, k));	/* [pool-chunk] */

	return c != NULL ? &c[i - chunk_from[k]] : NULL;
}

static bool
add_chunk(go_pool *pool, uint32_t i)
{
	int k = chunk_of(i);
	size_t size = (chunk_from[k + 1] - chunk_from[k]) * sizeof(struct place);
	struct place *c = aligned_alloc(CACHE_LINE, size);
	uintptr_t none = 0;

	if (c == NULL)
		return false;
	memset(c, 0, size);
	race_release(c);
	if (!cas_ar(chunk(pool, k), &none, (uintptr_t)c))	/* [pool-chunk] */
		free(c);
	return true;
}

/* The caller's own place, between these two.  Others' places stay there as well. */
static uint32_t
begin(go_pool *pool, struct m *m)
{
	if (unlikely(m->p == NULL)) {
		lock(table_lock(pool), RANK_POOL);
		return 0;
	}
	grace_enter(m->p);
	return (uint32_t)m->p->id + 1;
}

static void
end(go_pool *pool, struct m *m)
{
	if (unlikely(m->p == NULL))
		unlock(table_lock(pool));
	else
		grace_leave(m->p);
}

/* --- Put --- */

static bool
put_spare(struct place *pl, void *obj)
{
	if (load_acq(&pl->claimed) != 0 || load_own(&pl->spare) != NULL)	/* [pool-claim] */
		return false;
	store_own(&pl->spare, obj);
	return true;
}

static bool
push(struct list *l, void *obj)
{
	bool room;

	lock(&l->lock, RANK_POOLLIST);
	room = l->n < BOUND;
	if (room) {
		l->item[l->n] = obj;
		store_rlx(&l->n, l->n + 1);
	}
	unlock(&l->lock);
	return room;
}

static bool
keep(go_pool *pool, void *obj)
{
	for (;;) {
		struct m *m = enter();
		uint32_t i = begin(pool, m);
		struct place *pl = place(pool, i);
		bool kept = pl != NULL && ((i != 0 && put_spare(pl, obj)) || push(&pl->list, obj));

		end(pool, m);
		leave(m);
		if (pl != NULL)
			return kept;
		if (!add_chunk(pool, i))
			return false;
	}
}

void
go_pool_put(go_pool *pool, void *obj)
{
	if (obj == NULL)
		return;
	race_release(obj);
	if (!keep(pool, obj) && pool->destroy != NULL)
		pool->destroy(obj);
}

/* --- Get --- */

static void *
take_spare(struct place *pl)
{
	void *obj;

	if (load_acq(&pl->claimed) != 0)		/* [pool-claim] */
		return NULL;
	obj = load_own(&pl->spare);
	if (obj != NULL)
		store_own(&pl->spare, NULL);
	return obj;
}

static void *
pop(struct list *l)
{
	void *obj = NULL;

	if (load_rlx(&l->n) == 0)
		return NULL;
	lock(&l->lock, RANK_POOLLIST);
	if (l->n > 0) {
		store_rlx(&l->n, l->n - 1);
		obj = l->item[l->n];
	}
	unlock(&l->lock);
	return obj;
}

/* From our own list or, in turn, from those of others. */
static void *
take_listed(go_pool *pool, uint32_t own)
{
	uint32_t k, n = (uint32_t)p_count() + 1;

	for (k = 0; k < n; k++) {
		struct place *pl = place(pool, (own + k) % n);
		void *obj = pl != NULL ? pop(&pl->list) : NULL;

		if (obj != NULL)
			return obj;
	}
	return NULL;
}

static void *
claim(struct place *pl, struct p *p)
{
	void *obj;

	store_rlx(&pl->claimed, 1);
	grace_wait_one(p);	/* from here on its holder sees the claim */
	obj = load_rlx(&pl->spare);
	store_rlx(&pl->spare, NULL);
	store_rel(&pl->claimed, 0);			/* [pool-claim] */
	return obj;
}

/* The next of the places from i whose spare nobody will miss, or 0. */
static uint32_t
left_behind(go_pool *pool, uint32_t i)
{
	uint32_t procs = (uint32_t)load_rlx(&sched.procs), n = (uint32_t)p_count();

	for (; i <= n; i++) {
		struct place *pl = place(pool, i);

		if (pl != NULL && load_rlx(&pl->spare) != NULL &&
		    (i > procs || load_rlx(&sched.p[i - 1]->m) == NULL))
			return i;
	}
	return 0;
}

static void *
take_left_behind(go_pool *pool)
{
	void *obj = NULL;
	uint32_t i = 1;

	if (!lock_try(table_lock(pool), RANK_POOL))
		return NULL;
	while (obj == NULL && (i = left_behind(pool, i)) != 0) {
		obj = claim(place(pool, i), sched.p[i - 1]);
		i++;
	}
	unlock(table_lock(pool));
	return obj;
}

void *
go_pool_get(go_pool *pool)
{
	struct m *m = enter();
	uint32_t i = begin(pool, m);
	struct place *pl = place(pool, i);
	void *obj = NULL;
	bool any_left = false;

	if (pl != NULL && i != 0)
		obj = take_spare(pl);
	if (obj == NULL)
		obj = take_listed(pool, i);
	if (obj == NULL)
		any_left = left_behind(pool, 1) != 0;
	end(pool, m);
	leave(m);
	if (any_left)
		obj = take_left_behind(pool);
	if (obj == NULL)
		return pool->make != NULL ? pool->make(pool->arg) : NULL;
	race_acquire(obj);
	return obj;
}

/* --- Drain --- */

static void
destroy(go_pool *pool, void *obj)
{
	if (obj == NULL || pool->destroy == NULL)
		return;
	race_acquire(obj);
	pool->destroy(obj);
}

static void
destroy_chunk(go_pool *pool, struct place *c, uint32_t n)
{
	uint32_t i, j;

	race_acquire(c);
	for (i = 0; i < n; i++) {
		destroy(pool, c[i].spare);
		for (j = 0; j < c[i].list.n; j++)
			destroy(pool, c[i].list.item[j]);
	}
	free(c);
}

void
go_pool_drain(go_pool *pool)
{
	struct place *old[CHUNKS];
	bool any = false;
	struct m *m = enter();
	int k;

	lock(table_lock(pool), RANK_POOL);
	for (k = 0; k < CHUNKS; k++) {
		old[k] = (void *)xchg_ar(chunk(pool, k), 0);	/* [pool-chunk] */
		any |= old[k] != NULL;
	}
	unlock(table_lock(pool));
	leave(m);
	if (!any)
		return;
	grace_wait();
	for (k = 0; k < CHUNKS; k++)
		if (old[k] != NULL)
			destroy_chunk(pool, old[k], chunk_from[k + 1] - chunk_from[k]);
}
