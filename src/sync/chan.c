/* SPDX-License-Identifier: MIT */
/*
 * chan.c - channels.
 *
 * A channel is a ring of elements and two queues of waiters.  At most one party is ever
 * waiting for the other:
 *
 *   (1) senders or receivers is empty, except that one goroutine may wait on both sides of
 *       an unbuffered channel in a single select.
 *   (2) len > 0 implies receivers is empty.
 *   (3) len < cap implies senders is empty.
 *   (4) closed never goes back to false; a closed channel has nobody waiting.
 *
 * (A waiter whose select has been won elsewhere may still be queued; it counts as gone.)
 * So every operation sees one of three situations, tried in this order: a party waits on the
 * other side (copy between the two stacks), the ring has room or an element, or nothing can
 * be done and we wait.
 *
 * Locking.  c->lock (rank CHAN) protects everything in the channel and the elem and ok of its
 * waiters.  Select takes several, in address order.  Nobody is made runnable while a channel
 * is locked.  Who receives may drop the last reference before the sender's unlock() returns:
 * after unlocking, a sender does not touch the channel.
 *
 * Not done: a lock-free ring.  An operation often ends in a wake-up, and (1) to (4) would no
 * longer be checkable.
 *
 * Race annotations: a value sent happens before its receipt, and the k-th receipt before the
 * (k + cap)-th send is complete, as in Go's memory model: both by the address of the slot, or
 * of the waiter for a hand-over.
 */
#include "chan.h"

#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/panic.h"

COLD void
chan_panic(const struct go_ch *c, const char *text)
{
	panic_about(c, text, "channel %p of %zu-byte elements, %u of %u buffered", (const void *)c,
		    c->elem_size, load_rlx(&c->len), c->cap);
}

/* --- Making, references --- */

go_ch *
go_chan_make(size_t elem_size, size_t cap)
{
	size_t ring;
	go_ch *c;

	if (cap > UINT32_MAX / 2 || __builtin_mul_overflow(elem_size, cap, &ring) ||
	    ring > PTRDIFF_MAX - sizeof(*c))
		go_panic("makechan: size out of range");
	if (posix_memalign((void **)&c, CACHE_LINE, sizeof(*c) + ring) != 0)
		fatal("out of memory making a channel of %zu elements of %zu bytes", cap, elem_size);
	memset(c, 0, sizeof(*c));
	c->cap = (uint32_t)cap;
	c->elem_size = elem_size;
	c->refs = 1;
	list_init(&c->senders);
	list_init(&c->receivers);
	return c;
}

go_ch *
go_chan_ref(go_ch *c)
{
	if (c != NULL)
		add_rlx(&c->refs, 1);
	return c;
}

void
go_chan_unref(go_ch *c)
{
	if (c == NULL)
		return;
	race_release(&c->refs);
	if (sub_ar(&c->refs, 1) != 1)			/* [chan-refs] with itself */
		return;
	race_acquire(&c->refs);
	if (!list_empty(&c->senders) || !list_empty(&c->receivers)) {
		add_rlx(&c->refs, 1);
		chan_panic(c, "goro: last reference to a channel dropped while goroutines wait on it");
	}
	free(c);
}

size_t
go_chan_len(const go_ch *c)
{
	return c == NULL || c->is_timer ? 0 : load_rlx(&c->len);
}

size_t
go_chan_cap(const go_ch *c)
{
	return c == NULL || c->is_timer ? 0 : c->cap;
}

/* --- The ring --- */

static ALWAYS_INLINE unsigned char *
slot(struct go_ch *c, uint32_t i)
{
	return c->ring + (size_t)i * c->elem_size;
}

static ALWAYS_INLINE void
ring_put(struct go_ch *c, const void *elem)
{
	uint32_t i = c->head + c->len;

	if (i >= c->cap)
		i -= c->cap;
	race_acquire(slot(c, i));
	chan_copy(slot(c, i), elem, c->elem_size);
	race_release(slot(c, i));
	store_rlx(&c->len, c->len + 1);
}

static ALWAYS_INLINE void
ring_get(struct go_ch *c, void *elem)
{
	uint32_t i = c->head;

	race_acquire(slot(c, i));
	if (elem != NULL)
		chan_copy(elem, slot(c, i), c->elem_size);
	race_release(slot(c, i));
	c->head = i + 1 == c->cap ? 0 : i + 1;
	store_rlx(&c->len, c->len - 1);
}

/* --- Sending --- */

static ALWAYS_INLINE enum chan_result
send_locked(struct go_ch *c, const void *elem, struct g **ready)
{
	struct waiter *w;

	assert_held(&c->lock);
	*ready = NULL;
	if (unlikely(c->closed))
		return CHAN_CLOSED;
	if ((w = waiter_take(&c->receivers)) != NULL) {
		race_acquire(w);
		if (w->elem != NULL)
			chan_copy(w->elem, elem, c->elem_size);
		race_release(w);
		w->ok = true;
		*ready = w->g;
		return CHAN_DONE;
	}
	if (c->len == c->cap)
		return CHAN_WAIT;
	ring_put(c, elem);
	return CHAN_DONE;
}

/*
 * Queue ourselves and wait.  The channel is locked; returns 0, -EPIPE, or a wait_error.  Out of
 * line, so that the paths that need no waiting have small frames.
 */
static NOINLINE int
block(struct m *m, struct go_ch *c, struct link *queue, void *elem, enum wait_reason why)
{
	struct waiter w;

	if (unlikely(m->g->flags & GF_SECTION)) {
		unlock(&c->lock);
		sched_refuse(m);
	}
	w.g = m->g;
	w.wait = NULL;
	w.elem = elem;
	w.ok = false;
	race_release(&w);
	list_append(queue, &w.link);
	m = sched_park(m, finish_unlock, &c->lock, why, c);
	leave(m);
	race_acquire(&w);
	return w.ok ? 0 : -EPIPE;
}

static NOINLINE int
block_until(struct m *m, struct go_ch *c, struct link *queue, void *elem, enum wait_reason why,
	    int64_t deadline)
{
	struct wait wait = {.deadline = deadline, .scope = m->g->bound};
	struct waiter w = {.g = m->g, .wait = &wait, .elem = elem};
	int err;

	if (deadline <= os_now() || unlikely(m->g->flags & GF_SECTION)) {
		unlock(&c->lock);
		if (deadline > os_now())
			sched_refuse(m);
		leave(m);
		return -ETIMEDOUT;
	}
	race_release(&w);
	list_append(queue, &w.link);
	m = wait_park(m, &wait, finish_unlock, &c->lock, why, c);
	err = wait_error(&wait);
	if (err != 0) {
		lock(&c->lock, RANK_CHAN);
		if (list_linked(&w.link))
			list_remove(&w.link);
		unlock(&c->lock);
	}
	leave(m);
	race_acquire(&w);
	return err != 0 ? err : w.ok ? 0 : -EPIPE;
}

static NOINLINE void
block_for_ever(enum wait_reason why)
{
	struct wait wait = {.deadline = OS_NEVER};
	struct m *m = enter();

	sched_check_section(m);
	for (;;)
		m = wait_park(m, &wait, finish_nothing, NULL, why, NULL);
}

/* NULL channel: only the deadline or the scope ends it, if there is any. */
static int
until_deadline(int64_t deadline, enum wait_reason why)
{
	struct wait wait = {.deadline = deadline};
	struct m *m;

	if (deadline <= os_now())
		return -ETIMEDOUT;
	m = enter();
	sched_check_section(m);
	wait.scope = m->g->bound;
	m = wait_park(m, &wait, finish_nothing, NULL, why, NULL);
	leave(m);
	return wait_error(&wait);
}

static ALWAYS_INLINE int
send(go_ch *c, const void *elem, int64_t deadline, bool bound)
{
	struct m *m = enter();
	enum chan_result r;
	struct g *ready;

	lock(&c->lock, RANK_CHAN);
	r = send_locked(c, elem, &ready);
	if (likely(r == CHAN_DONE)) {
		unlock(&c->lock);
		if (ready != NULL)
			sched_ready(m, ready);
		leave(m);
		return 0;
	}
	if (r == CHAN_CLOSED) {
		unlock(&c->lock);
		leave(m);
		return -EPIPE;
	}
	if (deadline == OS_NEVER && !(bound && m->g->bound != NULL))
		return block(m, c, &c->senders, (void *)(uintptr_t)elem, WAIT_CHAN_SEND);
	return block_until(m, c, &c->senders, (void *)(uintptr_t)elem, WAIT_CHAN_SEND, deadline);
}

void
go_chan_send(go_ch *c, const void *elem)
{
	if (unlikely(c == NULL))
		block_for_ever(WAIT_CHAN_SEND_NIL);
	if (unlikely(send(c, elem, OS_NEVER, false) != 0))
		chan_panic(c, "send on closed channel");
}

int
go_chan_send_until(go_ch *c, const void *elem, int64_t deadline)
{
	if (unlikely(c == NULL))
		return until_deadline(deadline, WAIT_CHAN_SEND_NIL);
	if (deadline == GO_NOWAIT && !chan_may_send(c))
		return -ETIMEDOUT;
	return send(c, elem, deadline, true);
}

enum chan_result
chan_send_locked(struct go_ch *c, const void *elem, struct g **ready)
{
	return send_locked(c, elem, ready);
}

/* --- Receiving --- */

static ALWAYS_INLINE enum chan_result
recv_locked(struct go_ch *c, void *elem, struct g **ready)
{
	struct waiter *w;

	assert_held(&c->lock);
	*ready = NULL;
	if (c->len > 0) {
		ring_get(c, elem);
		/* (3): room appears only now; the first sender's value takes it. */
		if ((w = waiter_take(&c->senders)) != NULL) {
			race_acquire(w);
			ring_put(c, w->elem);
			race_release(w);
			w->ok = true;
			*ready = w->g;
		}
		return CHAN_DONE;
	}
	if ((w = waiter_take(&c->senders)) != NULL) {
		race_acquire(w);
		if (elem != NULL)
			chan_copy(elem, w->elem, c->elem_size);
		race_release(w);
		w->ok = true;
		*ready = w->g;
		return CHAN_DONE;
	}
	if (c->closed) {
		race_acquire(c);
		return CHAN_CLOSED;
	}
	return CHAN_WAIT;
}

static ALWAYS_INLINE int
recv(go_ch *c, void *elem, int64_t deadline, bool bound)
{
	struct m *m = enter();
	enum chan_result r;
	struct g *ready;

	lock(&c->lock, RANK_CHAN);
	r = recv_locked(c, elem, &ready);
	if (likely(r == CHAN_DONE)) {
		unlock(&c->lock);
		if (ready != NULL)
			sched_ready(m, ready);
		leave(m);
		return 0;
	}
	if (r == CHAN_CLOSED) {
		unlock(&c->lock);
		leave(m);
		return -EPIPE;
	}
	if (deadline == OS_NEVER && !(bound && m->g->bound != NULL))
		return block(m, c, &c->receivers, elem, WAIT_CHAN_RECV);
	return block_until(m, c, &c->receivers, elem, WAIT_CHAN_RECV, deadline);
}

bool
go_chan_recv(go_ch *c, void *elem)
{
	if (unlikely(c == NULL))
		block_for_ever(WAIT_CHAN_RECV_NIL);
	if (likely(recv(c, elem, OS_NEVER, false) == 0))
		return true;
	race_acquire(c);		/* who closed it happened before */
	chan_zero(c, elem);
	return false;
}

int
go_chan_recv_until(go_ch *c, void *elem, int64_t deadline)
{
	int r;

	if (unlikely(c == NULL))
		return until_deadline(deadline, WAIT_CHAN_RECV_NIL);
	if (deadline == GO_NOWAIT && !chan_may_recv(c))
		return -ETIMEDOUT;
	r = recv(c, elem, deadline, true);
	if (r == -EPIPE)
		race_acquire(c);
	return r;
}

enum chan_result
chan_recv_locked(struct go_ch *c, void *elem, struct g **ready)
{
	return recv_locked(c, elem, ready);
}

/* --- Closing --- */

static void
take_all(struct link *q, struct gqueue *all)
{
	struct waiter *w;

	while ((w = waiter_take(q)) != NULL) {
		w->ok = false;
		gqueue_push(all, w->g);
	}
}

void
chan_close_locked(struct go_ch *c, struct gqueue *woken)
{
	assert_held(&c->lock);
	store_rlx(&c->closed, true);
	take_all(&c->receivers, woken);
	take_all(&c->senders, woken);
}

void
go_chan_close(go_ch *c)
{
	struct gqueue all = {0};
	struct m *m;

	if (c == NULL)
		go_panic("close of nil channel");
	m = enter();
	lock(&c->lock, RANK_CHAN);
	if (c->closed) {
		unlock(&c->lock);
		leave(m);
		chan_panic(c, "close of closed channel");
	}
	race_release(c);
	chan_close_locked(c, &all);
	unlock(&c->lock);
	if (all.n == 1)
		sched_ready(m, gqueue_pop(&all));
	else
		sched_ready_all(m, &all);
	leave(m);
}

void
go_chan_close_unref(go_ch *c)
{
	go_chan_close(c);
	go_chan_unref(c);
}

void
go__close(void *c)
{
	go_chan_close(c);
}

void
go__close_unref(void *c)
{
	go_chan_close_unref(c);
}

void
go__unref(void *c)
{
	go_chan_unref(c);
}
