/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c - a channel with room for n is a semaphore of n.
 *
 * Who wants to go on sends a token into it, and waits if it is full; who is done takes one out,
 * whichever.  So at most n are in between at a time, however many goroutines there are.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include "check.h"

enum { TASKS = 200, AT_A_TIME = 3 };

static atomic_int inside, most, finished;

static void task(go_chan(char) tokens)
{
	go_send(tokens, 0); /* acquire */

	int now = ++inside, seen = most;

	/* The greatest ever, without a lock: try again if somebody has changed it meanwhile. */
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	go_sleep(10 * GO_MICROSECOND); /* what must not be done by too many at a time */
	inside--;
	finished++;

	go_recv(tokens, NULL); /* release */
}
GO_TASK(task, go_chan(char));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(char) tokens = go_make(char, AT_A_TIME);
	go_defer_unref(tokens);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < TASKS; i++)
		GO_WG(&wg, task, tokens);
	go_wg_wait(&wg);
	check(go_len(tokens) == 0); /* all tokens have been given back */
	check(most >= 1 && most <= AT_A_TIME);
	printf("%d tasks, never more than %d at a time\n", finished, AT_A_TIME);
	return nobody_left();
}
GO_MAIN(app)
