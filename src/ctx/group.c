/* SPDX-License-Identifier: MIT */
/*
 * group.c - go_group.
 *
 * A WaitGroup counts the members, a semaphore, if there is a limit, those who may start.  The
 * first result that is not 0 cancels the context before its member counts as done, so whoever
 * has waited finds both.
 *
 * The context goes with the first wait that returns; the result stays, for others who wait and, as
 * in Go, for members to come, until another context begins the group anew.
 *
 *   (1) go__ctx is set before the first member and taken away when all are done: members read it
 *       without the lock.
 *   (2) go__limit is 0 for none, or the limit and one; go__sem then has the limit less the
 *       members that are active.
 */
#include <stdio.h>

#include "../base/fatal.h"
#include "../sched/panic.h"
#include "../sched/spawn.h"

struct member {
	go_group	*group;
	int		(*fn)(void *);
	void		*arg;
};

const go_ctx *
go_group_ctx(go_group *g, const go_ctx *parent)
{
	go_ctx *ctx = go_ctx_with_cancel(parent);
	bool fresh;

	go_mutex_lock(&g->go__lock);
	fresh = g->go__ctx == NULL;
	if (fresh) {
		g->go__ctx = ctx;
		store_rlx(&g->go__err, 0);
	}
	go_mutex_unlock(&g->go__lock);
	if (!fresh) {
		go_ctx_end(ctx);
		panic_about(g, "errgroup: the group has a context already", "group %p", (void *)g);
	}
	return ctx;
}

static NORETURN COLD void
still_active(go_group *g, uint32_t n)
{
	char text[100];

	snprintf(text, sizeof(text),
		 "errgroup: modify limit while %u goroutines in the group are still active", n);
	panic_about(g, text, "group %p", (void *)g);
}

void
go_group_limit(go_group *g, int n)
{
	uint32_t active = load_acq(&g->go__active);	/* [group-active] */

	if (active != 0)
		still_active(g, active);
	g->go__sem = (go_sema)GO_SEMA_INIT(n < 0 ? 0 : n);
	g->go__limit = n < 0 ? 0 : (int64_t)n + 1;
}

/* --- A member's life --- */

/* Deferred, because go_exit must count as well; but not a panic, which ends the process. */
static void
ended(void *arg)
{
	go_group *g = arg;

	if (panic_under_way())
		return;
	go_ctx_unref(go_ctx_bind(NULL));
	if (g->go__limit != 0)
		go_sema_release(&g->go__sem, 1);
	add_ar(&g->go__active, UINT32_MAX);	/* [group-active] done with the semaphore */
	go_wg_done(&g->go__wg);
}

static void
run(void *arg)
{
	struct member *m = arg;
	go_group *g = m->group;
	go_deferred d = {ended, g, NULL};
	int none = 0, err;

	go__defer_push(&d);
	if (g->go__ctx != NULL)
		go_ctx_bind(g->go__ctx);
	err = m->fn(m->arg);
	if (err != 0 && cas_rlx(&g->go__err, &none, err) && g->go__ctx != NULL)
		go_ctx_cancel_cause(g->go__ctx, err, NULL);
	go__defer_pop(&d);
}

/* The caller has taken a unit of the semaphore, if there is a limit. */
static void
start(go_group *g, int (*fn)(void *), void *arg, void *pc)
{
	struct member m = {g, fn, arg};

	add_rlx(&g->go__active, 1);
	go_wg_add(&g->go__wg, 1);
	spawn_copy(run, &m, sizeof(m), pc);
}

void
go_group_spawn(go_group *g, int (*fn)(void *), void *arg)
{
	if (fn == NULL)
		fatal("go of nil func value");
	if (g->go__limit != 0)
		go_sema_acquire(&g->go__sem, 1);
	start(g, fn, arg, __builtin_return_address(0));
}

bool
go_group_try_spawn(go_group *g, int (*fn)(void *), void *arg)
{
	if (fn == NULL)
		fatal("go of nil func value");
	if (g->go__limit != 0 && !go_sema_try_acquire(&g->go__sem, 1))
		return false;
	start(g, fn, arg, __builtin_return_address(0));
	return true;
}

int
go_group_wait(go_group *g)
{
	go_ctx *ctx;
	int err;

	go_wg_wait(&g->go__wg);
	go_mutex_lock(&g->go__lock);
	ctx = g->go__ctx;
	g->go__ctx = NULL;
	err = load_rlx(&g->go__err);
	go_ctx_cancel(ctx);	/* before anybody else can return */
	go_mutex_unlock(&g->go__lock);
	go_ctx_unref(ctx);
	return err;
}
