/* SPDX-License-Identifier: MIT */
/*
 * select: one goroutine selects over 4 unbuffered channels, each with its producer; ns an item.
 * And one case with a default, on a channel where nothing ever comes, as a select and as the
 * go_tryrecv that says the same; ns an attempt.
 */
#include "bench.h"

enum { CHANNELS = 4, POLLS_PER_ITEM = 10 };

static void
producer(go_sender(long) c, long n)
{
	for (long i = 0; i < n; i++)
		go_send(c, i);
}
GO_TASK(producer, go_sender(long), long);

static void
fan_in(long n)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_chan(long) c[CHANNELS];
	long share = n / CHANNELS;
	long sum = 0;

	for (int i = 0; i < CHANNELS; i++) {
		c[i] = go_make(long, 0);
		GO_WG(&wg, producer, go_send_only(c[i]), share);
	}
	for (long i = 0; i < share * CHANNELS; i++) {
		long v = 0;

		go_select(GO_RECV(c[0], &v), GO_RECV(c[1], &v),
			GO_RECV(c[2], &v), GO_RECV(c[3], &v));
		sum += v;
	}
	go_wg_wait(&wg);
	for (int i = 0; i < CHANNELS; i++)
		go_unref(c[i]);
	bench_check(sum == CHANNELS * (share * (share - 1) / 2), "select: the sum of all items");
}

static void
poll_empty(long n)
{
	go_chan(long) c = go_make(long, 0);
	long received = 0;
	long v;

	for (long i = 0; i < n; i++)
		if (go_select(GO_RECV(c, &v), GO_DEFAULT) == 0)
			received++;
	go_unref(c);
	bench_check(received == 0, "select_default: nobody sent anything");
}

static void
try_empty(long n)
{
	go_chan(long) c = go_make(long, 0);
	long received = 0;
	long v;

	for (long i = 0; i < n; i++)
		if (go_tryrecv(c, &v))
			received++;
	go_unref(c);
	bench_check(received == 0, "tryrecv: nobody sent anything");
}

static int
bench(int argc, char **argv)
{
	long n = bench_size(argc, argv, 1000000, CHANNELS);

	bench_each("select_4", fan_in, n);
	bench_each("select_default", poll_empty, n * POLLS_PER_ITEM);
	bench_each("tryrecv", try_empty, n * POLLS_PER_ITEM);
	return 0;
}

GO_MAIN(bench)
