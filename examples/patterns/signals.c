/* SPDX-License-Identifier: MIT */
/*
 * signals.c - a channel need not carry data: that it is closed says enough.
 *
 *	start	closed: all who wait for it go on, and who comes later does not wait
 *	stop	closed: a request to all to end, which they see in every select
 *	done	one value from each who has ended
 *	result	room for one value, which is there when it is asked for
 *
 * A channel that carries nothing is a go_chan(char) here; one closes it instead of sending, because
 * a value reaches one receiver and closing reaches them all.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { RUNNERS = 5 };

/* Counts in turns until it is told to stop. */
static void runner(int *laps, go_receiver(char) start, go_receiver(char) stop, go_sender(int) done)
{
	go_recv(start, NULL); /* false, for it is closed and not sent to */
	while (go_select(GO_RECV(stop, NULL), GO_DEFAULT) != 0) {
		++*laps;
		go_yield();
	}
	go_send(done, 1);
}
GO_TASK(runner, int *, go_receiver(char), go_receiver(char), go_sender(int));

/* Answers once.  There is room for the answer, so it does not matter when it is wanted. */
static void multiply(int a, int b, go_sender(int) result)
{
	go_defer_unref(result);
	go_send(result, a * b);
}
GO_TASK(multiply, int, int, go_sender(int));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(char) start = go_make(char, 0), stop = go_make(char, 0);
	go_chan(int) done = go_make(int, 0), result = go_make(int, 1);
	go_defer_unref(start);
	go_defer_unref(stop);
	go_defer_unref(done);
	go_defer_unref(result);
	int laps[RUNNERS] = {0}, ended = 0, product;

	go(multiply, 6, 7, go_send_only(go_ref(result)));

	for (int i = 0; i < RUNNERS; i++)
		go(runner, &laps[i], go_recv_only(start), go_recv_only(stop), go_send_only(done));
	go_yield();
	for (int i = 0; i < RUNNERS; i++)
		check(laps[i] == 0); /* nobody runs before the start */
	go_close(start);
	go_sleep(GO_MILLISECOND);
	check(!go_tryrecv(done, NULL)); /* nobody stops of his own accord */
	go_close(stop);
	for (; ended < RUNNERS; ended++)
		go_recv(done, NULL);

	go_recv(result, &product);
	printf("%d runners started and stopped; the result is %d\n", ended, product);
	return nobody_left();
}
GO_MAIN(app)
