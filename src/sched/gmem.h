/* SPDX-License-Identifier: MIT */
/*
 * gmem.h - where goroutines and their stacks come from and go to.
 */
#ifndef GORO_GMEM_H
#define GORO_GMEM_H

#include "proc.h"

struct g	*g_alloc(struct m *m);		/* zeroed but for its memory; NULL: no memory */
void		g_free(struct m *m, struct g *g);	/* its stack goes as well */

/* Gives a fresh G its stack; false: no memory.  g->class is set. */
bool		g_give_stack(struct m *m, struct g *g, size_t usable);

/* Shapes the first frame: the switch to g->sp will call entry(g). */
void		g_prepare(struct g *g, void (*entry)(void *));

/* The dead `from' leaves its stack to the fresh `to', which is of the same class. */
void		g_inherit_stack(struct g *from, struct g *to);

void		gmem_flush(struct p *p);	/* a retired P's caches */
size_t		gmem_trim(bool all_idle);	/* monitor: give memory back; returns slots given back */

#endif
