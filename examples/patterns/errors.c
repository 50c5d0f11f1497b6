/* SPDX-License-Identifier: MIT */
/*
 * errors.c - a goroutine's error gets to whoever can do something about it.
 *
 * Fail fast: the first error cancels what all work under, and stays there as its cause.  For work
 * that is worth nothing unless all of it succeeds.
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

/* 0 or a negative errno value.  Would take for ever: so it must heed the context. */
static int download(const go_ctx *ctx, int part)
{
	if (part == 5)
		return -EIO;
	go_recv(go_ctx_done(ctx), NULL);
	return go_ctx_err(ctx);
}

static void try_download(go_ctx *ctx, int part)
{
	int err = download(ctx, part);

	if (err)
		go_ctx_cancel_cause(ctx, err, NULL); /* the first one counts */
}
GO_TASK(try_download, go_ctx *, int);

static int all_or_nothing(const go_ctx *parent)
{
	go_ctx *ctx = go_ctx_with_cancel(parent);
	go_defer_end(ctx);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < PARTS; i++)
		GO_WG(&wg, try_download, ctx, i);
	go_wg_wait(&wg); /* for all, not only for the first that fails */
	return go_ctx_cause(ctx, NULL);
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
