/* SPDX-License-Identifier: MIT */
/*
 * slab.h - fixed-size slots in reserved address space, never unmapped.
 *
 * Goroutines and their stacks live in slabs.  A slab reserves address space, commits it by
 * arenas (mprotect), and hands out slots.  Memory is type-stable: a slot's address stays
 * readable for ever once committed, so dumps and stale readers are safe; when a free slot's
 * memory has been given back it reads as zero.
 *
 * A free slot is warm (its pages are in memory) or cold (they are not, contents zero).
 * Warm ones are handed out first, and low addresses first, so that after a burst the high
 * arenas drain and go back whole.  slab_trim gives warm free slots back to the kernel.
 */
#ifndef GORO_SLAB_H
#define GORO_SLAB_H

#include "../base/lock.h"
#include "../base/os.h"

#define SLAB_ARENA_SLOTS	256
#define SLAB_REGIONS		32

struct slab_class {
	const char	*name;
	size_t		slot_size;	/* multiple of 32; of the page size if guard != 0 */
	size_t		guard;		/* inaccessible bytes at the low end of every slot, or 0 */
	size_t		arena_slots;	/* slots committed at a time, 1 to SLAB_ARENA_SLOTS */
	/*
	 * Address space wanted at first.  When it is used up, twice as much follows, and so on;
	 * always halved until the kernel agrees.
	 */
	size_t		reserve;
	/* Called, without the slab's lock, for every slot when its arena is first committed. */
	void		(*carve)(void *slot, size_t size);
};

/* One reservation, divided into arenas of arena_size bytes. */
struct slab_region {
	char			*lo;		/* c */
	uint32_t		narenas;	/* c  how many fit */
	struct slab_arena	*arenas;	/* c  see slab.c */
	uint64_t		*has[2];	/* c  bitmaps: arenas with warm, cold slots */
	uint64_t		*sum[2];	/* c  bitmaps: words of has[] that are not 0 */
	uint32_t		next;		/* L  no arena below it is unused */
	uint32_t		high;		/* a  all from it on are unused; written under L */
};

/*
 * Zeroed, then slab_init, then for ever.
 *   c  constant after creation     L  lock     a  atomic     T  whoever set `trimming'
 */
struct slab {
	struct lock		lock;
	struct slab_class	class;		/* c */
	size_t			arena_size;	/* c  bytes, a multiple of the page */
	size_t			nfree[2];	/* L  warm, cold */
	size_t			spare;		/* L  fewest warm ones since slab_trim_spare */
	size_t			nslots;		/* L  committed */
	size_t			unguarded;	/* L  of them, those without their guard */
	uint32_t		growing;	/* L  threads that are making an arena */
	uint32_t		grown;		/* a  changes when one of them is done; a futex */
	uint32_t		nregions;	/* a  written under L; publishes [slab-region] */
	struct slab_region	region[SLAB_REGIONS];

	bool			trimming;	/* L */
	int			nranges, nleaving;	/* T */
	struct os_range		range[OS_RANGES];	/* T  to be discarded */
	struct leaving {
		struct slab_region	*r;
		struct slab_arena	*a;
	} leaving[OS_RANGES];			/* T  the arenas they are in */
};

int	slab_init(struct slab *s, const struct slab_class *c);	/* 0 or -ENOMEM; reserves lazily */

/* Up to n slots into v; returns how many, fewer than n if memory is exhausted.  Any thread. */
int	slab_get(struct slab *s, void **v, int n);
void	slab_put(struct slab *s, void *const *v, int n);

/*
 * Give back the memory of warm free slots beyond `keep', the highest first; at most `max'
 * slots in this call.  Returns the number of slots given back, 0 if another thread is at it.
 * Whole free arenas go as one range.  Slots that are being given back are in no free set, so
 * nobody can get them meanwhile.  Slots that are not made of pages go by whole free arenas
 * only, so there `max' must not be below arena_slots.  Memory that the kernel does not take
 * back (locked by mlockall) stays warm.
 */
size_t	slab_trim(struct slab *s, size_t keep, size_t max);

/*
 * The same, but only as many as nobody has wanted since the last such call: for a program that
 * is busy, and will want the others again.
 */
size_t	slab_trim_spare(struct slab *s, size_t keep, size_t max);

/* The slot that contains addr, or NULL.  Lock-free and async-signal-safe. */
void	*slab_find(struct slab *s, const void *addr);

/*
 * Iterate over committed slots, used or not, in address order; lock-free: pass NULL first.
 * Arenas without a slot in use are left out.
 */
void	*slab_next(struct slab *s, const void *slot);

struct slab_stats {
	size_t	slots;		/* committed */
	size_t	free_warm;
	size_t	free_cold;
	size_t	unguarded;	/* committed without a guard: the kernel had no more mappings */
};
void	slab_stats(struct slab *s, struct slab_stats *st);

#endif
