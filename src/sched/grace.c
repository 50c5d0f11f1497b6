/* SPDX-License-Identifier: MIT */
/*
 * grace.c - waiting until nobody reads what was taken away.
 */
#include "grace.h"

#include <sched.h>

enum { SPINS = 64, YIELDS = 16 };

/* A reader is about to be done, unless the kernel runs somebody else on its CPU. */
static void
wait_for(struct p *p)
{
	uint32_t r = load_acq(&p->reads);		/* [grace] */
	int i;

	for (i = 0; r % 2 != 0 && load_acq(&p->reads) == r; i++) {	/* [grace] */
		if (i < SPINS)
			cpu_relax();
		else if (i < SPINS + YIELDS)
			sched_yield();
		else
			os_nap(50000);
	}
	race_acquire(&p->reads);
}

void
grace_wait_one(struct p *p)
{
	int saved = errno;

	os_membarrier();
	wait_for(p);
	errno = saved;
}

void
grace_wait(void)
{
	int saved = errno, i, n;

	os_membarrier();
	n = p_count();
	for (i = 0; i < n; i++)
		wait_for(sched.p[i]);
	errno = saved;
}
