/* SPDX-License-Identifier: MIT */
/*
 * run.h - start of the runtime.
 */
#ifndef GORO_RUN_H
#define GORO_RUN_H

/* Left by modules above that want to be called once when the runtime starts. */
enum { RUN_HOOKS = 8 };
void	run_at_start(void (*fn)(void));

#endif
