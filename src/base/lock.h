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

/*
 * One byte's worth of state: 0 free, 1 held.  Taking it is one exchange, releasing it a plain
 * store: nobody sleeps on it in the kernel, so there is nobody to be told.  Who finds it held
 * spins, then offers its CPU, then sleeps for ever longer moments, so that even a holder that
 * was preempted, or is of lower priority, gets to run (lock.c).
 *
 * Rejected: a futex lock.  Its release is an exchange as well, 5 ns on each channel operation,
 * for sections so short that hardly anybody ever slept on one.
 */
struct lock {
	uint32_t	v;	/* [lock] acquired by exchange, released by store */
};

void	lock_slow(struct lock *l);

#ifdef GORO_RANKS
void	rank_push(enum lock_rank r, const struct lock *l);
void	rank_pop(const struct lock *l);
bool	rank_held(const struct lock *l);
#define assert_held(l)	assert(rank_held(l))
void	assert_none_held(void);		/* by this thread */
#else
#define rank_push(r, l)	((void)(r), (void)(l))
#define rank_pop(l)	((void)(l))
#define assert_held(l)	assert(load_rlx(&(l)->v) != 0)
#define assert_none_held() ((void)0)
#endif

static inline void
lock(struct lock *l, enum lock_rank r)
{
	rank_push(r, l);
	if (unlikely(xchg_acq(&l->v, 1) != 0))	/* [lock] */
		lock_slow(l);
}

static inline bool
lock_try(struct lock *l, enum lock_rank r)
{
	if (load_rlx(&l->v) != 0 || xchg_acq(&l->v, 1) != 0)	/* [lock] */
		return false;
	rank_push(r, l);
	return true;
}

static inline void
unlock(struct lock *l)
{
	rank_pop(l);
	store_rel(&l->v, 0);			/* [lock] */
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
