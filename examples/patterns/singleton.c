/* SPDX-License-Identifier: MIT */
/*
 * singleton.c - something expensive is made when it is first needed, and made once.
 *
 * go_once_value calls its function for whoever comes first.  The others wait until that has
 * returned, and see all that it has written.  Later calls cost one load.
 *
 * Do not build this from a plain `if (!instance)' before a lock: another goroutine may see the
 * pointer before it sees what it points at.  An attempt that fails is not repeated: here the result
 * says so to everybody, first come or last (struct database.err).
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include "check.h"

enum { ASKERS = 50 };

struct database { int err; char name[16]; };

static atomic_int opened;

static void *open_database(void *name)
{
	static struct database db;

	opened++;
	go_sleep(GO_MILLISECOND); /* it takes a while, and may block */
	snprintf(db.name, sizeof db.name, "%s", (char *)name);
	db.err = 0;
	return &db;
}

/* The one database; opens it if need be. */
static struct database *database(void)
{
	static go_once once;
	static void *db;

	return go_once_value(&once, &db, open_database, "stock");
}

static void ask(go_sender(struct database *) answer)
{
	go_send(answer, database());
}
GO_TASK(ask, go_sender(struct database *));

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_chan(struct database *) answers = go_make(struct database *, ASKERS);
	go_defer_unref(answers);

	check(opened == 0); /* nobody has needed it yet */
	for (int i = 0; i < ASKERS; i++)
		go(ask, go_send_only(answers));
	for (int i = 0; i < ASKERS; i++) {
		struct database *db;

		go_recv(answers, &db);
		check(db == database() && db->err == 0);
	}
	check(opened == 1);
	printf("%d asked for \"%s\", opened %d time\n", ASKERS, database()->name, opened);
	return nobody_left();
}
GO_MAIN(app)
