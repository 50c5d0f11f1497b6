/* SPDX-License-Identifier: MIT */
/*
 * forkjoin: Fibonacci numbers the slow way; down to n = 10 both calls are goroutines joined by a
 * WaitGroup, below it all is sequential; ms, warm.
 */
#include "bench.h"

enum { CUT_OFF = 10, LARGEST = 90 };

static long
sequential(int n)
{
	return n < 2 ? n : sequential(n - 1) + sequential(n - 2);
}

static void fib(int n, long *result);
GO_TASK(fib, int, long *);

static void
fib(int n, long *result)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	long a = 0;
	long b = 0;

	if (n < CUT_OFF) {
		*result = sequential(n);
		return;
	}
	GO_WG(&wg, fib, n - 1, &a);
	GO_WG(&wg, fib, n - 2, &b);
	go_wg_wait(&wg);
	*result = a + b;
}

static void
run(long n)
{
	long result = 0;
	long a = 0;
	long b = 1;

	fib((int)n, &result);
	for (long i = 0; i < n; i++) {
		long next = a + b;

		a = b;
		b = next;
	}
	bench_check(result == a, "forkjoin: the Fibonacci number");
}

static int
bench(int argc, char **argv)
{
	long n = bench_size(argc, argv, 30, 1);

	if (n > LARGEST) {
		fprintf(stderr, "forkjoin: size must be at most %d\n", LARGEST);
		return 2;
	}
	bench_warm("forkjoin", run, n);
	return 0;
}

GO_MAIN(bench)
