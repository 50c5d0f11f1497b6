/* SPDX-License-Identifier: MIT */
/*
 * once.c - go_once.
 *
 * NEW -> RUNNING by whoever comes first, RUNNING -> DONE when its function has returned,
 * panicked or called go_exit: a deferred call does it.  Others wait in the address table.  A
 * plain compare-and-swap of a flag before calling the function would let the second caller
 * return before the first is done.
 */
#include <unwind.h>

#include "../base/san.h"
#include "wait.h"

enum { NEW, RUNNING, DONE };

static void
done(void *arg)
{
	uint32_t *state = arg;
	struct gqueue all = {0};
	struct addr_waiter *w;
	struct bucket *b;
	struct m *m;
	bool more;

	race_release(state);
	m = enter();
	b = addr_lock(state);
	store_rel(state, DONE);			/* [once] */
	while ((w = addr_take(b, state, &more)) != NULL)
		gqueue_push(&all, w->w.g);
	unlock(&b->lock);
	sched_ready_all(m, &all);
	leave(m);
}

/* Returns when the function is done; true: it is for the caller to run it. */
static NOINLINE bool
begin(uint32_t *state)
{
	struct addr_waiter w = {.addr = state};
	struct wait wait = {.deadline = OS_NEVER};
	uint32_t s = NEW;
	struct bucket *b;
	struct m *m;

	if (cas_ar(state, &s, RUNNING))		/* [once] */
		return true;
	m = enter();
	sched_check_section(m);
	b = addr_lock(state);
	if (load_acq(state) == DONE) {		/* [once] */
		unlock(&b->lock);
	} else {
		w.w = (struct waiter){.g = m->g};
		addr_enqueue(b, &w, false);
		m = wait_park(m, &wait, finish_unlock, &b->lock, WAIT_ONCE, state);
	}
	leave(m);
	return false;
}

_Unwind_Reason_Code once_left(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
			      struct _Unwind_Exception *thrown, struct _Unwind_Context *at);

/*
 * The unwinder calls this when an exception (C++, pthread_exit) goes through the frame of run:
 * it has been left, too.  Deferred calls that it has skipped, of C code that was compiled without
 * exceptions, are skipped here.  That is all, so nothing of libgcc is needed, which a cleanup
 * attribute would (to resume after it): the exception goes on by itself.
 */
_Unwind_Reason_Code
once_left(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
	  struct _Unwind_Exception *thrown, struct _Unwind_Context *at)
{
	struct g *g = self()->g;

	(void)version;
	(void)class;
	(void)thrown;
	(void)at;
	if ((actions & _UA_CLEANUP_PHASE) == 0)
		return _URC_CONTINUE_UNWIND;
	while (g->defers != NULL && g->defers->fn != done)
		g->defers = g->defers->go__prev;
	if (g->defers != NULL)
		go__defer_pop(g->defers);
	return _URC_CONTINUE_UNWIND;
}

static NOINLINE void
run(uint32_t *state, go_fn fn, void *arg)
{
	go_deferred d = {done, state, NULL};

	/* 0x1b: its address is relative, in 4 bytes. */
	__asm__ volatile(".cfi_personality 0x1b, once_left");
	go__defer_push(&d);
	fn(arg);
	go__defer_pop(&d);
}

void
go_once_do(go_once *o, go_fn fn, void *arg)
{
	uint32_t *state = &o->go__w[0];

	if (unlikely(load_acq(state) != DONE) && begin(state))	/* [once] */
		run(state, fn, arg);
	race_acquire(state);
}

struct value {
	void	**slot;
	void	*(*fn)(void *);
	void	*arg;
};

static void
make(void *arg)
{
	struct value *v = arg;

	*v->slot = v->fn(v->arg);
}

void *
go_once_value(go_once *o, void **slot, void *(*fn)(void *), void *arg)
{
	struct value v = {slot, fn, arg};

	go_once_do(o, make, &v);
	return *slot;
}
