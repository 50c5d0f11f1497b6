/* SPDX-License-Identifier: MIT */
/*
 * grace.h - reading without a lock what others may take away.
 *
 * Whoever holds a P reads between grace_enter() and grace_leave(), which cost two plain stores.
 * Who takes something out of what they read first makes it unreachable, then calls
 * grace_wait(): when that returns, nobody looks at it any more, and it can be freed.  (Epochs as
 * in Fraser 2004, with membarrier for the heavy side as in handoff.c.)
 *
 *     a reader                           who takes away
 *     1. p->reads odd                    1. unlink it
 *     2. (compiler barrier)              2. membarrier on all threads
 *     3. follow the pointers             3. wait for every p->reads that is odd to change
 *
 * If 3 on the left still finds it, then 1 on the left is visible to 3 on the right [grace].
 *
 * A section is inside enter() and leave(), tens of instructions long, and never parks.
 */
#ifndef GORO_GRACE_H
#define GORO_GRACE_H

#include "../base/san.h"
#include "proc.h"

static ALWAYS_INLINE void
grace_enter(struct p *p)
{
	store_rlx(&p->reads, p->reads + 1);
	compiler_barrier();
	if (unlikely(load_rlx(&sched.base_alert) & ALERT_FENCE))
		fence_sc();				/* [grace] no membarrier in this kernel */
}

static ALWAYS_INLINE void
grace_leave(struct p *p)
{
	race_release(&p->reads);
	store_rel(&p->reads, p->reads + 1);		/* [grace] */
}

/* Neither may be called inside a section: two who wait for each other would wait for ever. */
void	grace_wait(void);		/* for the sections of all Ps that are open now */
void	grace_wait_one(struct p *p);	/* for that of p */

#endif
