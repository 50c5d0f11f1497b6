/* SPDX-License-Identifier: MIT */
/*
 * primes.c - a goroutine can be as small as one step of a calculation.
 *
 * The concurrent prime sieve: a counter sends 2, 3, 4, ... into a chain of filters.  What comes out
 * at the end of the chain is a prime, and becomes one more filter that lets pass what it does not
 * divide:
 *
 *	counter -> [2] -> [3] -> [5] -> ... -> main
 *
 * It ends tidily, too: main tells the counter to stop, the counter closes its channel, and from
 * there the end runs down the chain, each filter closing the next one's channel when its own is
 * closed.  N primes take N goroutines and some N * N / 2 messages for every prime's worth of
 * numbers: a fine exercise for a scheduler, and a poor way to find large primes.
 */
#include <err.h>
#include <goro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: primes [-h] [N]\n"
	"Prints the first N primes (default 25, at most 99999), one on a line.\n";

/*
 * Whoever is handed a channel here is handed a reference as well, and drops it at the end; the
 * last one frees the channel.  Closing says that no more will come, and is the sender's business.
 */
static void counter(go_sender(int) out, go_receiver(char) stop)
{
	/* Sends the next number or hears that it is enough, whichever can happen first. */
	for (int n = 2; go_select(GO_SEND(out, n), GO_RECV(stop, NULL)) == 0; n++)
		;
	go_close(out);
	go_unref(out);
	go_unref(stop);
}
GO_TASK(counter, go_sender(int), go_receiver(char));

static void filter(int prime, go_receiver(int) in, go_sender(int) out)
{
	go_range(n, in) /* until it is closed */
		if (n % prime != 0)
			go_send(out, n);
	go_close(out);
	go_unref(in);
	go_unref(out);
}
GO_TASK(filter, int, go_receiver(int), go_sender(int));

static void sieve(int want)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_chan(char) stop = go_make(char, 0);
	go_chan(int) end = go_make(int, 0); /* what main reads from: the end of the chain */
	int prime;

	GO_WG(&wg, counter, go_send_only(go_ref(end)), go_recv_only(go_ref(stop)));
	for (int i = 0; i < want && go_recv(end, &prime); i++) {
		go_chan(int) longer = go_make(int, 0);

		printf("%d\n", prime);
		GO_WG(&wg, filter, prime, go_recv_only(end), go_send_only(go_ref(longer)));
		end = longer;
	}

	go_close(stop);
	while (go_recv(end, NULL)) /* let those finish who want to send something still */
		;
	go_unref(end);
	go_unref(stop);
	go_wg_wait(&wg);
}

static int help(bool wanted)
{
	fputs(usage, wanted ? stdout : stderr);
	return wanted ? 0 : 2;
}

static int app(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "h")) != -1;)
		return help(c == 'h');

	const char *n = optind < argc ? argv[optind] : "25";
	size_t len = strlen(n);

	if (argc - optind > 1 || len < 1 || len > 5 || strspn(n, "0123456789") != len)
		return help(false);
	sieve(atoi(n));
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return 0;
}
GO_MAIN(app)
