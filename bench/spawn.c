/* SPDX-License-Identifier: MIT */
/* spawn: empty goroutines in batches of 1,000, each batch joined by a WaitGroup; ns a goroutine. */
#include "bench.h"

enum { BATCH = 1000 };

static void
empty(void *unused)
{
	(void)unused;
}

static void
run(long n)
{
	for (long done = 0; done < n; done += BATCH) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < BATCH; i++)
			go_wg_spawn(&wg, empty, NULL);
		go_wg_wait(&wg);
	}
}

static int
bench(int argc, char **argv)
{
	bench_each("spawn", run, bench_size(argc, argv, 1000000, BATCH));
	return 0;
}

GO_MAIN(bench)
