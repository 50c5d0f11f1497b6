/* SPDX-License-Identifier: MIT */
/*
 * runq.h - the rings of a P.
 */
#ifndef GORO_RUNQ_H
#define GORO_RUNQ_H

#include "proc.h"

/* By the holder of the P.  false: full. */
bool	ring_push(struct ring *r, struct g *g);
struct g *ring_pop_newest(struct ring *r);

/* By anybody.  `lifo': the owner also pops the newest of this ring. */
struct g *ring_pop_oldest(struct ring *r, bool lifo);

static inline uint32_t
ring_len(struct ring *r)
{
	int32_t n = (int32_t)(load_rlx(&r->tail) - load_rlx(&r->head));

	return n > 0 ? (uint32_t)n : 0;
}

/* What was spawned; what was woken or yielded.  What does not fit goes to the global queue. */
void	runq_spawned(struct p *p, struct g *g);
void	runq_yielded(struct p *p, struct g *g);

/* The next slot; who was there goes to the queue. */
void	runq_next(struct p *p, struct g *g);

/* The next G to run by the local rules, or NULL. */
struct g *runq_pick(struct p *p);

/* Move work of `from' to `p' and return one of it to run.  The thief holds p. */
struct g *runq_steal(struct p *p, struct p *from);

bool	runq_has_work(struct p *p);	/* anybody: more than the next slot? a hint */

/* The oldest of the fresh, if none has been preferred for its age for a while. */
struct g *runq_oldest(struct p *p, int64_t now);

/* The global queue.  runq_global takes one, or up to a fair share, and returns one of it. */
void	runq_put_global(struct g *g);
void	runq_put_global_all(struct gqueue *q);
struct g *runq_global(struct p *p, bool one);

/* Move everything, the next slot too, to the global queue.  By the holder. */
void	runq_flush(struct p *p);

#endif
