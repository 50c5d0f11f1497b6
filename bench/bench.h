/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the benches share: the size argument, timing with a warm-up, a look at the
 * process from outside, and the output, one line per measurement:
 *
 *	name value unit procs
 *
 * bench/go/bench.go is the same for Go.
 */
#ifndef GORO_BENCH_H
#define GORO_BENCH_H

#include <goro.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	BENCH_RUNS = 5,		/* runs in one process, for what is reported warm */
	BENCH_COLD = 2		/* the first of them, which do not count */
};

/*
 * The size of the workload: the first argument, else standard.  It has to be a positive
 * multiple of unit, so that every goroutine gets an equal share.
 */
static inline long
bench_size(int argc, char **argv, long standard, long unit)
{
	char *end = NULL;
	long n = standard;

	if (argc > 1) {
		errno = 0;
		n = strtol(argv[1], &end, 10);
		if (errno != 0 || end == argv[1] || *end != '\0')
			n = 0;
	}
	if (argc > 2 || n <= 0 || n % unit != 0) {
		fprintf(stderr, "usage: %s [size]\n"
			"size: a positive multiple of %ld (default %ld)\n",
			argv[0], unit, standard);
		exit(2);
	}
	return n;
}

static inline void
bench_report(const char *name, double value, const char *unit)
{
	printf("%s %.3f %s %d\n", name, value, unit, go_procs(0));
	fflush(stdout);
}

/* A bench that computes something checks it: a fast wrong answer is no measurement. */
static inline void
bench_check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: wrong result: %s\n", what);
	exit(1);
}

static inline double
bench_ms_since(int64_t start)
{
	return (double)(go_now() - start) / 1e6;
}

/* Nanoseconds an operation: run(n) does n of them; a tenth as many go before, untimed. */
static inline void
bench_each(const char *name, void (*run)(long), long n)
{
	int64_t start;

	run(n / 10);
	start = go_now();
	run(n);
	bench_report(name, (double)(go_now() - start) / (double)n, "ns");
}

static inline int
bench__order(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Milliseconds for run(n), warm: the median of the runs after the cold ones. */
static inline void
bench_warm(const char *name, void (*run)(long), long n)
{
	double ms[BENCH_RUNS];
	double *warm = ms + BENCH_COLD;
	int count = BENCH_RUNS - BENCH_COLD;

	for (int i = 0; i < BENCH_RUNS; i++) {
		int64_t start = go_now();

		run(n);
		ms[i] = bench_ms_since(start);
	}
	qsort(warm, (size_t)count, sizeof *warm, bench__order);
	bench_report(name, warm[count / 2], "ms");
}

/* A field of /proc/self/status in bytes: "VmRSS:", "VmPTE:", "VmHWM:". */
static inline double
bench_status(const char *field)
{
	char line[256];
	double kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtod(line + strlen(field), NULL);
	if (f != NULL)
		fclose(f);
	bench_check(kib >= 0, field);
	return kib * 1024;
}

/* User and system time of all threads so far, in ms. */
static inline double
bench_cpu_ms(void)
{
	struct rusage u;

	bench_check(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

#endif /* GORO_BENCH_H */
