/* SPDX-License-Identifier: MIT */
/*
 * lockcheck.h - who holds which mutex: for the race detector, and for who asks to be warned.
 *
 * GORO_DEBUG=locks=1 makes a lock that its own holder waits for fatal, and has a goroutine or
 * thread that ends with locks told on stderr.  Debug builds tell both unless locks=0, and let
 * the recursive locker wait: another goroutine may still unlock, which is no misuse.
 *
 * Otherwise all of this costs one predictable branch for a lock and one for an unlock, the one
 * that the race detector needs anyway.
 */
#ifndef GORO_LOCKCHECK_H
#define GORO_LOCKCHECK_H

#include "../base/base.h"
#include "../base/out.h"

enum held_as { HELD_MUTEX, HELD_WRITE, HELD_READ };

extern bool	lock_watched;		/* somebody wants to be told */

void	lockcheck_taken(const void *obj, enum held_as how, void *pc);
void	lockcheck_leaving(const void *obj, enum held_as how);
void	lockcheck_waiting(const void *obj, enum held_as how);

/* Left by debug/dump.c: says what code is at pc. */
extern void	(*lockcheck_print_pc)(struct out *o, void *pc);

/* In a public function: obj is the caller's from now on. */
static ALWAYS_INLINE void
lock_taken(const void *obj, enum held_as how)
{
	if (unlikely(lock_watched))
		lockcheck_taken(obj, how, __builtin_return_address(0));
}

/* Before anybody else can have it. */
static ALWAYS_INLINE void
lock_leaving(const void *obj, enum held_as how)
{
	if (unlikely(lock_watched))
		lockcheck_leaving(obj, how);
}

/* Outside enter() and leave(), before waiting without a deadline. */
static inline void
lock_waiting(const void *obj, enum held_as how)
{
	if (unlikely(lock_watched))
		lockcheck_waiting(obj, how);
}

#endif
