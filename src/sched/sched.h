/* SPDX-License-Identifier: MIT */
/*
 * sched.h - park, ready, yield: the one way to wait, and the loop behind it.
 */
#ifndef GORO_SCHED_H
#define GORO_SCHED_H

#include "idle.h"
#include "runq.h"
#include "timer.h"

/*
 * Park the caller: off its stack first, then finish(g, arg) runs on whatever comes next and
 * publishes the wait (releases the lock that protects the waiter record, adds a timer).  It
 * may not park, and may not touch the parked stack once anybody could have made g runnable.
 *
 * Between enter() and leave(); returns the M we are on then.  Foreign threads sleep on their
 * note instead.
 */
struct m *sched_park(struct m *m, finish_fn finish, void *arg, enum wait_reason why, const void *obj);

/*
 * The same with a deadline for foreign threads, which have no timer: false in *woken says that
 * it passed and nobody has made us runnable, though somebody may be about to.  They must then
 * claim their own wait, and if they lose call sched_park_again to take the wake-up.
 */
struct m *sched_park_until(struct m *m, finish_fn finish, void *arg, enum wait_reason why,
			   const void *obj, int64_t deadline, bool *woken);
void	sched_park_again(struct m *m);

/* Make a parked g runnable: next on this P.  The caller has claimed the wake-up. */
void	sched_ready(struct m *m, struct g *g);
void	sched_ready_all(struct m *m, struct gqueue *q);	/* in order, behind what waits */

struct m *sched_yield_now(struct m *m);		/* to whoever waits; returns at once if nobody does */

/* The caller's goroutine is over: never returns to it.  finish frees it. */
NORETURN void sched_drop(struct m *m, finish_fn finish);

/*
 * A dead goroutine's successor, if it can be run on the same stack, by a plain call: fresh,
 * of the same size, and no sanitizer that must see a switch.  It is current then.  NULL: use
 * sched_drop.
 */
struct g *sched_succeed(struct m *m);

/* What the first and every later instruction after a switch must do; returns the current M. */
struct m *sched_arrive(void);

/* Queue a new goroutine. */
void	sched_spawned(struct m *m, struct g *g);

struct m *sched_regain(struct m *m);		/* a goroutine whose P is gone: queue for another */
void	sched_loop(struct m *m);		/* loop.c: an M's own context; returns when its thread shall end */

/* The caller is in a blocking section, where it may not wait: panics.  Nothing may be queued yet. */
NORETURN void sched_refuse(struct m *m);

static inline void
sched_check_section(struct m *m)
{
	if (unlikely(m->g->flags & GF_SECTION))
		sched_refuse(m);
}

/* Left by handoff.c: the thread of m is about to end, and m with it. */
extern void	(*sched_thread_end)(struct m *m);

/* Left by spawn.c: where fresh goroutines begin. */
extern void	(*sched_entry)(void *g);

/* Timers of p that are due: wakes sleepers, leaves the rest in m->later; then those. */
uint32_t sched_run_timers(struct m *m, struct p *p, int64_t now);
struct m *sched_finish_timers(struct m *m);

/* Somebody runs now instead of us looking at our timers: have them minded. */
static inline void
sched_mind_timer(struct p *p)
{
	if (unlikely(p->timer_new)) {
		p->timer_new = false;
		idle_new_timer(timers_first(p));
	}
}

struct m *sched_leave_g0(struct m *m, struct g *g);	/* run g; returns when g0 is switched to again */

void	sched_timer_added(struct m *m, struct p *p, int64_t when);	/* after timer_add said earliest */

#endif
