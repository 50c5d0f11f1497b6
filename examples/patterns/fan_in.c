/* SPDX-License-Identifier: MIT */
/*
 * fan_in.c - what comes out of several channels goes into one.
 *
 * merge() starts a goroutine per channel, which passes everything on, and one that closes the
 * common channel when all of these have ended.  What comes from one source stays in order; between
 * sources there is none.
 *
 *	source --> forward --.
 *	source --> forward --+--> main
 *	source --> forward --'
 */
#include <goro.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"

enum { SOURCES = 3, VALUES = 50 };
struct item { int source, n; };

/*
 * Whoever is handed a channel here is handed a reference as well, and drops it at the end; the last
 * one frees the channel.
 */
static void source(int id, go_sender(struct item) out)
{
	go_defer_close_unref(out);
	for (int n = 0; n < VALUES; n++)
		go_send(out, (struct item){id, n});
}
GO_TASK(source, int, go_sender(struct item));

static void forward(go_receiver(struct item) in, go_sender(struct item) out)
{
	go_defer_unref(in);
	go_defer_unref(out);
	go_range(item, in)
		go_send(out, item);
}
GO_TASK(forward, go_receiver(struct item), go_sender(struct item));

static void close_after(go_waitgroup *senders, go_sender(struct item) out)
{
	go_defer_close_unref(out);
	go_wg_wait(senders);
	free(senders);
}
GO_TASK(close_after, go_waitgroup *, go_sender(struct item));

/* All that is received from the n channels, until the last of them is closed. */
static go_receiver(struct item) merge(int n, const go_receiver(struct item) *in)
{
	go_waitgroup *senders = calloc(1, sizeof *senders); /* zeroed, it is valid */
	go_chan(struct item) out = go_make(struct item, 0);

	if (!senders)
		err(1, NULL);
	for (int i = 0; i < n; i++)
		GO_WG(senders, forward, in[i], go_send_only(go_ref(out)));
	go(close_after, senders, go_send_only(go_ref(out)));
	return go_recv_only(out);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_receiver(struct item) in[SOURCES];
	int next[SOURCES] = {0};

	for (int id = 0; id < SOURCES; id++) {
		go_chan(struct item) c = go_make(struct item, 0);

		go(source, id, go_send_only(go_ref(c)));
		in[id] = go_recv_only(c);
	}

	go_receiver(struct item) all = merge(SOURCES, in);
	go_defer_unref(all);

	go_range(item, all)
		check(item.n == next[item.source]++);
	for (int id = 0; id < SOURCES; id++)
		printf("%d in order from source %d\n", next[id], id);
	return nobody_left();
}
GO_MAIN(app)
