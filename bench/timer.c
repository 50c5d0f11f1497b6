/* SPDX-License-Identifier: MIT */
/* timer: a timer is created and stopped before it fires; ns a timer. */
#include "bench.h"

static void
run(long n)
{
	long stopped = 0;

	for (long i = 0; i < n; i++) {
		go_timer *t = go_timer_new(GO_HOUR);

		stopped += go_timer_stop(t);
		go_timer_free(t);
	}
	bench_check(stopped == n, "timer: stopped before it fired");
}

static int
bench(int argc, char **argv)
{
	bench_each("timer", run, bench_size(argc, argv, 2000000, 1));
	return 0;
}

GO_MAIN(bench)
