/* SPDX-License-Identifier: MIT */
/*
 * tee.c - every value of one channel goes into two, like the command tee.
 *
 * Neither of the two receivers need be ready first: a select sends to the one who is, then to the
 * other.  A case whose channel is NULL is never ready, which is how the first is left out of the
 * second round.  The next value is taken only when both have this one: the slower sets the pace.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

static void split(go_receiver(int) in, go_sender(int) out1, go_sender(int) out2)
{
	go_defer_close(out1);
	go_defer_close(out2);
	go_range(v, in) {
		go_sender(int) to1 = out1, to2 = out2;

		while (to1 || to2)
			if (go_select(GO_SEND(to1, v), GO_SEND(to2, v)) == 0)
				to1 = NULL;
			else
				to2 = NULL;
	}
}
GO_TASK(split, go_receiver(int), go_sender(int), go_sender(int));

static void count(int n, go_sender(int) out)
{
	for (int i = 1; i <= n; i++)
		go_send(out, i);
	go_close(out);
}
GO_TASK(count, int, go_sender(int));

static void sum(go_receiver(int) in, int *total)
{
	go_range(v, in)
		*total += v;
}
GO_TASK(sum, go_receiver(int), int *);

static void product(go_receiver(int) in, int64_t *total)
{
	*total = 1;
	go_range(v, in)
		*total *= v;
}
GO_TASK(product, go_receiver(int), int64_t *);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(int) in = go_make(int, 0), left = go_make(int, 0), right = go_make(int, 0);
	go_defer_unref(in);
	go_defer_unref(left);
	go_defer_unref(right);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int64_t product_of = 0;
	int sum_of = 0;

	GO_WG(&wg, count, 15, go_send_only(in));
	GO_WG(&wg, split, go_recv_only(in), go_send_only(left), go_send_only(right));
	GO_WG(&wg, sum, go_recv_only(left), &sum_of);
	GO_WG(&wg, product, go_recv_only(right), &product_of);
	go_wg_wait(&wg);
	printf("1 to 15: sum %d, product %lld\n", sum_of, (long long)product_of);
	return nobody_left();
}
GO_MAIN(app)
