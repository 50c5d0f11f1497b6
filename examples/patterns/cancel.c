/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - a pipeline whose end wants no more is taken down from the beginning.
 *
 * Every stage sends in a select with the context, so cancelling that ends them all, wherever they
 * are: they close what they send to, and those behind them see it.  A stage that only sent would
 * wait for ever once nobody receives any more.  While nobody cancels, a slow stage makes those
 * before it wait, as the channels have no room.
 *
 *	count --1 2 3...--> square --1 4 9...--> is_odd --1 9 25...--> main, who wants five
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

/*
 * Whoever is handed a channel here is handed a reference as well, and drops it at the end.  The
 * context is main's, who waits for all before ending it.
 */
static void count(const go_ctx *ctx, go_sender(int) out)
{
	go_defer_close_unref(out); /* at the end of the block, whichever way it is left */
	for (int n = 1; go_select(GO_SEND(out, n), GO_DONE(ctx)) == 0; n++)
		;
}
GO_TASK(count, const go_ctx *, go_sender(int));

static void map(const go_ctx *ctx, go_receiver(int) in, go_sender(int) out, int (*fn)(int))
{
	go_defer_unref(in);
	go_defer_close_unref(out);
	go_range(v, in)
		if (go_select(GO_SEND(out, fn(v)), GO_DONE(ctx)) != 0)
			break;
}
GO_TASK(map, const go_ctx *, go_receiver(int), go_sender(int), int (*)(int));

static void filter(const go_ctx *ctx, go_receiver(int) in, go_sender(int) out, bool (*fn)(int))
{
	go_defer_unref(in);
	go_defer_close_unref(out);
	go_range(v, in)
		if (fn(v) && go_select(GO_SEND(out, v), GO_DONE(ctx)) != 0)
			break;
}
GO_TASK(filter, const go_ctx *, go_receiver(int), go_sender(int), bool (*)(int));

static int square(int v) { return v * v; }
static bool is_odd(int v) { return v % 2 != 0; }

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_ctx *ctx = go_ctx_with_cancel(GO_CTX_BACKGROUND);
	go_defer_end(ctx);
	go_chan(int) numbers = go_make(int, 0), squares = go_make(int, 0), odd = go_make(int, 0);
	go_defer_unref(odd);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int taken = 0;

	GO_WG(&wg, count, ctx, go_send_only(go_ref(numbers)));
	GO_WG(&wg, map, ctx, go_recv_only(numbers), go_send_only(go_ref(squares)), square);
	GO_WG(&wg, filter, ctx, go_recv_only(squares), go_send_only(go_ref(odd)), is_odd);
	go_range(v, odd) {
		printf("%d ", v);
		if (++taken == 5)
			break;
	}
	go_ctx_cancel(ctx);
	go_wg_wait(&wg); /* all three: nobody is stuck in a send */
	printf("and then: %s\n", go_ctx_strerror(ctx));
	return nobody_left();
}
GO_MAIN(app)
