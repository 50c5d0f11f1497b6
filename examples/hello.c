/* SPDX-License-Identifier: MIT */
/*
 * hello.c - a goroutine is a function call with `go' in front of it.
 *
 * Every name on the command line is greeted by a goroutine of its own.  They all run at once, so
 * the greetings come in any order.  The program ends when main does, whoever is still at work; so
 * main waits for a word from each of them, over a channel.
 */
#include <err.h>
#include <goro.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
	"usage: hello [-h] [NAME]...\n"
	"Greets every NAME (default: world) from a goroutine of its own, in no particular order.\n";

static void greet(const char *name, go_sender(int) done)
{
	printf("Hello, %s!\n", name);
	go_send(done, 1);
}
GO_TASK(greet, const char *, go_sender(int)); /* teaches go() how to carry the arguments */

static int app(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "h")) != -1;) {
		fputs(usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}

	/* A channel of int.  Capacity 0: sender and receiver meet. */
	go_chan(int) done = go_make(int, 0);
	int n = 0;

	for (char **name = argv + optind; *name; name++, n++)
		go(greet, *name, go_send_only(done));
	if (n == 0) {
		go(greet, "world", go_send_only(done));
		n = 1;
	}
	for (int i = 0; i < n; i++)
		go_recv(done, NULL); /* the value says nothing, that it comes does */
	go_unref(done);

	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return 0;
}
GO_MAIN(app) /* main() as goroutine 1 */
