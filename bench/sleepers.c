/* SPDX-License-Identifier: MIT */
/*
 * sleepers: goroutines sleep a random 0 to 1000 ms; ms of wall clock until all are back (hardly
 * less than 1000), ms of CPU, by how many ms the latest overslept, and the greatest RSS.
 */
#include "bench.h"

#include <stdatomic.h>

static atomic_int_least64_t latest;

static void
sleeper(int64_t ns)
{
	int64_t late = go_now() + ns, most = 0;

	go_sleep(ns);
	late = go_now() - late;
	while (late > most && !atomic_compare_exchange_weak(&latest, &most, late))
		;
}
GO_TASK(sleeper, int64_t);

/* The same sequence as in Go; microseconds, 0 to 1,000,000. */
static int64_t
next_delay(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((*state >> 33) % 1000001) * GO_MICROSECOND;
}

static int
bench(int argc, char **argv)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	long n = bench_size(argc, argv, 30000, 1);
	uint64_t state = 1;
	double cpu = bench_cpu_ms();
	int64_t start = go_now();
	double ms;

	for (long i = 0; i < n; i++)
		GO_WG(&wg, sleeper, next_delay(&state));
	go_wg_wait(&wg);
	ms = bench_ms_since(start);
	bench_report("sleepers_wall", ms, "ms");
	bench_report("sleepers_cpu", bench_cpu_ms() - cpu, "ms");
	bench_report("sleepers_late", (double)atomic_load(&latest) / 1e6, "ms");
	bench_report("sleepers_rss", bench_status("VmHWM:") / (1024 * 1024), "MiB");
	return 0;
}

GO_MAIN(bench)
