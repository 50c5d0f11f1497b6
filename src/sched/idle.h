/* SPDX-License-Identifier: MIT */
/*
 * idle.h - Ps nobody holds, Ms with nothing to do, and whom to wake.
 */
#ifndef GORO_IDLE_H
#define GORO_IDLE_H

#include <signal.h>

#include "proc.h"

/* After making work visible: wake a P if one is idle and nobody searches already. */
void	idle_wake_slow(void);

static inline void
idle_wake(void)
{
	if (unlikely(sched.base_alert & ALERT_FENCE))
		fence_sc();			/* [idle] */
	compiler_barrier();			/* [idle] the searcher's membarrier does the rest */
	if (unlikely(load_rlx(&sched.n_idle_p) != 0) && load_rlx(&sched.spinning) == 0)
		idle_wake_slow();
}

/* Wake up to n more Ms for as many idle Ps: work for several was made at once. */
void	idle_wake_many(uint32_t n);

struct p *idle_take_p(struct m *m);		/* an idle P for m, or NULL */
void	idle_put_p(struct p *p);		/* nobody holds it and it has no work; retired ones vanish */
void	idle_handoff(struct p *p);		/* nobody holds it: to an M if there is work, else idle */

/*
 * Sleep until somebody hands us a P, which is in m->p then; false: the deadline of the
 * timers that we mind came first.
 */
bool	idle_sleep(struct m *m, int64_t timers);
void	idle_sleep_pinned(struct m *m);		/* until idle_run_pinned names us */
void	idle_run_pinned(struct g *g, struct p *p);

void	idle_new_timer(int64_t when);		/* mind this one, too, if Ps are idle */

bool	idle_any_work(void);			/* a look at all queues, for searchers and the monitor */

void	idle_stop_spinning(struct m *m);	/* found work, or gave up searching */

void	idle_wake_monitor(void);
void	idle_block_signals(sigset_t *old);	/* what a new thread of ours inherits */

int	idle_set_procs(int n);		/* the Ps below n are in use; returns how many were */

void	idle_thread_ends(struct m *m);	/* the calling thread of ours is about to */
void	idle_thread_counts(struct m *m);	/* m is a thread of ours from now on */

/* Left by run.c: what a new thread runs. */
extern void	(*idle_thread)(struct m *m);

#endif
