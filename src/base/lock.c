/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the runtime's own mutex, slow paths; notes; the rank check of debug builds.
 */
#include "lock.h"

#include <sched.h>

#include "fatal.h"

enum { SPINS = 10, FIRST_PAUSE = 8, LONGEST_PAUSE = 32, YIELDS = 16, LONGEST_NAP = 1000000 };

static bool
try(struct lock *l)
{
	return load_rlx(&l->v) == 0 && xchg_acq(&l->v, 1) == 0;		/* [lock] */
}

/*
 * Spin while the holder is likely to be running: sections are tens of instructions.  But look
 * seldom, and ever more so: each look takes the cache line away from the holder, who may do ten
 * operations in a row if left alone (a channel shared by two threads: 13 ns an item instead of 50).
 * On one CPU, or with more threads than CPUs, the holder may be off it: yield to it.  If
 * yielding does not help it may have a lower real-time priority, and only sleeping does.
 */
void
lock_slow(struct lock *l)
{
	int64_t nap = 20000;
	int i, k, pause = FIRST_PAUSE;

	for (i = 0; i < SPINS; i++) {
		if (try(l))
			return;
		for (k = 0; k < pause; k++)
			cpu_relax();
		if (pause < LONGEST_PAUSE)
			pause *= 2;
	}
	for (i = 0; i < YIELDS; i++) {
		sched_yield();
		if (try(l))
			return;
	}
	while (!try(l)) {
		os_nap(nap);
		if (nap < LONGEST_NAP)
			nap *= 2;
	}
}

void
note_wake(struct note *n)
{
	/* The sleeper may be gone as soon as the store is seen: only the address is used then. */
	store_rel(&n->v, 1);						/* [note] */
	os_futex_wake(&n->v, 1);
}

bool
note_wait(struct note *n, int64_t deadline)
{
	while (load_acq(&n->v) == 0)					/* [note] */
		if (os_futex_wait(&n->v, 0, deadline) == -ETIMEDOUT)
			return load_acq(&n->v) != 0;			/* [note] */
	return true;
}

#ifdef GORO_RANKS

/*
 * What this thread holds.  The one exception to the rule that proc.c has the library's only
 * thread-local variable: debug builds, and read in functions that are never inlined.
 */
enum { MAX_HELD = 2048 };
static __thread struct {
	int			n;
	enum lock_rank		rank[MAX_HELD];
	const struct lock	*lock[MAX_HELD];
} held __attribute__((tls_model("initial-exec")));

static const char *const rank_names[] = {
#define X(name) #name,
	LOCK_RANKS(X)
#undef X
};

NOINLINE void
rank_push(enum lock_rank r, const struct lock *l)
{
	int i;

	__asm__ volatile("");
	for (i = 0; i < held.n; i++) {
		if (held.lock[i] == l)
			fatal("goro: lock %p (%s) taken twice by one thread", (const void *)l, rank_names[r]);
		if (held.rank[i] > r)
			fatal("goro: lock order: %s taken while holding %s", rank_names[r],
			      rank_names[held.rank[i]]);
	}
	if (held.n == MAX_HELD)
		fatal("goro: a thread holds more than %d locks", MAX_HELD);
	held.rank[held.n] = r;
	held.lock[held.n++] = l;
}

NOINLINE void
rank_pop(const struct lock *l)
{
	int i;

	__asm__ volatile("");
	for (i = held.n - 1; i >= 0; i--)
		if (held.lock[i] == l)
			break;
	if (i < 0)
		fatal("goro: lock %p released by a thread that does not hold it", (const void *)l);
	for (held.n--; i < held.n; i++) {
		held.rank[i] = held.rank[i + 1];
		held.lock[i] = held.lock[i + 1];
	}
}

NOINLINE bool
rank_held(const struct lock *l)
{
	int i;

	__asm__ volatile("");
	for (i = 0; i < held.n; i++)
		if (held.lock[i] == l)
			return true;
	return false;
}

NOINLINE void
assert_none_held(void)
{
	__asm__ volatile("");
	if (held.n != 0)
		fatal("goro: user code is to run while %s is held", rank_names[held.rank[0]]);
}

#endif
