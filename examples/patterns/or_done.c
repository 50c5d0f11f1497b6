/* SPDX-License-Identifier: MIT */
/*
 * or_done.c - a loop over a channel that one can be called away from.
 *
 * go_range waits for the next value even when nobody wants the rest any more, and a select in every
 * loop is tiresome.  or_done() has that select once: what it returns gives the values of a channel
 * until it is closed or done is.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

static void relay(go_receiver(char) done, go_receiver(int) in, go_sender(int) out)
{
	go_defer_unref(done);
	go_defer_unref(in);
	go_defer_close_unref(out);
	bool more = true;
	int v;

	while (go_select(GO_RECV(done, NULL), GO_RECV_OK(in, &v, &more)) == 1 && more)
		if (go_select(GO_RECV(done, NULL), GO_SEND(out, v)) == 0)
			break; /* done while the consumer was not listening */
}
GO_TASK(relay, go_receiver(char), go_receiver(int), go_sender(int));

/* The result, of which the caller owns a reference, is closed after in or after done. */
static go_receiver(int) or_done(go_receiver(char) done, go_receiver(int) in)
{
	go_chan(int) out = go_make(int, 0);

	go(relay, go_ref(done), go_ref(in), go_send_only(go_ref(out)));
	return go_recv_only(out);
}

/* A source that never ends by itself, and is never asked to: or_done() saves who reads from it. */
static void count(go_sender(int) out, go_receiver(char) power_off)
{
	for (int n = 1; go_select(GO_SEND(out, n), GO_RECV(power_off, NULL)) == 0; n++)
		;
}
GO_TASK(count, go_sender(int), go_receiver(char));

static int sum(go_receiver(int) values, int until, go_sender(char) enough)
{
	int total = 0;

	go_range(n, values) {
		total += n;
		if (n == until) {
			go_close(enough);
			break;
		}
	}
	while (go_recv(values, NULL)) /* it is closed soon: a value may be on its way */
		;
	return total;
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(int) endless = go_make(int, 0), finite = go_make(int, 3);
	go_chan(char) done = go_make(char, 0), never = go_make(char, 0), off = go_make(char, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, count, go_send_only(endless), go_recv_only(off));
	go_receiver(int) some = or_done(go_recv_only(done), go_recv_only(endless));
	printf("called away from an endless source: %d\n", sum(some, 100, go_send_only(done)));

	for (int n = 1; n <= 3; n++)
		go_send(finite, n);
	go_close(finite);
	go_receiver(int) all = or_done(go_recv_only(never), go_recv_only(finite));
	printf("all of a finite one: %d\n", sum(all, 0, NULL));

	go_close(off);
	go_wg_wait(&wg);
	go_unref(some);
	go_unref(all);
	go_unref(endless);
	go_unref(finite);
	go_unref(done);
	go_unref(never);
	go_unref(off);
	return nobody_left();
}
GO_MAIN(app)
