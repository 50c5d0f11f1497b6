/* SPDX-License-Identifier: MIT */
/*
 * timers.c - timers and tickers.
 *
 * A go_timer fires in two steps.  With the heap locked it can only be taken out and put on a
 * list (fire); what it does needs locks, and happens after (finish).  Between the two it may be
 * stopped or reset, so that what was about to be delivered must not be:
 *
 *   due       it left the heap by itself, and nothing has come of it yet.  Set with the heap
 *             locked; cleared with t->lock held, by which of finish and disarm comes first.
 *
 * A timer in a heap is not due: who adds it holds t->lock and has cleared that before.
 *
 * A timer can leave the heap again before the first list is worked off (reset to a past time):
 * `listed' keeps it from being linked twice, and the one link then serves the newer firing
 * [timer-listed].  A list holds a reference.
 *
 * That link may serve it when the newer firing has only just set due, and goes on.  So who adds the
 * timer takes the lock of the heap that it was in last before: the next to look for it, in order
 * to free it, has only the new one's.
 *
 * Timers are made and stopped far more often than they fire, as time limits.  So
 *
 *   - the channel is made when somebody asks for it (go_timer_chan).  Until then `pending' and
 *     `value' are the one element that would be in it;
 *   - a one-shot timer in the heap has nothing pending, so stop need only take it out, and
 *     reset move it, without t->lock: the heap's lock decides between them and fire;
 *   - what was stopped is in nobody's hands but the caller's: `timer.out', and no list has a
 *     reference.  Freeing it takes no lock;
 *   - each P keeps some freed timers.  Not with a sanitizer, which shall see every use of one.
 *
 * Lock order: t->lock (TIMEROBJ), channel, heap.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/spawn.h"
#include "../sync/chan.h"

enum { CACHED = HARD ? 2 : 64 };	/* freed timers kept per P */

struct go_timer {
	struct timer	timer;
	struct lock	lock;		/* rank TIMEROBJ */
	uint32_t	refs;		/* a  [timer-refs] the user's, and one for each list */
	uint32_t	listed;		/* a  [timer-listed] */
	bool		due;		/* a  see above */
	bool		ticks;		/* c  a ticker */
	bool		pending;	/* lock: fired before the channel was made */
	int64_t		value;		/* lock: when */
	int64_t		period;		/* lock: of a ticker */
	go_ch		*ch;		/* a  [timer-chan] NULL: not asked for yet, or calls fn */
	go_fn		fn;		/* c */
	void		*arg;		/* c */
	void		*pc;		/* c  who made it */
};

static struct g *
fire(struct timer *tm, int64_t now, struct timer **later)
{
	struct go_timer *t = container_of(tm, struct go_timer, timer);

	(void)now;
	store_rlx(&t->due, true);
	if (xchg_sc(&t->listed, 1) == 0) {		/* [timer-listed] */
		add_rlx(&t->refs, 1);
		tm->later = *later;
		*later = tm;
	}
	return NULL;
}

/* --- Memory --- */

static struct go_timer *
cache_get(struct m *m)
{
	struct p *p = m->p;
	struct timer *t = p != NULL ? p->timer_free : NULL;

	if (t == NULL)
		return NULL;
	p->timer_free = t->later;
	p->timer_nfree--;
	return container_of(t, struct go_timer, timer);
}

static bool
cache_put(struct m *m, struct go_timer *t)
{
	struct p *p = m->p;

	if (unlikely(p == NULL || p->timer_nfree >= CACHED || san_on || san_valgrind))
		return false;
	t->timer.later = p->timer_free;
	p->timer_free = &t->timer;
	p->timer_nfree++;
	return true;
}

static struct go_timer *
allocate(void)
{
	struct go_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		fatal("out of memory making a timer");
	return t;
}

/*
 * By a list, or by the user once it is stopped, so nobody takes another: who has the only one
 * need not count.  Its channel is the user's part.  false: the caller has to free() it.
 */
static bool
unref(struct m *m, struct go_timer *t)
{
	race_release(t);
	/* [timer-refs] */
	if (load_acq(&t->refs) != 1 && sub_ar(&t->refs, 1) != 1)
		return true;
	race_acquire(t);
	return cache_put(m, t);
}

/* --- Firing --- */

static void
add(struct m *m, struct go_timer *t, int64_t when)
{
	struct p *p = m->p != NULL ? m->p : sched.p[0];

	if (timer_add(p, &t->timer, when))
		sched_timer_added(m, p, when);
}

/*
 * Goroutines started by a timer have no creator but the one that made it.  An M that had nothing
 * else to do runs it itself, at once: waking another thread for it takes ten times as long.
 */
static void
call(struct m *m, struct go_timer *t)
{
	struct g *g = spawn_new(m, t->fn, t->arg, 0, t->pc);
	struct p *p = m->p;

	if (g == NULL)
		fatal("out of memory starting a goroutine (%d live)", go_count());
	if (m->g == &m->g0 && m->pinned_next == NULL && p != NULL && p->next == NULL && !runq_has_work(p))
		sched_ready(m, g);
	else
		sched_spawned(m, g);
}

/* t->lock is held.  There is room for one: a value nobody has fetched is kept. */
static struct g *
send(struct go_timer *t, int64_t now)
{
	struct go_ch *c = load_rlx(&t->ch);	/* changes with t->lock */
	struct g *ready;

	if (c == NULL) {
		t->value = t->pending ? t->value : now;
		t->pending = true;
		return NULL;
	}
	lock(&c->lock, RANK_CHAN);
	chan_send_locked(c, &now, &ready);
	unlock(&c->lock);
	return ready;
}

/* t->lock is held. */
static struct g *
deliver(struct m *m, struct go_timer *t)
{
	int64_t now = os_now(), when = t->timer.when;
	struct g *ready = NULL;

	if (t->fn != NULL) {
		race_acquire(t);
		call(m, t);
	} else {
		ready = send(t, now);
	}
	if (t->ticks) {
		/* It is in none; but the heap it was in last may be at work on it, see fire. */
		timer_del(&t->timer);
		/* Ticks that were missed are missed; the n-th comes never before n periods. */
		add(m, t, when + t->period * (1 + (now - when) / t->period));
	}
	return ready;
}

static void
finish(struct timer *tm)
{
	struct go_timer *t = container_of(tm, struct go_timer, timer);
	struct g *ready = NULL;
	struct m *m = self();

	lock(&t->lock, RANK_TIMEROBJ);
	xchg_sc(&t->listed, 0);			/* [timer-listed] then look at due */
	if (load_rlx(&t->due)) {
		store_rlx(&t->due, false);
		ready = deliver(m, t);
	}
	unlock(&t->lock);
	if (ready != NULL)
		sched_ready(m, ready);
	if (!unref(m, t))
		free(t);
}

/* --- Making --- */

static int64_t
after(int64_t ns)
{
	int64_t now = os_now();

	return ns <= 0 ? now : ns > INT64_MAX - now ? GO_FOREVER : now + ns;
}

static ALWAYS_INLINE go_timer *
make(int64_t ns, bool ticks, go_fn fn, void *arg, void *pc)
{
	int64_t when = after(ns);
	struct m *m = enter();		/* starts the runtime, if need be */
	struct go_timer *t = cache_get(m);

	if (unlikely(t == NULL)) {
		leave(m);
		t = allocate();
		t->timer.fire = fire;
		t->timer.finish = finish;
		m = enter();
	}
	t->refs = 1;
	t->due = false;
	t->ticks = ticks;
	t->pending = false;
	t->period = ns;
	t->ch = NULL;
	t->fn = fn;
	t->arg = arg;
	t->pc = pc;
	race_release(t);
	add(m, t, when);
	leave(m);
	return t;
}

go_timer *
go_timer_new(int64_t ns)
{
	return make(ns, false, NULL, NULL, NULL);
}

go_timer *
go_ticker_new(int64_t ns)
{
	if (ns <= 0)
		go_panic("non-positive interval for NewTicker");
	return make(ns, true, NULL, NULL, NULL);
}

go_timer *
go_after_func(int64_t ns, go_fn fn, void *arg)
{
	if (fn == NULL)
		fatal("go of nil func value");
	return make(ns, false, fn, arg, __builtin_return_address(0));
}

/* Somebody asks for the channel: several may at a time, and it may fire meanwhile. */
static NOINLINE go_ch *
make_chan(struct go_timer *t)
{
	go_ch *c = go_chan_make(sizeof(int64_t), 1), *other;
	struct g *nobody;
	struct m *m;

	c->is_timer = true;
	m = enter();
	lock(&t->lock, RANK_TIMEROBJ);
	other = load_rlx(&t->ch);
	if (other == NULL && t->pending) {
		lock(&c->lock, RANK_CHAN);
		chan_send_locked(c, &t->value, &nobody);
		unlock(&c->lock);
		t->pending = false;
	}
	if (other == NULL)
		store_rel(&t->ch, c);			/* [timer-chan] */
	unlock(&t->lock);
	leave(m);
	if (other == NULL)
		return c;
	go_chan_unref(c);
	return other;
}

go_ch *
go_timer_chan(go_timer *t)
{
	go_ch *c;

	san_check(t, sizeof(*t));
	c = load_acq(&t->ch);				/* [timer-chan] */
	return likely(c != NULL) || t->fn != NULL ? c : make_chan(t);
}

/* --- Stop, reset, free --- */

/* t->lock is held.  What it may have fired and nobody has received goes.  true: there was some. */
static bool
take_back(struct go_timer *t)
{
	struct go_ch *c = load_rlx(&t->ch);
	bool was = load_rlx(&t->due) || t->pending;
	struct g *ready;

	store_rlx(&t->due, false);
	t->pending = false;
	if (c == NULL)
		return was;
	lock(&c->lock, RANK_CHAN);
	if (c->len > 0 && chan_recv_locked(c, NULL, &ready) == CHAN_DONE)
		was = true;
	unlock(&c->lock);
	return was;
}

/* t->lock is held.  Returns whether it was active: not fired, or fired and not received. */
static bool
disarm(struct go_timer *t)
{
	bool was = timer_del(&t->timer);

	was |= take_back(t);
	t->timer.out = true;	/* it is in no heap, and only with t->lock it gets into one */
	return was;
}

static NOINLINE bool
stop_slow(struct go_timer *t)
{
	bool was;

	lock(&t->lock, RANK_TIMEROBJ);
	was = disarm(t);
	unlock(&t->lock);
	return was;
}

static ALWAYS_INLINE bool
stop(struct go_timer *t)
{
	return (likely(!t->ticks) && likely(timer_del(&t->timer))) || stop_slow(t);
}

bool
go_timer_stop(go_timer *t)
{
	struct m *m;
	bool was;

	san_check(t, sizeof(*t));
	m = enter();
	was = stop(t);
	leave(m);
	return was;
}

static NOINLINE bool
reset_slow(struct m *m, struct go_timer *t, int64_t ns, int64_t when)
{
	bool was;

	lock(&t->lock, RANK_TIMEROBJ);
	was = disarm(t);
	t->period = ns;
	add(m, t, when);
	unlock(&t->lock);
	return was;
}

bool
go_timer_reset(go_timer *t, int64_t ns)
{
	int64_t when = after(ns);
	bool was, earliest;
	struct m *m;

	san_check(t, sizeof(*t));
	if (t->ticks && ns <= 0)
		go_panic("non-positive interval for Ticker.Reset");
	race_release(t);
	m = enter();
	if (likely(!t->ticks && m->p != NULL) && timer_move(m->p, &t->timer, when, &earliest)) {
		was = true;
		if (earliest)
			sched_timer_added(m, m->p, when);
	} else {
		was = reset_slow(m, t, ns, when);
	}
	leave(m);
	return was;
}

void
go_timer_free(go_timer *t)
{
	struct m *m;
	bool kept;
	go_ch *c;

	if (t == NULL)
		return;
	san_check(t, sizeof(*t));
	m = enter();
	if (!t->timer.out)
		stop(t);
	c = load_rlx(&t->ch);	/* the user's last call: all others have happened before */
	kept = unref(m, t);
	leave(m);
	go_chan_unref(c);
	if (!kept)
		free(t);
}

void
go__timer_free(void *t)
{
	go_timer_free(t);
}
