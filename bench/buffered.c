/* SPDX-License-Identifier: MIT */
/* buffered: producers and consumers on one channel of capacity 128, 1 + 1 and 4 + 4; ns an item. */
#include "bench.h"

enum { CAPACITY = 128, MANY = 4 };

static void
producer(go_sender(long) c, long n)
{
	for (long i = 0; i < n; i++)
		go_send(c, i);
}
GO_TASK(producer, go_sender(long), long);

static void
consumer(go_receiver(long) c, long *sum)
{
	long s = 0;

	go_range(v, c)
		s += v;
	*sum = s;
}
GO_TASK(consumer, go_receiver(long), long *);

static void
transfer(int pairs, long n)
{
	go_waitgroup producers = GO_WAITGROUP_INIT;
	go_waitgroup consumers = GO_WAITGROUP_INIT;
	go_chan(long) c = go_make(long, CAPACITY);
	long sums[MANY] = {0};
	long total = 0;
	long share = n / pairs;

	for (int i = 0; i < pairs; i++) {
		GO_WG(&consumers, consumer, go_recv_only(c), &sums[i]);
		GO_WG(&producers, producer, go_send_only(c), share);
	}
	go_wg_wait(&producers);
	go_close(c);
	go_wg_wait(&consumers);
	go_unref(c);
	for (int i = 0; i < pairs; i++)
		total += sums[i];
	bench_check(total == pairs * (share * (share - 1) / 2), "buffered: the sum of all items");
}

static void
one(long n)
{
	transfer(1, n);
}

static void
many(long n)
{
	transfer(MANY, n);
}

static int
bench(int argc, char **argv)
{
	long n = bench_size(argc, argv, 5000000, MANY);

	bench_each("buffered_1x1", one, n);
	bench_each("buffered_4x4", many, n);
	return 0;
}

GO_MAIN(bench)
