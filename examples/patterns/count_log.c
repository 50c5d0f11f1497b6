/* SPDX-License-Identifier: MIT */
/*
 * count_log.c - how many goroutines there are, over time, shows a leak before memory does.
 *
 * A server logs go_count() every ten seconds, or hands it to its metrics; a number that only
 * grows is a leak.  Here it is every millisecond, and somebody leaks: each request leaves behind a
 * goroutine that wants to send an answer nobody takes.  What cures it is in leaky().
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

#define EVERY GO_MILLISECOND /* 10 * GO_SECOND in real life */
enum { REQUESTS = 20, LIMIT = 10 };

struct log { go_chan(char) stop; go_chan(int) alarm; go_waitgroup end; };

static void log_count(struct log *l)
{
	go_timer *ticker = go_ticker_new(EVERY);
	go_defer_timer_free(ticker);
	int most = LIMIT;

	go_set_name("count_log");
	while (go_select(GO_RECV(go_timer_c(ticker), NULL), GO_RECV(l->stop, NULL)) == 0) {
		int n = go_count(); /* a line of the log, or a gauge, in real life */

		if (n > most)
			(void)go_trysend(l->alarm, most = n);
	}
}
GO_TASK(log_count, struct log *);

static void answer(go_sender(int) to)
{
	go_defer_unref(to);
	go_send(to, 42);
}
GO_TASK(answer, go_sender(int));

/* Asks, but does not wait for the answer.  Without room for it the goroutine waits for ever. */
static go_chan(int) leaky(size_t room)
{
	go_chan(int) c = go_make(int, room);

	go(answer, go_send_only(go_ref(c)));
	return c;
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct log l = {.stop = go_make(char, 0), .alarm = go_make(int, 1)};
	go_chan(int) forgotten[REQUESTS];
	int n;

	for (int i = 0; i < 1000; i++)
		go_unref(leaky(1)); /* cured: nobody is left behind */
	check(nobody_left() == 0);

	GO_WG(&l.end, log_count, &l);
	for (int i = 0; i < REQUESTS; i++)
		forgotten[i] = leaky(0);
	go_recv(l.alarm, &n);
	printf("alarm: more than %d goroutines\n", LIMIT);
	check(n > LIMIT);

	for (int i = 0; i < REQUESTS; i++) {
		go_recv(forgotten[i], NULL); /* as somebody should have done */
		go_unref(forgotten[i]);
	}
	go_close(l.stop);
	go_wg_wait(&l.end);
	go_unref(l.stop);
	go_unref(l.alarm);
	return nobody_left();
}
GO_MAIN(app)
