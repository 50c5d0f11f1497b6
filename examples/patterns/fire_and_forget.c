/* SPDX-License-Identifier: MIT */
/*
 * fire_and_forget.c - starting something without waiting for it is easy, and seldom right.
 *
 * Warning.  A goroutine that nobody waits for
 *	- is cut off in the middle of anything when main returns,
 *	- has nobody to tell that it failed, and its panic ends the whole program,
 *	- may pile up: nothing limits how many there are,
 *	- must not use what its starter may free.
 * So do it only for what may just as well not happen, and like launch() here: what is passed is
 * copied, panics stay inside, failures are counted, and whoever wants to end the program waits for
 * those under way, though not for ever.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include "check.h"

enum { MAILS = 10 };
struct mail { int to; char text[32]; };

static go_waitgroup under_way;
static atomic_int sent, failed;

static void deliver(void *p)
{
	struct mail *m = p;

	if (m->to % 4 == 0)
		go_panic("nobody lives at number %d", m->to);
	go_sleep(GO_MILLISECOND);
	sent++;
}

static void deliver_somehow(struct mail m)
{
	if (!go_try(deliver, &m, NULL))
		failed++;
}
GO_TASK(deliver_somehow, struct mail);

/* Returns at once.  The mail is copied to the goroutine's stack: the caller's may go. */
static void launch(const struct mail *m)
{
	GO_WG(&under_way, deliver_somehow, *m);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int to = 1; to <= MAILS; to++) {
		struct mail m = {.to = to};

		snprintf(m.text, sizeof m.text, "Dear number %d!", to);
		launch(&m);
	}
	/* Before the end, and only here: */
	if (go_wg_wait_until(&under_way, go_now() + 60 * GO_SECOND) != 0)
		warnx("some mail is cut off");
	printf("%d sent, %d failed\n", sent, failed);
	return nobody_left();
}
GO_MAIN(app)
