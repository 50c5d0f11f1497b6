/* SPDX-License-Identifier: MIT */
/*
 * ctx.c - contexts: the tree, cancellation, deadlines.
 *
 * A context becomes done once, by storing err with its lock held (finish_one).  From then on
 * nothing is added to it: no child, no waiter, no function.  Whoever made it done owns the walk
 * through what is there, which only shrinks: bound waiters are woken, functions started, and
 * children made done and walked through in turn, depth first, before their later siblings.
 *
 *   (1) At most one context is locked at a time, for a few instructions: everything is taken
 *       out one by one.  The way back up is `up', so a walk needs neither recursion nor memory.
 *   (2) A child already done belongs to another walk, that of its own cancellation, and is left
 *       to that.  Else everything below is done when the walk is over.
 *   (3) A child holds a reference to its parent, so the parent is there whenever somebody needs
 *       its lock.  Not the other way round: a child without references may still be linked,
 *       until its destructor has unlinked it under the parent's lock.  So a walk takes a
 *       reference to each child only if there is one left (try_ref), under that same lock, and
 *       holds it until it has left the child.
 *   (4) Cancelling a context removes it from its parent, which does not notice otherwise.
 *   (5) Values are destroyed, and memory is freed, by users' calls: never with a lock held or
 *       between enter() and leave().  A walk collects those whose last reference it dropped.
 *
 * Deadlines.  The timer is in the heap without a reference.  When it is due, fire takes one if
 * there is any left (heap locked); a destructor that comes first waits for that in timer_del,
 * and frees what fire has left alone.  So an unreferenced context goes at once and not when it
 * is due.  The timer is added with the context locked and not done, and deleted by who made it
 * done, so none is left behind.
 *
 * What a timer does beyond waking a sleeper happens in timer_finish, inside the runtime, on the
 * stack of somebody who has other plans.  The walk is done there, since a goroutine for each
 * deadline would show in go_count and in dumps; but only STEPS of it at a time.  Then the timer,
 * idle now, is armed again for at once, and the P's goroutines run meanwhile.  The rare last
 * reference dropped there starts a goroutine to free what it belonged to, because of (5).
 *
 * Lock order: the table's bucket or channels of a wait that is bound (wait.c), or the context's
 * own channel; a context; a timer heap.  Goroutines are made runnable with nothing locked.
 *
 * Rejected: one lock per tree.  Every request of a server is a child of the same root.
 *
 * Race annotations: what its creator did, and whoever cancelled it or one of its ancestors,
 * happens before anybody learns that it is done (address of the context).  A timer adds
 * nothing: on whose stack it fires is chance.  What was done before a function was added happens
 * before it runs; since whoever starts it can pass on only what it has seen, it acquires that.
 */
#include "ctx.h"

#include <stdlib.h>
#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/spawn.h"
#include "../sync/chan.h"

enum {
	STEPS	= HARD ? 3 : 1024,	/* of a walk, before others get their turn */
	WAKE	= 64			/* waiters woken in one step */
};

struct walk {
	struct go_ctx	*root;		/* done, and made so by us */
	struct go_ctx	*at;
	struct go_ctx	*dead;		/* linked by up: we dropped the last reference */
};

/* The functions of the API take const pointers from those who may watch, not cancel. */
static struct go_ctx *
mutable(const go_ctx *c)
{
	return (struct go_ctx *)(uintptr_t)c;
}

/* --- References --- */

const go_ctx *
go_ctx_ref(const go_ctx *ctx)
{
	if (ctx != NULL)
		add_rlx(&mutable(ctx)->refs, 1);
	return ctx;
}

/* A reference, where there may be none left to copy; under the lock of (3) or the heap's. */
static bool
try_ref(struct go_ctx *c)
{
	uint32_t n = load_rlx(&c->refs);

	while (n != 0)
		if (cas_rlx(&c->refs, &n, n + 1))
			return true;
	return false;
}

/* Removes c from its parent's children, where a walk may have been before. */
static void
detach(struct go_ctx *c)
{
	struct go_ctx *parent = c->parent;

	if (parent == NULL || c->kind == CTX_DETACHED)
		return;
	lock(&parent->scope.lock, RANK_CTX);
	if (list_linked(&c->sibling))
		list_remove(&c->sibling);
	unlock(&parent->scope.lock);
}

/* No reference is left; nor, because of (3), a child. */
static void
destroy(struct go_ctx *c)
{
	struct m *m = enter();

	detach(c);
	if (c->kind == CTX_DEADLINE)
		timer_del(&c->timer);
	leave(m);
	race_acquire(c);
	if (c->kind == CTX_VALUE && c->destroy != NULL)
		c->destroy(c->value);
	go_chan_unref(c->done);
	ctx_free_funcs(c->funcs);
	free(c->own_why);
	free(c);
}

/* One reference less; the last one of a leaf may be the last of its parent, and so on. */
void
go_ctx_unref(const go_ctx *ctx)
{
	struct go_ctx *c = mutable(ctx), *parent;

	for (; c != NULL; c = parent) {
		race_release(c);
		if (sub_ar(&c->refs, 1) != 1)		/* [ctx-refs] with itself */
			return;
		parent = c->parent;
		destroy(c);
	}
}

static void
bury(void *list)
{
	struct go_ctx *c = list;

	while (c != NULL) {
		struct go_ctx *next = c->up, *parent = c->parent;

		destroy(c);
		go_ctx_unref(parent);
		c = next;
	}
}

/* --- Becoming done --- */

static void
wake(struct m *m, struct gqueue *q)
{
	if (q->n == 1)
		sched_ready(m, gqueue_pop(q));
	else if (q->n > 1)
		sched_ready_all(m, q);
}

/* c and, before it, the channel, if somebody has asked for that; returns it. */
static go_ch *
lock_both(struct go_ctx *c)
{
	for (;;) {
		go_ch *done = load_acq(&c->done);		/* [ctx-done] */

		if (done != NULL)
			lock(&done->lock, RANK_CHAN);
		lock(&c->scope.lock, RANK_CTX);
		if (likely(c->done == done))
			return done;
		unlock(&c->scope.lock);		/* made just now, it stays that */
	}
}

/*
 * Makes c done, unless it is: false.  by_user: the caller of some function, rather than a
 * timer on whatever stack it is.
 *
 * Who sees err sees the channel closed, and who finds that closed, by its lock, sees err.
 */
static bool
finish_one(struct m *m, struct go_ctx *c, int err, int cause, const char *why, bool by_user)
{
	struct gqueue woken = {0};
	bool ours;
	go_ch *done;

	if (by_user)
		race_release(c);
	done = lock_both(c);
	ours = c->scope.err == 0;
	if (ours) {
		c->cause = cause;
		c->why = why;
		if (done != NULL)
			store_rlx(&done->closed, true);
		store_rel(&c->scope.err, err);		/* [ctx-err] publishes these three */
	}
	unlock(&c->scope.lock);
	if (done != NULL) {
		if (ours && by_user)
			race_release(done);
		if (ours)
			chan_close_locked(done, &woken);
		unlock(&done->lock);
	}
	if (ours && c->kind == CTX_DEADLINE)
		timer_del(&c->timer);
	wake(m, &woken);
	return ours;
}

/* Locked: a child that is still there, with a reference for us. */
static struct go_ctx *
take_child(struct go_ctx *c)
{
	while (!list_empty(&c->children)) {
		struct go_ctx *child = container_of(c->children.next, struct go_ctx, sibling);

		list_remove(&child->sibling);
		if (try_ref(child))
			return child;
	}
	return NULL;
}

/* Within a walk, which cannot free. */
static void
drop(struct walk *w, struct go_ctx *c, bool by_user)
{
	if (by_user)
		race_release(c);
	if (sub_ar(&c->refs, 1) == 1) {			/* [ctx-refs] with itself */
		c->up = w->dead;
		w->dead = c;
	}
}

/* What is left to do at w->at, or one level up; false: the walk is over. */
static bool
step(struct m *m, struct walk *w, bool by_user)
{
	struct go_ctx *c = w->at, *child, *root = w->root;
	struct gqueue woken = {0};
	struct ctx_call call;
	bool calls, busy;

	lock(&c->scope.lock, RANK_CTX);
	scope_take(&c->scope, &woken, WAKE);
	calls = ctx_take_func(c, &call);
	busy = calls || woken.n > 0;
	child = take_child(c);
	unlock(&c->scope.lock);
	wake(m, &woken);
	if (calls) {
		race_acquire(c);
		ctx_start(m, &call);
	}
	if (child != NULL) {
		if (finish_one(m, child, root->scope.err, root->cause, root->why, by_user)) {
			child->up = c;
			w->at = child;
		} else {
			drop(w, child, by_user);
		}
		return true;
	}
	if (busy)
		return true;
	if (c == root)
		return false;
	w->at = c->up;
	drop(w, c, by_user);
	return true;
}

/* true: over. */
static bool
go_on(struct m *m, struct walk *w, bool by_user)
{
	int i;

	for (i = 0; i < STEPS; i++)
		if (!step(m, w, by_user))
			return true;
	return false;
}

static void
cancel(struct go_ctx *c, int cause, char *why)
{
	struct walk w = {.root = c, .at = c};
	struct m *m = enter();
	bool ours = finish_one(m, c, -ECANCELED, cause, why, true);

	if (ours) {
		c->own_why = why;
		detach(c);
		while (!go_on(m, &w, true)) {
			leave(m);
			m = enter();
		}
	}
	leave(m);
	if (!ours)
		free(why);
	bury(w.dead);
}

void
go_ctx_cancel(go_ctx *ctx)
{
	if (ctx != NULL)
		cancel(ctx, -ECANCELED, NULL);
}

void
go_ctx_cancel_cause(go_ctx *ctx, int err, const char *why)
{
	char *copy = NULL;

	if (ctx == NULL)
		return;
	if (why != NULL && load_rlx(&ctx->scope.err) == 0 && (copy = strdup(why)) == NULL)
		fatal("out of memory cancelling a context");
	cancel(ctx, err != 0 ? err : -ECANCELED, copy);
}

void
go_ctx_end(go_ctx *ctx)
{
	go_ctx_cancel(ctx);
	go_ctx_unref(ctx);
}

void
go__ctx_end(void *ctx)
{
	go_ctx_end(ctx);
}

/* --- Deadlines --- */

static void
arm(struct m *m, struct go_ctx *c, int64_t when)
{
	struct p *p = m->p != NULL ? m->p : sched.p[0];

	if (timer_add(p, &c->timer, when))
		sched_timer_added(m, p, when);
}

static struct g *
deadline_passed(struct timer *t, int64_t now, struct timer **later)
{
	struct go_ctx *c = container_of(t, struct go_ctx, timer);

	(void)now;
	if (c->resuming || try_ref(c)) {
		t->later = *later;
		*later = t;
	}
	return NULL;
}

static void
finish_deadline(struct timer *t)
{
	struct go_ctx *c = container_of(t, struct go_ctx, timer);
	struct walk w = {.root = c, .at = c};
	struct m *m = self();
	bool over = true;

	if (c->resuming) {
		w.at = c->up;
		over = go_on(m, &w, false);
	} else if (finish_one(m, c, -ETIMEDOUT, -ETIMEDOUT, NULL, false)) {
		detach(c);
		over = go_on(m, &w, false);
	}
	if (over)
		drop(&w, c, false);
	if (w.dead != NULL)
		ctx_start(m, &(struct ctx_call){.fn = bury, .arg = w.dead});
	if (!over) {
		c->up = w.at;
		c->resuming = true;
		arm(m, c, os_now());
	}
}

/* --- Making --- */

static struct go_ctx *
make(const go_ctx *parent, enum ctx_kind kind)
{
	struct go_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal("out of memory making a context");
	scope_init(&c->scope);
	list_init(&c->children);
	c->refs = 1;
	c->kind = kind;
	c->parent = mutable(go_ctx_ref(parent));
	c->deadline = parent != NULL && kind != CTX_DETACHED ? parent->deadline : GO_FOREVER;
	c->values = parent != NULL ? parent->values : NULL;
	return c;
}

/* A child of who is done is born done; one whose deadline is past as well. */
static void
attach(struct go_ctx *c)
{
	struct go_ctx *parent = c->parent;
	bool late = c->kind == CTX_DEADLINE && c->deadline <= os_now();

	if (parent != NULL) {
		lock(&parent->scope.lock, RANK_CTX);
		if (parent->scope.err != 0) {
			c->cause = parent->cause;
			c->why = parent->why;
			c->scope.err = parent->scope.err;
		} else if (!late) {
			list_append(&parent->children, &c->sibling);
		}
		unlock(&parent->scope.lock);
		if (c->scope.err != 0)
			race_acquire(parent);
	}
	if (late && c->scope.err == 0)
		c->scope.err = c->cause = -ETIMEDOUT;
}

/* From here on a parent's cancellation may find it. */
static struct go_ctx *
born(struct go_ctx *c)
{
	struct m *m = enter();

	race_release(c);
	if (c->kind != CTX_DETACHED)
		attach(c);
	if (c->kind == CTX_DEADLINE) {
		lock(&c->scope.lock, RANK_CTX);
		if (c->scope.err == 0)
			arm(m, c, c->deadline);
		unlock(&c->scope.lock);
	}
	leave(m);
	race_release(c);
	return c;
}

go_ctx *
go_ctx_with_cancel(const go_ctx *parent)
{
	return born(make(parent, CTX_PLAIN));
}

go_ctx *
go_ctx_with_deadline(const go_ctx *parent, int64_t deadline)
{
	struct go_ctx *c = make(parent, CTX_PLAIN);

	if (deadline < c->deadline) {
		c->kind = CTX_DEADLINE;
		c->deadline = deadline;
		c->timer.fire = deadline_passed;
		c->timer.finish = finish_deadline;
	}
	return born(c);
}

go_ctx *
go_ctx_with_timeout(const go_ctx *parent, int64_t ns)
{
	int64_t now = os_now();

	return go_ctx_with_deadline(parent, ns > GO_FOREVER - now ? GO_FOREVER : now + ns);
}

go_ctx *
go_ctx_with_value(const go_ctx *parent, const void *key, void *value, void (*destroy_value)(void *))
{
	struct go_ctx *c;

	if (key == NULL)
		go_panic("nil key");
	c = make(parent, CTX_VALUE);
	c->key = key;
	c->value = value;
	c->destroy = destroy_value;
	c->values = c;
	return born(c);
}

go_ctx *
go_ctx_without_cancel(const go_ctx *parent)
{
	return born(make(parent, CTX_DETACHED));
}

/* --- Asking --- */

int
go_ctx_err(const go_ctx *ctx)
{
	int err = ctx != NULL ? load_acq(&ctx->scope.err) : 0;	/* [ctx-err] */

	if (err != 0)
		race_acquire(ctx);
	return err;
}

const char *
go_ctx_strerror(const go_ctx *ctx)
{
	int err = go_ctx_err(ctx);

	if (err == 0)
		return NULL;
	return err == -ETIMEDOUT ? "context deadline exceeded" : "context canceled";
}

int
go_ctx_cause(const go_ctx *ctx, const char **why)
{
	bool done = go_ctx_err(ctx) != 0;

	if (why != NULL)
		*why = done ? ctx->why : NULL;
	return done ? ctx->cause : 0;
}

int64_t
go_ctx_deadline(const go_ctx *ctx)
{
	return ctx != NULL ? ctx->deadline : GO_FOREVER;
}

void *
go_ctx_value(const go_ctx *ctx, const void *key)
{
	const struct go_ctx *c = ctx != NULL ? ctx->values : NULL;

	while (c != NULL && c->key != key)
		c = c->parent != NULL ? c->parent->values : NULL;
	return c != NULL ? c->value : NULL;
}

/*
 * Made when asked for.  One made after the context was done is closed before anybody sees it;
 * else finish_one finds it, under the lock.
 */
static NOINLINE go_ch *
make_done(struct go_ctx *c)
{
	go_ch *made = go_chan_make(sizeof(char), 0), *done;
	struct m *m;

	if (go_ctx_err(c) != 0)
		go_chan_close(made);
	race_release(c);
	m = enter();
	lock(&c->scope.lock, RANK_CTX);
	done = c->done;
	if (done == NULL && (c->scope.err == 0 || made->closed)) {
		done = made;
		store_rel(&c->done, made);		/* [ctx-done] */
	}
	unlock(&c->scope.lock);
	leave(m);
	if (done != made)
		go_chan_unref(made);
	return done;
}

go_ch *
go_ctx_done_chan(const go_ctx *ctx)
{
	go_ch *done;

	if (ctx == NULL)
		return NULL;
	done = load_acq(&ctx->done);			/* [ctx-done] */
	while (unlikely(done == NULL))
		done = make_done(mutable(ctx));	/* again, if it became done meanwhile */
	return done;
}
