/* SPDX-License-Identifier: MIT */
/*
 * reload.c - a configuration is replaced while it is in use.
 *
 * A configuration is never changed: a new one is made and put into the go_value.  Who reads loads
 * it once for each request, and holds that one until the end; so a request sees all of the old or
 * all of the new, and never waits.  The last to release an old one destroys it.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"

enum { SERVERS = 8, VERSIONS = 100 };

struct config { int version; char name[32]; };

static go_value current;
static atomic_int made, destroyed;

static void destroy(void *config)
{
	destroyed++;
	free(config);
}

/* On SIGHUP, or when the file has changed */
static void reload(int version)
{
	struct config *c = malloc(sizeof *c);

	if (!c)
		err(1, NULL);
	made++;
	c->version = version;
	snprintf(c->name, sizeof c->name, "version %d", version);
	go_value_store(&current, c, destroy);
}

/* One request.  Returns the version that it was served under. */
static int serve(void)
{
	struct config *c = go_value_load(&current);
	char name[32];
	int version = c->version;

	go_yield(); /* a new one may come meanwhile: this one stays */
	snprintf(name, sizeof name, "version %d", version);
	for (int i = 0; name[i]; i++)
		check(c->name[i] == name[i]); /* both parts of the same version */
	go_value_release(&current, c);
	return version;
}

static void server(void)
{
	for (int version, last = 0; last < VERSIONS; last = version) {
		version = serve();
		check(version >= last); /* never back to an older one */
	}
}
GO_TASK(server);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	reload(1);
	for (int i = 0; i < SERVERS; i++)
		GO_WG(&wg, server);
	for (int version = 2; version <= VERSIONS; version++) {
		reload(version);
		go_yield();
	}
	go_wg_wait(&wg);
	check(destroyed == VERSIONS - 1); /* all but the current one */
	printf("%d versions, in use: %d\n", made, serve());
	go_value_clear(&current);
	check(destroyed == VERSIONS);
	return nobody_left();
}
GO_MAIN(app)
