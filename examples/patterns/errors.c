/* SPDX-License-Identifier: MIT */
/*
 * errors.c - a goroutine's error gets to whoever can do something about it.
 *
 * Fail fast: in a group the first error ends the others, and is what go_group_wait returns.  For
 * work that is worth nothing unless all of it succeeds.
 *
 * Collect: each result has its error beside it, and all of them are received.  For work of which
 * every part counts by itself.
 */
#include <goro.h>
#include <stdio.h>
#include <string.h>
#include "check.h"

enum { PARTS = 8 };

/* --- Fail fast --- */

struct download { int part; go_receiver(int) data; };

/*
 * 0 or a negative errno value.  A member of a group is bound to the group's context, which ends
 * each _until call once it is cancelled; in a select there would have to be a GO_DONE.
 */
static int download(void *p)
{
	struct download *d = p;

	if (d->part == 5)
		return -EIO;
	return go_recv_until(d->data, NULL, GO_FOREVER); /* it never comes: -ECANCELED */
}

static int all_or_nothing(const go_ctx *parent)
{
	go_chan(int) data = go_make(int, 0);
	go_defer_unref(data);
	go_group group = GO_GROUP_INIT;
	struct download d[PARTS];

	go_group_ctx(&group, parent);
	for (int i = 0; i < PARTS; i++) {
		d[i] = (struct download){i, go_recv_only(data)};
		go_group_spawn(&group, download, &d[i]);
	}
	return go_group_wait(&group); /* for all, not only for the first that fails */
}

/* --- Collect --- */

struct result { int part, err, size; };

static void upload(int part, go_sender(struct result) results)
{
	if (part % 3 == 0)
		go_send(results, (struct result){part, -EACCES, 0});
	else
		go_send(results, (struct result){part, 0, part * 100});
}
GO_TASK(upload, int, go_sender(struct result));

static void as_many_as_possible(void)
{
	go_chan(struct result) results = go_make(struct result, 0);
	go_defer_unref(results);
	int err[PARTS], total = 0;

	for (int i = 0; i < PARTS; i++)
		go(upload, i, go_send_only(results));
	for (int i = 0; i < PARTS; i++) { /* as many results as goroutines: none is lost */
		struct result r;

		go_recv(results, &r);
		err[r.part] = r.err;
		total += r.size;
	}
	printf("collect: %d bytes\n", total);
	for (int i = 0; i < PARTS; i++)
		if (err[i])
			printf("collect: part %d: %s\n", i, strerror(-err[i]));
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	int err = all_or_nothing(GO_CTX_BACKGROUND);

	printf("fail fast: %s\n", err ? strerror(-err) : "all there");
	as_many_as_possible();
	return nobody_left();
}
GO_MAIN(app)
