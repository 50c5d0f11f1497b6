/* SPDX-License-Identifier: MIT */
/*
 * bits.h - bitmaps of 64-bit words.
 */
#ifndef GORO_BITS_H
#define GORO_BITS_H

#include "../base/base.h"

static inline bool
test_bit(const uint64_t *w, size_t i)
{
	return w[i / 64] >> (i % 64) & 1;
}

static inline void
set_bit(uint64_t *w, size_t i)
{
	w[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
clear_bit(uint64_t *w, size_t i)
{
	w[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline size_t
words(size_t bits)
{
	return (bits + 63) / 64;
}

#endif
