/* SPDX-License-Identifier: MIT */
/*
 * panic.c - defer, panic, try.
 *
 * A deferred call is a record on the stack of the block that defers it, linked to its
 * goroutine.  Leaving the block pops and calls it (the compiler's cleanup attribute); a panic
 * walks the list down to the nearest go_try, then jumps there.  A panic in a deferred call
 * goes on where the first had got to, and replaces it.
 */
#include "panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/out.h"

void (*panic_print_goroutine)(int fd);
int (*panic_backtrace)(void **pc, int n);

struct panic {
	struct panic	*outer;		/* the one whose deferred call panicked */
	char		*text;		/* malloc'ed, or `fallback' */
	char		fallback[128];
	void		*pc[16];
	int		depth;
};

struct try_frame {
	jmp_buf			at;
	struct try_frame	*outer;
	go_deferred		*defers;	/* those below are not ours */
	struct panic		*panics;
	bool			section;	/* entered inside a blocking section */
	struct panic		got;		/* copied before the jump: its stack goes away */
};

/* The caller's G or pseudo-G; its fields are its own, so no enter() is needed after this. */
static struct g *
current(void)
{
	struct m *m = self();

	if (unlikely(m_is_nobody(m))) {
		m = enter();
		leave(m);
	}
	return m->g;
}

go_deferred *
go__defer_push(go_deferred *d)
{
	struct g *g = current();

	d->go__prev = g->defers;
	g->defers = d;
	return d;
}

void
go__defer_pop(go_deferred *d)
{
	struct g *g = current();

	if (g->defers != d)
		return;		/* a panic or go_exit has taken it */
	g->defers = d->go__prev;
	d->fn(d->arg);
}

void
panic_run_deferred(struct g *g, const go_deferred *stop)
{
	while (g->defers != NULL && g->defers != stop) {
		go_deferred *d = g->defers;

		g->defers = d->go__prev;
		d->fn(d->arg);
	}
}

static NORETURN COLD void
uncaught(struct g *g)
{
	struct panic *p, *chain[16];
	struct out o;
	int n = 0;

	fatal_begin();
	out_init(&o, STDERR_FILENO);
	for (p = g->panics; p != NULL && n < 16; p = p->outer)
		chain[n++] = p;
	while (n-- > 0)		/* the first on top, as Go prints them */
		out_fmt(&o, "%spanic: %s\n", chain[n]->outer != NULL ? "\t" : "", chain[n]->text);
	out_fmt(&o, "\n");
	out_flush(&o);
	if (panic_print_goroutine != NULL)
		panic_print_goroutine(STDERR_FILENO);
	die();
}

static void
format(struct panic *p, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(p->fallback, sizeof(p->fallback), fmt, ap);
	p->text = p->fallback;
	if (n >= (int)sizeof(p->fallback)) {
		char *s = malloc((size_t)n + 1);

		if (s != NULL) {
			vsnprintf(s, (size_t)n + 1, fmt, again);
			p->text = s;
		}
	}
	va_end(again);
}

void
go_panic(const char *fmt, ...)
{
	struct panic p = {0};
	struct m *m = self();
	struct try_frame *t;
	struct g *g;
	va_list ap;

	/* We may come from inside the runtime, where misuse is found; deferred calls may not. */
	if (!m_is_nobody(m) && load_own(&m->in_rt) && m->g != &m->g0)
		leave(m);
	g = current();
	va_start(ap, fmt);
	format(&p, fmt, ap);
	va_end(ap);
	if (panic_backtrace != NULL)
		p.depth = panic_backtrace(p.pc, (int)countof(p.pc));
	p.outer = g->panics;
	g->panics = &p;
	t = g->tries;
	panic_run_deferred(g, t != NULL ? t->defers : NULL);
	if (t == NULL)
		uncaught(g);
	t->got = p;
	if (p.text == p.fallback)
		t->got.text = t->got.fallback;
	longjmp(t->at, 1);
}

static void
report(struct g *g, struct try_frame *t, go_panic_info *info)
{
	go_panic_info full = GO_PANIC_INFO_INIT;
	size_t size;

	free(g->caught);
	g->caught = t->got.text == t->got.fallback ? strdup(t->got.text) : t->got.text;
	if (info == NULL)
		return;
	size = info->size < sizeof(full) ? info->size : sizeof(full);
	full.size = info->size;
	full.message = g->caught != NULL ? g->caught : "";
	full.id = g->id;
	full.depth = t->got.depth;
	memcpy(full.pc, t->got.pc, sizeof(full.pc));
	memcpy(info, &full, size);
}

bool
go_try(go_fn fn, void *arg, go_panic_info *info)
{
	struct try_frame t;
	struct g *g = current();

	t.outer = g->tries;
	t.defers = g->defers;
	t.panics = g->panics;
	t.section = (g->flags & GF_SECTION) != 0;
	g->tries = &t;
	if (setjmp(t.at) == 0) {
		fn(arg);
		current()->tries = t.outer;
		return true;
	}
	g = current();
	g->tries = t.outer;
	g->panics = t.panics;
	if ((g->flags & GF_SECTION) && !t.section) {
		self()->in_blocking = 0;
		go_block_end();
	}
	report(g, &t, info);
	return false;
}
