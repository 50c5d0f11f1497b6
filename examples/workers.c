/* SPDX-License-Identifier: MIT */
/*
 * workers.c - goroutines share the jobs on one channel, and each job has a channel for its answer.
 *
 * Splits numbers into their prime factors, as factor(1) does, but on all CPUs at once.  The jobs go
 * to whichever worker is free.  The same jobs also go to main, who takes them in the order of the
 * questions and waits at each for its answer:
 *
 *	dispatcher --jobs--> workers (one for each CPU)
 *	     |                  | job.answer
 *	     '----in_order----> main
 */
#include <err.h>
#include <goro.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: workers [-h] [-j WORKERS] NUMBER...\n"
	"Prints the prime factors of every NUMBER below 2^64.  The work is shared by WORKERS\n"
	"goroutines (1 to 9999; default: one for each CPU).\n";

struct factors { int n; uint64_t prime[64]; };
struct job { uint64_t number; go_chan(struct factors) answer; };

static void worker(go_receiver(struct job) jobs)
{
	go_range(job, jobs) {
		struct factors f = {0, {0}};
		uint64_t n = job.number;

		for (uint64_t d = 2; n > 1; d += 1 + (d > 2)) {
			if (d > UINT32_MAX || d * d > n)
				d = n; /* what is left is prime */
			for (; n % d == 0 && n > 1; n /= d)
				f.prime[f.n++] = d;
			go_checkpoint(); /* this can take seconds: let others have their turn */
		}
		go_send(job.answer, f); /* has room for it: never waits */
	}
}
GO_TASK(worker, go_receiver(struct job));

/* Digits only, and no overflow: strtoull would let -1 pass. */
static bool parse(const char *s, uint64_t *n)
{
	size_t len = strlen(s);

	*n = 0;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *s - '0', n))
			return false;
	return len > 0 && *s == '\0';
}

static void dispatcher(char **numbers, go_sender(struct job) jobs, go_sender(struct job) in_order,
		       int *status)
{
	for (struct job job; *numbers; numbers++) {
		if (!parse(*numbers, &job.number)) {
			warnx("%s: not a whole number below 2^64", *numbers);
			*status = 1;
			continue;
		}
		job.answer = go_make(struct factors, 1);
		go_send(jobs, job);
		go_send(in_order, job); /* waits when main is far behind */
	}
	go_close(jobs);
	go_close(in_order);
}
GO_TASK(dispatcher, char **, go_sender(struct job), go_sender(struct job), int *);

static int help(bool wanted)
{
	fputs(usage, wanted ? stdout : stderr);
	return wanted ? 0 : 2;
}

static int app(int argc, char **argv)
{
	uint64_t workers = (uint64_t)go_procs(0);
	int status = 0;

	for (int c; (c = getopt(argc, argv, "hj:")) != -1;)
		if (c != 'j' || !parse(optarg, &workers) || workers < 1 || workers > 9999)
			return help(c == 'h');
	if (optind == argc)
		return help(false);

	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_chan(struct job) jobs = go_make(struct job, 0);
	go_chan(struct job) in_order = go_make(struct job, 100);

	GO_WG(&wg, dispatcher, argv + optind, go_send_only(jobs), go_send_only(in_order), &status);
	while (workers-- > 0)
		GO_WG(&wg, worker, go_recv_only(jobs));
	go_range(job, in_order) {
		struct factors f;

		go_recv(job.answer, &f);
		go_unref(job.answer);
		printf("%" PRIu64 ":", job.number);
		for (int i = 0; i < f.n; i++)
			printf(" %" PRIu64, f.prime[i]);
		putchar('\n');
	}
	go_wg_wait(&wg);
	go_unref(jobs);
	go_unref(in_order);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return status;
}
GO_MAIN(app)
