/* SPDX-License-Identifier: MIT */
/*
 * slab.c - fixed-size slots in reserved address space.
 *
 * A slab has a few regions (one reservation of address space each), a region has arenas, an
 * arena has up to 256 slots.  What is known about an arena is not in the arena, whose pages
 * come and go, but in a table of the region's own.
 *
 *            grow                  slab_get              slab_put
 *   unused -------> free and cold ---------> in use <---------------> free and warm
 *                         ^                           slab_get             |
 *                         |                                                | slab_trim
 *                         +------------------ leaving <--------------------+
 *
 *   (1) A slot of a ready arena is in use or in exactly one of free[FREE_COLD], free[FREE_WARM] and
 *       leaving; so a slot that is put twice is noticed.
 *   (2) n[k] is the number of bits in free[k] of an arena, nfree[k] the sum over all arenas.
 *   (3) An arena's bit in its region's has[k] is set if and only if its n[k] > 0; a bit of
 *       sum[k] if and only if that word of has[k] is not zero.  So the lowest arena that has
 *       something is found by looking at a word for every 4096 arenas.
 *   (4) Only one thread trims at a time; between trims no slot is leaving.
 *
 * Locking.  One lock for all of it, never held while the kernel commits or discards memory or
 * while carve() runs; new regions, at most 32 in a slab's life, are reserved under it.
 * slab_find and slab_next take no lock: regions and arenas are published by release stores
 * and never go away.
 */
#include "slab.h"

#include "../base/fatal.h"
#include "../base/san.h"
#include "bits.h"

#define WORDS		(SLAB_ARENA_SLOTS / 64)
#define MAX_REGION	((size_t)1 << 44)	/* bytes; an eighth of what a process has */

enum { FREE_WARM, FREE_COLD };
enum arena_state { ARENA_UNUSED, ARENA_GROWING, ARENA_READY };

struct slab_arena {
	uint64_t	free[2][WORDS];	/* L */
	uint64_t	leaving[WORDS];	/* L  being given back; empty unless `trimming' */
	uint16_t	n[2];		/* L */
	uint8_t		state;		/* a  written under L; READY is final [slab-arena] */
};

int
slab_init(struct slab *s, const struct slab_class *c)
{
	ensure(c->slot_size % 32 == 0 && c->arena_slots >= 1 && c->arena_slots <= SLAB_ARENA_SLOTS);
	ensure(c->guard == 0 || (c->slot_size % os_page() == 0 && c->guard % os_page() == 0));
	s->class = *c;
	if (HARD && s->class.arena_slots > 64)
		s->class.arena_slots = 64;
	s->arena_size = align_up(s->class.arena_slots * c->slot_size, os_page());
	return 0;
}

/* --- Bitmaps --- */

/* Account for `by' slots that came into or left free[k] of a; keeps (2) and (3). */
static void
count(struct slab *s, struct slab_region *r, struct slab_arena *a, int k, int by)
{
	size_t i = (size_t)(a - r->arenas);

	assert_held(&s->lock);
	a->n[k] = (uint16_t)(a->n[k] + by);
	s->nfree[k] += (size_t)(ptrdiff_t)by;
	if (s->nfree[FREE_WARM] < s->spare)
		s->spare = s->nfree[FREE_WARM];
	if (a->n[k] > 0) {
		set_bit(r->has[k], i);
		set_bit(r->sum[k], i / 64);
	} else {
		clear_bit(r->has[k], i);
		if (r->has[k][i / 64] == 0)
			clear_bit(r->sum[k], i / 64);
	}
}

/* The lowest arena of r with free slots of kind k, or NULL. */
static struct slab_arena *
lowest(const struct slab_region *r, int k)
{
	size_t i = 0, w, n = words(words(r->narenas));

	while (i < n && r->sum[k][i] == 0)
		i++;
	if (i == n)
		return NULL;
	w = i * 64 + (size_t)__builtin_ctzll(r->sum[k][i]);
	return &r->arenas[w * 64 + (size_t)__builtin_ctzll(r->has[k][w])];
}

/* The highest arena of r below index `below' with warm free slots, or NULL. */
static struct slab_arena *
highest_warm(const struct slab_region *r, size_t below)
{
	size_t w = words(below);
	uint64_t v;

	while (w-- > 0) {
		v = r->has[FREE_WARM][w];
		if (below < (w + 1) * 64)
			v &= (UINT64_C(1) << (below % 64)) - 1;
		if (v != 0)
			return &r->arenas[w * 64 + 63 - (size_t)__builtin_clzll(v)];
	}
	return NULL;
}

/* --- Addresses --- */

static inline char *
arena_lo(const struct slab *s, const struct slab_region *r, const struct slab_arena *a)
{
	return r->lo + (size_t)(a - r->arenas) * s->arena_size;
}

/* Finds the region, ready arena and index of the slot that contains addr; lock-free. */
static bool
locate(struct slab *s, const void *addr, struct slab_region **rp, struct slab_arena **ap,
    size_t *ip)
{
	uint32_t n = load_acq(&s->nregions);	/* [slab-region] */
	struct slab_region *r;
	struct slab_arena *a;
	uintptr_t off;

	for (r = s->region; r < s->region + n; r++) {
		off = (uintptr_t)addr - (uintptr_t)r->lo;
		if (off >= r->narenas * s->arena_size)
			continue;
		a = &r->arenas[off / s->arena_size];
		*rp = r;
		*ap = a;
		*ip = off % s->arena_size / s->class.slot_size;
		return *ip < s->class.arena_slots &&
		       load_acq(&a->state) == ARENA_READY;	/* [slab-arena] */
	}
	return false;
}

static inline char *
slot_at(const struct slab *s, const struct slab_region *r, const struct slab_arena *a, size_t i)
{
	return arena_lo(s, r, a) + i * s->class.slot_size;
}

void *
slab_find(struct slab *s, const void *addr)
{
	struct slab_region *r;
	struct slab_arena *a;
	size_t i;

	return locate(s, addr, &r, &a, &i) ? slot_at(s, r, a, i) : NULL;
}

/* The region that follows `after' (NULL: the first) in address order. */
static struct slab_region *
next_region(struct slab *s, const struct slab_region *after)
{
	uint32_t n = load_acq(&s->nregions);	/* [slab-region] */
	struct slab_region *r, *best = NULL;

	for (r = s->region; r < s->region + n; r++)
		if ((after == NULL || r->lo > after->lo) && (best == NULL || r->lo < best->lo))
			best = r;
	return best;
}

void *
slab_next(struct slab *s, const void *slot)
{
	struct slab_region *r = NULL;
	struct slab_arena *a;
	size_t i;

	if (slot == NULL) {
		r = next_region(s, NULL);
		a = r == NULL ? NULL : r->arenas;
	} else {
		if (!locate(s, slot, &r, &a, &i))
			return NULL;
		if (i + 1 < s->class.arena_slots)
			return slot_at(s, r, a, i + 1);
		a++;
	}
	while (r != NULL) {
		/* Whether all are free is a hint: not locked, so some may be in between. */
		for (; a < r->arenas + load_rlx(&r->high); a++)
			if (load_acq(&a->state) == ARENA_READY &&		/* [slab-arena] */
			    load_rlx(&a->n[FREE_WARM]) + load_rlx(&a->n[FREE_COLD]) < (int)s->class.arena_slots)
				return arena_lo(s, r, a);
		if ((r = next_region(s, r)) != NULL)
			a = r->arenas;
	}
	return NULL;
}

/* --- Growing --- */

/* Reserve a region's table; its parts follow each other in one zeroed mapping. */
static bool
make_tables(struct slab_region *r, size_t narenas)
{
	size_t nw = words(narenas), ns = words(nw);
	size_t tables = align_up(narenas * sizeof(struct slab_arena), sizeof(uint64_t));
	size_t size = align_up(tables + 2 * (nw + ns) * sizeof(uint64_t), os_page());
	char *mem = os_reserve(size);
	uint64_t *w;

	if (mem == NULL)
		return false;
	if (os_commit(mem, size) != 0) {
		os_unreserve(mem, size);
		return false;
	}
	w = (uint64_t *)(void *)(mem + tables);
	r->arenas = (struct slab_arena *)(void *)mem;
	r->has[FREE_WARM] = w;
	r->has[FREE_COLD] = w + nw;
	r->sum[FREE_WARM] = w + 2 * nw;
	r->sum[FREE_COLD] = w + 2 * nw + ns;
	r->narenas = (uint32_t)narenas;
	return true;
}

static struct slab_region *
add_region(struct slab *s)
{
	uint32_t n = load_own(&s->nregions);
	struct slab_region *r = &s->region[n];
	size_t size;

	assert_held(&s->lock);
	if (n == SLAB_REGIONS)
		return NULL;
	size = s->class.reserve;
	if (size <= (MAX_REGION >> n))
		size <<= n;
	if (size < s->arena_size)
		size = s->arena_size;
	for (; size >= s->arena_size; size /= 2) {
		size -= size % s->arena_size;
		if ((r->lo = os_reserve(size)) == NULL)
			continue;
		if (make_tables(r, size / s->arena_size)) {
			store_rel(&s->nregions, n + 1);	/* [slab-region] */
			return r;
		}
		os_unreserve(r->lo, size);
	}
	return NULL;
}

/* Claims an unused arena: it is the caller's to commit, without the lock. */
static struct slab_arena *
claim_arena(struct slab *s, struct slab_region **rp)
{
	uint32_t n = load_own(&s->nregions), i;
	struct slab_region *r = s->region;

	while (r < s->region + n && r->next == r->narenas)
		r++;
	if (r == s->region + n && (r = add_region(s)) == NULL)
		return NULL;
	i = r->next;
	store_rlx(&r->arenas[i].state, ARENA_GROWING);
	while (r->next < r->narenas && load_own(&r->arenas[r->next].state) != ARENA_UNUSED)
		r->next++;
	if (i >= load_own(&r->high))
		store_rlx(&r->high, i + 1);
	*rp = r;
	return &r->arenas[i];
}

/* Guards the arena's slots; returns how many the kernel refused. */
static size_t
guard_slots(const struct slab *s, char *lo)
{
	struct os_range v[64];
	size_t i, n, failed = 0;

	if (s->class.guard == 0)
		return 0;
	for (i = 0; i < s->class.arena_slots; i += n) {
		for (n = 0; n < countof(v) && i + n < s->class.arena_slots; n++) {
			v[n].lo = lo + (i + n) * s->class.slot_size;
			v[n].size = s->class.guard;
		}
		if (os_guard(v, (int)n) != 0)
			failed += n;
	}
	return failed;
}

/* Marks all slots of a new arena free and publishes it. */
static void
publish_arena(struct slab *s, struct slab_region *r, struct slab_arena *a, size_t unguarded)
{
	size_t i;

	assert_held(&s->lock);
	for (i = 0; i < s->class.arena_slots; i++)
		set_bit(a->free[FREE_COLD], i);
	count(s, r, a, FREE_COLD, (int)s->class.arena_slots);
	s->nslots += s->class.arena_slots;
	s->unguarded += unguarded;
	store_rel(&a->state, ARENA_READY);		/* [slab-arena] */
}

/* Makes an arena that the caller has claimed; the lock is not held. */
static bool
make_arena(struct slab *s, char *lo, size_t *unguarded)
{
	size_t i;

	race_release(s);
	if (os_commit(lo, s->arena_size) != 0)
		return false;
	*unguarded = guard_slots(s, lo);
	for (i = 0; s->class.carve != NULL && i < s->class.arena_slots; i++)
		s->class.carve(lo + i * s->class.slot_size, s->class.slot_size);
	return true;
}

static void
unclaim_arena(struct slab_region *r, struct slab_arena *a)
{
	uint32_t i = (uint32_t)(a - r->arenas);

	store_rlx(&a->state, ARENA_UNUSED);
	if (i < r->next)
		r->next = i;
}

/*
 * Adds an arena.  Called with the lock, which is not held while the kernel works.  Several
 * threads may be here, each with an arena of its own; one that gets none waits for the others
 * and is told to look again.  Returns false if memory is exhausted.
 */
static bool
grow(struct slab *s)
{
	uint32_t grown = load_own(&s->grown);
	struct slab_region *r = NULL;
	struct slab_arena *a = claim_arena(s, &r);
	size_t unguarded = 0;
	bool done = false, others;

	if (a != NULL) {
		s->growing++;
		unlock(&s->lock);
		done = make_arena(s, arena_lo(s, r, a), &unguarded);
		lock(&s->lock, RANK_SLAB);
		if (done)
			publish_arena(s, r, a, unguarded);
		else
			unclaim_arena(r, a);
		s->growing--;
		grown = add_rlx(&s->grown, 1) + 1;
	}
	others = s->growing > 0;
	unlock(&s->lock);
	if (a != NULL)
		os_futex_wake(&s->grown, INT32_MAX);
	if (!done && others)
		os_futex_wait(&s->grown, grown, OS_NEVER);
	lock(&s->lock, RANK_SLAB);
	return done || others;
}

/* --- Getting and putting --- */

/* Moves up to n free slots of kind k to v; returns how many. */
static int
take(struct slab *s, int k, void **v, int n)
{
	struct slab_region *r = s->region;
	struct slab_arena *a;
	int got = 0, before;
	size_t w, i;

	assert_held(&s->lock);
	while (got < n && s->nfree[k] > 0) {
		while ((a = lowest(r, k)) == NULL)
			r++;			/* there is one: (2), (3) */
		before = got;
		for (w = 0; w < WORDS; w++) {
			while (a->free[k][w] != 0 && got < n) {
				i = w * 64 + (size_t)__builtin_ctzll(a->free[k][w]);
				a->free[k][w] &= a->free[k][w] - 1;
				v[got++] = slot_at(s, r, a, i);
			}
		}
		count(s, r, a, k, before - got);
	}
	return got;
}

int
slab_get(struct slab *s, void **v, int n)
{
	int got = 0;

	lock(&s->lock, RANK_SLAB);
	do {
		got += take(s, FREE_WARM, v + got, n - got);
		got += take(s, FREE_COLD, v + got, n - got);
	} while (got < n && grow(s));
	race_acquire(s);	/* to a race detector, the mmap of grow() wrote the memory */
	unlock(&s->lock);
	return got;
}

void
slab_put(struct slab *s, void *const *v, int n)
{
	struct slab_region *r;
	struct slab_arena *a;
	size_t i;
	int j;

	lock(&s->lock, RANK_SLAB);
	for (j = 0; j < n; j++) {
		ensure(locate(s, v[j], &r, &a, &i));
		ensure(!test_bit(a->free[FREE_WARM], i) && !test_bit(a->free[FREE_COLD], i) &&
		       !test_bit(a->leaving, i));	/* (1) */
		set_bit(a->free[FREE_WARM], i);
		count(s, r, a, FREE_WARM, 1);
	}
	unlock(&s->lock);
}

/* --- Trimming --- */

/* Where a trim is on its way down: all arenas from index `below' of region r on are done. */
struct cursor {
	struct slab_region	*r;
	size_t			below;
};

static struct slab_arena *
prev_warm(struct slab *s, struct cursor *c)
{
	struct slab_arena *a;

	while ((a = highest_warm(c->r, c->below)) == NULL) {
		if (c->r == s->region)
			return NULL;
		c->r--;
		c->below = c->r->narenas;
	}
	c->below = (size_t)(a - c->r->arenas);
	return a;
}

/* All slots of a are free: all of it leaves.  The cold ones too, as they are in the range. */
static size_t
take_whole(struct slab *s, struct slab_region *r, struct slab_arena *a)
{
	size_t w, n = a->n[FREE_WARM];

	for (w = 0; w < WORDS; w++) {
		a->leaving[w] = a->free[FREE_WARM][w] | a->free[FREE_COLD][w];
		a->free[FREE_WARM][w] = a->free[FREE_COLD][w] = 0;
	}
	count(s, r, a, FREE_WARM, -a->n[FREE_WARM]);
	count(s, r, a, FREE_COLD, -a->n[FREE_COLD]);
	s->range[s->nranges++] = (struct os_range){.lo = arena_lo(s, r, a), .size = s->arena_size};
	return n;
}

/*
 * Up to n warm slots of a leave, neighbours in one range, as long as there is room for
 * ranges.  Guards between neighbours are in the range; they survive it.
 */
static size_t
take_slots(struct slab *s, struct slab_region *r, struct slab_arena *a, size_t n)
{
	size_t end, i = s->class.arena_slots, taken = 0;
	uint64_t *warm = a->free[FREE_WARM];

	while (i > 0 && taken < n && s->nranges < OS_RANGES) {
		for (end = i; i > 0 && taken < n && test_bit(warm, i - 1); i--, taken++) {
			clear_bit(warm, i - 1);
			set_bit(a->leaving, i - 1);
		}
		if (i == end)
			i--;
		else
			s->range[s->nranges++] = (struct os_range){
				.lo = slot_at(s, r, a, i) + s->class.guard,
				.size = (end - i) * s->class.slot_size - s->class.guard};
	}
	count(s, r, a, FREE_WARM, -(int)taken);
	return taken;
}

/* Fills the batch with up to n warm slots; returns how many. */
static size_t
collect(struct slab *s, struct cursor *c, size_t n)
{
	bool paged = s->class.slot_size % os_page() == 0;
	struct slab_arena *a;
	size_t taken = 0, here;

	assert_held(&s->lock);
	s->nranges = s->nleaving = 0;
	while (taken < n && s->nranges < OS_RANGES && (a = prev_warm(s, c)) != NULL) {
		if ((size_t)a->n[FREE_WARM] + a->n[FREE_COLD] == s->class.arena_slots &&
		    a->n[FREE_WARM] <= n - taken)
			here = take_whole(s, c->r, a);
		else if (paged)
			here = take_slots(s, c->r, a, n - taken);
		else
			continue;
		taken += here;
		s->leaving[s->nleaving++] = (struct leaving){.r = c->r, .a = a};
	}
	if (s->nranges == OS_RANGES)
		c->below++;			/* perhaps not all of that arena */
	return taken;
}

/* The batch's slots become free again: cold if the kernel took their memory. */
static void
settle(struct slab *s, int k)
{
	struct slab_arena *a;
	int i, n;
	size_t w;

	assert_held(&s->lock);
	for (i = 0; i < s->nleaving; i++) {
		a = s->leaving[i].a;
		for (n = 0, w = 0; w < WORDS; w++) {
			n += __builtin_popcountll(a->leaving[w]);
			a->free[k][w] |= a->leaving[w];
			a->leaving[w] = 0;
		}
		count(s, s->leaving[i].r, a, k, n);
	}
}

size_t
slab_trim(struct slab *s, size_t keep, size_t max)
{
	size_t total = 0, n;
	struct cursor c;
	int err = 0;

	keep = HARD ? 0 : keep;
	lock(&s->lock, RANK_SLAB);
	n = load_own(&s->nregions);
	if (s->trimming || n == 0) {
		unlock(&s->lock);
		return 0;
	}
	s->trimming = true;
	c.r = &s->region[n - 1];
	c.below = c.r->narenas;
	while (err == 0 && total < max && s->nfree[FREE_WARM] > keep) {
		n = s->nfree[FREE_WARM] - keep;
		n = collect(s, &c, n < max - total ? n : max - total);
		if (n == 0)
			break;
		unlock(&s->lock);
		err = os_discard(s->range, s->nranges);
		lock(&s->lock, RANK_SLAB);
		settle(s, err == 0 ? FREE_COLD : FREE_WARM);
		total += err == 0 ? n : 0;
	}
	s->trimming = false;
	unlock(&s->lock);
	return total;
}

size_t
slab_trim_spare(struct slab *s, size_t keep, size_t max)
{
	size_t wanted;

	lock(&s->lock, RANK_SLAB);
	wanted = s->nfree[FREE_WARM] - s->spare;
	s->spare = s->nfree[FREE_WARM];
	unlock(&s->lock);
	return slab_trim(s, wanted > keep ? wanted : keep, max);
}

void
slab_stats(struct slab *s, struct slab_stats *st)
{
	lock(&s->lock, RANK_SLAB);
	*st = (struct slab_stats){s->nslots, s->nfree[FREE_WARM], s->nfree[FREE_COLD], s->unguarded};
	unlock(&s->lock);
}
