/* SPDX-License-Identifier: MIT */
/*
 * backtrace.h - where a goroutine is.
 */
#ifndef GORO_BACKTRACE_H
#define GORO_BACKTRACE_H

#include "../base/out.h"

/* The caller's return addresses, innermost first, `skip' left out; returns how many. */
int	backtrace_here(void **pc, int n, int skip);

/* Of the suspended context sp, which the caller holds. */
int	backtrace_parked(void *sp, void **pc, int n);

/* "function+0x12 file" or "module+0x1234", as addr2line wants it. */
void	backtrace_print(struct out *o, void *pc);
void	backtrace_name(struct out *o, void *pc);	/* the function's name alone */

#endif
