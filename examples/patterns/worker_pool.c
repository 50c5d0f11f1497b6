/* SPDX-License-Identifier: MIT */
/*
 * worker_pool.c - a few goroutines do many jobs.
 *
 * As many workers as can run at a time (GOMAXPROCS) take jobs from one channel: whoever is free
 * takes the next.  The answers come in any order, so each says which job it belongs to.
 *
 *	feed --jobs--> worker, worker, ... --results--> main
 *	                                        |
 *	               close_after -------------' when the last worker has ended
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { JOBS = 100 };
struct job { int id, n; };
struct result { int id, steps; };

/* The length of the Collatz sequence from n: some work of unequal size. */
static int collatz(uint64_t n)
{
	int steps = 0;

	for (; n > 1; steps++)
		n = n % 2 ? 3 * n + 1 : n / 2;
	return steps;
}

static void feed(go_sender(struct job) jobs)
{
	for (int id = 0; id < JOBS; id++)
		go_send(jobs, (struct job){id, 1000 + id});
	go_close(jobs); /* ends the workers' loops */
}
GO_TASK(feed, go_sender(struct job));

static void worker(go_receiver(struct job) jobs, go_sender(struct result) results)
{
	go_range(job, jobs)
		go_send(results, (struct result){job.id, collatz((uint64_t)job.n)});
}
GO_TASK(worker, go_receiver(struct job), go_sender(struct result));

/* Only when no worker can send any more may the results be closed. */
static void close_after(go_waitgroup *workers, go_sender(struct result) results)
{
	go_wg_wait(workers);
	go_close(results);
}
GO_TASK(close_after, go_waitgroup *, go_sender(struct result));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(struct job) jobs = go_make(struct job, 0);
	go_chan(struct result) results = go_make(struct result, 0);
	go_defer_unref(jobs); /* at the end of the block, whichever way it is left */
	go_defer_unref(results);
	go_waitgroup workers = GO_WAITGROUP_INIT;
	int steps[JOBS] = {0}, answers = 0, longest = 0;

	go(feed, go_send_only(jobs));
	for (int i = 0; i < go_procs(0); i++)
		GO_WG(&workers, worker, go_recv_only(jobs), go_send_only(results));
	go(close_after, &workers, go_send_only(results));
	go_range(r, results) {
		check(steps[r.id] == 0); /* each job is done once */
		steps[r.id] = r.steps;
		answers++;
	}

	check(answers == JOBS);
	for (int id = 0; id < JOBS; id++)
		if (steps[id] > steps[longest])
			longest = id;
	printf("%d answers; the longest: %d steps from %d\n", answers, steps[longest],
	       1000 + longest);
	return nobody_left();
}
GO_MAIN(app)
