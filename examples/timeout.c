/* SPDX-License-Identifier: MIT */
/*
 * timeout.c - waiting can have an end: every call that waits has a form with a deadline.
 *
 * Finds out which paths answer.  A dead network file system does not say no, it lets whoever asks
 * wait for ever.  So every path is asked by a goroutine of its own, and main waits for all of them
 * up to one common deadline.  Who is stuck by then stays stuck; when main returns, the program
 * ends all the same.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <goro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: timeout [-h] [-t SECONDS] PATH...\n"
	"Tells which PATHs answer within SECONDS (default: 1): those that can be looked up and,\n"
	"if files or directories, opened.  A FIFO answers when somebody opens it for writing.\n"
	"Exit status: 0 if all answer, 1 if not.\n";

/*
 * Returns 0 or an errno value.  Not inlined on purpose: compilers remember the address of errno
 * within a function, and it is another one after a goroutine has changed threads.
 */
static __attribute__((noinline)) int ask(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISFIFO(st.st_mode))
		return 0; /* opening a device can have effects */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? errno : (close(fd), 0);
}

static void probe(const char *path, go_sender(int) answer)
{
	go_block_begin(); /* goro would notice by itself that ask() is slow: this is quicker */
	int error = ask(path);

	go_block_end();
	go_send(answer, error); /* there is room for it, whether or not main still waits */
	go_unref(answer);
}
GO_TASK(probe, const char *, go_sender(int));

static int help(bool wanted)
{
	fputs(usage, wanted ? stdout : stderr);
	return wanted ? 0 : 2;
}

static int app(int argc, char **argv)
{
	double seconds = 1;
	char *rest = "";

	for (int c; (c = getopt(argc, argv, "ht:")) != -1;) {
		if (c == 't')
			seconds = strtod(optarg, &rest);
		if (c != 't' || *rest || !(seconds > 0 && seconds < 1e9))
			return help(c == 'h');
	}
	if (optind == argc)
		return help(false);

	int64_t deadline = go_now() + (int64_t)(seconds * (double)GO_SECOND);
	int n = argc - optind, answered = 0;
	go_chan(int) *answers = calloc((size_t)n + 1, sizeof *answers);

	if (!answers)
		errx(2, "out of memory");
	for (int i = 0; i < n; i++) {
		answers[i] = go_make(int, 1);
		/* A reference of its own: the goroutine may be at it longer than main. */
		go(probe, argv[optind + i], go_send_only(go_ref(answers[i])));
	}
	for (int i = 0; i < n; i++) {
		const char *path = argv[optind + i];
		int error = 0;

		if (go_recv_until(answers[i], &error, deadline) != 0)
			warnx("%s: no answer within %g s", path, seconds);
		else if (error != 0)
			warnx("%s: %s", path, strerror(error));
		else
			answered += printf("%s: answers\n", path) > 0;
		go_unref(answers[i]);
	}
	free(answers);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return answered < n;
}
GO_MAIN(app)
