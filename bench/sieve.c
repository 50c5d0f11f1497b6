/* SPDX-License-Identifier: MIT */
/*
 * sieve: the concurrent prime sieve, one filter goroutine for each prime on unbuffered channels;
 * ms for the first primes, cold.  The goroutines are left where they block, as in the Go classic.
 */
#include "bench.h"

static void
generate(go_sender(long) out)
{
	for (long i = 2;; i++)
		go_send(out, i);
}
GO_TASK(generate, go_sender(long));

static void
filter(go_receiver(long) in, go_sender(long) out, long prime)
{
	go_range(v, in)
		if (v % prime != 0)
			go_send(out, v);
}
GO_TASK(filter, go_receiver(long), go_sender(long), long);

static long
nth_prime(long n)
{
	go_chan(long) c = go_make(long, 0);
	long prime = 0;

	GO(generate, go_send_only(c));
	for (long i = 0; i < n; i++) {
		go_chan(long) next = go_make(long, 0);

		go_recv(c, &prime);
		GO(filter, go_recv_only(c), go_send_only(next), prime);
		c = next;
	}
	return prime;
}

static bool
is_prime(long v)
{
	for (long d = 2; d * d <= v; d++)
		if (v % d == 0)
			return false;
	return v >= 2;
}

static int
bench(int argc, char **argv)
{
	long n = bench_size(argc, argv, 2000, 1);
	int64_t start = go_now();
	long prime = nth_prime(n);
	double ms = bench_ms_since(start);

	bench_check(is_prime(prime) && (n != 2000 || prime == 17389), "sieve: the last prime");
	bench_report("sieve", ms, "ms");
	return 0;
}

GO_MAIN(bench)
