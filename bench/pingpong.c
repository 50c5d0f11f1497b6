/* SPDX-License-Identifier: MIT */
/* pingpong: a value goes to a goroutine and back over unbuffered channels; ns a round trip. */
#include "bench.h"

static void
echo(go_receiver(long) ping, go_sender(long) pong)
{
	go_range(v, ping)
		go_send(pong, v);
}
GO_TASK(echo, go_receiver(long), go_sender(long));

static void
run(long n)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_chan(long) ping = go_make(long, 0);
	go_chan(long) pong = go_make(long, 0);

	GO_WG(&wg, echo, go_recv_only(ping), go_send_only(pong));
	for (long i = 0; i < n; i++) {
		long v = -1;

		go_send(ping, i);
		go_recv(pong, &v);
		bench_check(v == i, "pingpong: another value came back");
	}
	go_close(ping);
	go_wg_wait(&wg);
	go_unref(ping);
	go_unref(pong);
}

static int
bench(int argc, char **argv)
{
	bench_each("pingpong", run, bench_size(argc, argv, 1000000, 1));
	return 0;
}

GO_MAIN(bench)
