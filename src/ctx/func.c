/* SPDX-License-Identifier: MIT */
/*
 * func.c - functions to be called once a context is done.
 *
 * A context keeps them in slots that are used again, in blocks that double in size and never
 * move; a token is a slot's number and how often it had been used before.  So adding, stopping
 * and taking the next one cost the same however many there are, and a stale token is harmless.
 *
 * Everything here is protected by the context's lock.  Whoever takes a function out of
 * `pending', the walk of the cancellation or stop, decides what becomes of it.
 *
 * Functions hold no reference: who drops the last one has given up that they run.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/spawn.h"
#include "ctx.h"

enum { FIRST = 4, BLOCKS = CTX_FUNC_BLOCKS };	/* block k holds FIRST << k slots: 2^30 in all */

#define BACKGROUND_TOKEN UINT64_MAX	/* a function of the background never runs */

/* Where a slot's block and place in it are: block k begins with number FIRST * (2^k - 1). */
static uint32_t
block_of(uint32_t number)
{
	return 31 - (uint32_t)__builtin_clz(number / FIRST + 1);
}

static struct ctx_slot *
slot_at(struct ctx_funcs *f, uint32_t number)
{
	uint32_t k = block_of(number);

	return &f->block[k][number - FIRST * ((UINT32_C(1) << k) - 1)];
}

static NORETURN void
no_memory(void)
{
	fatal("out of memory adding a function to a context");
}

/* A free slot; the context is locked, as a heap is while it grows: that is rare. */
static struct ctx_slot *
get_slot(struct go_ctx *c)
{
	struct ctx_funcs *f = c->funcs;
	struct ctx_slot *s;

	if (f == NULL) {
		c->funcs = f = calloc(1, sizeof(*f));
		if (f == NULL)
			no_memory();
		list_init(&f->pending);
	}
	s = f->free;
	if (s != NULL) {
		f->free = s->next_free;
	} else {
		uint32_t number = f->made, k = block_of(number);

		if (k >= BLOCKS)
			no_memory();
		if (f->block[k] == NULL &&
		    (f->block[k] = calloc((size_t)FIRST << k, sizeof(*s))) == NULL)
			no_memory();
		f->made++;
		s = slot_at(f, number);
		s->number = number;
	}
	if (++s->uses == 0)
		s->uses = 1;
	return s;
}

static void
put_slot(struct ctx_funcs *f, struct ctx_slot *s)
{
	list_remove(&s->link);
	s->next_free = f->free;
	f->free = s;
}

bool
ctx_take_func(struct go_ctx *c, struct ctx_call *call)
{
	struct ctx_slot *s;

	if (c->funcs == NULL || list_empty(&c->funcs->pending))
		return false;
	s = container_of(c->funcs->pending.next, struct ctx_slot, link);
	*call = s->call;
	put_slot(c->funcs, s);
	return true;
}

/* By whoever cancels, or a timer, on behalf of who asked for it. */
void
ctx_start(struct m *m, const struct ctx_call *call)
{
	struct g *g = spawn_new(m, call->fn, call->arg, 0, call->pc);

	if (g == NULL)
		fatal("out of memory starting a goroutine (%d live)", go_count());
	g->creator = call->creator;
	sched_spawned(m, g);
}

void
ctx_free_funcs(struct ctx_funcs *f)
{
	int k;

	for (k = 0; f != NULL && k < BLOCKS; k++)
		free(f->block[k]);
	free(f);
}

uint64_t
go_ctx_after_func(const go_ctx *ctx, go_fn fn, void *arg)
{
	struct go_ctx *c = (struct go_ctx *)(uintptr_t)ctx;
	struct ctx_call call = {fn, arg, __builtin_return_address(0), 0};
	uint64_t token = 0;
	struct m *m;

	if (fn == NULL)
		fatal("go of nil func value");
	if (c == NULL)
		return BACKGROUND_TOKEN;
	race_release(c);
	m = enter();
	call.creator = m->g->id;
	lock(&c->scope.lock, RANK_CTX);
	if (c->scope.err == 0) {
		struct ctx_slot *s = get_slot(c);

		s->call = call;
		list_append(&c->funcs->pending, &s->link);
		token = (uint64_t)s->uses << 32 | s->number;
	}
	unlock(&c->scope.lock);
	if (token == 0) {
		race_acquire(c);
		ctx_start(m, &call);
	}
	leave(m);
	race_release(c);		/* memory for slots may be ours */
	return token;
}

bool
go_ctx_stop_func(const go_ctx *ctx, uint64_t token)
{
	struct go_ctx *c = (struct go_ctx *)(uintptr_t)ctx;
	uint32_t number = (uint32_t)token;
	struct ctx_funcs *f;
	bool stopped = false;
	struct m *m;

	if (c == NULL)
		return token == BACKGROUND_TOKEN;
	m = enter();
	lock(&c->scope.lock, RANK_CTX);
	f = c->funcs;
	if (f != NULL && number < f->made) {
		struct ctx_slot *s = slot_at(f, number);

		stopped = s->uses == token >> 32 && list_linked(&s->link);
		if (stopped)
			put_slot(f, s);
	}
	unlock(&c->scope.lock);
	leave(m);
	return stopped;
}
