/* SPDX-License-Identifier: MIT */
/*
 * san.h - what the sanitizers and Valgrind must be told.
 *
 * Always compiled in: the hooks are weak symbols, so a plain libgoro serves an instrumented
 * program (FACTS S1).  san_on is false in ordinary programs, which pay one predictable branch.
 *
 * The runtime itself is never instrumented with TSan.  Every synchronisation that a user may
 * rely on is annotated instead: race_release(p) before, race_acquire(p) after, on the same
 * address.  Switches make no edge (no_sync), or races between goroutines that ran one after
 * the other on one thread would be hidden.
 */
#ifndef GORO_SAN_H
#define GORO_SAN_H

#include "base.h"

extern bool san_on;		/* any of the below, but Valgrind */
extern bool san_asan, san_tsan, san_lsan, san_valgrind;

void	san_init(void);

WEAK void	__sanitizer_start_switch_fiber(void **save, const void *lo, size_t size);
WEAK void	__sanitizer_finish_switch_fiber(void *save, const void **lo, size_t *size);
WEAK void	__asan_unpoison_memory_region(const volatile void *lo, size_t size);
WEAK void	__asan_loadN(uintptr_t p, size_t size);
WEAK void	__lsan_register_root_region(const void *lo, size_t size);
WEAK void	__lsan_unregister_root_region(const void *lo, size_t size);
WEAK void	*__tsan_get_current_fiber(void);
WEAK void	*__tsan_create_fiber(unsigned flags);
WEAK void	__tsan_destroy_fiber(void *fiber);
WEAK void	__tsan_switch_to_fiber(void *fiber, unsigned flags);
WEAK void	__tsan_acquire(void *addr);
WEAK void	__tsan_release(void *addr);
WEAK void	AnnotateBenignRaceSized(const char *file, int line, const volatile void *p, size_t n,
				const char *why);

WEAK void	AnnotateIgnoreReadsBegin(const char *file, int line);
WEAK void	AnnotateIgnoreReadsEnd(const char *file, int line);
WEAK void	AnnotateIgnoreWritesBegin(const char *file, int line);
WEAK void	AnnotateIgnoreWritesEnd(const char *file, int line);

#define TSAN_NO_SYNC	1u	/* __tsan_switch_to_fiber: the switch is no happens-before edge */
/* For __tsan_switch_to_fiber: is the switch a happens-before edge? */
#define TSAN_SYNC	0u
#define TSAN_NO_SYNC	1u

static inline void
race_acquire(const void *p)
{
	if (unlikely(san_tsan))
		__tsan_acquire((void *)(uintptr_t)p);
}

static inline void
race_release(const void *p)
{
	if (unlikely(san_tsan))
		__tsan_release((void *)(uintptr_t)p);
}

/* A slot both sides write in turn: each sees all that the other did before. */
static inline void
race_both(const void *p)
{
	race_acquire(p);
	race_release(p);
}

/* A thread's errno is initialised by one thread and used by goroutines: no race worth a report. */
static inline void
san_errno(const volatile int *p)
{
	if (unlikely(san_tsan) && AnnotateBenignRaceSized != NULL)
		AnnotateBenignRaceSized(__FILE__, __LINE__, p, sizeof(*p), "errno");
}

/*
 * Between the two, what the caller reads and writes is no race: it works on the stack of somebody
 * whom it holds, which no edge tells.  No switch in between.
 */
static inline void
race_ignore_begin(void)
{
	if (likely(!san_tsan) || AnnotateIgnoreWritesBegin == NULL || AnnotateIgnoreReadsBegin == NULL)
		return;
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static inline void
race_ignore_end(void)
{
	if (likely(!san_tsan) || AnnotateIgnoreWritesEnd == NULL || AnnotateIgnoreReadsEnd == NULL)
		return;
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

static inline void
san_root(const void *lo, size_t size)
{
	if (unlikely(san_lsan))
		__lsan_register_root_region(lo, size);
}

static inline void
san_unroot(const void *lo, size_t size)
{
	if (unlikely(san_lsan))
		__lsan_unregister_root_region(lo, size);
}

static inline void
san_unpoison(const void *lo, size_t size)
{
	if (unlikely(san_asan))
		__asan_unpoison_memory_region(lo, size);
}

/*
 * What the user hands us must not be freed: ASan says so, although our own accesses are not
 * instrumented in a plain libgoro.
 */
static inline void
san_check(const void *p, size_t size)
{
	if (unlikely(san_asan) && __asan_loadN != NULL)
		__asan_loadN((uintptr_t)p, size);
}

uint32_t san_stack_register(const void *lo, const void *hi);	/* Valgrind: a new stack */
void	 san_stack_deregister(uint32_t id);

#endif
