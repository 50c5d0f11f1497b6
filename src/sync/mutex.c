/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - go_mutex.
 *
 * One word of state, waiters in the address table (wait.c).
 *
 *   LOCKED   somebody holds it.
 *   PARKED   somebody waits in the table, and no one is awake who will see to that; set with
 *            the bucket locked.
 *   WOKEN    one waiter has been woken and has not yet run: no need to wake another.
 *   STARVING one waiter has waited for too long: it is locked until that one has it.
 *
 * Unlocking is one compare-and-swap to 0, and the last time it touches the word, unless it finds a
 * waiter: an object may be freed by who gets its mutex next.
 *
 * Unlocking lets whoever comes first have the mutex, which is mostly somebody already running:
 * that is what makes it fast.  A waiter that comes too late after STARVED sets the flag of that
 * name, and from then on the mutex is handed over without being free in between, in the order
 * of waiting, until there are no waiters, or none that has waited for so long (Go's two modes).
 *
 * The second word is not used.
 */
#include "../base/fatal.h"
#include "lockcheck.h"
#include "wait.h"

enum { LOCKED = 1, PARKED = 2, WOKEN = 4, STARVING = 8 };
enum { SPINS = HARD ? 0 : 4, SPIN_PAUSES = 30 };
static const int64_t STARVED = HARD ? 1000 : 1000000;	/* 1 ms, as Go's */

/* The queue's name; odd, as in rwmutex.c: a late wake_one meets nothing but mutexes there. */
static const void *
waiters(const uint32_t *state)
{
	return (const char *)state + 1;
}

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

/*
 * Whether the mutex was taken meanwhile; else w is queued and the bucket locked.  PARKED may
 * have been lost with an unlock; who takes it here restores it.
 */
static struct bucket *
queue_or_take(uint32_t *state, struct addr_waiter *w, bool woken, bool *taken)
{
	uint32_t starving = woken && os_now() - w->since >= STARVED ? STARVING : 0;
	struct bucket *b = addr_lock(state);
	uint32_t s = load_rlx(state), next;
	uint32_t rest = addr_first(b, waiters(state)) != NULL ? PARKED : 0;

	do {
		*taken = (s & LOCKED) == 0;
		next = *taken ? LOCKED | rest | (s & WOKEN) : s | PARKED | starving;
		if (woken)
			next &= ~(uint32_t)WOKEN;
	} while (!cas_acq(state, &s, next));		/* [mutex] */
	if (*taken) {
		unlock(&b->lock);
		return NULL;
	}
	addr_enqueue(b, w, woken);
	return b;
}

/* The deadline or the scope won: nobody will wake us.  If we were the last, nobody waits. */
static void
give_up(uint32_t *state, struct addr_waiter *w)
{
	struct bucket *b = addr_lock(state);

	addr_remove(w);
	if (addr_first(b, waiters(state)) == NULL)
		and_ar(state, ~(uint32_t)(PARKED | STARVING));	/* [mutex] under b->lock */
	unlock(&b->lock);
}

static NOINLINE int
lock_slow_until(uint32_t *state, int64_t deadline, bool bound)
{
	struct addr_waiter w = {.addr = waiters(state), .since = 0};
	struct wait wait = {.deadline = deadline};
	bool woken = false, taken;
	struct m *m;

	if (deadline == OS_NEVER && !(bound && wait_is_bound()))
		lock_waiting(state, HELD_MUTEX);
	if (spin(state) && (or_acq(state, LOCKED) & LOCKED) == 0)	/* [mutex] */
		return 0;
	m = enter();
	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	for (;;) {
		struct bucket *b;
		int err;

		wait.won = WON_NOBODY;
		w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
		if (w.since == 0)
			w.since = os_now();
		b = queue_or_take(state, &w, woken, &taken);
		if (taken)
			break;
		m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_MUTEX, state);
		err = wait_error(&wait);
		if (err != 0) {
			give_up(state, &w);
			leave(m);
			return err;
		}
		if (w.w.ok)
			break;		/* handed over */
		woken = true;
	}
	leave(m);
	return 0;
}

/*
 * Released already, and somebody waits.  The mutex may be gone by now unless we find a waiter:
 * while that one is not woken, it is there, and may be written to.
 */
static NOINLINE void
wake_one(uint32_t *state)
{
	int64_t now = os_now();
	struct addr_waiter *w;
	struct g *g = NULL;
	struct m *m = enter();
	struct bucket *b = addr_lock(state);
	bool more;

	w = addr_take(b, waiters(state), &more);
	if (w != NULL) {
		g = w->w.g;
		if (more)
			or_acq(state, PARKED);				/* [mutex] */
		w->w.ok = now - w->since >= STARVED && (or_acq(state, LOCKED) & LOCKED) == 0;
		if (!w->w.ok)
			or_acq(state, WOKEN);				/* [mutex] */
	}
	unlock(&b->lock);
	if (g != NULL)
		sched_ready(m, g);
	leave(m);
}

/* Not released: the first waiter gets it.  If all have given up, it is free. */
static NOINLINE void
hand_over(uint32_t *state)
{
	int64_t now = os_now();
	struct addr_waiter *w;
	struct g *g = NULL;
	struct m *m = enter();
	struct bucket *b = addr_lock(state);
	bool more;

	w = addr_take(b, waiters(state), &more);
	if (w == NULL) {
		xchg_rel(state, 0);					/* [mutex] */
	} else {
		g = w->w.g;
		w->w.ok = true;
		if (!more)
			and_ar(state, ~(uint32_t)(PARKED | STARVING));	/* [mutex] */
		else if (now - w->since < STARVED)
			and_ar(state, ~(uint32_t)STARVING);		/* [mutex] */
	}
	unlock(&b->lock);
	if (g != NULL)
		sched_ready(m, g);
	leave(m);
}

/* What is not the everyday way through lock and unlock is out of line, so that they need no frame. */
static NOINLINE void
take_slow(go_mutex *m, void *pc, bool alerted)
{
	uint32_t *state = &m->go__w[0];

	if (alerted)
		checkpoint();
	if (!alerted || (or_acq(state, LOCKED) & LOCKED))		/* [mutex] */
		lock_slow_until(state, OS_NEVER, false);
	if (unlikely(lock_watched))
		lockcheck_taken(m, HELD_MUTEX, pc);
}

void
go_mutex_lock(go_mutex *m)
{
	/* A loop of nothing but uncontended locks shall yield when asked to. */
	if (unlikely(load_rlx(&self()->alert) != 0))
		take_slow(m, __builtin_return_address(0), true);
	else if (unlikely(or_acq(&m->go__w[0], LOCKED) & LOCKED))	/* [mutex] */
		take_slow(m, __builtin_return_address(0), false);
	else if (unlikely(lock_watched))
		lockcheck_taken(m, HELD_MUTEX, __builtin_return_address(0));
}

static inline bool
try(uint32_t *state)
{
	return (load_rlx(state) & LOCKED) == 0 &&
	       (or_acq(state, LOCKED) & LOCKED) == 0;		/* [mutex] */
}

bool
go_mutex_trylock(go_mutex *m)
{
	if (!try(&m->go__w[0]))
		return false;
	lock_taken(m, HELD_MUTEX);
	return true;
}

int
go_mutex_lock_until(go_mutex *m, int64_t deadline)
{
	int r;

	if (!try(&m->go__w[0])) {
		if (deadline != OS_NEVER && (deadline <= 0 || deadline <= os_now()))
			return -ETIMEDOUT;
		r = lock_slow_until(&m->go__w[0], deadline, true);
		if (r != 0)
			return r;
	}
	lock_taken(m, HELD_MUTEX);
	return 0;
}

/*
 * What is not just LOCKED.  Releasing takes PARKED and WOKEN away: the one who is awake, or whom
 * we wake, puts PARKED back when it takes its turn.
 */
static NOINLINE void
unlock_slow(go_mutex *m, uint32_t s)
{
	do {
		if ((s & LOCKED) == 0)
			fatal("sync: unlock of unlocked mutex\n\tmutex %p", (void *)m);
		if (s & STARVING) {
			hand_over(&m->go__w[0]);
			return;
		}
	} while (!cas_rel(&m->go__w[0], &s, 0));		/* [mutex] */
	if ((s & (PARKED | WOKEN)) == PARKED)
		wake_one(&m->go__w[0]);
}

static NOINLINE void
unlock_watched(go_mutex *m)
{
	uint32_t s = LOCKED;

	lockcheck_leaving(m, HELD_MUTEX);
	if (!cas_rel(&m->go__w[0], &s, 0))			/* [mutex] */
		unlock_slow(m, s);
}

void
go_mutex_unlock(go_mutex *m)
{
	uint32_t s = LOCKED;

	if (unlikely(lock_watched))
		unlock_watched(m);
	else if (unlikely(!cas_rel(&m->go__w[0], &s, 0)))	/* [mutex] */
		unlock_slow(m, s);
}

void
go__unlock(void *mutex)
{
	go_mutex_unlock(mutex);
}
