/* SPDX-License-Identifier: MIT */
/*
 * timeouts.c - two ways not to wait for ever.
 *
 * GO_AFTER in a select limits one wait, of which nobody else knows: who is asked goes on, so there
 * must be room for the answer that is not wanted any more.  A context with a timeout is one limit
 * for everything that is done for a request, passed down to all who work on it; and they end, too,
 * when it is over.  (go_recv_until and the other _until functions are a third way, for a single
 * wait without a select.)
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { NEVER = 0, AT_ONCE = 1 }; /* how the server answers here */
static const int64_t patience[] = {[NEVER] = 5 * GO_MILLISECOND, [AT_ONCE] = GO_MINUTE};

/* --- GO_AFTER --- */

static void serve(int how, go_receiver(char) shutdown, go_sender(int) answer)
{
	go_defer_unref(answer);
	if (how == NEVER)
		go_recv(shutdown, NULL); /* it is stuck */
	go_send(answer, 42);             /* there is room: this does not wait */
}
GO_TASK(serve, int, go_receiver(char), go_sender(int));

static void ask(int how, go_receiver(char) shutdown)
{
	go_chan(int) answer = go_make(int, 1);
	go_defer_unref(answer);
	int value;

	go(serve, how, shutdown, go_send_only(go_ref(answer)));
	switch (go_select(GO_RECV(answer, &value), GO_AFTER(patience[how]))) {
	case 0:
		printf("after: %d\n", value);
		break;
	case 1:
		printf("after: no answer in time\n");
		break;
	}
}

/* --- A context --- */

static void serve_ctx(const go_ctx *ctx, int how, go_sender(int) answer)
{
	go_defer_unref(answer);
	if (how == AT_ONCE)
		go_select(GO_SEND(answer, 42), GO_DONE(ctx));
	else
		go_recv(go_ctx_done(ctx), NULL); /* works on it until nobody wants it any more */
	go_ctx_unref(ctx);
}
GO_TASK(serve_ctx, const go_ctx *, int, go_sender(int));

/* One step of several, all of which share the time that ctx leaves: 0, -ETIMEDOUT, -ECANCELED. */
static int step(const go_ctx *ctx, int how, int *value)
{
	go_chan(int) answer = go_make(int, 0);
	go_defer_unref(answer);

	go(serve_ctx, go_ctx_ref(ctx), how, go_send_only(go_ref(answer)));
	return go_select(GO_RECV(answer, value), GO_DONE(ctx)) == 0 ? 0 : go_ctx_err(ctx);
}

static void ask_ctx(int how)
{
	go_ctx *ctx = go_ctx_with_timeout(GO_CTX_BACKGROUND, patience[how]);
	go_defer_end(ctx); /* in any case: it has a timer until then */
	int a = 0, b = 0;

	if (step(ctx, AT_ONCE, &a) == 0 && step(ctx, how, &b) == 0)
		printf("context: %d\n", a + b);
	else
		printf("context: %s\n", go_ctx_strerror(ctx));
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(char) shutdown = go_make(char, 0);

	ask(AT_ONCE, go_recv_only(shutdown));
	ask(NEVER, go_recv_only(shutdown));
	ask_ctx(AT_ONCE);
	ask_ctx(NEVER);
	go_close(shutdown);
	int status = nobody_left();
	go_unref(shutdown);
	return status;
}
GO_MAIN(app)
