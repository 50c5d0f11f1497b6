/* SPDX-License-Identifier: MIT */
/* yield: two goroutines yield to each other; ns a yield. */
#include "bench.h"

static void
yielder(long n)
{
	for (long i = 0; i < n; i++)
		go_yield();
}
GO_TASK(yielder, long);

static void
run(long n)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, yielder, n / 2);
	GO_WG(&wg, yielder, n / 2);
	go_wg_wait(&wg);
}

static int
bench(int argc, char **argv)
{
	bench_each("yield", run, bench_size(argc, argv, 10000000, 2));
	return 0;
}

GO_MAIN(bench)
