/* SPDX-License-Identifier: MIT */
/*
 * lock.h - the runtime's own mutex, and the note a thread sleeps on.
 *
 * Not pthread mutexes: a sanitizer would see their happens-before edges and hide races
 * between goroutines (FACTS S1).  A lock blocks the thread: hold it for tens of
 * instructions, never across a park.  It may be released by another goroutine than the one
 * that took it, but on the same thread: the finish function of a switch does so.
 */
#ifndef GORO_LOCK_H
#define GORO_LOCK_H

#include "atomic.h"
#include "base.h"
#include "lockrank.h"
#include "os.h"

/* 0 free, 1 held, 2 held and somebody may sleep on it (Drepper, Futexes Are Tricky, 2011). */
struct lock {
	uint32_t	v;	/* [lock] acquired by CAS or exchange, released by exchange */
};

void	lock_slow(struct lock *l);
void	lock_wake(struct lock *l);

#ifdef GORO_RANKS
void	rank_push(enum lock_rank r, const struct lock *l);
void	rank_pop(const struct lock *l);
bool	rank_held(const struct lock *l);
#define assert_held(l)	assert(rank_held(l))
#else
#define rank_push(r, l)	((void)(r), (void)(l))
#define rank_pop(l)	((void)(l))
#define assert_held(l)	assert(load_rlx(&(l)->v) != 0)
#endif

static inline void
lock(struct lock *l, enum lock_rank r)
{
	uint32_t v = 0;

	rank_push(r, l);
	if (unlikely(!cas_acq(&l->v, &v, 1)))	/* [lock] */
		lock_slow(l);
}

static inline bool
lock_try(struct lock *l, enum lock_rank r)
{
	uint32_t v = 0;

	if (!cas_acq(&l->v, &v, 1))		/* [lock] */
		return false;
	rank_push(r, l);
	return true;
}

static inline void
unlock(struct lock *l)
{
	rank_pop(l);
	if (unlikely(xchg_rel(&l->v, 0) == 2))	/* [lock] */
		lock_wake(l);
}

/* A one-shot event: one thread waits, one thread wakes it, perhaps before. */
struct note {
	uint32_t	v;	/* [note] 0 not yet, 1 woken */
};

static inline void
note_clear(struct note *n)
{
	store_rlx(&n->v, 0);
}

void	note_wake(struct note *n);
bool	note_wait(struct note *n, int64_t deadline);	/* false: the deadline came first */

#endif
