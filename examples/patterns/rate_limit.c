/* SPDX-License-Identifier: MIT */
/*
 * rate_limit.c - a ticker, or tokens in a channel, keep one from going too fast.
 *
 * Steady: each request waits for a tick.  A bucket of tokens allows for bursts: it is full at
 * first, so that many requests may pass at once; then a ticker adds one token at a time, and those
 * that find the bucket full are lost.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

#define PERIOD (2 * GO_MILLISECOND)
enum { REQUESTS = 10, BURST = 4 };

static void steady(void)
{
	int64_t start = go_now();
	go_timer *limit = go_ticker_new(PERIOD);
	go_defer_timer_free(limit); /* or it ticks for ever */

	for (int i = 1; i <= REQUESTS; i++) {
		go_recv(go_timer_c(limit), NULL);
		check(go_now() - start >= i * PERIOD); /* perhaps later, but not earlier */
	}
	printf("steady: %d requests, the last not before %d periods\n", REQUESTS, REQUESTS);
}

/* Adds a token every period while there is room, until stop is closed. */
static void refill(go_sender(char) bucket, go_receiver(char) stop)
{
	go_timer *tick = go_ticker_new(PERIOD);
	go_defer_timer_free(tick);

	while (go_select(GO_RECV(go_timer_c(tick), NULL), GO_RECV(stop, NULL)) == 0)
		(void)go_trysend(bucket, 0);
}
GO_TASK(refill, go_sender(char), go_receiver(char));

static void bursty(void)
{
	go_chan(char) bucket = go_make(char, BURST), stop = go_make(char, 0);
	go_defer_unref(bucket);
	go_defer_unref(stop);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int64_t start = go_now();

	for (int i = 0; i < BURST; i++)
		go_send(bucket, 0); /* there is room: this does not wait */
	GO_WG(&wg, refill, go_send_only(bucket), go_recv_only(stop));
	for (int i = 1; i <= BURST; i++)
		check(go_tryrecv(bucket, NULL)); /* nobody waits in the burst */
	for (int i = 1; i <= REQUESTS; i++) {
		go_recv(bucket, NULL);
		check(go_now() - start >= i * PERIOD);
	}
	go_close(stop);
	go_wg_wait(&wg);
	printf("bursty: %d requests at once, %d more not before %d periods\n", BURST, REQUESTS,
	       REQUESTS);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	steady();
	bursty();
	return nobody_left();
}
GO_MAIN(app)
