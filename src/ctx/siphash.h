/* SPDX-License-Identifier: MIT */
/*
 * siphash.h - a keyed hash: who does not know the key cannot make keys that collide.
 *
 * J.-P. Aumasson, D. J. Bernstein: SipHash, a fast short-input PRF, INDOCRYPT 2012.  c rounds
 * per word and d at the end; the paper's choice is (2, 4), that of hash tables (1, 3).
 */
#ifndef GORO_SIPHASH_H
#define GORO_SIPHASH_H

#include <string.h>

#include "../base/base.h"

static ALWAYS_INLINE uint64_t
rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static ALWAYS_INLINE void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static ALWAYS_INLINE uint64_t
siphash(const uint64_t key[2], const void *data, size_t len, int c, int d)
{
	const unsigned char *p = data;
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)len << 56;
	size_t i;

	/* Words are little-endian, as both our processors are. */
	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		v[3] ^= word;
		sip_rounds(v, c);
		v[0] ^= word;
	}
	for (; i < len; i++)
		last |= (uint64_t)p[i] << 8 * (i % 8);
	v[3] ^= last;
	sip_rounds(v, c);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
