/* SPDX-License-Identifier: MIT */
/*
 * wordfreq.c - goroutines, channels, select, a Mutex, a Once and a ticker do real work together.
 *
 * Counts the words of all files under some directories.  One goroutine goes through these.  As
 * many as there are CPUs count, each in a table of its own, which it adds to the total at the end.
 * Main says what went wrong, and draws a progress line if there is a terminal.  What is done with
 * a file and its words is plain C, and stands in words.h.
 *
 *	walk --paths--> count, count, ... --mutex--> total
 *	   '---------------'----problems----> main <--tick-- ticker
 */
#include <goro.h>
#include <stdatomic.h>
#include "words.h"

static const char usage[] =
	"usage: wordfreq [-h] [-n N] [DIRECTORY]...\n"
	"Prints the N (default: 10) most frequent words of all regular files under every\n"
	"DIRECTORY (default: /usr/share/common-licenses).  A word is an unbroken run of ASCII\n"
	"letters, folded to lower case.  Links are followed only if named as a DIRECTORY.\n"
	"Exit status: 0; 1 if something could not be read, the rest is counted; 2 if nothing is.\n";

struct problem { char *path; int err; }; /* who receives it frees the path */

static struct { go_mutex lock; struct words words; } total;
static atomic_ullong files, bytes;

static void count(go_receiver(char *) paths, go_sender(struct problem) problems,
		  go_sender(int) done)
{
	static go_once once;
	struct words words = {0};

	go_once_do(&once, make_letters, NULL); /* the first one does it, the others wait for it */
	go_range(path, paths) {
		int err = count_file(&words, path, &bytes);

		files += err == 0;
		if (err)
			go_send(problems, (struct problem){path, err});
		else
			free(path);
	}
	go_mutex_lock(&total.lock);
	merge(&total.words, &words);
	go_mutex_unlock(&total.lock);
	go_send(done, 1);
}
GO_TASK(count, go_receiver(char *), go_sender(struct problem), go_sender(int));

static void walk(char **roots, go_sender(char *) paths, go_sender(struct problem) problems,
		 go_sender(int) done)
{
	for (; *roots; roots++) {
		FTS *tree = NULL;
		FTSENT *e;
		int err;

		do {
			char *path = (e = next_entry(&tree, *roots, &err)) ? e->fts_path : *roots;

			if (err)
				go_send(problems, (struct problem){need(strdup(path)), err});
			else if (e && e->fts_info == FTS_F)
				go_send(paths, need(strdup(path)));
		} while (e);
	}
	go_close(paths); /* ends the loops of those who count */
	go_send(done, 1);
}
GO_TASK(walk, char **, go_sender(char *), go_sender(struct problem), go_sender(int));

/* Says what went wrong, and how far we are, until all are done.  Returns the exit status. */
static int watch(int running, go_receiver(struct problem) problem, go_receiver(int) done)
{
	go_timer *ticker = isatty(STDERR_FILENO) ? go_ticker_new(50 * GO_MILLISECOND) : NULL;
	go_receiver(int64_t) tick = ticker ? go_timer_c(ticker) : NULL; /* NULL: never ready */
	const char *clear = ticker ? "\033[K" : "";
	struct problem p;
	int status = 0;

	while (running > 0) {
		switch (go_select(GO_RECV(done, NULL), GO_RECV(problem, &p), GO_RECV(tick, NULL))) {
		case 0: /* one is done */
			running--;
			break;
		case 1:
			fprintf(stderr, "%swordfreq: %s: %s\n", clear, p.path, strerror(p.err));
			free(p.path);
			status = 1;
			break;
		case 2:
			fprintf(stderr, "%s%llu files, %llu MB\r", clear, files, bytes / 1000000);
			break;
		}
	}
	fputs(clear, stderr);
	go_timer_free(ticker);
	return status;
}

static int app(int argc, char **argv)
{
	static char *licences[] = {"/usr/share/common-licenses", NULL};
	int workers = go_procs(0), most = 10;

	for (int c; (c = getopt(argc, argv, "hn:")) != -1;)
		if (c != 'n' || (most = number(optarg)) < 0) {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}

	go_chan(char *) paths = go_make(char *, 64);
	go_chan(struct problem) problems = go_make(struct problem, 0);
	go_chan(int) done = go_make(int, 0);
	go_stats stats = GO_STATS_INIT;
	int64_t start = go_now();

	go(walk, argv[optind] ? argv + optind : licences, go_send_only(paths),
	   go_send_only(problems), go_send_only(done));
	for (int i = 0; i < workers; i++)
		go(count, go_recv_only(paths), go_send_only(problems), go_send_only(done));

	int status = watch(1 + workers, go_recv_only(problems), go_recv_only(done));
	double seconds = (double)(go_now() - start) / (double)GO_SECOND;

	go_stats_read(&stats);
	print_words(&total.words, (size_t)most);
	printf("%llu files, %llu bytes\n%.3f s, %.1f MB/s, %d workers, %llu goroutines, %llu steals"
	       "\n", files, bytes, seconds, (double)bytes / 1e6 / seconds, workers,
	       (unsigned long long)stats.created, (unsigned long long)stats.steals);
	go_unref(paths);
	go_unref(problems);
	go_unref(done);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return status;
}
GO_MAIN(app)
