/* SPDX-License-Identifier: MIT */
/*
 * select.c - go_select waits for several channels at once and takes what comes first.
 *
 * Runs shell commands side by side and shows what they print as it comes, each line labelled with
 * the number of its command.  A goroutine for every command reads its output; main waits for a
 * line, or for the end of a command, or for nothing of the kind to happen for a while.
 */
#include <err.h>
#include <goro.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
	"usage: select [-h] [-q SECONDS] COMMAND...\n"
	"Runs every COMMAND with sh, all at the same time, and prints what they write, each line\n"
	"with the number of its command in front.  After every SECONDS of silence (default: 5) it\n"
	"says how many are still at work.  Exit status: 0, or 1 if a command failed.\n";

struct line { int command; ssize_t len; char *text; };
struct end { int command, status; };

static void run(int number, const char *command, go_sender(struct line) lines,
		go_sender(struct end) ends)
{
	struct line line = {number, 0, NULL};
	struct end end = {number, -1};
	size_t size = 0;
	FILE *f = popen(command, "re");

	if (!f)
		warn("%d", number);
	/* getline() and pclose() know nothing of goro; while they wait, others run on this CPU. */
	while (f && (line.len = getline(&line.text, &size, f)) > 0) {
		go_send(lines, line);
		line.text = NULL; /* it went with the line: getline has to get a new one */
		size = 0;
	}
	free(line.text);
	if (f)
		end.status = pclose(f);
	go_send(ends, end);
}
GO_TASK(run, int, const char *, go_sender(struct line), go_sender(struct end));

static int help(bool wanted)
{
	fputs(usage, wanted ? stdout : stderr);
	return wanted ? 0 : 2;
}

static int app(int argc, char **argv)
{
	double quiet = 5;
	char *rest = "";
	int status = 0;

	for (int c; (c = getopt(argc, argv, "+hq:")) != -1;) {
		if (c == 'q')
			quiet = strtod(optarg, &rest);
		if (c != 'q' || *rest || !(quiet > 0 && quiet < 1e9))
			return help(c == 'h');
	}
	if (optind == argc)
		return help(false);

	/* Without buffers, main has every line of a command before it hears of its end. */
	go_chan(struct line) lines = go_make(struct line, 0);
	go_chan(struct end) ends = go_make(struct end, 0);
	int64_t silence = (int64_t)(quiet * (double)GO_SECOND);
	int running = argc - optind;

	signal(SIGPIPE, SIG_DFL); /* go_main ignores it, which the commands would inherit */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < running; i++)
		go(run, i + 1, argv[optind + i], go_send_only(lines), go_send_only(ends));

	for (struct line line; running > 0;) {
		struct end end;

		switch (go_select(GO_RECV(lines, &line), GO_RECV(ends, &end), GO_AFTER(silence))) {
		case 0:
			printf("%d: ", line.command);
			fwrite(line.text, 1, (size_t)line.len, stdout);
			if (line.text[line.len - 1] != '\n')
				putchar('\n');
			free(line.text);
			break;
		case 1:
			running--;
			if (end.status == 0)
				break;
			status = 1;
			if (WIFSIGNALED(end.status))
				warnx("%d: killed by signal %d", end.command, WTERMSIG(end.status));
			else
				warnx("%d: exit status %d", end.command, WEXITSTATUS(end.status));
			break;
		case 2:
			warnx("%d still at work", running);
			break;
		}
	}
	go_unref(lines);
	go_unref(ends);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return status;
}
GO_MAIN(app)
