/* SPDX-License-Identifier: MIT */
/*
 * gmem.c - where goroutines and their stacks come from and go to.
 *
 * A G is small and lives in a slab of its own; a stack is large and comes when the G first
 * runs.  So a flood of spawned goroutines costs Gs only, and those that end without waiting
 * for each other use one warm stack by turns (g_inherit_stack).
 *
 * Each P keeps up to G_CACHE of both, for itself and without locks; the slabs serve batches.
 * What the slabs have too much of, the monitor gives back to the kernel.
 */
#include "gmem.h"

#include "../base/san.h"

/* Kept in memory when idle; few, for a stack may have been used to its end. */
enum { KEEP_STACKS = HARD ? 8 : 64, KEEP_GS = 1024, TRIM_MAX = 1 << 16 };

struct g *
g_alloc(struct m *m)
{
	struct p *p = m->p;
	struct g *v[G_CACHE / 2], *g;
	int n;

	if (p == NULL)
		return slab_get(&g_slab, (void **)v, 1) == 1 ? v[0] : NULL;
	if (unlikely(p->g_free == NULL)) {
		n = slab_get(&g_slab, (void **)v, G_CACHE / 2);
		p->g_nfree = (uint32_t)n;
		while (n-- > 0) {
			v[n]->link = p->g_free;
			p->g_free = v[n];
		}
		if (p->g_free == NULL)
			return NULL;
	}
	g = p->g_free;
	p->g_free = g->link;
	p->g_nfree--;
	return g;
}

static void
put_stack(struct p *p, struct stack *s)
{
	struct stack *v[G_CACHE / 2 + 1];
	int n = 0;

	if (p == NULL || s->class != STACK_256K) {
		stack_put(s);
		return;
	}
	s->next = p->stack_free;
	p->stack_free = s;
	if (likely(++p->stack_nfree <= G_CACHE))
		return;
	/* The warmest stay: skip half of the list, then cut. */
	for (n = 0; n < G_CACHE / 2; n++)
		s = s->next;
	p->stack_nfree = G_CACHE / 2 + 1;
	struct stack *rest = s->next;

	s->next = NULL;
	for (n = 0; rest != NULL; rest = rest->next)
		v[n++] = rest;
	stack_put_n(v, n);
}

static struct stack *
get_stack(struct p *p, enum stack_class c, size_t usable)
{
	struct stack *v[G_CACHE / 2], *s;
	int n;

	if (p == NULL || c != STACK_256K)
		return stack_get(c, usable);
	if (unlikely(p->stack_free == NULL)) {
		n = stack_get_n(c, v, G_CACHE / 2);
		p->stack_nfree = (uint32_t)n;
		while (n-- > 0) {
			v[n]->next = p->stack_free;
			p->stack_free = v[n];
		}
		if (p->stack_free == NULL)
			return NULL;
	}
	s = p->stack_free;
	p->stack_free = s->next;
	p->stack_nfree--;
	return s;
}

bool
g_give_stack(struct m *m, struct g *g, size_t usable)
{
	struct stack *s = get_stack(m->p, g->class, usable);

	if (unlikely(s == NULL))
		return false;
	race_acquire(s);
	s->asan_fake = NULL;
	s->tsan_fiber = NULL;
	g->stack = s;
	return true;
}

void
g_prepare(struct g *g, void (*entry)(void *))
{
	void *base = stack_base(g->stack);

	if (g->flags & GF_ON_STACK)
		base = (void *)((uintptr_t)g->arg & ~(uintptr_t)63);
	if (unlikely(san_tsan))
		g->stack->tsan_fiber = __tsan_create_fiber(TSAN_NO_SYNC);
	g->sp = switch_init(base, entry, g);
}

void
g_inherit_stack(struct g *from, struct g *to)
{
	to->stack = from->stack;
	from->stack = NULL;
}

void
g_free(struct m *m, struct g *g)
{
	struct g *v[G_CACHE / 2 + 1], *rest;
	struct p *p = m->p;
	int n;

	if (g->stack != NULL) {
		if (unlikely(g->stack->tsan_fiber != NULL))
			__tsan_destroy_fiber(g->stack->tsan_fiber);
		put_stack(p, g->stack);
		g->stack = NULL;
	}
	g->sp = NULL;
	g->id = 0;
	store_rlx(&g->state, G_FREE);
	if (p == NULL) {
		slab_put(&g_slab, (void *const *)&g, 1);
		return;
	}
	g->link = p->g_free;
	p->g_free = g;
	if (likely(++p->g_nfree <= G_CACHE))
		return;
	for (n = 0; n < G_CACHE / 2; n++)
		g = g->link;
	p->g_nfree = G_CACHE / 2 + 1;
	rest = g->link;
	g->link = NULL;
	for (n = 0; rest != NULL; rest = rest->link)
		v[n++] = rest;
	slab_put(&g_slab, (void *const *)v, n);
}

static void
put_all(struct g *g, struct stack *s)
{
	while (g != NULL) {
		struct g *next = g->link;

		slab_put(&g_slab, (void *const *)&g, 1);
		g = next;
	}
	while (s != NULL) {
		struct stack *next = s->next;

		stack_put(s);
		s = next;
	}
}

static void
take_caches(struct p *p, struct g **g, struct stack **s)
{
	*g = p->g_free;
	*s = p->stack_free;
	p->g_free = NULL;
	p->stack_free = NULL;
	p->g_nfree = p->stack_nfree = 0;
}

void
gmem_flush(struct p *p)
{
	struct stack *s;
	struct g *g;

	take_caches(p, &g, &s);
	put_all(g, s);
}

/* An idle P is nobody's: with the lock that keeps it so, its caches are ours. */
static void
flush_idle(void)
{
	int i, n = p_count();

	for (i = 0; i < n; i++) {
		struct stack *s = NULL;
		struct g *g = NULL;

		lock(&sched.lock, RANK_SCHED);
		if (sched.p[i]->idle)
			take_caches(sched.p[i], &g, &s);
		unlock(&sched.lock);
		put_all(g, s);
	}
}

size_t
gmem_trim(bool all_idle)
{
	if (!all_idle)
		return stack_trim_spare(KEEP_STACKS, TRIM_MAX) +
		       slab_trim_spare(&g_slab, KEEP_GS, TRIM_MAX);
	flush_idle();
	return stack_trim(KEEP_STACKS, TRIM_MAX) + slab_trim(&g_slab, KEEP_GS, TRIM_MAX);
}
