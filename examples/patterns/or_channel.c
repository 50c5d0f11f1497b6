/* SPDX-License-Identifier: MIT */
/*
 * or_channel.c - a channel that is closed as soon as one of several is.
 *
 * For stop signals that come from many sides and are to be passed on as one.  Where they are only
 * waited for, go_selectv on the same cases is enough.  How many channels there are is not known
 * when the program is compiled, so the cases of the select are put together by hand.
 */
#include <goro.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"

enum { SIGNALS = 5 };

/* The goroutine waits for all channels in one select; the last case is the result's own stop. */
static void wait_any(int n, go_case *cases, go_sender(char) any)
{
	go_defer_close_unref(any);
	go_defer(free, cases);
	go_selectv(cases, n, GO_FOREVER);
	for (int i = 0; i < n; i++)
		go_chan_unref(cases[i].chan);
}
GO_TASK(wait_any, int, go_case *, go_sender(char));

/* Closed when one of c[0] to c[n - 1] is, or has been, or stop. */
static go_receiver(char) or(int n, const go_receiver(char) *c, go_receiver(char) stop)
{
	go_chan(char) any = go_make(char, 0);
	go_case *cases = malloc(((size_t)n + 1) * sizeof *cases);

	if (!cases)
		err(1, NULL);
	for (int i = 0; i < n; i++)
		cases[i] = GO_RECV(go_ref(c[i]), NULL);
	cases[n] = GO_RECV(go_ref(stop), NULL);
	go(wait_any, n + 1, cases, go_send_only(go_ref(any)));
	return go_recv_only(any);
}

/* One of the signals is given; or(), and an or() over that, are closed, whichever it is. */
static void try(int which)
{
	go_chan(char) signal[SIGNALS], stop = go_make(char, 0);
	go_receiver(char) watched[SIGNALS];

	for (int i = 0; i < SIGNALS; i++)
		watched[i] = go_recv_only(signal[i] = go_make(char, 0));

	go_receiver(char) any = or(SIGNALS, watched, go_recv_only(stop));
	go_receiver(char) outer = or(1, &any, go_recv_only(stop));

	check(go_recv_until(any, NULL, GO_NOWAIT) == -ETIMEDOUT); /* not yet */
	if (which < SIGNALS)
		go_close(signal[which]);
	else
		go_close(stop); /* nobody has any interest any more: the goroutines end, too */
	check(!go_recv(any, NULL) && !go_recv(outer, NULL));

	go_unref(any);
	go_unref(outer);
	go_unref(stop);
	for (int i = 0; i < SIGNALS; i++)
		go_unref(signal[i]);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i <= SIGNALS; i++)
		try(i);
	printf("any of %d signals is heard, and so is stop\n", SIGNALS);
	return nobody_left();
}
GO_MAIN(app)
