/* SPDX-License-Identifier: MIT */
/*
 * fatal.h - die with a message.
 *
 * fatal() is for what cannot go on: our own broken invariants, no memory, misuse that Go
 * calls a fatal error.  A panic, the user's recoverable kind, is go_panic in sched/panic.c.
 */
#ifndef GORO_FATAL_H
#define GORO_FATAL_H

#include "base.h"

/*
 * Prints "fatal error: <text>", lets the hook add what it knows (the calling goroutine, all
 * others), and ends the process: status 2, or SIGABRT with GORO_TRACEBACK=crash.  What was misused
 * stands in a line of its own, "\n\tmutex %p", so that the first is exactly Go's.
 */
NORETURN void	fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The last step of fatal() and of a panic: exits with status 2 or aborts. */
NORETURN void	die(void);

/*
 * Only one thread reports; others that die meanwhile stop here for ever, so that reports do
 * not mix.  Returns false if this very thread reports already (a fault while dumping).
 */
bool		fatal_begin(void);

/*
 * The process is about to end by exit().  If somebody is reporting, his report and status
 * come first: does not return.  Otherwise nobody reports any more.
 */
void		fatal_exiting(void);

/* Left by debug/dump.c: writes every goroutine to fd.  NULL until the runtime starts. */
extern void	(*fatal_hook)(int fd);

/* assert() that stays in release builds, for conditions that cost nothing to look at. */
#define ensure(c)	((c) ? (void)0 : fatal("goro: internal error: %s (%s:%d)", #c, __FILE__, __LINE__))

#endif
