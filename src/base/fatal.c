/* SPDX-License-Identifier: MIT */
/*
 * fatal.c - die with a message.
 */
#include "fatal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic.h"
#include "os.h"
#include "out.h"

void (*fatal_hook)(int fd);

static uint32_t reporter;	/* thread id of the one that reports, 0 if none */

bool
fatal_begin(void)
{
	uint32_t me = os_gettid(), none = 0;

	if (cas_ar(&reporter, &none, me))	/* [fatal] with itself */
		return true;
	if (none == me)
		return false;
	for (;;)
		pause();
}

void
fatal_exiting(void)
{
	fatal_begin();
}

void
die(void)
{
	const char *how = getenv("GORO_TRACEBACK");

	if (how != NULL && strcmp(how, "crash") == 0) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	_exit(2);
}

void
fatal(const char *fmt, ...)
{
	struct out o;
	bool first = fatal_begin();
	va_list ap;

	out_init(&o, STDERR_FILENO);
	out_fmt(&o, "fatal error: ");
	va_start(ap, fmt);
	out_vfmt(&o, fmt, ap);
	va_end(ap);
	out_fmt(&o, "\n");
	out_flush(&o);
	if (first && fatal_hook != NULL)
		fatal_hook(STDERR_FILENO);
	die();
}

