/* SPDX-License-Identifier: MIT */
/*
 * dump.c - print goroutines: go_dump, panics, deadlocks.
 *
 * The shape is Go's: "goroutine N [reason, M minutes]:", frames, "created by F in goroutine K".
 * Nothing is locked.  A parked goroutine is held while its stack is walked [g-held]; of a
 * running one only the caller's own stack can be shown.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/gmem.h"
#include "../sched/monitor.h"
#include "../sched/panic.h"
#include "../sched/run.h"
#include "../sched/sched.h"
#include "../sync/lockcheck.h"
#include "backtrace.h"

enum { FRAMES = 50, MOST_STACKS = 200, MOST_LINES = 10000 };
static const int64_t MINUTE = INT64_C(60000000000);

static void
print_state(struct out *o, struct g *g, uint32_t state, bool current)
{
	int64_t waited = (load_rlx(&sched.now) - g->wait_since) / MINUTE;

	if (current || state == G_RUNNING) {
		out_fmt(o, "running");
	} else if (state == G_RUNNABLE) {
		out_fmt(o, "runnable");
	} else {
		out_fmt(o, "%s", wait_reason_text[g->reason < WAIT_REASONS ? g->reason : 0]);
		if (g->wait_obj != NULL)
			out_fmt(o, " on %p", (void *)(uintptr_t)g->wait_obj);
		if (waited > 0)
			out_fmt(o, ", %ld minutes", waited);
	}
	if (g->pins != 0)
		out_fmt(o, ", locked to thread");
}

static void
print_head(struct out *o, struct g *g, uint32_t state, bool current)
{
	const char *name = load_acq(&g->name);		/* [g-name] */

	race_acquire(name);
	if (g->flags & GF_FOREIGN)
		out_fmt(o, "thread %u [", g->m->tid);
	else
		out_fmt(o, "goroutine %lu [", g->id);
	print_state(o, g, state, current);
	out_fmt(o, "]:%s%s\n", name != NULL ? " " : "", name != NULL ? name : "");
	race_release(name);
}

static void
print_frames(struct out *o, void *const *pc, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		out_fmt(o, "\t");
		backtrace_print(o, pc[i]);
		out_fmt(o, "\n");
	}
}

static void
print_creator(struct out *o, struct g *g)
{
	if ((g->flags & (GF_FOREIGN | GF_MAIN)) != 0 || g->creator_pc == NULL)
		return;
	out_fmt(o, "created by ");
	backtrace_name(o, g->creator_pc);
	if (g->creator != 0)
		out_fmt(o, " in goroutine %lu\n", g->creator);
	else
		out_fmt(o, " in a thread\n");
	out_fmt(o, "\t");
	backtrace_print(o, g->creator_pc);
	out_fmt(o, "\n");
}

/* [g-held] as in monitor.c: held, barrier, still waiting?  Then it stays so. */
static bool
hold(struct g *g)
{
	uint32_t no = 0;

	if (!cas_ar(&g->held, &no, 1))			/* [g-held] */
		return false;
	os_membarrier();
	if (load_acq(&g->state) == G_WAITING && g->sp != NULL && g->stack != NULL)	/* [g-held] */
		return true;
	store_rel(&g->held, 0);				/* [g-held] */
	return false;
}

static void
print_other(struct out *o, struct g *g, bool with_stack)
{
	uint32_t state = load_rlx(&g->state);
	void *pc[FRAMES];
	int n = 0;

	if (with_stack && state == G_WAITING && hold(g)) {
		n = backtrace_parked(g->sp, pc, FRAMES);
		store_rel(&g->held, 0);			/* [g-held] */
	}
	print_head(o, g, state, false);
	print_frames(o, pc, n);
	print_creator(o, g);
	out_fmt(o, "\n");
}

static void
print_current(struct out *o, struct g *g, int skip)
{
	void *pc[FRAMES];
	int n = backtrace_here(pc, FRAMES, skip);

	print_head(o, g, G_RUNNING, true);
	print_frames(o, pc, n);
	print_creator(o, g);
}

static void
print_others(struct out *o, struct g *but)
{
	int lines = 0, left_out = 0;
	struct g *g = NULL;

	while ((g = g_next(g)) != NULL) {
		if (g == but || g->id == 0 || load_rlx(&g->state) == G_FREE)
			continue;
		if (lines < MOST_LINES)
			print_other(o, g, lines < MOST_STACKS);
		else
			left_out++;
		lines++;
	}
	if (left_out > 0)
		out_fmt(o, "... and %d goroutines more\n", left_out);
}

void
go_dump(int fd)
{
	struct m *m = enter();
	struct g *me = m->g;
	struct out o;

	leave(m);
	out_init(&o, fd);
	if ((me->flags & GF_FOREIGN) == 0) {
		print_current(&o, me, 1);
		out_fmt(&o, "\n");
	}
	print_others(&o, me);
	out_flush(&o);
}

/* --- Reports --- */

static bool
wants_all(void)
{
	const char *how = getenv("GORO_TRACEBACK");

	return how != NULL && (strcmp(how, "all") == 0 || strcmp(how, "crash") == 0);
}

static void
print_addresses(int fd, void *const *pc, int n)
{
	struct out o;

	out_init(&o, fd);
	print_frames(&o, pc, n);
	out_flush(&o);
}

static void
print_goroutine(int fd)
{
	struct m *m = self();
	struct g *g = m->g;
	struct out o;

	out_init(&o, fd);
	if (m_is_nobody(m) || g == NULL || (g->flags & GF_SYSTEM)) {
		out_fmt(&o, "(not on a goroutine)\n");
	} else {
		print_current(&o, g, 1);
	}
	if (wants_all()) {
		out_fmt(&o, "\n");
		print_others(&o, g);
	}
	out_flush(&o);
}

static void
fatal_report(int fd)
{
	struct out o;

	out_init(&o, fd);
	out_fmt(&o, "\n");
	out_flush(&o);
	print_goroutine(fd);
}

static void
print_threads(struct out *o)
{
	struct g *g;
	struct m *m = NULL;

	while ((m = m_next(m)) != NULL) {
		g = &m->pseudo;
		if (m->foreign && load_rlx(&g->state) == G_WAITING) {
			print_head(o, g, G_WAITING, false);
			out_fmt(o, "\n");
		}
	}
}

static void
deadlock(const char *text)
{
	struct out o;

	fatal_begin();
	out_init(&o, STDERR_FILENO);
	out_fmt(&o, "fatal error: %s\n\n", text);
	print_threads(&o);
	print_others(&o, NULL);
	out_flush(&o);
	die();
}

static int
addresses_from(void **pc, int n, const void *from)
{
	void *all[FRAMES];
	int got = backtrace_here(all, FRAMES, 0), i;

	/* Not by a number: sanitizers have frames of their own, the compiler leaves some out. */
	for (i = 0; i < got && all[i] != from; i++)
		continue;
	if (i == got)
		i = 0;
	got = got - i < n ? got - i : n;
	memcpy(pc, all + i, (size_t)got * sizeof(*pc));
	return got;
}

/*
 * The first backtrace loads the unwinder, with malloc and the loader's locks, which a report
 * from a signal handler may find held: have that done while nothing is wrong.
 */
static void
warm_up(void)
{
	void *pc[2];

	backtrace_here(pc, 1, 0);
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	run_at_start(warm_up);
	fatal_hook = fatal_report;
	panic_print_goroutine = print_goroutine;
	panic_print_frames = print_addresses;
	panic_backtrace = addresses_from;
	monitor_deadlock = deadlock;
	lockcheck_print_pc = backtrace_print;
}
