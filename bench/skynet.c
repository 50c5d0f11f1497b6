/* SPDX-License-Identifier: MIT */
/*
 * skynet: a tree of goroutines with ten children each; every leaf sends its number to its parent
 * over an unbuffered channel, every parent the sum of what it got; ms, warm.
 */
#include "bench.h"

enum { CHILDREN = 10 };

static void node(go_sender(long) parent, long first, long leaves);
GO_TASK(node, go_sender(long), long, long);

static void
node(go_sender(long) parent, long first, long leaves)
{
	go_chan(long) c;
	long share = leaves / CHILDREN;
	long sum = 0;

	if (leaves == 1) {
		go_send(parent, first);
		return;
	}
	c = go_make(long, 0);
	for (int i = 0; i < CHILDREN; i++)
		GO(node, go_send_only(c), first + i * share, share);
	for (int i = 0; i < CHILDREN; i++) {
		long v = 0;

		go_recv(c, &v);
		sum += v;
	}
	go_unref(c);
	go_send(parent, sum);
}

static void
run(long leaves)
{
	go_chan(long) c = go_make(long, 0);
	long sum = 0;

	GO(node, go_send_only(c), 0L, leaves);
	go_recv(c, &sum);
	go_unref(c);
	bench_check(sum == leaves * (leaves - 1) / 2, "skynet: the sum of all leaves");
}

static int
bench(int argc, char **argv)
{
	long leaves = bench_size(argc, argv, 1000000, CHILDREN);
	long n = leaves;

	while (n % CHILDREN == 0)
		n /= CHILDREN;
	if (n != 1) {
		fprintf(stderr, "skynet: size must be a power of %d\n", CHILDREN);
		return 2;
	}
	bench_warm("skynet", run, leaves);
	return 0;
}

GO_MAIN(bench)
