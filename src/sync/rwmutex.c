/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c - go_rwmutex.
 *
 * One word of state, waiters in the address table (wait.c): readers and writers in two queues of
 * one bucket.
 *
 *   WRITER   a writer is inside.
 *   QUEUED   somebody waits in the table; set and cleared with the bucket locked.
 *   READER   times the number of readers inside, or trying to get in.
 *
 * A reader counts itself first and looks then, so that readers scale as well as one addition
 * does.  If there is a writer inside, or anybody queued, its count is provisional: it keeps
 * writers out until it is taken back, or until the reader has seen both gone, from when on the
 * reader is inside.  Who takes one back hands on what that has made free.
 *
 * A writer's unlock hands over under the bucket's lock, without a moment of freedom between: to
 * all readers that wait, or else to the first writer.  The last reader to leave lets go first,
 * then sees to the waiters; meanwhile QUEUED keeps everybody else out.  So neither side starves:
 * a waiting writer keeps new readers out, and those get in after it, before the next writer.
 *
 * Letting go is the last time that the word is touched unless a waiter is found, which keeps
 * the object alive: it may be freed by who gets it next.  A waiter that has given up does so as
 * well, being still inside its call.
 *
 * The other words are not used.
 */
#include "../base/fatal.h"
#include "lockcheck.h"
#include "wait.h"

enum { WRITER = 1, QUEUED = 2, READER = 4 };
enum { SPINS = HARD ? 0 : 4, SPIN_PAUSES = 30 };

/*
 * The queues' names.  Odd ones, which no other type uses: who comes late to wake somebody may
 * find something else at the address.  A mutex of the same type does no harm: passing on is
 * right at any time.
 */
static const void *
readers(const uint32_t *state)
{
	return (const char *)state + 2;
}

static const void *
writers(const uint32_t *state)
{
	return (const char *)state + 3;
}

/* --- Handing over --- */

/* Takes all readers out of their queue; returns what they add to the state. */
static uint32_t
take_readers(struct bucket *b, uint32_t *state, struct gqueue *out)
{
	uint32_t add = 0;
	struct addr_waiter *w;
	bool more;

	while ((w = addr_take(b, readers(state), &more)) != NULL) {
		gqueue_push(out, w->w.g);
		add += READER;
	}
	return add;
}

static bool
anybody(struct bucket *b, const uint32_t *state)
{
	return addr_first(b, readers(state)) != NULL || addr_first(b, writers(state)) != NULL;
}

/*
 * `leaving' (WRITER or 0) leaves, and whoever may get in then does, all in one step.  Nothing is
 * touched after it.  A reader that tries to get in at this moment sees QUEUED or WRITER.
 */
static void
pass_on(struct bucket *b, uint32_t *state, uint32_t leaving, struct gqueue *out)
{
	uint32_t s = load_acq(state) - leaving, add = 0;	/* [rwmutex] what readers did */
	struct addr_waiter *w;
	bool more;

	if ((s & WRITER) == 0 && (leaving != 0 || addr_first(b, writers(state)) == NULL))
		add = take_readers(b, state, out);
	if (s < READER && (s & WRITER) == 0 && add == 0) {
		w = addr_take(b, writers(state), &more);
		if (w != NULL) {
			gqueue_push(out, w->w.g);
			add = WRITER;
		} else {
			add = take_readers(b, state, out);	/* those writers had given up */
		}
	}
	add -= leaving;
	if ((s & QUEUED) && !anybody(b, state))
		add -= QUEUED;
	if (add != 0)
		add_ar(state, add);			/* [rwmutex] */
}

static void
wake(struct m *m, struct gqueue *q)
{
	if (q->n == 1)
		sched_ready(m, gqueue_pop(q));
	else if (q->n > 1)
		sched_ready_all(m, q);
}

/* The deadline or the scope won: nobody will wake us.  Those who waited because of us may go on. */
static void
give_up(struct m *m, uint32_t *state, struct addr_waiter *w)
{
	struct gqueue q = {0};
	struct bucket *b = addr_lock(state);

	addr_remove(w);
	pass_on(b, state, 0, &q);
	unlock(&b->lock);
	wake(m, &q);
}

/* Queued already, b locked: 0, or why not. */
static int
wait_turn(struct m *m, struct bucket *b, struct addr_waiter *w, struct wait *wait, uint32_t *state,
	  enum wait_reason why)
{
	int err;

	m = wait_park(m, wait, finish_unlock, &b->lock, why, state);
	err = wait_error(wait);
	if (err != 0)
		give_up(m, state, w);
	leave(m);
	return err;
}

/* --- Readers --- */

/* Counted already.  true: the writer has left, and we are inside. */
static bool
spin_reader(uint32_t *state)
{
	int i, k;

	if (!sched.spin || load_rlx(&sched.procs) == 1)
		return false;
	for (i = 0; i < SPINS; i++) {
		uint32_t s = load_acq(state);		/* [rwmutex] */

		if ((s & (WRITER | QUEUED)) == 0)
			return true;
		if (s & QUEUED)
			return false;
		for (k = 0; k < SPIN_PAUSES; k++)
			cpu_relax();
	}
	return false;
}

/* Takes the provisional count back, unless we are inside: true. */
static bool
enter_or_take_back(struct m *m, uint32_t *state)
{
	struct gqueue q = {0};
	struct bucket *b = addr_lock(state);
	bool inside = (load_acq(state) & (WRITER | QUEUED)) == 0;	/* [rwmutex] */

	if (!inside) {
		add_rlx(state, (uint32_t)-READER);
		pass_on(b, state, 0, &q);
	}
	unlock(&b->lock);
	wake(m, &q);
	return inside;
}

static NOINLINE int
rlock_slow(uint32_t *state, int64_t deadline, bool bound)
{
	struct addr_waiter w = {.addr = readers(state)};
	struct wait wait = {.deadline = deadline};
	struct bucket *b;
	struct m *m;
	uint32_t s;
	bool may;

	if (deadline == OS_NEVER && !(bound && wait_is_bound()))
		lock_waiting(state, HELD_READ);
	if (spin_reader(state))
		return 0;
	m = enter();
	if (enter_or_take_back(m, state)) {
		leave(m);
		return 0;
	}
	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
	b = addr_lock(state);
	s = load_rlx(state);
	do
		may = (s & (WRITER | QUEUED)) == 0;
	while (!cas_acq(state, &s, may ? s + READER : s | QUEUED));	/* [rwmutex] */
	if (may) {
		unlock(&b->lock);
		leave(m);
		return 0;
	}
	addr_enqueue(b, &w, false);
	return wait_turn(m, b, &w, &wait, state, WAIT_RWMUTEX_READ);
}

void
go_rwmutex_rlock(go_rwmutex *rw)
{
	uint32_t *state = &rw->go__w[0];

	checkpoint();
	if (unlikely(add_acq(state, READER) & (WRITER | QUEUED)))	/* [rwmutex] */
		rlock_slow(state, OS_NEVER, false);
	lock_taken(rw, HELD_READ);
}

static inline bool
try_reader(uint32_t *state)
{
	uint32_t s = load_rlx(state);

	do
		if (s & (WRITER | QUEUED))
			return false;
	while (!cas_acq(state, &s, s + READER));		/* [rwmutex] */
	return true;
}

bool
go_rwmutex_tryrlock(go_rwmutex *rw)
{
	if (!try_reader(&rw->go__w[0]))
		return false;
	lock_taken(rw, HELD_READ);
	return true;
}

int
go_rwmutex_rlock_until(go_rwmutex *rw, int64_t deadline)
{
	uint32_t *state = &rw->go__w[0];
	int err = 0;

	if (!try_reader(state)) {
		if (deadline != OS_NEVER && (deadline <= 0 || deadline <= os_now()))
			return -ETIMEDOUT;
		if ((add_acq(state, READER) & (WRITER | QUEUED)) != 0)	/* [rwmutex] */
			err = rlock_slow(state, deadline, true);
		if (err != 0)
			return err;
	}
	lock_taken(rw, HELD_READ);
	return 0;
}

/* Out already, as the last one, and somebody waits. */
static NOINLINE void
last_reader_left(uint32_t *state)
{
	struct gqueue q = {0};
	struct m *m = enter();
	struct bucket *b = addr_lock(state);

	if (anybody(b, state))
		pass_on(b, state, 0, &q);
	unlock(&b->lock);
	wake(m, &q);
	leave(m);
}

void
go_rwmutex_runlock(go_rwmutex *rw)
{
	uint32_t s;

	lock_leaving(rw, HELD_READ);
	s = add_rel(&rw->go__w[0], (uint32_t)-READER);			/* [rwmutex] */
	if (unlikely(s < READER))
		fatal("sync: RUnlock of unlocked RWMutex\n\trwmutex %p", (void *)rw);
	if (unlikely((s & QUEUED) != 0) && s < 2 * READER)
		last_reader_left(&rw->go__w[0]);
}

/* --- Writers --- */

/* Worth it only while nobody is queued: the lock is handed over to those. */
static bool
spin_writer(uint32_t *state)
{
	int i, k;

	if (!sched.spin || load_rlx(&sched.procs) == 1)
		return false;
	for (i = 0; i < SPINS; i++) {
		uint32_t s = load_rlx(state);

		if (s == 0 && cas_acq(state, &s, WRITER))		/* [rwmutex] */
			return true;
		if (s & QUEUED)
			return false;
		for (k = 0; k < SPIN_PAUSES; k++)
			cpu_relax();
	}
	return false;
}

static NOINLINE int
lock_slow_until(uint32_t *state, int64_t deadline, bool bound)
{
	struct addr_waiter w = {.addr = writers(state)};
	struct wait wait = {.deadline = deadline};
	struct bucket *b;
	struct m *m;
	uint32_t s;
	bool may;

	if (deadline == OS_NEVER && !(bound && wait_is_bound()))
		lock_waiting(state, HELD_WRITE);
	if (spin_writer(state))
		return 0;
	m = enter();
	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
	b = addr_lock(state);
	s = load_rlx(state);
	do
		may = s == 0;
	while (!cas_acq(state, &s, may ? WRITER : s | QUEUED));		/* [rwmutex] */
	if (may) {
		unlock(&b->lock);
		leave(m);
		return 0;
	}
	addr_enqueue(b, &w, false);
	return wait_turn(m, b, &w, &wait, state, WAIT_RWMUTEX_WRITE);
}

void
go_rwmutex_lock(go_rwmutex *rw)
{
	uint32_t none = 0;

	checkpoint();
	if (unlikely(!cas_acq(&rw->go__w[0], &none, WRITER)))		/* [rwmutex] */
		lock_slow_until(&rw->go__w[0], OS_NEVER, false);
	lock_taken(rw, HELD_WRITE);
}

static inline bool
try_writer(uint32_t *state)
{
	uint32_t none = 0;

	return load_rlx(state) == 0 && cas_acq(state, &none, WRITER);	/* [rwmutex] */
}

bool
go_rwmutex_trylock(go_rwmutex *rw)
{
	if (!try_writer(&rw->go__w[0]))
		return false;
	lock_taken(rw, HELD_WRITE);
	return true;
}

int
go_rwmutex_lock_until(go_rwmutex *rw, int64_t deadline)
{
	int err;

	if (!try_writer(&rw->go__w[0])) {
		if (deadline != OS_NEVER && (deadline <= 0 || deadline <= os_now()))
			return -ETIMEDOUT;
		err = lock_slow_until(&rw->go__w[0], deadline, true);
		if (err != 0)
			return err;
	}
	lock_taken(rw, HELD_WRITE);
	return 0;
}

static NOINLINE void
hand_over(uint32_t *state)
{
	struct gqueue q = {0};
	struct m *m = enter();
	struct bucket *b = addr_lock(state);

	pass_on(b, state, WRITER, &q);
	unlock(&b->lock);
	wake(m, &q);
	leave(m);
}

void
go_rwmutex_unlock(go_rwmutex *rw)
{
	uint32_t s = WRITER;

	lock_leaving(rw, HELD_WRITE);
	while (unlikely(!cas_rel(&rw->go__w[0], &s, s & ~(uint32_t)WRITER))) {	/* [rwmutex] */
		if ((s & WRITER) == 0)
			fatal("sync: Unlock of unlocked RWMutex\n\trwmutex %p", (void *)rw);
		if (s & QUEUED) {
			hand_over(&rw->go__w[0]);
			return;
		}
	}
}

void
go__rwunlock(void *rwmutex)
{
	go_rwmutex_unlock(rwmutex);
}

void
go__runlock(void *rwmutex)
{
	go_rwmutex_runlock(rwmutex);
}
