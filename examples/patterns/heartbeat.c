/* SPDX-License-Identifier: MIT */
/*
 * heartbeat.c - a worker tells that it is alive, so that one that is stuck is noticed.
 *
 * A long time without a result can mean hard work or a hang.  So the worker beats: at every tick,
 * and without ever waiting for somebody to hear it.  Who watches it starts the clock anew with
 * everything that comes; when it runs out, the worker is given up.
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { RESULTS = 3 };

struct worker {
	go_chan(char) beat;	/* room for one: one that nobody has heard is as good as two */
	go_chan(int) result;
	go_chan(char) quit;	/* closed by who is not interested any more */
	go_waitgroup end;
	bool sick;
};

/* A part of the work.  Takes some ticks, in each of which it beats; false: told to quit. */
static bool work(struct worker *w, go_receiver(int64_t) tick)
{
	for (int ticks = 0; ticks < 5;) {
		switch (go_select(GO_RECV(tick, NULL), GO_RECV(w->quit, NULL))) {
		case 0:
			(void)go_trysend(w->beat, 1);
			ticks++;
			break;
		case 1:
			return false;
		}
	}
	return true;
}

static void worker(struct worker *w)
{
	go_timer *ticker = go_ticker_new(GO_MILLISECOND);
	go_defer_timer_free(ticker);
	go_defer_close(w->result);

	for (int n = 1; n <= RESULTS && work(w, go_timer_c(ticker)); n++) {
		if (w->sick)
			go_recv(w->quit, NULL); /* hangs */
		if (go_select(GO_SEND(w->result, n * n), GO_RECV(w->quit, NULL)) == 1)
			break;
	}
}
GO_TASK(worker, struct worker *);

/* Results until all are there, or until there has been no sign of life for so long. */
static void watch(const char *name, bool sick, int64_t patience)
{
	struct worker w = {.beat = go_make(char, 1), .result = go_make(int, 0),
			   .quit = go_make(char, 0), .sick = sick};
	int result, n = 0, beats = 0;
	bool more = true, alive = true;

	GO_WG(&w.end, worker, &w);
	while (more && alive) {
		switch (go_select(GO_RECV_OK(w.result, &result, &more), GO_RECV(w.beat, NULL),
				  GO_AFTER(patience))) {
		case 0:
			n += more;
			break;
		case 1:
			beats++;
			break;
		case 2:
			alive = false;
			break;
		}
	}
	go_close(w.quit);
	go_wg_wait(&w.end);
	beats += go_tryrecv(w.beat, NULL); /* one that came with the last result */
	check(beats > 0 || sick);
	printf("%s: %d of %d results%s\n", name, n, RESULTS, alive ? "" : ", then no sign of life");
	go_unref(w.beat);
	go_unref(w.result);
	go_unref(w.quit);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	watch("healthy", false, 30 * GO_SECOND); /* no hurry: the machine may be busy */
	watch("sick", true, GO_SECOND / 4);
	return nobody_left();
}
GO_MAIN(app)
