/* SPDX-License-Identifier: MIT */
/* ring: 503 goroutines pass a token round unbuffered channels; ns a hop. */
#include "bench.h"

enum { MEMBERS = 503 };

static go_chan(long) done;
static go_chan(long) links[MEMBERS];

/* The token counts the hops left; whoever gets it with none left reports. */
static void
member(int number, go_receiver(long) in, go_sender(long) out)
{
	go_range(left, in) {
		if (left == 0)
			go_send(done, (long)number);
		else
			go_send(out, left - 1);
	}
}
GO_TASK(member, int, go_receiver(long), go_sender(long));

static void
run(long n)
{
	long number = -1;

	go_send(links[0], n);
	go_recv(done, &number);
	bench_check(number == n % MEMBERS, "ring: where the token ended");
}

static int
bench(int argc, char **argv)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	long n = bench_size(argc, argv, 2000000, 1);

	done = go_make(long, 0);
	for (int i = 0; i < MEMBERS; i++)
		links[i] = go_make(long, 0);
	for (int i = 0; i < MEMBERS; i++)
		GO_WG(&wg, member, i, go_recv_only(links[i]),
			go_send_only(links[(i + 1) % MEMBERS]));
	bench_each("ring", run, n);
	for (int i = 0; i < MEMBERS; i++)
		go_close(links[i]);
	go_wg_wait(&wg);
	for (int i = 0; i < MEMBERS; i++)
		go_unref(links[i]);
	go_unref(done);
	return 0;
}

GO_MAIN(bench)
