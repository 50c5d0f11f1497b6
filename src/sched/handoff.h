/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - threads that come without a P, lose it, or give it away.
 */
#ifndef GORO_HANDOFF_H
#define GORO_HANDOFF_H

#include "sched.h"

/* By the monitor: take p from m, which runs user code; false: it is inside the runtime. */
bool	handoff_take(struct p *p, struct m *m);

/* Makes the calling thread, which will run goroutines, ready for it. */
void	handoff_thread_init(struct m *m);
void	handoff_init(void);

/* Left by run.c: starts the runtime if that has not been done. */
extern void	(*handoff_start)(void);

/* Left by overflow.c: this thread will run goroutines. */
extern void	(*handoff_signal_stack)(struct m *m);

/* Left by panic.c: calls fn(arg).  What it panicked with, if so, is for handoff_panic. */
extern struct panic *(*handoff_try)(go_fn fn, void *arg);
extern void	(*handoff_panic)(struct panic *p);	/* does not return */

/* Left by spawn.c: frees what a goroutine or foreign thread leaves behind. */
extern void	(*handoff_cleanup)(struct g *g);

#endif
