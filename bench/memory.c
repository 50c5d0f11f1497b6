/* SPDX-License-Identifier: MIT */
/*
 * memory: goroutines blocked in a receive; bytes of RSS and of page tables each, and ms from the
 * first spawn until the last of them has started.
 */
#include "bench.h"

static go_chan(long) gate;
static go_waitgroup started;

static void
parked(void)
{
	go_wg_done(&started);
	go_recv(gate, NULL);
}
GO_TASK(parked);

static int
bench(int argc, char **argv)
{
	go_waitgroup ended = GO_WAITGROUP_INIT;
	long n = bench_size(argc, argv, 100000, 1);
	double rss = bench_status("VmRSS:");
	double pte = bench_status("VmPTE:");
	int64_t start = go_now();
	double ms;

	gate = go_make(long, 0);
	for (long i = 0; i < n; i++) {
		go_wg_add(&started, 1);
		GO_WG(&ended, parked);
	}
	go_wg_wait(&started);
	ms = bench_ms_since(start);
	go_sleep(50 * GO_MILLISECOND);	/* the last ones are still on their way into the receive */
	bench_report("memory_rss", (bench_status("VmRSS:") - rss) / (double)n, "B");
	bench_report("memory_pte", (bench_status("VmPTE:") - pte) / (double)n, "B");
	bench_report("memory_create", ms, "ms");
	go_close(gate);
	go_wg_wait(&ended);
	go_unref(gate);
	return 0;
}

GO_MAIN(bench)
