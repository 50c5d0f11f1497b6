/* SPDX-License-Identifier: MIT */
/*
 * timers.c - timers and tickers.
 *
 * A go_timer fires in two steps.  With the heap locked it can only be taken out and put on a
 * list (fire); what it does needs locks, and happens after (finish).  Between the two it may be
 * stopped or reset, so that what was about to be delivered must not be:
 *
 *   seq       changed by stop and reset, after the timer has left the heap, with t->lock.
 *   fired     the seq under which it left the heap by itself, set with the heap locked.
 *
 * finish delivers only if the two agree, with t->lock held.  Since seq changes while the timer
 * is in no heap, fire can never pick up a seq newer than the time it fires for.
 *
 * A timer can leave the heap again before the first list is worked off (reset to a past time):
 * `listed' keeps it from being linked twice, and the one link then serves the newer firing
 * [timer-listed].  A list holds a reference.
 *
 * Lock order: t->lock (TIMEROBJ), channel, heap.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/spawn.h"
#include "../sync/chan.h"

struct go_timer {
	struct timer	timer;
	struct lock	lock;		/* rank TIMEROBJ */
	uint32_t	refs;		/* a  [timer-refs] the user's, and one for each list */
	uint32_t	seq;		/* lock */
	uint32_t	fired;		/* a  [timer-listed] */
	uint32_t	listed;		/* a  [timer-listed] */
	bool		armed;		/* lock: not delivered, stopped or freed since last set */
	int64_t		period;		/* c  0: once */
	int64_t		when;		/* lock */
	go_ch		*ch;		/* c  NULL: calls fn */
	go_fn		fn;		/* c */
	void		*arg;		/* c */
	void		*pc;		/* c  who made it */
};

static struct g *
fire(struct timer *tm, int64_t now, struct timer **later)
{
	struct go_timer *t = container_of(tm, struct go_timer, timer);

	(void)now;
	store_rlx(&t->fired, load_rlx(&t->seq));
	if (xchg_sc(&t->listed, 1) == 0) {		/* [timer-listed] */
		add_rlx(&t->refs, 1);
		tm->later = *later;
		*later = tm;
	}
	return NULL;
}

static void
unref(struct go_timer *t)
{
	race_release(t);
	if (sub_ar(&t->refs, 1) != 1)			/* [timer-refs] with itself */
		return;
	race_acquire(t);
	go_chan_unref(t->ch);
	free(t);
}

static void
add(struct m *m, struct go_timer *t, int64_t when)
{
	struct p *p = m->p != NULL ? m->p : sched.p[0];

	t->when = when;
	if (timer_add(p, &t->timer, when))
		sched_timer_added(m, p, when);
}

/* Goroutines started by a timer have no creator but the one that made it. */
static void
call(struct m *m, struct go_timer *t)
{
	struct g *g = spawn_new(m, t->fn, t->arg, 0, t->pc);

	if (g == NULL)
		fatal("out of memory starting a goroutine (%d live)", go_count());
	sched_spawned(m, g);
}

/* t->lock is held.  The channel has room for one: a value nobody has fetched is kept. */
static void
deliver(struct m *m, struct go_timer *t, struct g **ready)
{
	int64_t now = os_now();

	if (t->ch == NULL) {
		race_acquire(t);
		call(m, t);
	} else {
		lock(&t->ch->lock, RANK_CHAN);
		chan_send_locked(t->ch, &now, ready);
		unlock(&t->ch->lock);
	}
	if (t->period == 0) {
		t->armed = false;
		return;
	}
	/* Ticks that were missed are missed; the n-th comes never before n periods. */
	add(m, t, t->when + t->period * (1 + (now - t->when) / t->period));
}

static void
finish(struct timer *list)
{
	struct m *m = self();

	while (list != NULL) {
		struct go_timer *t = container_of(list, struct go_timer, timer);
		struct g *ready = NULL;

		list = t->timer.later;
		lock(&t->lock, RANK_TIMEROBJ);
		xchg_sc(&t->listed, 0);			/* [timer-listed] then look at fired */
		if (t->armed && load_rlx(&t->fired) == t->seq) {
			t->fired = t->seq - 1;
			deliver(m, t, &ready);
		}
		unlock(&t->lock);
		if (ready != NULL)
			sched_ready(m, ready);
		unref(t);
	}
}

static int64_t
due(int64_t ns)
{
	int64_t now = os_now();

	return ns <= 0 ? now : ns > INT64_MAX - now ? GO_FOREVER : now + ns;
}

static go_timer *
make(int64_t ns, int64_t period, bool chan, go_fn fn, void *arg, void *pc)
{
	struct go_timer *t;
	struct m *m = enter();		/* starts the runtime, if need be */

	leave(m);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		fatal("out of memory making a timer");
	t->timer.fire = fire;
	t->refs = 1;
	t->fired = UINT32_MAX;
	t->period = period;
	t->fn = fn;
	t->arg = arg;
	t->pc = pc;
	t->armed = true;
	t->ch = chan ? go_chan_make(sizeof(int64_t), 1) : NULL;
	race_release(t);
	m = enter();
	add(m, t, due(ns));
	leave(m);
	return t;
}

go_timer *
go_timer_new(int64_t ns)
{
	return make(ns, 0, true, NULL, NULL, NULL);
}

go_timer *
go_ticker_new(int64_t ns)
{
	if (ns <= 0)
		go_panic("non-positive interval for NewTicker");
	return make(ns, ns, true, NULL, NULL, NULL);
}

go_timer *
go_after_func(int64_t ns, go_fn fn, void *arg)
{
	if (fn == NULL)
		fatal("go of nil func value");
	return make(ns, 0, false, fn, arg, __builtin_return_address(0));
}

go_ch *
go_timer_chan(go_timer *t)
{
	return t->ch;
}

/* t->lock is held.  Returns whether it was active: not fired, or fired and not received. */
static bool
disarm(struct m *m, struct go_timer *t)
{
	bool was = timer_del(&t->timer);
	struct g *ready;

	(void)m;
	was = was || (t->armed && load_rlx(&t->fired) == t->seq);	/* on a list, not delivered */
	t->seq++;
	t->armed = false;
	if (t->ch != NULL) {
		lock(&t->ch->lock, RANK_CHAN);
		if (t->ch->len > 0 && chan_recv_locked(t->ch, NULL, &ready) == CHAN_DONE)
			was = true;
		unlock(&t->ch->lock);
	}
	return was;
}

bool
go_timer_stop(go_timer *t)
{
	struct m *m = enter();
	bool was;

	lock(&t->lock, RANK_TIMEROBJ);
	was = disarm(m, t);
	unlock(&t->lock);
	leave(m);
	return was;
}

bool
go_timer_reset(go_timer *t, int64_t ns)
{
	struct m *m;
	bool was;

	if (t->period != 0 && ns <= 0)
		go_panic("non-positive interval for Ticker.Reset");
	race_release(t);
	m = enter();
	lock(&t->lock, RANK_TIMEROBJ);
	was = disarm(m, t);
	if (t->period != 0)
		t->period = ns;
	t->armed = true;
	add(m, t, due(ns));
	unlock(&t->lock);
	leave(m);
	return was;
}

void
go_timer_free(go_timer *t)
{
	if (t == NULL)
		return;
	go_timer_stop(t);
	unref(t);
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	timers_finish = finish;
}
