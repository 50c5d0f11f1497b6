/* SPDX-License-Identifier: MIT */
/*
 * sema.c - go_sema.
 *
 * One word, waiters in the address table.  u >= 0: u units are free, nobody waits.  ~u, which is
 * negative: u are free and somebody waits, the first of them for more than u.  So one
 * compare-and-swap acquires or releases while nobody waits, and a negative word sends everybody
 * to the bucket, whose lock protects the word then: newcomers queue even if they would fit.
 *
 *   negative		<=> the queue of the word's address is not empty	(bucket locked)
 *   first in the queue	=>  wants more than there is, or has been ended by deadline or scope
 *
 * Whoever adds units, or leaves the queue, grants: hands units to those in front for as long as
 * they suffice.  Writing the word is the last that a releaser does to it, for the object may be
 * freed by who gets its units.
 *
 * The other words are not used: a size to check releases against is not in the contract.
 */
#include "../base/san.h"
#include "../sched/panic.h"
#include "wait.h"

struct request {
	struct addr_waiter	w;
	int64_t			n;
};

/* Hands over what can be, and writes the word.  The bucket is locked; ready is for afterwards. */
static void
grant(int64_t *word, struct bucket *b, int64_t units, struct gqueue *ready)
{
	struct addr_waiter *w;

	while ((w = addr_first(b, word)) != NULL) {
		int64_t n = container_of(w, struct request, w)->n;

		if (n > units)
			break;
		addr_remove(w);
		if (wait_claim(&w->w)) {
			units -= n;
			gqueue_push(ready, w->w.g);
		}
	}
	store_rel(word, w != NULL ? ~units : units);	/* [sema] */
}

static void
wake(struct m *m, struct gqueue *ready)
{
	if (ready->n == 1)
		sched_ready(m, gqueue_pop(ready));
	else if (ready->n != 0)
		sched_ready_all(m, ready);
}

static NORETURN COLD void
bad_number(const void *word, int64_t n)
{
	panic_about(word, "semaphore: negative number of units", "semaphore %p, %lld units", word,
		    (long long)n);
}

static NORETURN COLD void
too_many(const void *word, int64_t n)
{
	panic_about(word, "semaphore: released more than held",
		    "semaphore %p has no room for %lld units more", word, (long long)n);
}

/* Negative without waiters: it began like that.  Unlocks before it complains. */
static void
check_initial(struct m *m, struct bucket *b, const int64_t *word, int64_t s)
{
	if (likely(s >= 0 || addr_first(b, word) != NULL))
		return;
	unlock(&b->lock);
	leave(m);
	bad_number(word, s);
}

/* --- Acquire --- */

static bool
try_acquire(int64_t *word, int64_t n)
{
	int64_t s = load_rlx(word);

	if (unlikely(n < 0))
		bad_number(word, n);
	while (s >= n)
		if (cas_acq(word, &s, s - n))		/* [sema] */
			return true;
	return false;
}

/* The deadline or the scope won: nobody will wake us.  Those behind us may go on. */
static void
give_up(struct m *m, int64_t *word, struct request *r)
{
	struct bucket *b = addr_lock(word);
	struct gqueue ready = {0};

	if (r->w.queued) {
		addr_remove(&r->w);
		grant(word, b, ~load_acq(word), &ready);	/* [sema] */
	}
	unlock(&b->lock);
	wake(m, &ready);
}

static NOINLINE int
acquire_slow_until(int64_t *word, int64_t n, int64_t deadline, bool bound)
{
	struct request r = {.w = {.addr = word}, .n = n};
	struct wait wait = {.deadline = deadline};
	struct m *m = enter();
	struct bucket *b;
	int64_t s;
	int err;

	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	r.w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
	b = addr_lock(word);
	s = load_rlx(word);
	check_initial(m, b, word, s);
	while (s >= 0 && !cas_acq(word, &s, s >= n ? s - n : ~s))	/* [sema] */
		continue;
	if (s >= n) {
		unlock(&b->lock);
		leave(m);
		return 0;
	}
	addr_enqueue(b, &r.w, false);
	m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_SEMA, word);
	err = wait_error(&wait);
	if (err != 0)
		give_up(m, word, &r);
	leave(m);
	return err;
}

bool
go_sema_try_acquire(go_sema *s, int64_t n)
{
	if (!try_acquire(&s->go__w[0], n))
		return false;
	race_acquire(s);
	return true;
}

int
go_sema_acquire_until(go_sema *s, int64_t n, int64_t deadline)
{
	int r;

	go_checkpoint();		/* as go_mutex_lock */
	if (go_sema_try_acquire(s, n))
		return 0;
	if (deadline != OS_NEVER && (deadline <= 0 || deadline <= os_now()))
		return -ETIMEDOUT;
	r = acquire_slow_until(&s->go__w[0], n, deadline, true);
	if (r == 0)
		race_acquire(s);
	return r;
}

void
go_sema_acquire(go_sema *s, int64_t n)
{
	go_checkpoint();
	if (unlikely(!try_acquire(&s->go__w[0], n)))
		acquire_slow_until(&s->go__w[0], n, OS_NEVER, false);
	race_acquire(s);
}

/* --- Release --- */

/* Somebody waits, or did a moment ago: then false. */
static NOINLINE bool
release_slow(int64_t *word, int64_t n)
{
	struct gqueue ready = {0};
	struct m *m = enter();
	struct bucket *b = addr_lock(word);
	int64_t s = load_acq(word);			/* [sema] for whom we hand over to */
	bool fits = s < 0 && ~s <= INT64_MAX - n;

	check_initial(m, b, word, s);
	if (fits)
		grant(word, b, ~s + n, &ready);
	unlock(&b->lock);
	wake(m, &ready);
	leave(m);
	if (s < 0 && !fits)
		too_many(word, n);
	return s < 0;
}

void
go_sema_release(go_sema *sema, int64_t n)
{
	int64_t *word = &sema->go__w[0], s = load_rlx(word);

	if (unlikely(n < 0))
		bad_number(word, n);
	race_release(sema);
	for (;;) {
		while (likely(s >= 0)) {
			if (unlikely(s > INT64_MAX - n))
				too_many(word, n);
			if (cas_rel(word, &s, s + n))	/* [sema] */
				return;
		}
		if (release_slow(word, n))
			return;
		s = load_rlx(word);
	}
}
