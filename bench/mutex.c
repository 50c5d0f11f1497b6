/* SPDX-License-Identifier: MIT */
/* mutex: lock, increment, unlock, by 8 goroutines at once and by one alone; ns an operation. */
#include "bench.h"

enum { MANY = 8 };

static go_mutex mutex;
static long counter;

static void
increment(long n)
{
	for (long i = 0; i < n; i++) {
		go_mutex_lock(&mutex);
		counter++;
		go_mutex_unlock(&mutex);
	}
}
GO_TASK(increment, long);

static void
together(int goroutines, long n)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;

	counter = 0;
	for (int i = 0; i < goroutines; i++)
		GO_WG(&wg, increment, n / goroutines);
	go_wg_wait(&wg);
	bench_check(counter == n / goroutines * goroutines, "mutex: the count");
}

static void
many(long n)
{
	together(MANY, n);
}

static void
alone(long n)
{
	together(1, n);
}

static int
bench(int argc, char **argv)
{
	long n = bench_size(argc, argv, 10000000, MANY);

	bench_each("mutex_8", many, n);
	bench_each("mutex_alone", alone, n);
	return 0;
}

GO_MAIN(bench)
