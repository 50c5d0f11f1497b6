/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - stages joined by channels work at the same time, each on its own piece.
 *
 * Copies standard input to standard output and computes its CRC-32 (that of gzip and zip) on the
 * way.  While one block is being written, the next is summed up and the one after that is read:
 *
 *	reader --full--> summer --summed--> main, who writes
 *	   ^------------- empty ------------'
 *
 * The blocks go round: main hands back what it has written.  So four of them are enough for any
 * amount of data, and a slow stage makes the others wait instead of piling up work in memory.
 */
#include <err.h>
#include <errno.h>
#include <goro.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: pipeline [-h] <INPUT >OUTPUT\n"
	"Copies standard input to standard output, then reports the CRC-32 and the length of it\n"
	"on standard error.\n";

enum { BLOCKS = 4 };
struct block { size_t len; unsigned char data[64 * 1024]; };
struct summary { uint32_t crc; uint64_t bytes; int err; };

/*
 * The result of a system call, or -errno.  Not inlined on purpose: compilers remember the address
 * of errno within a function, and it is another one after a goroutine has changed threads.
 */
static __attribute__((noinline)) ssize_t result(ssize_t r)
{
	return r < 0 ? -errno : r;
}

static void reader(go_receiver(struct block *) empty, go_sender(struct block *) full, int *err)
{
	ssize_t n = 0;

	go_range(b, empty) {
		n = result(read(STDIN_FILENO, b->data, sizeof b->data)); /* others run meanwhile */
		if (n <= 0)
			break;
		b->len = (size_t)n;
		go_send(full, b);
	}
	*err = (int)-n;
	go_close(full); /* ends the summer's loop */
}
GO_TASK(reader, go_receiver(struct block *), go_sender(struct block *), int *);

static void summer(go_receiver(struct block *) full, go_sender(struct block *) summed,
		   struct summary *s)
{
	uint32_t table[256], crc = 0xffffffff;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	go_range(b, full) {
		for (size_t i = 0; i < b->len; i++)
			crc = crc >> 8 ^ table[(crc ^ b->data[i]) & 0xff];
		s->bytes += b->len;
		go_send(summed, b);
	}
	s->crc = ~crc;
	go_close(summed); /* ends main's loop */
}
GO_TASK(summer, go_receiver(struct block *), go_sender(struct block *), struct summary *);

static int app(int argc, char **argv)
{
	static struct block blocks[BLOCKS];

	if (argc > 1) {
		bool help = strcmp(argv[1], "-h") == 0;

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}

	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_chan(struct block *) full = go_make(struct block *, BLOCKS);
	go_chan(struct block *) summed = go_make(struct block *, BLOCKS);
	go_chan(struct block *) empty = go_make(struct block *, BLOCKS);
	struct summary sum = {0, 0, 0};

	for (int i = 0; i < BLOCKS; i++)
		go_send(empty, &blocks[i]); /* there is room for all: this never waits */
	GO_WG(&wg, reader, go_recv_only(empty), go_send_only(full), &sum.err);
	GO_WG(&wg, summer, go_recv_only(full), go_send_only(summed), &sum);
	go_range(b, summed) {
		for (ssize_t at = 0, n; (size_t)at < b->len; at += n)
			if ((n = write(STDOUT_FILENO, b->data + at, b->len - (size_t)at)) < 0)
				err(1, "standard output"); /* when main ends, all do */
		go_send(empty, b);
	}
	go_wg_wait(&wg); /* now nobody uses the channels any more */
	go_unref(full);
	go_unref(summed);
	go_unref(empty);
	if (sum.err)
		warnx("standard input: %s", strerror(sum.err));
	fprintf(stderr, "%08x  %llu bytes\n", (unsigned)sum.crc, (unsigned long long)sum.bytes);
	return sum.err != 0;
}
GO_MAIN(app)
