/* SPDX-License-Identifier: MIT */
/*
 * switch.h - change stacks.  One assembly file per architecture.
 *
 * A suspended context is its stack pointer; what is on the stack there is drawn in the
 * assembly file.  Only callee-saved registers are kept: the switch is a function call.  The
 * floating-point control registers are per thread, as in Go (FACTS S6).
 */
#ifndef GORO_SWITCH_H
#define GORO_SWITCH_H

/*
 * Bytes that a suspended context takes, and where in them switch_init puts what a fresh one
 * begins with; for the assembly, debuggers and tests.
 */
#if defined __x86_64__
#define SWITCH_FRAME	56
#define SWITCH_AT_PC	48
#define SWITCH_AT_FN	32
#define SWITCH_AT_ARG	24
#elif defined __aarch64__
#define SWITCH_FRAME	160
#define SWITCH_AT_PC	88
#define SWITCH_AT_FN	0
#define SWITCH_AT_ARG	8
#else
#error "goro: no context switch for this architecture yet"
#endif

#ifndef __ASSEMBLER__
#include "../base/base.h"

/*
 * Save the current context's stack pointer in *save and resume the one at `to'.  Returns
 * when somebody switches back, perhaps on another thread: read nothing per-thread from
 * before.
 */
void	switch_to(void **save, void *to);

/* Leave the current context for ever. */
NORETURN void switch_last(void *to);

/*
 * Shape a fresh context below `base' (16-byte aligned): the first switch to what is returned
 * calls fn(arg), which must not return.  Backtraces end there.
 */
void	*switch_init(void *base, void (*fn)(void *), void *arg);

/*
 * Call fn(arg) on top of the suspended context sp: a backtrace from fn shows where that
 * context waits.  The context must be held: nobody may resume it meanwhile.  fn runs on that
 * context's stack, in what room is left there.
 */
void	switch_inspect(void *sp, void (*fn)(void *), void *arg);

/* Call fn(arg) on another, unused stack whose base is given, and come back. */
void	switch_call(void *base, void (*fn)(void *), void *arg);

#endif
#endif
