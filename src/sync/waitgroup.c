/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - go_waitgroup.
 *
 * One word: the counter in the high half, the number of waiters in the low half, so that
 * done() learns both at once.  Waiters are counted and queued with the bucket locked.  The
 * done() that finds the counter at zero and waiters there wakes them all; one that finds no
 * waiters touches nothing any more, for the object may be gone by then.
 *
 * Who is woken returns without another look, which would be at an object that the other waiters
 * may have freed.  So it does no harm to use a WaitGroup again when all have been woken and not
 * all have returned; Go's complaint of that, "is reused before previous Wait has returned", is
 * not made.
 */
#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/panic.h"
#include "../sched/spawn.h"
#include "wait.h"

#define ONE	(UINT64_C(1) << 32)

static int32_t
count(uint64_t s)
{
	return (int32_t)(s >> 32);
}

static uint32_t
waiters(uint64_t s)
{
	return (uint32_t)s;
}

static NOINLINE void
wake_all(uint64_t *state)
{
	struct gqueue all = {0};
	struct addr_waiter *w;
	struct m *m = enter();
	struct bucket *b = addr_lock(state);
	bool more;

	store_rel(state, 0);			/* [wg] before anybody can return from wait */
	while ((w = addr_take(b, state, &more)) != NULL)
		gqueue_push(&all, w->w.g);
	unlock(&b->lock);
	if (all.n == 1)
		sched_ready(m, gqueue_pop(&all));
	else
		sched_ready_all(m, &all);
	leave(m);
}

void
go_wg_add(go_waitgroup *wg, int delta)
{
	uint64_t *state = &wg->go__w[0], before, s;

	if (delta < 0)
		race_release(wg);
	before = add_ar(state, (uint64_t)(int64_t)delta * ONE);		/* [wg] */
	s = before + (uint64_t)(int64_t)delta * ONE;
	if (unlikely(count(s) < 0))
		panic_about(wg, "sync: negative WaitGroup counter", "WaitGroup %p", (void *)wg);
	if (unlikely(waiters(s) != 0)) {
		if (delta > 0 && count(s) == delta)
			panic_about(wg, "sync: WaitGroup misuse: Add called concurrently with Wait",
				    "WaitGroup %p", (void *)wg);
		if (count(s) == 0)
			wake_all(state);
	}
}

void
go_wg_done(go_waitgroup *wg)
{
	go_wg_add(wg, -1);
}

void
go__wg_done(void *wg)
{
	go_wg_add(wg, -1);
}

/* The deadline or the scope won; true: the last done() did as well, in the end. */
static bool
give_up(uint64_t *state, struct addr_waiter *w)
{
	for (;;) {
		struct bucket *b = addr_lock(state);
		bool queued = w->queued;
		uint64_t s = load_acq(state);					/* [wg] */

		/* In one step: a done() in between would find zero with us as a waiter. */
		while (queued && count(s) != 0 && !cas_ar(state, &s, s - 1))	/* [wg] */
			continue;
		if (queued && count(s) != 0)
			addr_remove(w);
		unlock(&b->lock);
		if (!queued)
			return true;	/* the last done() has been here */
		if (count(s) != 0)
			return false;
		/* It has seen us as a waiter and will write the word: it must still be there. */
		go_yield();
	}
}

static int
wait_until(go_waitgroup *wg, int64_t deadline, bool bound)
{
	uint64_t *state = &wg->go__w[0], s = load_acq(state);		/* [wg] */
	struct addr_waiter w = {.addr = state};
	struct wait wait = {.deadline = deadline};
	struct bucket *b;
	struct m *m;
	int err;

	if (count(s) == 0) {
		race_acquire(wg);
		return 0;
	}
	if (deadline != OS_NEVER && deadline <= os_now())
		return -ETIMEDOUT;
	m = enter();
	sched_check_section(m);
	wait.scope = bound ? m->g->bound : NULL;
	w.w = (struct waiter){.g = m->g, .wait = wait_shared(&wait)};
	b = addr_lock(state);
	s = load_acq(state);						/* [wg] */
	while (count(s) != 0 && !cas_ar(state, &s, s + 1))		/* [wg] */
		continue;
	if (count(s) == 0) {
		unlock(&b->lock);
		leave(m);
		race_acquire(wg);
		return 0;
	}
	addr_enqueue(b, &w, false);
	m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_WAITGROUP, wg);
	leave(m);
	err = wait_error(&wait);
	if (err != 0 && !give_up(state, &w))
		return err;
	race_acquire(wg);
	return 0;
}

int
go_wg_wait_until(go_waitgroup *wg, int64_t deadline)
{
	return wait_until(wg, deadline, true);
}

void
go_wg_wait(go_waitgroup *wg)
{
	ensure(wait_until(wg, OS_NEVER, false) == 0);
}

/* --- Spawning --- */

/*
 * Deferred, because go_exit must count as well.  A panic that has come here is caught by nobody:
 * the report comes next, and who waits shall not end the process before it.
 */
static void
ended(void *wg)
{
	if (!panic_under_way())
		go_wg_add(wg, -1);
}

struct call {
	go_waitgroup	*wg;
	go_fn		fn;
	unsigned char	args[] ALIGNED(16);
};

static void
run_copied(void *arg)
{
	struct call *c = arg;
	go_deferred d = {ended, c->wg, NULL};

	go__defer_push(&d);
	c->fn(c->args);
	go__defer_pop(&d);
}

struct call1 {
	go_waitgroup	*wg;
	go_fn		fn;
	void		*arg;
};

static void
run_plain(void *arg)
{
	struct call1 *c = arg;
	go_deferred d = {ended, c->wg, NULL};

	go__defer_push(&d);
	c->fn(c->arg);
	go__defer_pop(&d);
}

void
go_wg_spawn(go_waitgroup *wg, go_fn fn, void *arg)
{
	struct call1 c = {wg, fn, arg};

	if (fn == NULL)
		fatal("go of nil func value");
	go_wg_add(wg, 1);
	spawn_copy(run_plain, &c, sizeof(c), __builtin_return_address(0));
}

void
go_wg_spawn_copy(go_waitgroup *wg, go_fn fn, const void *args, size_t size)
{
	unsigned char buf[1024] ALIGNED(16);
	struct call *c = (struct call *)(void *)buf;

	if (fn == NULL)
		fatal("go of nil func value");
	if (size > 512)
		go_panic("go_wg_spawn_copy: %zu bytes of arguments, at most 512", size);
	c->wg = wg;
	c->fn = fn;
	if (size != 0)			/* args may be NULL then */
		memcpy(c->args, args, size);
	go_wg_add(wg, 1);
	spawn_copy(run_copied, c, sizeof(*c) + size, __builtin_return_address(0));
}
