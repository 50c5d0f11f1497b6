/* SPDX-License-Identifier: MIT */
/*
 * sched.c - park, ready, yield: the one way to wait, and the loop behind it.
 *
 * A goroutine that parks picks its successor itself, still on its own stack, and switches
 * straight to it.  The successor, now safely elsewhere, runs the *finish* of the switch: it
 * publishes the one that parked.  Before that nobody can make it runnable, so a saved context
 * is never resumed half saved.  Only an M without work goes to its own context, g0, to look
 * further, in order: timers, its P's rings, the global queue, other Ps, other Ps' timers; then
 * it gives its P back and sleeps (idle.c).
 *
 * Nothing here may keep an M or a P in a variable across a switch: `m = switch_g(...)`.
 */
#include "sched.h"

#include <sched.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "gmem.h"
#include "timer.h"

void (*sched_entry)(void *g);

enum {
	TIMER_BATCH	= 128
};

/* --- Switching --- */

static void
tell_sanitizers(struct g *from, struct g *to, bool for_ever)
{
	if (for_ever) {
		/* For who is next to use them; nothing intercepted runs here any more. */
		race_release(from);
		race_release(from->stack);
	}
	if (san_asan)
		__sanitizer_start_switch_fiber(for_ever ? NULL : &from->stack->asan_fake, to->stack->lo,
					       to->stack->size);
	if (san_tsan)
		__tsan_switch_to_fiber(to->stack->tsan_fiber, TSAN_NO_SYNC);
}

static void
start_fresh(struct m *m, struct g *g)
{
	if (g->stack == NULL && !g_give_stack(m, g, 0))
		fatal("out of memory starting a goroutine (%d live)", go_count());
	g_prepare(g, sched_entry);
}

static ALWAYS_INLINE void
make_current(struct m *m, struct g *next)
{
	m->g = next;
	next->m = m;
	store_rlx(&next->state, G_RUNNING);
}

/*
 * Timers that do more than wake a sleeper need locks.  Whoever parks may hold some until its
 * finish function has run, so they wait until then.
 */
NOINLINE struct m *
sched_finish_timers(struct m *m)
{
	struct timer *list = m->later;

	m->later = NULL;
	while (list != NULL) {
		struct timer *t = list;

		list = t->later;
		t->finish(t);
	}
	return m;
}

/* Runs right after a switch, on the new context: restore what is per thread, then finish. */
struct m *
sched_arrive(void)
{
	struct m *m = self();
	struct g *g = m->g, *prev = m->prev;
	finish_fn finish = m->finish;

	if (unlikely(san_asan))
		__sanitizer_finish_switch_fiber(g->stack->asan_fake, NULL, NULL);
	if (unlikely(san_tsan))
		race_acquire(m);
	*m->errno_loc = g->err;
	/* Its context is saved now: from here on others may look at its stack [g-held]. */
	if (load_own(&prev->state) == G_PARKING)
		store_rel(&prev->state, G_WAITING);		/* [g-held] */
	if (finish != NULL)
		finish(prev, m->finish_arg);
	return likely(m->later == NULL) ? m : sched_finish_timers(m);
}

static ALWAYS_INLINE struct m *
switch_g(struct m *m, struct g *next, finish_fn finish, void *arg)
{
	struct g *g = m->g;
	void **eh = m->eh;

	m->prev = g;
	m->finish = finish;
	m->finish_arg = arg;
	g->err = *m->errno_loc;
	if (unlikely(next->sp == NULL))
		start_fresh(m, next);
	make_current(m, next);
	if (unlikely(san_on))
		tell_sanitizers(g, next, false);
	if (unlikely(eh != NULL)) {
		void *saved[2] = {eh[0], eh[1]};

		eh[0] = eh[1] = NULL;
		switch_to(&g->sp, next->sp);
		m = sched_arrive();
		m->eh[0] = saved[0];
		m->eh[1] = saved[1];
		return m;
	}
	switch_to(&g->sp, next->sp);
	return sched_arrive();
}

/* --- Timers --- */

uint32_t
sched_run_timers(struct m *m, struct p *p, int64_t now)
{
	struct gqueue ready = {0};
	struct timer *later = NULL;
	uint32_t n = timers_due(p, now, &ready, &later, TIMER_BATCH);

	if (ready.n > 0)
		sched_ready_all(m, &ready);
	while (later != NULL) {
		struct timer *t = later;

		later = t->later;
		t->later = m->later;
		m->later = t;
	}
	return n;
}

void
sched_timer_added(struct m *m, struct p *p, int64_t when)
{
	/*
	 * Our own P looks at its timers as it goes, and when it becomes idle.  Only if it has
	 * other work meanwhile is it worth waking an idle M: decided at the next pick.
	 */
	if (m->p == p) {
		p->timer_new = true;
		return;
	}
	fence_sc();		/* [idle] without a P, as runq_put_global */
	idle_new_timer(when);
}

/* --- Picking --- */

static NOINLINE struct g *
look_around(struct m *m, struct p *p)
{
	int64_t now = os_now();
	struct g *g;
	int i;

	p->look = p->tick + LOOK_AROUND;
	store_rlx(&p->kick, 0);
	store_rlx(&sched.now, now);
	if (unlikely(p->retired))
		return &m->g0;
	if (timers_first(p) <= now)
		sched_run_timers(m, p, now);
	/* Those of retired Ps are everybody's. */
	for (i = load_rlx(&sched.procs); unlikely(i < load_rlx(&sched.n_p)); i++)
		sched_run_timers(m, sched.p[i], now);
	g = runq_global(p, true);
	return g != NULL ? g : runq_oldest(p, now);
}

/*
 * Who runs next on our P: a goroutine; g0 when only it can go on; NULL when nobody waits.
 */
static struct g *
pick(struct m *m)
{
	struct p *p = m->p;
	uint32_t tick = p->tick + 1;
	struct g *g = NULL;

	store_rlx(&p->tick, tick);
	if (unlikely((int32_t)(tick - p->look) >= 0) || unlikely(load_rlx(&p->kick) != 0))
		g = look_around(m, p);
	if (g == NULL)
		g = runq_pick(p);
	if (g == NULL)
		return NULL;
	sched_mind_timer(p);
	if (unlikely(g->pins != 0)) {
		m->pinned_next = g;
		return &m->g0;
	}
	return g;
}

/* --- Parking --- */

void
sched_refuse(struct m *m)
{
	leave(m);
	go_panic("goro: blocking call inside go_blocking or between go_block_begin and go_block_end");
}

/*
 * It counts as waiting only when what will wake it is there for all to see: go_run's finish
 * function queues the goroutine that does.  The count may be one too low for a moment, if the
 * waker comes in between, but never too high, or the monitor would report a deadlock.
 */
static struct m *
park_foreign(struct m *m, finish_fn finish, void *arg, int64_t deadline, bool *woken)
{
	bool counted = deadline == OS_NEVER;

	note_clear(&m->note);
	/* With a deadline the thread will go on by itself: no deadlock while it waits. */
	m->counted = counted;
	store_rlx(&m->g->state, G_WAITING);
	finish(m->g, arg);
	if (counted) {
		add_ar(&sched.n_foreign_wait, 1);	/* [foreign-wait] with sched_ready */
		idle_wake_monitor();
	}
	*woken = note_wait(&m->note, deadline);
	return m;
}

void
sched_park_again(struct m *m)
{
	note_wait(&m->note, OS_NEVER);
}

static ALWAYS_INLINE struct m *
park(struct m *m, finish_fn finish, void *arg, enum wait_reason why, const void *obj, int64_t deadline,
     bool *woken)
{
	struct g *g = m->g, *next;

	g->reason = (uint8_t)why;
	g->wait_obj = obj;
	g->wait_since = load_rlx(&sched.now);
	g->trimmed = 0;
	if (unlikely(g->flags & GF_FOREIGN))
		return park_foreign(m, finish, arg, deadline, woken);
	ensure((g->flags & GF_SECTION) == 0);
	store_rlx(&g->state, G_PARKING);
	store_own(&m->p->n_parks, m->p->n_parks + 1);
	next = unlikely(g->pins != 0) ? &m->g0 : pick(m);
	return switch_g(m, next != NULL ? next : &m->g0, finish, arg);
}

struct m *
sched_park(struct m *m, finish_fn finish, void *arg, enum wait_reason why, const void *obj)
{
	bool woken;

	return park(m, finish, arg, why, obj, OS_NEVER, &woken);
}

struct m *
sched_park_until(struct m *m, finish_fn finish, void *arg, enum wait_reason why, const void *obj,
		 int64_t deadline, bool *woken)
{
	*woken = true;
	return park(m, finish, arg, why, obj, deadline, woken);
}

/*
 * [g-held] The monitor may be dropping unused pages of a parked stack: it sets held, runs a
 * membarrier, and goes on if the state is still WAITING.  We set the state and look at held.
 */
static NOINLINE void
wait_until_released(struct g *g)
{
	while (load_acq(&g->held) != 0)			/* [g-held] */
		cpu_relax();
}

static ALWAYS_INLINE void
make_runnable(struct g *g)
{
	store_rlx(&g->state, G_RUNNABLE);
	if (unlikely(sched.base_alert & ALERT_FENCE))
		fence_sc();				/* [g-held] */
	compiler_barrier();
	if (unlikely(load_rlx(&g->held) != 0))
		wait_until_released(g);
}

void
sched_ready(struct m *m, struct g *g)
{
	struct p *p = m->p;

	if (unlikely(g->flags & GF_FOREIGN)) {
		store_rlx(&g->state, G_RUNNING);
		if (g->m->counted)	/* it runs from now on, whenever its CPU comes to that */
			sub_ar(&sched.n_foreign_wait, 1);	/* [foreign-wait] */
		note_wake(&g->m->note);
		return;
	}
	make_runnable(g);
	if (unlikely(p == NULL)) {
		runq_put_global(g);
		idle_wake();
		return;
	}
	runq_next(p, g);
	if (runq_has_work(p))
		idle_wake();
}

void
sched_ready_all(struct m *m, struct gqueue *q)
{
	uint32_t n = 0;
	struct g *g;

	while ((g = gqueue_pop(q)) != NULL) {
		if (g->flags & GF_FOREIGN) {
			sched_ready(m, g);
			continue;
		}
		make_runnable(g);
		if (m->p != NULL)
			runq_yielded(m->p, g);
		else
			runq_put_global(g);
		n++;
	}
	if (n > 0)
		idle_wake();
}

void
sched_spawned(struct m *m, struct g *g)
{
	store_rlx(&g->state, G_RUNNABLE);
	if (unlikely(m->p == NULL))
		runq_put_global(g);
	else
		runq_spawned(m->p, g);
	idle_wake();
}

/* --- Yielding --- */

static void
finish_yield(struct g *g, void *arg)
{
	struct m *m = self();

	(void)arg;
	store_rlx(&g->state, G_RUNNABLE);
	if (m->p != NULL && !m->p->retired && g->pins == 0)
		runq_yielded(m->p, g);
	else
		runq_put_global(g);
	idle_wake();
}

struct m *
sched_yield_now(struct m *m)
{
	struct g *next;

	if (unlikely((m->g->flags & (GF_FOREIGN | GF_SECTION)) || m->p == NULL)) {
		leave(m);
		sched_yield();
		return enter();
	}
	next = pick(m);
	if (next == NULL)
		return likely(m->later == NULL) ? m : sched_finish_timers(m);
	if (unlikely(m->g->pins != 0) && next != &m->g0) {
		runq_next(m->p, next);	/* we cannot switch to it: our thread is ours alone */
		next = &m->g0;
	}
	return switch_g(m, next, finish_yield, NULL);
}

static void
finish_regain(struct g *g, void *arg)
{
	(void)arg;
	store_rlx(&g->state, G_RUNNABLE);
	runq_put_global(g);
	idle_wake();
}

struct m *
sched_regain(struct m *m)
{
	return switch_g(m, &m->g0, finish_regain, NULL);
}

struct m *
sched_leave_g0(struct m *m, struct g *g)
{
	return switch_g(m, g, NULL, NULL);
}

/* --- The end --- */

void
sched_drop(struct m *m, finish_fn finish)
{
	struct g *g = m->g, *next;

	if (unlikely(g->pins != 0)) {
		m->pinned = NULL;
		m->doomed = !m->is_main;	/* whatever it did to its thread ends with it */
		next = NULL;
	} else {
		next = pick(m);
	}
	if (next == NULL)
		next = &m->g0;
	m->prev = g;
	m->finish = finish;
	m->finish_arg = NULL;
	if (next->sp == NULL)
		start_fresh(m, next);
	make_current(m, next);
	if (unlikely(m->eh != NULL))
		m->eh[0] = m->eh[1] = NULL;
	if (unlikely(san_on))
		tell_sanitizers(g, next, true);
	switch_last(next->sp);
}

struct g *
sched_succeed(struct m *m)
{
	struct g *g = m->g, *next;
	struct p *p = m->p;

	if (unlikely(san_on) || g->pins != 0 || p->next != NULL || (int32_t)(p->tick + 1 - p->look) >= 0 ||
	    load_rlx(&p->kick) != 0 || (p->tick + 1) % AGING == 0)
		return NULL;
	next = ring_pop_newest(&p->fresh);
	if (next == NULL)
		return NULL;
	store_rlx(&p->tick, p->tick + 1);
	if (next->stack != NULL || next->class != g->class || (g->flags & GF_ON_STACK)) {
		runq_next(p, next);
		return NULL;
	}
	g_inherit_stack(g, next);
	g_free(m, g);
	make_current(m, next);
	*m->errno_loc = 0;
	return next;
}
