/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c - a worker that panics is started again, but not for ever.
 *
 * A panic that nobody stops ends the program.  go_try stops it: deferred calls have been run, the
 * worker's state is as the panic left it, and what it was working on is to be taken for lost.  A
 * worker that fails again and again without getting anything done is given up after some
 * attempts, each after a longer pause.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { ATTEMPTS = 3 };

struct worker {
	go_receiver(int) jobs;
	int done, panics;
	bool given_up;
};

static void closed(void *name)
{
	printf("  %s closed\n", (const char *)name);
}

/* Has a fault: it cannot do jobs below 0. */
static void work(void *p)
{
	struct worker *w = p;

	go_defer(closed, "file"); /* whichever way it ends */
	go_range(job, w->jobs) {
		if (job < 0)
			go_panic("job %d makes no sense", job);
		w->done++;
	}
}

static void supervise(struct worker *w)
{
	go_panic_info info = GO_PANIC_INFO_INIT;
	int in_vain = 0, before = 0;

	while (!w->given_up && !go_try(work, w, &info)) {
		printf("  panic: %s\n", info.message);
		w->panics++;
		in_vain = w->done > before ? 0 : in_vain + 1;
		before = w->done;
		w->given_up = in_vain == ATTEMPTS;
		go_sleep(GO_MILLISECOND << in_vain);
	}
	while (go_recv(w->jobs, NULL)) /* or who sends them would wait for ever */
		;
}
GO_TASK(supervise, struct worker *);

static void run(const int *job, int n)
{
	go_chan(int) jobs = go_make(int, 0);
	go_defer_unref(jobs);
	struct worker w = {.jobs = go_recv_only(jobs)};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, supervise, &w);
	while (n-- > 0)
		go_send(jobs, *job++);
	go_close(jobs);
	go_wg_wait(&wg);
	printf("%d jobs done, %d panics%s\n", w.done, w.panics, w.given_up ? ", given up" : "");
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	run((const int[]){1, 2, -3, 4, -5, 6, 7}, 7);
	run((const int[]){1, -2, -3, -4, -5, 6}, 6);
	return nobody_left();
}
GO_MAIN(app)
