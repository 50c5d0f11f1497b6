/* SPDX-License-Identifier: MIT */
/*
 * panic.c - defer, panic, try.
 *
 * A deferred call is a record on the stack of the block that defers it, linked to its
 * goroutine.  Leaving the block pops and calls it (the compiler's cleanup attribute); a panic
 * walks the list down to the nearest go_try, then jumps there.  A panic in a deferred call
 * goes on where the first had got to, and replaces it.
 *
 * go_exit walks the whole list, through every go_try there is.  A panic that one of its calls
 * raises is still stopped by the nearest go_try, as Go's recover would; if that is one which
 * go_exit is passing through, the exit goes on from there and go_try does not return.
 *
 * Nothing here runs while the list is in an odd state, so deferred calls may do what they like.
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
#include "handoff.h"

void (*panic_print_goroutine)(int fd);
void (*panic_print_frames)(int fd, void *const *pc, int n);
int (*panic_backtrace)(void **pc, int n, const void *from);

struct panic {
	struct panic	*outer;		/* the one whose deferred call panicked */
	char		*text;		/* malloc'ed, or `fallback' */
	const void	*object;	/* misused, or NULL */
	bool		again;		/* the text is that of the last one caught */
	bool		elsewhere;	/* pc says where, our own stack does not */
	bool		counted;	/* in `unstopped' */
	bool		ended;		/* a go_exit in one of its deferred calls has ended it */
	int		depth;
	void		*pc[16];
	char		about[80];	/* the object, for the report */
	char		fallback[128];
};

struct try_frame {
	jmp_buf			at;
	struct try_frame	*outer;
	go_deferred		*defers;	/* those below are not ours */
	struct panic		*panics;
	void			*eh[2];		/* C++ exceptions in hand and under way */
	bool			section;	/* entered inside a blocking section */
	bool			exiting;	/* go_exit is on its way through */
	struct panic		got;		/* copied before the jump: its stack goes away */
};

/* [unstopped] Panics that no go_try will stop, from before their first deferred call. */
static uint32_t unstopped;

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

/* --- Calling what may throw --- */

/*
 * What the unwinder asks about the frame of panic_guard, as of one whose function is noexcept in
 * C++.  3, _URC_FATAL_PHASE1_ERROR: look no further for who catches it, so that __cxa_throw calls
 * std::terminate.  8, _URC_CONTINUE_UNWIND: pthread_exit passes.
 */
int	panic_personality(int version, int actions, uint64_t class, void *exception, void *context);

int
panic_personality(int version, int actions, uint64_t class, void *exception, void *context)
{
	enum { SEARCH_PHASE = 1 };

	(void)version, (void)class, (void)exception, (void)context;
	return actions & SEARCH_PHASE ? 3 : 8;
}

NOINLINE void
panic_guard(go_fn fn, void *arg)
{
	fn(arg);
	/* 0x1b: an offset of four bytes.  Also keeps the call above from becoming a jump. */
	__asm__ volatile(".cfi_personality 0x1b, panic_personality" ::: "memory");
}

/* --- Deferred calls --- */

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

/* Runs those of the caller's goroutine down to, not including, `stop'. */
static void
run_deferred(struct g *g, const go_deferred *stop)
{
	while (g->defers != NULL && g->defers != stop) {
		go_deferred *d = g->defers;

		g->defers = d->go__prev;
		panic_guard(d->fn, d->arg);
	}
}

/* --- Reports --- */

/* Further lines are indented, so that nobody takes them for ours.  Go: since 1.23. */
static void
print_text(struct out *o, const char *text)
{
	for (; *text != '\0'; text++)
		out_fmt(o, *text == '\n' ? "\n\t" : "%c", *text);
}

static void
print_panic(struct out *o, const struct panic *p, const char *indent)
{
	out_fmt(o, "%spanic: ", indent);
	print_text(o, p->text);
	out_fmt(o, p->again ? " [recovered, repanicked]\n" : "\n");
	if (p->about[0] != '\0')
		out_fmt(o, "%s\t%s\n", indent, p->about);
	if (p->elsewhere && panic_print_frames != NULL) {
		out_fmt(o, "%s\tinside go_blocking:\n", indent);
		out_flush(o);
		panic_print_frames(o->fd, p->pc, p->depth);
	}
}

static NORETURN COLD void
uncaught(struct g *g)
{
	struct panic *p, *outer, *first = NULL;
	struct out o;

	fatal_begin();
	/* Go prints the first on top: turn the chain round. */
	for (p = g->panics; p != NULL; p = outer) {
		outer = p->outer;
		p->outer = first;
		first = p;
	}
	out_init(&o, STDERR_FILENO);
	for (p = first; p != NULL; p = p->outer)
		print_panic(&o, p, p == first ? "" : "\t");
	out_fmt(&o, "\n");
	out_flush(&o);
	if (panic_print_goroutine != NULL)
		panic_print_goroutine(STDERR_FILENO);
	die();
}

void
panic_wait(void)
{
	int64_t until = os_now() + GO_SECOND;
	int i;

	for (i = 0; load_acq(&unstopped) != 0; i++) {		/* [unstopped] */
		if (i < 1000)
			go_yield();
		else if (os_now() < until)
			go_sleep(GO_MILLISECOND);
		else
			return;
	}
}

/* --- Panics --- */

/* Those from p on, down to `stop', are replaced by another, caught elsewhere or given up. */
static void
forget(struct panic *p, const struct panic *stop)
{
	for (; p != stop; p = p->outer) {
		if (p->text != p->fallback)
			free(p->text);
		if (p->counted)
			sub_ar(&unstopped, 1);			/* [unstopped] */
	}
}

static void
copy(struct panic *to, const struct panic *from)
{
	*to = *from;
	if (from->text == from->fallback)
		to->text = to->fallback;
}

static NORETURN void
unwind(struct g *g, struct panic *p)
{
	struct try_frame *t = g->tries;

	/* A section in which nobody stops it is over, as deferred calls from before it may block. */
	if ((g->flags & GF_SECTION) && (t == NULL || !t->section))
		go_block_end();
	p->outer = g->panics;
	g->panics = p;
	if (t == NULL) {
		p->counted = true;
		add_ar(&unstopped, 1);				/* [unstopped] */
	}
	run_deferred(g, t != NULL ? t->defers : NULL);
	if (t == NULL)
		uncaught(g);
	forget(p->outer, t->panics);
	copy(&t->got, p);
	longjmp(t->at, 1);
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

/* We may come from inside the runtime, where misuse is found; deferred calls may not. */
static struct g *
begin(void)
{
	struct m *m = self();

	assert_none_held();
	if (!m_is_nobody(m) && load_own(&m->in_rt) && m->g != &m->g0)
		leave(m);
	return current();
}

void
go_panic(const char *fmt, ...)
{
	struct panic p = {.text = NULL};
	struct g *g = begin();
	va_list ap;

	va_start(ap, fmt);
	format(&p, fmt, ap);
	va_end(ap);
	if (strcmp(fmt, "%s") == 0) {
		va_start(ap, fmt);
		p.again = g->caught != NULL && va_arg(ap, const char *) == g->caught;
		va_end(ap);
	}
	if (panic_backtrace != NULL)
		p.depth = panic_backtrace(p.pc, (int)countof(p.pc), __builtin_return_address(0));
	unwind(g, &p);
}

void
panic_about(const void *object, const char *text, const char *fmt, ...)
{
	struct panic p = {.object = object};
	struct g *g = begin();
	va_list ap;

	snprintf(p.fallback, sizeof(p.fallback), "%s", text);
	p.text = p.fallback;
	va_start(ap, fmt);
	vsnprintf(p.about, sizeof(p.about), fmt, ap);
	va_end(ap);
	if (panic_backtrace != NULL)
		p.depth = panic_backtrace(p.pc, (int)countof(p.pc), __builtin_return_address(0));
	unwind(g, &p);
}

/* --- Trying --- */

/*
 * As panic_personality, for attempt's frame.  Only pthread_exit comes so far.  The destructors
 * that run then may panic, and shall not find what was on the stack that has been left.
 */
int	try_left(int version, int actions, uint64_t class, void *exception, void *context);

int
try_left(int version, int actions, uint64_t class, void *exception, void *context)
{
	enum { CLEANUP_PHASE = 2, CONTINUE = 8 };
	struct g *g = self()->g;
	const struct try_frame *t = g->tries;

	(void)version, (void)class, (void)exception, (void)context;
	if (actions & CLEANUP_PHASE) {
		g->tries = t->outer;
		g->defers = t->defers;
		g->panics = t->panics;
	}
	return CONTINUE;
}

static NOINLINE bool
attempt(struct try_frame *t, go_fn fn, void *arg)
{
	struct g *g = current();
	void **eh = self()->eh;

	t->outer = g->tries;
	t->defers = g->defers;
	t->panics = g->panics;
	t->section = (g->flags & GF_SECTION) != 0;
	t->exiting = false;
	if (eh != NULL)
		memcpy(t->eh, eh, sizeof(t->eh));
	g->tries = t;
	if (setjmp(t->at) == 0) {
		panic_guard(fn, arg);
		__asm__ volatile(".cfi_personality 0x1b, try_left" ::: "memory");
		current()->tries = t->outer;
		return true;
	}
	/* Exceptions that were being handled or thrown up there will not be any more. */
	eh = self()->eh;
	if (eh != NULL)
		memcpy(eh, t->eh, sizeof(t->eh));
	g = current();
	g->tries = t->outer;
	g->panics = t->panics;
	return false;
}

static void
report(struct g *g, struct panic *p, go_panic_info *info)
{
	go_panic_info full = GO_PANIC_INFO_INIT;
	size_t size;

	free(g->caught);
	g->caught = p->text == p->fallback ? strdup(p->text) : p->text;
	if (info == NULL)
		return;
	size = info->size < sizeof(full) ? info->size : sizeof(full);
	full.size = info->size;
	full.message = g->caught != NULL ? g->caught : "";
	full.id = g->id;
	full.depth = p->depth;
	full.object = p->object;
	memcpy(full.pc, p->pc, sizeof(full.pc));
	memcpy(info, &full, size);
}

bool
go_try(go_fn fn, void *arg, go_panic_info *info)
{
	struct try_frame t;

	if (attempt(&t, fn, arg))
		return true;
	report(current(), &t.got, info);
	if (t.exiting)
		go_exit();
	return false;
}

bool
panic_under_way(void)
{
	const struct panic *p = current()->panics;

	return p != NULL && !p->ended;
}

void
panic_exit(struct g *g)
{
	struct try_frame *t;
	struct panic *p;

	for (p = g->panics; p != NULL; p = p->outer)
		p->ended = true;
	for (t = g->tries; t != NULL; t = t->outer)
		t->exiting = true;
	for (; (t = g->tries) != NULL; g->tries = t->outer)
		run_deferred(g, t->defers);
	run_deferred(g, NULL);
	/* They were kept so long for the report of another one. */
	forget(g->panics, NULL);
	g->panics = NULL;
}

/* --- Panics in go_blocking, which leave its stack before anybody else learns of them --- */

static struct panic *
try_blocking(go_fn fn, void *arg)
{
	struct try_frame t;
	struct panic *p;

	if (attempt(&t, fn, arg))
		return NULL;
	p = malloc(sizeof(*p));
	if (p == NULL)
		fatal("out of memory for a panic: %s", t.got.text);
	copy(p, &t.got);
	return p;
}

static void
panic_again(struct panic *malloced)
{
	struct panic p;

	copy(&p, malloced);
	free(malloced);
	p.elsewhere = true;
	unwind(current(), &p);
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	handoff_try = try_blocking;
	handoff_panic = panic_again;
}
