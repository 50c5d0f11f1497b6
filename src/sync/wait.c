/* SPDX-License-Identifier: MIT */
/*
 * wait.c - how calls block: deadlines, scopes, and the table from address to waiters.
 */
#include "wait.h"

#include "../base/san.h"

/* --- Deadlines --- */

static struct g *
deadline_passed(struct timer *t, int64_t now, struct timer **later)
{
	struct wait *w = container_of(t, struct wait, timer);
	struct g *g = w->g;
	uint32_t nobody = WON_NOBODY;

	(void)now;
	(void)later;
	return cas_ar(&w->won, &nobody, WON_DEADLINE) ? g : NULL;	/* [won] */
}

/*
 * The timer first: if it fires at once, the goroutine runs into the lock that publish has yet
 * to release, so its stack, where w is, stays as it is until then.  publish itself reads no
 * more of it than it may.
 */
static void
finish_timed(struct g *g, void *arg)
{
	struct wait *w = arg;
	struct m *m = self();
	struct p *p = m->p != NULL ? m->p : sched.p[0];
	finish_fn publish = w->publish;
	void *publish_arg = w->arg;
	int64_t deadline = w->deadline;

	if (timer_add(p, &w->timer, deadline))
		sched_timer_added(m, p, deadline);
	publish(g, publish_arg);
}

static struct m *
park_foreign(struct m *m, struct wait *w, finish_fn publish, void *arg, enum wait_reason why,
	     const void *obj)
{
	uint32_t nobody = WON_NOBODY;
	bool woken;

	m = sched_park_until(m, publish, arg, why, obj, w->deadline, &woken);
	if (!woken && !cas_ar(&w->won, &nobody, WON_DEADLINE))		/* [won] */
		sched_park_again(m);
	return m;
}

/* --- Scopes --- */

/*
 * Into the scope's queue, and the timer into its heap, with the scope locked: whoever ends the
 * wait at once, the goroutine runs into that lock on its way out of wait_park, so that its
 * stack, where w is, stays as it is until we let go.  After that only publish looks at it, as
 * in finish_timed.  Foreign threads mind their deadlines themselves.
 *
 * If the scope is over by now, nobody else can have claimed the wait yet: who could is shut out
 * until publish.
 */
static void
finish_bound(struct g *g, void *arg)
{
	struct wait *w = arg;
	struct scope *s = w->scope;
	finish_fn publish = w->publish;
	void *publish_arg = w->arg;
	struct gqueue self_woken = {0};
	struct m *m = self();
	struct p *p = m->p != NULL ? m->p : sched.p[0];
	bool over;

	lock(&s->lock, RANK_CTX);
	over = s->err != 0;
	if (over) {
		store_rlx(&w->won, WON_SCOPE);
	} else {
		int64_t deadline = w->deadline;

		list_append(&s->waiters, &w->bound);
		if (deadline != OS_NEVER && (g->flags & GF_FOREIGN) == 0 &&
		    timer_add(p, &w->timer, deadline))
			sched_timer_added(m, p, deadline);
	}
	unlock(&s->lock);
	publish(g, publish_arg);
	if (over) {
		gqueue_push(&self_woken, g);
		sched_ready_all(m, &self_woken);
	}
}

static NOINLINE struct m *
park_bound(struct m *m, struct wait *w, enum wait_reason why, const void *obj)
{
	struct scope *s = w->scope;

	if (load_acq(&s->err) != 0) {			/* [ctx-err] */
		store_rlx(&w->won, WON_SCOPE);
		w->publish(m->g, w->arg);
	} else if (m->foreign) {
		m = park_foreign(m, w, finish_bound, w, why, obj);
	} else {
		m = sched_park(m, finish_bound, w, why, obj);
	}
	if (load_rlx(&w->won) != WON_SCOPE) {
		lock(&s->lock, RANK_CTX);
		if (list_linked(&w->bound))
			list_remove(&w->bound);
		unlock(&s->lock);
	} else {
		race_acquire(s);
	}
	return m;
}

struct m *
wait_park(struct m *m, struct wait *w, finish_fn publish, void *arg, enum wait_reason why,
	  const void *obj)
{
	w->g = m->g;
	if (w->deadline == OS_NEVER && likely(w->scope == NULL))
		return sched_park(m, publish, arg, why, obj);
	if (unlikely(m->foreign) && w->scope == NULL)
		return park_foreign(m, w, publish, arg, why, obj);
	w->publish = publish;
	w->arg = arg;
	w->timer.pos = 0;
	w->timer.p = NULL;
	w->timer.fire = deadline_passed;
	if (unlikely(w->scope != NULL)) {
		w->bound.next = NULL;
		m = park_bound(m, w, why, obj);
	} else {
		m = sched_park(m, finish_timed, w, why, obj);
	}
	if (load_rlx(&w->won) != WON_DEADLINE)
		timer_del(&w->timer);
	return m;
}

void
scope_take(struct scope *s, struct gqueue *out, uint32_t max)
{
	assert_held(&s->lock);
	while (out->n < max && !list_empty(&s->waiters)) {
		struct wait *w = container_of(s->waiters.next, struct wait, bound);
		uint32_t nobody = WON_NOBODY;

		list_remove(&w->bound);
		if (cas_ar(&w->won, &nobody, WON_SCOPE))	/* [won] */
			gqueue_push(out, w->g);
	}
}

void
finish_unlock(struct g *g, void *l)
{
	(void)g;
	unlock(l);
}

void
finish_nothing(struct g *g, void *unused)
{
	(void)g;
	(void)unused;
}

/* --- The address table --- */

/*
 * Buckets by hash of the address.  A bucket lists one waiter per address, the head; the
 * others of that address follow it in order.  So taking the first of an address costs as much
 * as there are addresses in the bucket, however many wait for one of them (Go's semaRoot is a
 * tree of the same shape).
 */
enum { BUCKETS = HARD ? 2 : 512 };
static struct bucket table[BUCKETS];

struct bucket *
addr_lock(const void *addr)
{
	uint64_t h = (uint64_t)(uintptr_t)addr * UINT64_C(0x9e3779b97f4a7c15);
	struct bucket *b = &table[(h >> 32) % BUCKETS];

	lock(&b->lock, RANK_WAIT);
	if (unlikely(b->heads.next == NULL))
		list_init(&b->heads);
	return b;
}

static struct addr_waiter *
find(struct bucket *b, const void *addr)
{
	struct link *l;

	for (l = b->heads.next; l != &b->heads; l = l->next) {
		struct addr_waiter *w = container_of(l, struct addr_waiter, heads);

		if (w->addr == addr)
			return w;
	}
	return NULL;
}

static void
move_followers(struct addr_waiter *to, struct addr_waiter *from)
{
	if (list_empty(&from->followers)) {
		list_init(&to->followers);
		return;
	}
	to->followers = from->followers;
	to->followers.next->prev = &to->followers;
	to->followers.prev->next = &to->followers;
}

/* w takes old's place as the head of its address; old is nowhere then. */
static void
replace_head(struct addr_waiter *old, struct addr_waiter *w)
{
	list_insert_before(&old->heads, &w->heads);
	list_remove(&old->heads);
	move_followers(w, old);
	w->is_head = true;
	old->is_head = false;
}

void
addr_enqueue(struct bucket *b, struct addr_waiter *w, bool first)
{
	struct addr_waiter *head = find(b, w->addr);

	assert_held(&b->lock);
	w->queued = true;
	w->is_head = false;
	if (head == NULL) {
		w->is_head = true;
		list_init(&w->followers);
		list_append(&b->heads, &w->heads);
	} else if (first) {
		replace_head(head, w);
		list_prepend(&w->followers, &head->w.link);
	} else {
		list_append(&head->followers, &w->w.link);
	}
}

struct addr_waiter *
addr_first(struct bucket *b, const void *addr)
{
	assert_held(&b->lock);
	return find(b, addr);
}

void
addr_remove(struct addr_waiter *w)
{
	if (!w->queued)
		return;
	w->queued = false;
	if (!w->is_head) {
		list_remove(&w->w.link);
	} else if (list_empty(&w->followers)) {
		list_remove(&w->heads);
	} else {
		struct addr_waiter *next =
			container_of(w->followers.next, struct addr_waiter, w.link);

		list_remove(&next->w.link);
		replace_head(w, next);
	}
}

struct addr_waiter *
addr_take(struct bucket *b, const void *addr, bool *more)
{
	struct addr_waiter *w;

	assert_held(&b->lock);
	while ((w = find(b, addr)) != NULL) {
		bool rest = !list_empty(&w->followers);

		addr_remove(w);
		if (wait_claim(&w->w)) {
			*more = rest;
			return w;
		}
	}
	*more = false;
	return NULL;
}
