/* SPDX-License-Identifier: MIT */
/*
 * base.h - the compiler, and words everybody uses.  Nothing here knows of goroutines.
 */
#ifndef GORO_BASE_H
#define GORO_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE	64

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define NOINLINE	__attribute__((noinline))
#define ALWAYS_INLINE	inline __attribute__((always_inline))
#define COLD		__attribute__((cold, noinline))
#define NORETURN	__attribute__((noreturn))
#define ALIGNED(n)	__attribute__((aligned(n)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define WEAK		__attribute__((weak))
#define UNUSED		__attribute__((unused))

/* Before the constructors of programs that use us from theirs. */
#define EARLY_CONSTRUCTOR __attribute__((constructor(101)))

/* Code that must not be instrumented: it runs where a sanitizer's view of the stack is not ours. */
#define NO_ASAN		__attribute__((no_sanitize_address))

#define container_of(p, type, member)	((type *)(void *)((char *)(p) - offsetof(type, member)))
#define countof(a)			(sizeof(a) / sizeof((a)[0]))

static inline size_t
align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/*
 * The hostile build (-DGORO_HARD=ON, after Lua's HARDSTACKTESTS) makes rare paths common:
 * tiny queues and caches, random yields and steals, system calls that fail now and then.
 */
#ifdef GORO_HARD
#define HARD	1
#else
#define HARD	0
#endif

#endif
