/* SPDX-License-Identifier: MIT */
/*
 * queue.c - a queue must not grow for ever; here are four ways to put something into a full one.
 *
 *	wait		back-pressure: the producer becomes as slow as the consumer
 *	wait a while	the same, but a producer can say that the service is overloaded
 *	drop newest	what does not fit is lost: for log lines, samples
 *	drop oldest	the queue always has the latest: for positions, prices
 *
 * The queue is a channel with room.  Whatever is lost should be counted.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { ROOM = 3, ITEMS = 8 };

/* Waits at most ns.  false: overloaded. */
static bool push(go_sender(int) queue, int item, int64_t ns)
{
	return go_send_until(queue, item, go_now() + ns) == 0;
}

static bool push_or_drop(go_sender(int) queue, int item)
{
	return go_trysend(queue, item);
}

/* Makes room by taking out what is oldest, for which the producer needs both ends.  How many. */
static int push_latest(go_chan(int) queue, int item)
{
	int dropped = 0;

	while (!go_trysend(queue, item))
		dropped += go_tryrecv(queue, NULL); /* false if a consumer was quicker */
	return dropped;
}

/* What is in a queue that nobody puts anything into any more */
static void show(const char *how, go_receiver(int) queue, int lost)
{
	printf("%-13s", how);
	for (int item; go_tryrecv(queue, &item);)
		printf("%2d", item);
	printf(", %d lost\n", lost);
}

static void consume(go_receiver(int) queue, int *sum)
{
	go_range(item, queue)
		*sum += item;
}
GO_TASK(consume, go_receiver(int), int *);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(int) queue = go_make(int, ROOM);
	go_defer_unref(queue);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int lost, sum = 0;

	/* While nobody consumes: */
	lost = 0;
	for (int i = 1; i <= ITEMS; i++)
		lost += !push(go_send_only(queue), i, GO_MILLISECOND);
	show("wait a while:", go_recv_only(queue), lost);

	lost = 0;
	for (int i = 1; i <= ITEMS; i++)
		lost += !push_or_drop(go_send_only(queue), i);
	show("drop newest:", go_recv_only(queue), lost);

	lost = 0;
	for (int i = 1; i <= ITEMS; i++)
		lost += push_latest(queue, i);
	show("drop oldest:", go_recv_only(queue), lost);

	/* With a consumer, who waits gets everything through. */
	GO_WG(&wg, consume, go_recv_only(queue), &sum);
	for (int i = 1; i <= 1000; i++)
		go_send(queue, i);
	go_close(queue);
	go_wg_wait(&wg);
	check(sum == 1000 * 1001 / 2);
	printf("wait:         1000 through a queue for %d, 0 lost\n", ROOM);
	return nobody_left();
}
GO_MAIN(app)
