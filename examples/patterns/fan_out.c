/* SPDX-License-Identifier: MIT */
/*
 * fan_out.c - several goroutines share what comes out of one channel.
 *
 * Each value is received by exactly one of them.  Each has a result channel of its own, with room
 * for the one answer that it gives: so it need not wait for main, and main takes the answers in
 * whatever order it likes.  fan_in.c is the opposite.
 *
 *	           .--> count_primes --result--.
 *	numbers ---+--> count_primes --result--+--> main
 *	           '--> count_primes --result--'
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { LIMIT = 10000, COUNTERS = 3 };

static void numbers(go_sender(int) out)
{
	for (int n = 2; n < LIMIT; n++)
		go_send(out, n);
	go_close(out); /* once; all receivers see it */
}
GO_TASK(numbers, go_sender(int));

static bool is_prime(int n)
{
	for (int d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return true;
}

struct answer { int seen, primes; };

static void count_primes(go_receiver(int) in, go_sender(struct answer) result)
{
	struct answer a = {0, 0};

	go_range(n, in) {
		a.seen++;
		a.primes += is_prime(n);
	}
	go_send(result, a);
}
GO_TASK(count_primes, go_receiver(int), go_sender(struct answer));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(int) in = go_make(int, 16);
	go_defer_unref(in); /* by then all who use it have answered */
	go_chan(struct answer) result[COUNTERS];
	struct answer total = {0, 0};

	for (int i = 0; i < COUNTERS; i++) {
		result[i] = go_make(struct answer, 1);
		go(count_primes, go_recv_only(in), go_send_only(result[i]));
	}
	go(numbers, go_send_only(in));
	for (int i = 0; i < COUNTERS; i++) {
		struct answer a;

		go_recv(result[i], &a);
		go_unref(result[i]);
		total.seen += a.seen;
		total.primes += a.primes;
	}

	check(total.seen == LIMIT - 2);
	printf("%d of the %d numbers are primes\n", total.primes, total.seen);
	return nobody_left();
}
GO_MAIN(app)
