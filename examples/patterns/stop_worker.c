/* SPDX-License-Identifier: MIT */
/*
 * stop_worker.c - to stop a worker is to tell it, and then to wait until it has stopped.
 *
 * Telling is cancelling its context.  Waiting is what makes it safe to free what it uses: the
 * worker closes `done' as its last deed.  What it has accepted it finishes; what comes later is
 * refused, and who is just waiting to hand something over hears so.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

struct worker {
	go_ctx *ctx;
	go_chan(int) jobs;	/* without room: what has been sent has been accepted */
	go_chan(char) done;
	int finished;		/* to be looked at when done is closed */
};

static void run(struct worker *w)
{
	go_defer_close(w->done);
	int job;

	while (go_select(GO_RECV(w->jobs, &job), GO_DONE(w->ctx)) == 0) {
		go_sleep(GO_MILLISECOND);
		w->finished += job;
	}
}
GO_TASK(run, struct worker *);

static void start(struct worker *w, const go_ctx *parent)
{
	*w = (struct worker){go_ctx_with_cancel(parent), go_make(int, 0), go_make(char, 0), 0};
	go(run, w);
}

/* Blocks until the worker has time for it.  false: it is being stopped. */
static bool submit(struct worker *w, int job)
{
	if (go_ctx_err(w->ctx)) /* with both possible, a select takes either */
		return false;
	return go_select(GO_SEND(w->jobs, job), GO_DONE(w->ctx)) == 0;
}

/* As often as one likes, from wherever.  When it returns, the worker does nothing any more. */
static void stop(struct worker *w)
{
	go_ctx_cancel(w->ctx);
	go_recv(w->done, NULL);
}

static void end(struct worker *w)
{
	stop(w);
	go_ctx_end(w->ctx);
	go_unref(w->jobs);
	go_unref(w->done);
}

static void hand_over(struct worker *w, go_sender(bool) accepted)
{
	while (submit(w, 1))
		go_send(accepted, true);
	go_send(accepted, false);
}
GO_TASK(hand_over, struct worker *, go_sender(bool));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct worker w;
	go_chan(bool) accepted = go_make(bool, 0);
	go_defer_unref(accepted);
	bool more = true;
	int n = 0;

	start(&w, GO_CTX_BACKGROUND);
	go(hand_over, &w, go_send_only(accepted));
	for (; n < 5; n++)
		go_recv(accepted, &more); /* five have been accepted; a sixth may be waiting */
	stop(&w);
	while (go_recv(accepted, &more) && more)
		n++; /* or may have been, just before */
	check(n >= 5 && w.finished == n);
	check(!submit(&w, 1));
	end(&w);
	printf("all that was accepted is finished, what came later is refused\n");
	return nobody_left();
}
GO_MAIN(app)
