/* SPDX-License-Identifier: MIT */
/*
 * cond.c - go_cond.
 *
 * Word 0: does anybody wait in the address table?  Written with the bucket locked; signal and
 * broadcast look at it without, and have nothing to do if it is 0.  Who changed the condition
 * with the mutex locked, as all must, has seen every waiter that looked at it before.
 * Word 1: where the object was first used, to find out that it was copied.
 *
 * wait has two steps, because the mutex is unlocked in between and has a bucket of its own:
 *
 *   1. queue, the mutex still locked: signals come in the order of waiting;
 *   2. unlock the mutex;
 *   3. park, unless a signal has chosen us in 2.
 *
 * A signal that finds one who is not yet parked tells it by `ok', and has nobody to wake.  One
 * that finds one whose deadline or scope has won goes on to the next: it is consumed by a wait that
 * returns 0, or there was nobody to consume it.
 *
 * Rejected: unlocking the mutex in the finish of the park.  It saves locking the bucket again,
 * but the mutex's waiters would be woken, and its misuse reported, from a foreign stack.
 */
#include "../base/san.h"
#include "../sched/panic.h"
#include "wait.h"

struct sleeper {
	struct addr_waiter	w;		/* w.w.ok: chosen before it was parked */
	bool			parked;		/* under the bucket's lock */
};

/* The address, but for what objects less than 16 GiB apart have in common; not 0. */
static uint32_t
place(const go_cond *c)
{
	uint32_t p = (uint32_t)((uintptr_t)c / sizeof(uint32_t));

	return p != 0 ? p : 1;
}

static void
check_copied(go_cond *c)
{
	uint32_t here = place(c), first = load_rlx(&c->go__w[1]);

	if (likely(first == here))
		return;
	if (first == 0 && (cas_rlx(&c->go__w[1], &first, here) || first == here))
		return;
	panic_about(c, "sync.Cond is copied", "Cond %p", (void *)c);
}

/* --- Wait --- */

/* The deadline or the scope won; no signal has chosen us, or it went on to the next. */
static void
give_up(uint32_t *word, struct sleeper *s)
{
	struct bucket *b = addr_lock(word);

	if (s->w.queued) {
		addr_remove(&s->w);
		store_rlx(word, addr_first(b, word) != NULL);
	}
	unlock(&b->lock);
}

/* Steps 1 to 3. */
static int
sleep_until(go_cond *c, go_mutex *mutex, int64_t deadline, bool bound)
{
	uint32_t *word = &c->go__w[0];
	struct sleeper s = {.w = {.addr = word}};
	struct wait wait = {.deadline = deadline};
	struct m *m = enter();
	struct bucket *b;
	int err = 0;

	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	s.w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
	b = addr_lock(word);
	addr_enqueue(b, &s.w, false);
	store_rlx(word, 1);
	unlock(&b->lock);
	leave(m);

	go_mutex_unlock(mutex);

	m = enter();
	b = addr_lock(word);
	if (s.w.w.ok) {
		unlock(&b->lock);
	} else {
		s.parked = true;
		m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_COND, c);
		err = wait_error(&wait);
		if (err != 0)
			give_up(word, &s);
	}
	leave(m);
	return err;
}

int
go_cond_wait_until(go_cond *c, go_mutex *mutex, int64_t deadline)
{
	int r;

	check_copied(c);
	/* Past or not, the others get their chance to lock the mutex, or who loops would hang. */
	r = sleep_until(c, mutex, deadline > 0 ? deadline : 1, deadline > os_now());
	go_mutex_lock(mutex);
	if (r == 0)
		race_acquire(c);
	return r;
}

void
go_cond_wait(go_cond *c, go_mutex *mutex)
{
	check_copied(c);
	sleep_until(c, mutex, OS_NEVER, false);
	go_mutex_lock(mutex);
	race_acquire(c);
}

/* --- Signal --- */

/* The first who can be chosen, and is.  Whom to wake goes to ready.  The bucket is locked. */
static bool
choose(struct bucket *b, uint32_t *word, struct gqueue *ready)
{
	struct addr_waiter *w;

	while ((w = addr_first(b, word)) != NULL) {
		addr_remove(w);
		if (!container_of(w, struct sleeper, w)->parked) {
			w->w.ok = true;
			return true;
		}
		if (wait_claim(&w->w)) {
			gqueue_push(ready, w->w.g);
			return true;
		}
	}
	return false;
}

/* The object may be gone when the bucket is unlocked: who waited may free it. */
static NOINLINE void
wake(uint32_t *word, bool all)
{
	struct gqueue ready = {0};
	struct m *m = enter();
	struct bucket *b = addr_lock(word);

	while (choose(b, word, &ready) && all)
		continue;
	store_rlx(word, addr_first(b, word) != NULL);
	unlock(&b->lock);
	if (ready.n == 1)
		sched_ready(m, gqueue_pop(&ready));
	else if (ready.n != 0)
		sched_ready_all(m, &ready);
	leave(m);
}

void
go_cond_signal(go_cond *c)
{
	check_copied(c);
	race_release(c);
	if (load_rlx(&c->go__w[0]) != 0)
		wake(&c->go__w[0], false);
}

void
go_cond_broadcast(go_cond *c)
{
	check_copied(c);
	race_release(c);
	if (load_rlx(&c->go__w[0]) != 0)
		wake(&c->go__w[0], true);
}
