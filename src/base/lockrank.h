/* SPDX-License-Identifier: MIT */
/*
 * lockrank.h - the order of the runtime's locks.
 *
 * A lock may be taken only while holding locks that come before it in this list.  Debug
 * builds record what each thread holds and die when the order is broken.
 */
#ifndef GORO_LOCKRANK_H
#define GORO_LOCKRANK_H

#define LOCK_RANKS(X)                                                          \
	X(TIMEROBJ) /* one go_timer: its state, held over channel and heap  */ \
	X(CHAN)     /* one channel; several in address order, select only   */ \
	X(WAIT)     /* one bucket of the address table                      */ \
	X(CTX)      /* one context; a bucket or channels are, if a wait is bound */ \
	X(POOL)     /* a go_pool's chunks                                   */ \
	X(POOLLIST) /* one list of a go_pool                                */ \
	X(TIMER)    /* a P's timer heap                                     */ \
	X(SCHED)    /* global queue, idle lists, the tables of Ms and Ps    */ \
	X(SLAB)     /* goroutine and stack memory                           */ \
	X(OS)       /* leaf                                                 */

enum lock_rank {
#define X(name) RANK_##name,
	LOCK_RANKS(X)
#undef X
	RANK_COUNT
};

#endif
