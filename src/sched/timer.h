/* SPDX-License-Identifier: MIT */
/*
 * timer.h - timers: a heap per P, any number of threads.
 *
 * A timer is embedded in what waits: a sleeper's on its own stack.  It is in at most one
 * heap.  Nobody is woken here: timers_due returns what became runnable.
 */
#ifndef GORO_TIMER_H
#define GORO_TIMER_H

#include "proc.h"

struct timer {
	int64_t		when;	/* heap lock once added */
	uint32_t	pos;	/* a  heap lock: index in the heap plus 1, 0 when in none */
	bool		out;	/* heap lock: taken out by timer_del since it was last added */
	struct p	*p;	/* a  whose heap; set by timer_add */
	/*
	 * Called with the heap locked, after the timer has left it.  Claims what waits and
	 * returns the goroutine to make runnable or NULL; may push onto `later' an object
	 * whose work needs locks.  Once it has claimed, the timer may be gone.
	 */
	struct g	*(*fire)(struct timer *t, int64_t now, struct timer **later);
	struct timer	*later;	/* link in that list */
	/* Does that work, without locks. */
	void		(*finish)(struct timer *t);
};

/* Add to p's heap; t is in none.  Any thread.  true: it is the earliest there now. */
bool	timer_add(struct p *p, struct timer *t, int64_t when);

/* The same for one that is never taken out or moved: it fires.  Cheaper, see timer.c. */
bool	timer_add_sure(struct p *p, struct timer *t, int64_t when);

/*
 * Take it out.  true: it was in a heap and will not fire.  false, if others may be adding it
 * at the same time, says only that it was in no heap at some moment during the call.
 */
bool	timer_del(struct timer *t);

/* To another time, if it is in p's heap; else false.  *earliest as from timer_add. */
bool	timer_move(struct p *p, struct timer *t, int64_t when, bool *earliest);

static inline int64_t
timers_first(struct p *p)
{
	return load_acq(&p->timers.first);	/* [timer-first] */
}

/*
 * Everything due by `now' in p's heap: goroutines to `ready', the rest to `later', to be
 * finished by their finish functions without locks.  At most `max' timers.
 */
uint32_t timers_due(struct p *p, int64_t now, struct gqueue *ready, struct timer **later, uint32_t max);

int64_t	timers_earliest(void);			/* of all Ps */
uint64_t timers_count(void);

#endif
