/* SPDX-License-Identifier: MIT */
/*
 * safe_map.c - a table that many goroutines look things up in, and some change.
 *
 * A go_rwmutex around any table of one's own: many may read at a time, or one may write.  What is
 * a question and a change in one (is it there? then count it, else put it there) is done under one
 * lock: between two, others can come.  Here the common case is a reader's: the entry is there and
 * its count is atomic.  Only the first hit of a page takes the table for itself, and looks again.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "check.h"

enum { VISITORS = 16, VISITS = 300, MOST = 8 };
struct entry { const char *page; atomic_int hits; };

static struct {
	go_rwmutex lock;
	int n;
	struct entry entry[MOST];
} table;

/* The caller holds the lock, be it for reading. */
static struct entry *find(const char *page)
{
	for (int i = 0; i < table.n; i++)
		if (strcmp(table.entry[i].page, page) == 0)
			return &table.entry[i];
	return NULL;
}

static bool hit_known(const char *page)
{
	go_rwmutex_rlock(&table.lock);
	go_defer_runlock(&table.lock); /* at the end of the block, whichever way it is left */
	struct entry *e = find(page);

	return e && ++e->hits > 0;
}

static void hit(const char *page)
{
	if (hit_known(page))
		return;
	go_rwmutex_lock(&table.lock);
	go_defer_rwunlock(&table.lock);
	struct entry *e = find(page); /* somebody may have been quicker */

	if (!e) {
		check(table.n < MOST);
		e = &table.entry[table.n++];
		e->page = page;
	}
	e->hits++;
}

static int hits(const char *page)
{
	go_rwmutex_rlock(&table.lock);
	go_defer_runlock(&table.lock);
	struct entry *e = find(page);

	return e ? e->hits : 0;
}

static const char *const page[] = {"/", "/about", "/blog", "/contact", "/shop"};
enum { PAGES = sizeof page / sizeof *page };

static void visitor(int id)
{
	for (int i = 0; i < VISITS; i++) {
		hit(page[(id + i) % PAGES]);
		check(hits(page[(id + i) % PAGES]) > 0);
	}
}
GO_TASK(visitor, int);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int id = 0; id < VISITORS; id++)
		GO_WG(&wg, visitor, id);
	go_wg_wait(&wg);
	check(table.n == PAGES); /* each was put there once */
	for (int i = 0; i < PAGES; i++)
		printf("%d hits of %s\n", hits(page[i]), page[i]);
	printf("%d hits of /nowhere\n", hits("/nowhere"));
	return nobody_left();
}
GO_MAIN(app)
