/* SPDX-License-Identifier: MIT */
/*
 * os.h - the operating system: every system call of the runtime but I/O.
 *
 * All functions return 0 or a negative errno value and leave errno alone.
 */
#ifndef GORO_OS_H
#define GORO_OS_H

#include "base.h"

#define OS_NEVER	INT64_MAX	/* a deadline that does not come */
#define OS_PAGE		((size_t)4096)	/* the smallest page; os_page() may be larger (aarch64) */

/*
 * Kernel features with a fall-back.  GORO_DEBUG=noguard=1,nomembarrier=1,nopmadvise=1 takes
 * the fall-back although the kernel has the feature: that is how the tests reach them.
 */
enum os_feature {
	OS_GUARD_INSTALL,	/* madvise(MADV_GUARD_INSTALL), Linux 6.13 */
	OS_PROCESS_MADVISE,	/* vectored on ourselves, Linux 6.13 */
	OS_MEMBARRIER,		/* PRIVATE_EXPEDITED, Linux 4.14 */
	OS_FEATURES
};

void	os_init(void);				/* idempotent; before anything else here */
bool	os_has(enum os_feature f);
void	os_lacks(enum os_feature f);		/* a call failed in a way that says: never again */
long	os_debug(const char *name, long dflt);	/* the number after name= in $GORO_DEBUG */

int64_t	os_now(void);				/* CLOCK_MONOTONIC, ns */
uint32_t os_gettid(void);
size_t	os_page(void);
int	os_cpus(void);				/* affinity mask and cgroup quota, at least 1 */
int	os_threads(void);			/* threads of this process, from /proc; 0 if unknown */
uint64_t os_seed(void);

/*
 * Sleep while *addr == val, until woken or the deadline (absolute, CLOCK_MONOTONIC).
 * 0, -EAGAIN (another value), -EINTR, -ETIMEDOUT.
 */
int	os_futex_wait(uint32_t *addr, uint32_t val, int64_t deadline);
int	os_futex_wake(uint32_t *addr, int n);

/*
 * Sleep for about that long.  No cancellation point, as nanosleep is: pthread_cancel would end a
 * foreign thread here with locks held and waiter records on its stack.
 */
void	os_nap(int64_t ns);

/* A full memory barrier on every running thread of the process [m-retake]. */
void	os_membarrier(void);

struct os_range {
	void	*lo;
	size_t	size;
};

void	*os_reserve(size_t size);		/* address space, PROT_NONE, no huge pages; NULL */
int	os_commit(void *lo, size_t size);	/* make it readable and writable */
void	os_unreserve(void *lo, size_t size);
int	os_guard(const struct os_range *r, int n);	/* no access; cheap where the kernel can */
int	os_protect(void *lo, size_t size);	/* PROT_NONE, a mapping of its own */
int	os_discard(const struct os_range *r, int n);	/* contents become zero, memory goes back;
						   an error (locked memory): undefined which */
bool	os_guard_is_cheap(void);		/* OS_GUARD_INSTALL works here */

#define OS_RANGES	512			/* most ranges that one call takes */

#endif
