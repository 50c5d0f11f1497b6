/* SPDX-License-Identifier: MIT */
/*
 * panic.h - defer, panic, try, exit.
 */
#ifndef GORO_PANIC_H
#define GORO_PANIC_H

#include "proc.h"

/* Runs the deferred calls of the caller's goroutine down to, not including, `stop'. */
void	panic_run_deferred(struct g *g, const go_deferred *stop);

/* Left by debug/dump.c: writes the calling goroutine, its stack and its creator. */
extern void	(*panic_print_goroutine)(int fd);

/* Left by debug/backtrace.c: return addresses of the caller, innermost first. */
extern int	(*panic_backtrace)(void **pc, int n);

#endif
