/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - go_mutex.
 *
 * One word of state, waiters in the address table (wait.c).
 *
 *   LOCKED   somebody holds it.
 *   PARKED   somebody waits in the table; changed with the bucket locked.
 *   WOKEN    one waiter has been woken and has not yet run: no need to wake another.
 *
 * Unlocking lets whoever comes first have the mutex, which is mostly somebody already running:
 * that is what makes it fast.  But a waiter that has waited for STARVED gets it handed over
 * directly, past the newcomers (Go's two modes; the eventual fairness of WebKit's locks).
 *
 * The second word is not used.
 */
#include "../base/fatal.h"
#include "../base/san.h"
#include "wait.h"

enum { LOCKED = 1, PARKED = 2, WOKEN = 4 };
enum { SPINS = HARD ? 0 : 4, SPIN_PAUSES = 30 };
static const int64_t STARVED = 1000000;		/* 1 ms, as Go's */

/* Worth it only if the holder can be running meanwhile and nobody waits yet. */
static bool
spin(uint32_t *state)
{
	int i, k;

	if (!sched.spin || load_rlx(&sched.procs) == 1)
		return false;
	for (i = 0; i < SPINS; i++) {
		uint32_t s = load_rlx(state);

		if ((s & LOCKED) == 0)
			return true;
		if (s & PARKED)
			return false;
		for (k = 0; k < SPIN_PAUSES; k++)
			cpu_relax();
	}
	return false;
}

/* Returns whether the mutex was taken meanwhile; else w is queued and the bucket locked. */
static struct bucket *
queue_or_take(uint32_t *state, struct addr_waiter *w, bool woken, bool *taken)
{
	struct bucket *b = addr_lock(state);
	uint32_t s = load_rlx(state), next;

	*taken = false;
	do {
		if (s & LOCKED)
			next = (s | PARKED) & ~(uint32_t)(woken ? WOKEN : 0);
		else
			next = (s | LOCKED) & ~(uint32_t)(woken ? WOKEN : 0);
	} while (!cas_acq(state, &s, next));		/* [mutex] */
	if ((s & LOCKED) == 0) {
		*taken = true;
		unlock(&b->lock);
		return NULL;
	}
	addr_enqueue(b, w, woken);
	return b;
}

/* The deadline won: nobody will wake us.  If we were the last, nobody waits. */
static void
give_up(uint32_t *state, struct addr_waiter *w)
{
	struct bucket *b = addr_lock(state);

	addr_remove(w);
	if (addr_first(b, state) == NULL)
		and_ar(state, ~(uint32_t)PARKED);	/* [mutex] under the bucket's lock */
	unlock(&b->lock);
}

static NOINLINE int
lock_slow_until(uint32_t *state, int64_t deadline)
{
	struct addr_waiter w = {.addr = state, .since = 0};
	struct wait wait = {.deadline = deadline};
	bool woken = false, taken;
	struct m *m;

	if (spin(state) && (or_acq(state, LOCKED) & LOCKED) == 0)	/* [mutex] */
		return 0;
	m = enter();
	for (;;) {
		struct bucket *b;

		wait.won = WON_NOBODY;
		w.w = (struct waiter){.g = m->g, .wait = deadline == OS_NEVER ? NULL : &wait};
		if (w.since == 0)
			w.since = os_now();
		b = queue_or_take(state, &w, woken, &taken);
		if (taken)
			break;
		m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_MUTEX, state);
		if (wait.won == WON_DEADLINE) {
			give_up(state, &w);
			leave(m);
			return -ETIMEDOUT;
		}
		if (w.w.ok)
			break;		/* handed over */
		woken = true;
	}
	leave(m);
	return 0;
}

/* The state without LOCKED was s, not 0: somebody waits, or is awake and about to take it. */
static NOINLINE void
unlock_slow(uint32_t *state, uint32_t s)
{
	struct addr_waiter *w;
	struct g *g = NULL;
	struct bucket *b;
	struct m *m;
	bool more;

	m = enter();
	b = addr_lock(state);
	/* Wake somebody, unless one is awake already or the mutex has a new holder, who will. */
	for (;;) {
		s = load_rlx(state);
		if ((s & (LOCKED | WOKEN)) != 0 || (s & PARKED) == 0)
			goto out;
		/* Holding it again, for nobody else: whom we wake may get it handed over. */
		if (cas_acq(state, &s, s | LOCKED))		/* [mutex] */
			break;
	}
	w = addr_take(b, state, &more);
	s = more ? PARKED : 0;
	if (w != NULL) {
		g = w->w.g;
		w->w.ok = os_now() - w->since >= STARVED;
		s |= w->w.ok ? LOCKED : WOKEN;
	}
	store_rel(state, s);			/* [mutex] bits change with the bucket locked, or LOCKED free */
out:
	unlock(&b->lock);
	if (g != NULL)
		sched_ready(m, g);
	leave(m);
}

void
go_mutex_lock(go_mutex *m)
{
	/* A loop of nothing but uncontended locks shall yield when asked to. */
	go_checkpoint();
	if (unlikely(or_acq(&m->go__w[0], LOCKED) & LOCKED))		/* [mutex] */
		lock_slow_until(&m->go__w[0], OS_NEVER);
	race_acquire(m);
}

bool
go_mutex_trylock(go_mutex *m)
{
	if ((load_rlx(&m->go__w[0]) & LOCKED) || (or_acq(&m->go__w[0], LOCKED) & LOCKED))	/* [mutex] */
		return false;
	race_acquire(m);
	return true;
}

int
go_mutex_lock_until(go_mutex *m, int64_t deadline)
{
	int r;

	if (go_mutex_trylock(m))
		return 0;
	if (deadline != OS_NEVER && (deadline <= 0 || deadline <= os_now()))
		return -ETIMEDOUT;
	r = lock_slow_until(&m->go__w[0], deadline);
	if (r == 0)
		race_acquire(m);
	return r;
}

void
go_mutex_unlock(go_mutex *m)
{
	uint32_t s;

	race_release(m);
	s = add_rel(&m->go__w[0], (uint32_t)-LOCKED);			/* [mutex] */
	if (unlikely((s & LOCKED) == 0))
		fatal("sync: unlock of unlocked mutex");
	if (unlikely(s != LOCKED))
		unlock_slow(&m->go__w[0], s - LOCKED);
}

void
go__unlock(void *mutex)
{
	go_mutex_unlock(mutex);
}
