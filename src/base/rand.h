/* SPDX-License-Identifier: MIT */
/*
 * rand.h - a small generator for scheduling choices (xorshift64*, Vigna 2016; the bounded
 * draw is Lemire's multiplication, 2019).  Not for secrets.
 */
#ifndef GORO_RAND_H
#define GORO_RAND_H

#include "base.h"

struct rand {
	uint64_t	s;
};

static inline void
rand_seed(struct rand *r, uint64_t seed)
{
	/* One step of splitmix64 spreads small seeds; the state must not be zero. */
	seed += UINT64_C(0x9e3779b97f4a7c15);
	seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
	r->s = (seed ^ (seed >> 31)) | 1;
}

static inline uint32_t
rand_u32(struct rand *r)
{
	uint64_t x = r->s;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->s = x;
	return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* Uniform in [0, n) up to a bias of n / 2^32. */
static inline uint32_t
rand_below(struct rand *r, uint32_t n)
{
	return (uint32_t)(((uint64_t)rand_u32(r) * n) >> 32);
}

#endif
