/* SPDX-License-Identifier: MIT */
/*
 * panic.h - defer, panic, try, exit.
 */
#ifndef GORO_PANIC_H
#define GORO_PANIC_H

#include "proc.h"

/*
 * go_panic for a misused object: the text is Go's, and all that go_try tells but for its address;
 * what fmt says is another line of the report, "channel 0x1234 of 8-byte elements".
 */
NORETURN void panic_about(const void *object, const char *text, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Does the caller, a deferred call, run because of a panic, rather than an end or go_exit? */
bool	panic_under_way(void);

/* go_exit's part: runs all deferred calls of the caller's goroutine. */
void	panic_exit(struct g *g);

/*
 * main has returned: lets a panic that nobody will stop, and that is running deferred calls, get
 * to its report, but does not wait for ever (a second; Go: for 1000 turns of others).
 */
void	panic_wait(void);

/*
 * fn(arg), but a C++ exception that leaves it ends the program: our callers' frames are C and
 * have records on them that are linked to the goroutine.
 */
void	panic_guard(go_fn fn, void *arg);

/* Left by debug/dump.c: writes the calling goroutine, its stack and its creator. */
extern void	(*panic_print_goroutine)(int fd);

/* Left by debug/dump.c: writes what is at these addresses. */
extern void	(*panic_print_frames)(int fd, void *const *pc, int n);

/* Left by debug/dump.c: the return addresses on the stack, innermost first, beginning with `from'. */
extern int	(*panic_backtrace)(void **pc, int n, const void *from);

#endif
