/* SPDX-License-Identifier: MIT */
/*
 * bind.c - the context that a goroutine or thread is bound to.
 *
 * g->bound is the context's scope, counted; wait.c looks at it.  Only its own goroutine changes
 * it, so a wait may rely on it.
 */
#include "../base/san.h"
#include "../sched/spawn.h"
#include "ctx.h"

static const go_ctx *
of_scope(struct scope *s)
{
	return s != NULL ? container_of(s, struct go_ctx, scope) : NULL;
}

const go_ctx *
go_ctx_bind(const go_ctx *ctx)
{
	struct go_ctx *c = (struct go_ctx *)(uintptr_t)go_ctx_ref(ctx);
	struct m *m = enter();
	const go_ctx *before = of_scope(m->g->bound);

	m->g->bound = c != NULL ? &c->scope : NULL;
	leave(m);
	return before;
}

const go_ctx *
go_ctx_current(void)
{
	struct m *m = enter();
	const go_ctx *ctx = of_scope(m->g->bound);

	leave(m);
	return ctx;
}

/* The goroutine or thread is about to end. */
static void
unbind(struct g *g)
{
	const go_ctx *ctx = of_scope(g->bound);

	g->bound = NULL;
	go_ctx_unref(ctx);
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	spawn_unbind = unbind;
}
