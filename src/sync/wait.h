/* SPDX-License-Identifier: MIT */
/*
 * wait.h - how calls block: waiter records, who wins, and the table from address to waiters.
 *
 * A blocked call is a `struct wait' and one or more `struct waiter' on its own stack.  Each
 * waiter sits in one queue; the word `won' decides which of them, or the deadline, ends the
 * wait.  So a wait with a deadline, or for several things, is the same code with more records.
 *
 * A goroutine may be bound to a scope, a context.  Its calls that have an error for that, those
 * with a deadline, give struct wait the scope: when that is over, it ends the wait like a
 * deadline, by the same word.
 *
 * A waiter whose wait is NULL (wait_shared) is the only reason its goroutine could be woken for:
 * whoever takes it out of its queue, under the queue's lock, has won without an atomic operation.
 */
#ifndef GORO_WAIT_H
#define GORO_WAIT_H

#include "../sched/sched.h"
#include "../sched/timer.h"

#define WON_NOBODY	UINT32_C(0)
#define WON_DEADLINE	UINT32_MAX
#define WON_SCOPE	(UINT32_MAX - 1)

/*
 * What ends every wait of the goroutines bound to it that has an error to say so: a context.
 */
struct scope {
	struct lock	lock;		/* rank CTX */
	int		err;		/* a  [ctx-err] 0, or what waits return; set once, locked */
	struct link	waiters;	/* lock  struct wait.bound; none is added once err is set */
};

struct wait {
	uint32_t	won;		/* a  [won] WON_*, or the winning waiter's index plus 1 */
	struct g	*g;
	int64_t		deadline;
	struct timer	timer;
	finish_fn	publish;
	void		*arg;
	struct scope	*scope;		/* NULL: not bound, or not an _until call */
	struct link	bound;		/* in scope's waiters */
};

struct waiter {
	struct link	link;		/* in its queue, under the queue's lock */
	struct g	*g;
	struct wait	*wait;		/* NULL: a single reason */
	void		*elem;		/* what is sent, or where to put it */
	uint32_t	index;
	bool		ok;		/* told by the waker */
};

/* What a waiter's wait is: there may be several reasons to wake up, so they must be claimed. */
static inline struct wait *
wait_shared(struct wait *w)
{
	return w->deadline != OS_NEVER || w->scope != NULL ? w : NULL;
}

/* Outside enter() and leave(): could something but the deadline end a wait of the caller's? */
static inline bool
wait_is_bound(void)
{
	struct m *m = enter();
	bool bound = m->g->bound != NULL;

	leave(m);
	return bound;
}

/* By a waker, holding the queue's lock.  true: the wake-up is ours. */
static inline bool
wait_claim(struct waiter *w)
{
	uint32_t nobody = WON_NOBODY;

	return w->wait == NULL || cas_ar(&w->wait->won, &nobody, w->index + 1);	/* [won] */
}

/* The first waiter whose wake-up we get, out of the queue; others found there are dropped. */
static inline struct waiter *
waiter_take(struct link *q)
{
	while (!list_empty(q)) {
		struct waiter *w = container_of(q->next, struct waiter, link);

		list_remove(&w->link);
		if (likely(wait_claim(w)))
			return w;
	}
	return NULL;
}

/*
 * Park until a waiter of w wins, or the deadline passes; publish(g, arg) makes the records
 * visible (unlocks their queues).  w->won tells who it was.  The records that lost may still
 * be queued: the caller takes them out.  A scope that is over already wins at once.
 */
struct m *wait_park(struct m *m, struct wait *w, finish_fn publish, void *arg, enum wait_reason why,
		    const void *obj);

/*
 * What is over has err set, with its lock held.  Takes some of those who wait out and claims
 * them: whom to make runnable after unlocking.
 */
void	scope_take(struct scope *s, struct gqueue *out, uint32_t max);

static inline void
scope_init(struct scope *s)
{
	list_init(&s->waiters);
}

/* 0 if a waiter won; else why none did: -ETIMEDOUT, or what the scope says. */
static inline int
wait_error(const struct wait *w)
{
	uint32_t won = load_rlx(&w->won);

	if (likely(won < WON_SCOPE))
		return 0;
	return won == WON_DEADLINE ? -ETIMEDOUT : load_acq(&w->scope->err);	/* [ctx-err] */
}

void	finish_unlock(struct g *g, void *lock);		/* a publish that releases one lock */
void	finish_nothing(struct g *g, void *unused);	/* one that has none to release */

/* --- The address table: queues for objects that have no room for one --- */

struct addr_waiter {
	struct waiter	w;		/* link: among those of the same address, behind the head */
	const void	*addr;
	struct link	heads;		/* the first of its address: in the bucket */
	struct link	followers;	/* the first of its address: the rest, in order */
	bool		is_head;
	bool		queued;
	int64_t		since;		/* for the mutex */
};

struct bucket {
	struct lock	lock;		/* rank WAIT */
	struct link	heads;
} ALIGNED(CACHE_LINE);

struct bucket	*addr_lock(const void *addr);		/* locks and returns addr's bucket */
void		addr_enqueue(struct bucket *b, struct addr_waiter *w, bool first);
struct addr_waiter *addr_first(struct bucket *b, const void *addr);	/* not claimed, or NULL */
void		addr_remove(struct addr_waiter *w);	/* if it is queued */
struct addr_waiter *addr_take(struct bucket *b, const void *addr, bool *more);	/* claimed */

#endif
