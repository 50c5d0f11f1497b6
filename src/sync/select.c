/* SPDX-License-Identifier: MIT */
/*
 * select.c - select.
 *
 * All channels of the select are locked, in address order, so that everybody sees one moment:
 * if one of two channels is always ready, the default is never chosen.  Then, in random order,
 * the first case that can go on does.  If none can, a waiter is queued for each, the caller
 * parks, and the locks go when it is off its stack.  Whoever claims the wait first wins; woken,
 * the caller locks all again to take the other waiters out.
 *
 * The finish function walks the array of locks on the parked stack.  It releases them in
 * reverse order, and a woken goroutine starts by taking the first: it cannot get past that,
 * and give its stack other uses, before the walk is over.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "chan.h"

enum { INLINE_CASES = 16, SORT_BY_INSERTION = 32 };

struct scase {
	struct waiter	w;
	go_case		*user;
};

struct op {
	go_case		*cases;
	int		n;		/* of the user's */
	int		n_chan;		/* channel cases that are not nil */
	int		n_lock;		/* different channels among them */
	struct scase	*sc;		/* n_chan */
	go_ch		**order;	/* n_lock, by address */
	int64_t		deadline;
	int		at_deadline;	/* what to return then */
	int		dflt;		/* index of GO_DEFAULT, or -1 */
	bool		sent_closed;
	bool		bound;		/* the goroutine's context may end it */
};

/* --- Locks --- */

static void
lock_all(struct op *o)
{
	int i;

	for (i = 0; i < o->n_lock; i++)
		lock(&o->order[i]->lock, RANK_CHAN);
}

static void
unlock_all(struct op *o)
{
	go_ch **order = o->order;
	int i = o->n_lock;

	while (i-- > 0)
		unlock(&order[i]->lock);
}

static void
finish_select(struct g *g, void *arg)
{
	(void)g;
	unlock_all(arg);
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(go_ch *const *)a, y = (uintptr_t)*(go_ch *const *)b;

	return (x > y) - (x < y);
}

static void
sort(go_ch **v, int n)
{
	int i, k;

	if (n > SORT_BY_INSERTION) {
		qsort(v, (size_t)n, sizeof(*v), by_address);
		return;
	}
	for (i = 1; i < n; i++) {
		go_ch *c = v[i];

		for (k = i; k > 0 && (uintptr_t)v[k - 1] > (uintptr_t)c; k--)
			v[k] = v[k - 1];
		v[k] = c;
	}
}

static void
order_locks(struct op *o)
{
	int i, k = 0;

	for (i = 0; i < o->n_chan; i++)
		o->order[i] = o->sc[i].user->chan;
	sort(o->order, o->n_chan);
	for (i = 0; i < o->n_chan; i++)
		if (k == 0 || o->order[k - 1] != o->order[i])
			o->order[k++] = o->order[i];
	o->n_lock = k;
}

/* --- Reading the cases --- */

static void
time_limit(struct op *o, int64_t when, int i)
{
	if (when < o->deadline || (when == o->deadline && o->at_deadline < 0)) {
		o->deadline = when;
		o->at_deadline = i;
	}
}

static int64_t
after(int64_t ns)
{
	int64_t now;

	if (ns <= 0)
		return 0;
	now = os_now();
	return ns > INT64_MAX - now ? GO_FOREVER : now + ns;
}

static void
read_cases(struct op *o)
{
	int i;

	for (i = 0; i < o->n; i++) {
		go_case *c = &o->cases[i];

		switch (c->op) {
		case GO_OP_RECV:
		case GO_OP_SEND:
			if (c->chan != NULL)
				o->sc[o->n_chan++].user = c;
			break;
		case GO_OP_DEFAULT:
			o->dflt = i;
			break;
		case GO_OP_AFTER:
			time_limit(o, after(c->arg), i);
			break;
		case GO_OP_UNTIL:
			time_limit(o, c->arg, i);
			break;
		default:
			go_panic("go_selectv: case %d has no such operation: %d", i, (int)c->op);
		}
	}
}

/* --- Trying --- */

static void
received(go_case *c, bool ok)
{
	if (!ok)
		chan_zero(c->chan, c->elem);
	if (c->ok != NULL)
		*c->ok = ok;
}

/* One case, its channel locked; true: it went on. */
static bool
try_case(struct op *o, go_case *c, struct g **ready)
{
	enum chan_result r;

	if (c->op == GO_OP_SEND) {
		r = chan_send_locked(c->chan, c->elem, ready);
		o->sent_closed = r == CHAN_CLOSED;
		return r != CHAN_WAIT;
	}
	r = chan_recv_locked(c->chan, c->elem, ready);
	if (r != CHAN_WAIT)
		received(c, r == CHAN_DONE);
	return r != CHAN_WAIT;
}

static bool
may_go(const go_case *c)
{
	return c->op == GO_OP_SEND ? chan_may_send(c->chan) : chan_may_recv(c->chan);
}

/*
 * Without locking everything: choose among those that look ready, and try that one.  A
 * waiter seen may belong to a select already won, so it may fail; then -1, and the slow way.
 */
static int
try_glance(struct m *m, struct op *o)
{
	uint32_t n = 0;
	struct g *ready = NULL;
	go_case *chosen = NULL;
	bool went;
	int i;

	/* Reservoir sampling: the k-th that is ready replaces the choice with probability 1/k. */
	for (i = 0; i < o->n_chan; i++)
		if (may_go(o->sc[i].user) && rand_below(&m->rand, ++n) == 0)
			chosen = o->sc[i].user;
	if (chosen == NULL)
		return -1;
	lock(&chosen->chan->lock, RANK_CHAN);
	went = try_case(o, chosen, &ready);
	unlock(&chosen->chan->lock);
	if (ready != NULL)
		sched_ready(m, ready);
	return went ? (int)(chosen - o->cases) : -1;
}

/* All locked: the first in random order that can go on, or -1. */
static int
try_all(struct m *m, struct op *o, struct g **ready)
{
	int i, at, n = o->n_chan;

	if (n == 0)
		return -1;
	/* A random permutation, drawn as we go: exchange the next with one of the rest. */
	for (i = 0; i < n; i++) {
		go_case *c;

		at = i + (int)rand_below(&m->rand, (uint32_t)(n - i));
		c = o->sc[at].user;
		o->sc[at].user = o->sc[i].user;
		o->sc[i].user = c;
		if (try_case(o, c, ready))
			return (int)(c - o->cases);
	}
	return -1;
}

/* --- Waiting --- */

static void
enqueue_all(struct m *m, struct op *o, struct wait *wait)
{
	int i;

	for (i = 0; i < o->n_chan; i++) {
		go_case *c = o->sc[i].user;
		struct waiter *w = &o->sc[i].w;

		*w = (struct waiter){.g = m->g, .wait = wait, .elem = c->elem, .index = (uint32_t)i};
		race_release(w);
		list_append(c->op == GO_OP_SEND ? &c->chan->senders : &c->chan->receivers, &w->link);
	}
}

static void
dequeue_all(struct op *o)
{
	int i;

	lock_all(o);
	for (i = 0; i < o->n_chan; i++)
		if (list_linked(&o->sc[i].w.link))
			list_remove(&o->sc[i].w.link);
	unlock_all(o);
}

/* Everything locked and nothing ready. */
static int
wait_for_one(struct m *m, struct op *o)
{
	struct wait wait = {.deadline = o->deadline, .scope = o->bound ? m->g->bound : NULL};
	struct scase *s;

	enqueue_all(m, o, &wait);
	/* Without locks only the deadline or the scope can end it, perhaps before publish. */
	m = wait_park(m, &wait, o->n_lock > 0 ? finish_select : finish_nothing, o,
		      o->n == 0 ? WAIT_SELECT_NONE : WAIT_SELECT, NULL);
	if (o->n_lock > 0)
		dequeue_all(o);
	leave(m);
	if (wait.won == WON_DEADLINE)
		return o->at_deadline;
	if (wait.won == WON_SCOPE)
		return wait_error(&wait);
	s = &o->sc[wait.won - 1];
	race_acquire(&s->w);
	if (!s->w.ok)
		race_acquire(s->user->chan);
	if (s->user->op == GO_OP_SEND)
		o->sent_closed = !s->w.ok;
	else
		received(s->user, s->w.ok);
	return (int)(s->user - o->cases);
}

static int
run(struct op *o)
{
	bool one_look = o->dflt >= 0 || o->deadline <= 0, wait;
	struct g *ready = NULL;
	struct m *m;
	int i;

	m = enter();
	i = try_glance(m, o);
	if (i >= 0) {
		leave(m);
		return i;
	}
	order_locks(o);
	lock_all(o);
	i = try_all(m, o, &ready);
	wait = i < 0 && !one_look && (o->deadline == OS_NEVER || o->deadline > os_now());
	if (wait && likely((m->g->flags & GF_SECTION) == 0))
		return wait_for_one(m, o);
	unlock_all(o);
	if (wait)
		sched_refuse(m);
	if (ready != NULL)
		sched_ready(m, ready);
	leave(m);
	return i >= 0 ? i : o->dflt >= 0 ? o->dflt : o->at_deadline;
}

static int
with_memory(struct op *o, struct scase *sc, go_ch **order)
{
	o->sc = sc;
	o->order = order;
	read_cases(o);
	return run(o);
}

static NOINLINE int
select_many(struct op *o)
{
	struct scase *sc = malloc((size_t)o->n * (sizeof(*sc) + sizeof(go_ch *)));
	go_deferred d = {free, sc, NULL};
	int i;

	if (sc == NULL)
		fatal("out of memory for a select of %d cases", o->n);
	go__defer_push(&d);	/* it may panic */
	i = with_memory(o, sc, (go_ch **)(void *)(sc + o->n));
	go__defer_pop(&d);
	return i;
}

static NOINLINE int
select_few(struct op *o)
{
	struct scase sc[INLINE_CASES];
	go_ch *order[INLINE_CASES];

	return with_memory(o, sc, order);
}

/*
 * One channel and a default, or one channel and no time to wait: the non-blocking try of
 * everyday programs.  If it cannot go on, say so after one glance.
 */
static ALWAYS_INLINE int
glance_alone(const go_case *c, int n, int64_t deadline)
{
	if (n == 2 && c[1].op == GO_OP_DEFAULT)
		return (c->op == GO_OP_RECV || c->op == GO_OP_SEND) && (c->chan == NULL || !may_go(c)) ? 1 : -1;
	if (n == 1 && deadline == GO_NOWAIT)
		return (c->op == GO_OP_RECV || c->op == GO_OP_SEND) && (c->chan == NULL || !may_go(c))
			       ? -ETIMEDOUT : -1;
	return -1;
}

static NOINLINE int
select_any(go_case *cases, int n, int64_t deadline, bool bound)
{
	struct op o = {.cases = cases, .n = n, .deadline = deadline, .at_deadline = -ETIMEDOUT, .dflt = -1,
		       .bound = bound};

	if (n < 0)
		go_panic("go_selectv: %d cases", n);
	n = n <= INLINE_CASES ? select_few(&o) : select_many(&o);
	if (unlikely(o.sent_closed))
		chan_panic(cases[n].chan, "send on closed channel");
	return n;
}

int
go_selectv(go_case *cases, int n, int64_t deadline)
{
	int i = glance_alone(cases, n, deadline);

	_Static_assert(-ETIMEDOUT != -1, "-1 says: look closer");
	return i != -1 ? i : select_any(cases, n, deadline, true);
}

int
go__select(go_case *cases, int n)
{
	int i = glance_alone(cases, n, GO_FOREVER);

	return i != -1 ? i : select_any(cases, n, GO_FOREVER, false);
}
