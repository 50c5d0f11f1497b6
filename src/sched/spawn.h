/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - birth and death of goroutines.
 */
#ifndef GORO_SPAWN_H
#define GORO_SPAWN_H

#include "proc.h"

/*
 * A new goroutine, not yet queued (sched_spawned does that).  NULL: no memory.  usable: 0 for
 * the default stack; then memory for it is found when it first runs.
 */
struct g *spawn_new(struct m *m, go_fn fn, void *arg, size_t usable, void *pc);

/* go_spawn_copy on behalf of the caller at pc. */
void	spawn_copy(go_fn fn, const void *args, size_t size, void *pc);

/* Left by ctx/bind.c: g, which ends, drops what it is bound to. */
extern void	(*spawn_unbind)(struct g *g);

void	spawn_init(void);

#endif
