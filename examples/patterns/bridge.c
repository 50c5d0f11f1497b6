/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - a channel of channels is read as if it were one channel.
 *
 * A producer that works in portions makes a channel per portion and sends the channel.  bridge()
 * strings them together, one after the other and in order, so that whoever consumes sees a single
 * stream.  The reference to an inner channel travels with it: who receives it drops it.
 *
 *	portions --(1 2 3)--(4 5 6)--(7 8 9)--> bridge --1 2 3 4 5 6 7 8 9--> main
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { PORTIONS = 4, PORTION = 3 };

static void fill(int first, go_sender(int) out)
{
	go_defer_close_unref(out);
	for (int i = 0; i < PORTION; i++)
		go_send(out, first + i);
}
GO_TASK(fill, int, go_sender(int));

/* All portions are being filled at the same time, each by a goroutine. */
static void portions(go_sender(go_receiver(int)) out)
{
	for (int i = 0; i < PORTIONS; i++) {
		go_chan(int) portion = go_make(int, 0);

		go(fill, 1 + i * PORTION, go_send_only(go_ref(portion)));
		go_send(out, go_recv_only(portion));
	}
	go_close(out);
}
GO_TASK(portions, go_sender(go_receiver(int)));

static void bridge(go_receiver(go_receiver(int)) in, go_sender(int) out)
{
	go_range(portion, in) {
		go_range(v, portion)
			go_send(out, v);
		go_unref(portion);
	}
	go_close(out);
}
GO_TASK(bridge, go_receiver(go_receiver(int)), go_sender(int));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(go_receiver(int)) outer = go_make(go_receiver(int), 2);
	go_chan(int) flat = go_make(int, 0);
	go_defer_unref(outer);
	go_defer_unref(flat);
	int n = 0;

	go(portions, go_send_only(outer));
	go(bridge, go_recv_only(outer), go_send_only(flat));
	go_range(v, flat) {
		check(v == ++n); /* in order, none missing */
		printf("%d%c", v, n == PORTIONS * PORTION ? '\n' : ' ');
	}
	check(n == PORTIONS * PORTION);
	return nobody_left();
}
GO_MAIN(app)
