/* SPDX-License-Identifier: MIT */
/*
 * safe_map.c - two ways to a table that many goroutines look things up in, and some change.
 *
 * A go_rwmutex around any table of one's own: many may read at a time, or one may write.  For what
 * concerns several entries, or the table as a whole.
 *
 * A go_map, which needs no lock, where each call is about one key.  What is a question and a change
 * in one (is it there? then take it, else put this) has to be one call: between two, others come.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"

static const char *const page[] = {"/", "/about", "/blog", "/contact", "/shop"};
enum { VISITORS = 16, VISITS = 300, PAGES = sizeof page / sizeof *page };

/* --- A table and a go_rwmutex --- */

struct entry { const char *page; int hits; };
static struct { go_rwmutex lock; int n; struct entry entry[PAGES]; } table;

static int find(const char *name) /* under the lock, be it for reading */
{
	int i = 0;

	while (i < table.n && strcmp(table.entry[i].page, name) != 0)
		i++;
	return i;
}

static void table_hit(const char *name)
{
	go_rwmutex_lock(&table.lock);
	go_defer_rwunlock(&table.lock); /* at the end of the block, whichever way it is left */
	int i = find(name);

	table.n += i == table.n;
	table.entry[i].page = name;
	table.entry[i].hits++;
}

static int table_hits(const char *name)
{
	go_rwmutex_rlock(&table.lock);
	go_defer_runlock(&table.lock);
	int i = find(name);

	return i < table.n ? table.entry[i].hits : 0;
}

/* --- A go_map: page -> atomic_int *, which stays, since nobody deletes pages --- */

static void map_hit(go_map *map, const char *name)
{
	void *hits;

	if (!go_map_load(map, name, strlen(name), &hits)) {
		void *zero = calloc(1, sizeof(atomic_int));

		if (!zero)
			err(1, NULL);
		if (go_map_load_or_store(map, name, strlen(name), zero, &hits))
			free(zero); /* somebody was quicker */
	}
	++*(atomic_int *)hits;
}

static int map_hits(go_map *map, const char *name)
{
	void *hits;

	return go_map_load(map, name, strlen(name), &hits) ? *(atomic_int *)hits : 0;
}

static void visitor(int id, go_map *map)
{
	for (int i = 0; i < VISITS; i++) {
		table_hit(page[(id + i) % PAGES]);
		map_hit(map, page[(id + i) % PAGES]);
		check(table_hits(page[(id + i) % PAGES]) > 0);
	}
}
GO_TASK(visitor, int, go_map *);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_map *map = go_map_new(free);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int id = 0; id < VISITORS; id++)
		GO_WG(&wg, visitor, id, map);
	go_wg_wait(&wg);
	for (int i = 0; i < PAGES; i++)
		printf("%d %d %s\n", table_hits(page[i]), map_hits(map, page[i]), page[i]);
	go_map_free(map); /* and with it the numbers */
	return nobody_left();
}
GO_MAIN(app)
