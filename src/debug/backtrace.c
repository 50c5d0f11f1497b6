/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - where a goroutine is.
 *
 * backtrace(3) walks by the unwind tables, through our context switch too, and stops at the
 * entry stub.  Names come from the dynamic symbol table; without one (a static function, no
 * -rdynamic) module and offset are what addr2line needs.
 */
#include "backtrace.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

#include "../base/san.h"
#include "../stack/switch.h"

int
backtrace_here(void **pc, int n, int skip)
{
	void *all[80];
	int got = backtrace(all, n + skip + 1 < (int)countof(all) ? n + skip + 1 : (int)countof(all));

	got -= skip + 1;
	if (got <= 0)
		return 0;
	memcpy(pc, all + skip + 1, (size_t)got * sizeof(*pc));
	return got;
}

struct walk {
	void	**pc;
	int	n;
};

static void
walk_here(void *arg)
{
	struct walk *w = arg;

	/* Leave out this function and the inspection stub. */
	w->n = backtrace_here(w->pc, w->n, 1);
}

int
backtrace_parked(void *sp, void **pc, int n)
{
	struct walk w = {pc, n};

	/* The walk uses the stack below sp, and the unwinder functions that a race detector sees. */
	race_ignore_begin();
	switch_inspect(sp, walk_here, &w);
	race_ignore_end();
	return w.n;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

void
backtrace_print(struct out *o, void *pc)
{
	/* A return address may be the first of the next function: look at the call. */
	char *at = (char *)pc - 1;
	Dl_info d;

	if (dladdr(at, &d) == 0 || d.dli_fname == NULL)
		out_fmt(o, "%p", pc);
	else if (d.dli_sname != NULL)
		out_fmt(o, "%s+0x%lx %s", d.dli_sname, (uint64_t)(at + 1 - (char *)d.dli_saddr),
			base_name(d.dli_fname));
	else
		out_fmt(o, "%s+0x%lx", base_name(d.dli_fname), (uint64_t)(at - (char *)d.dli_fbase));
}

void
backtrace_name(struct out *o, void *pc)
{
	Dl_info d;

	if (dladdr((char *)pc - 1, &d) != 0 && d.dli_sname != NULL)
		out_fmt(o, "%s", d.dli_sname);
	else
		backtrace_print(o, pc);
}
