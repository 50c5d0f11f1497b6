/* SPDX-License-Identifier: MIT */
/*
 * stack.c - stacks.
 *
 * A slot of a slab, or a mapping of its own for a huge stack:
 *
 *	slot				  lo				       base
 *	| guard, 16 KiB, inaccessible	  | usable stack, growing down	<----- | head | colour |
 *
 * The head (struct stack) and the colour are at most 1 KiB, so a goroutine that needs little
 * touches one page.  The colour is a multiple of a cache line that differs between
 * neighbours, or all bases and heads would compete for the same few sets of the data cache.
 * For the same reason slots do not lie a power of two apart but a page more: the TLB and the
 * caches of page tables choose their sets by the low bits of the page number, and those of
 * stacks 64 pages apart would all be equal.
 *
 * Only the address of a slot is needed to know its layout, so a fault can be attributed to a
 * stack without reading it; and nothing in a slot need survive when it is free.
 *
 * Guards are installed once, when the slab commits an arena.  If the kernel refuses one, the
 * stack is used without it (stack_unguarded).
 *
 * Huge stacks are rare and expensive anyway: a table and a mapping for each.  The table is
 * read by the SIGSEGV handler, so its entries are atomics and its blocks are never freed.
 */
#include "stack.h"

#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "slab.h"

#define GUARD_MIN	((size_t)16 << 10)
#define HEAD		((size_t)64)		/* room for struct stack; keeps bases aligned */
#define COLOURS		((size_t)16)
#define RED_ZONE	((uintptr_t)128)	/* below a stack pointer; leaves may use it */
#define BATCH		64

_Static_assert(sizeof(struct stack) <= HEAD, "the head fits");
_Static_assert(HEAD % CACHE_LINE == 0, "bases are aligned");

static struct slab slab[STACK_CLASSES];
static size_t guard;			/* bytes; constant after stack_init */

/* map: written by stack_get and stack_put; not 0: a huge stack; publishes size [huge-map] */
struct huge {
	uintptr_t	map;
	size_t		size;		/* a */
};

struct huge_block {
	struct huge_block	*next;	/* a  written once, under the lock [huge-block] */
	struct huge		e[255];
};

static struct lock huge_lock;		/* for allocating entries */
static struct huge_block huge_first;
static size_t huge_bytes;		/* a  mapped for huge stacks */

/* --- Classes --- */

static void
carve(void *slot, size_t size)
{
	char *lo = (char *)slot + guard;

	san_root(lo, size - guard);
	san_stack_register(lo, (char *)slot + size);
}

int
stack_init(void)
{
	static const struct slab_class classes[STACK_CLASSES] = {
		[STACK_64K] = {"stack-64k", (size_t)64 << 10, 0, 256, (size_t)1 << 30, carve},
		[STACK_256K] = {"stack-256k", (size_t)256 << 10, 0, 64, (size_t)4 << 30, carve},
		[STACK_1M] = {"stack-1m", (size_t)1 << 20, 0, 16, (size_t)4 << 30, carve},
		[STACK_8M] = {"stack-8m", (size_t)8 << 20, 0, 4, (size_t)4 << 30, carve},
	};
	struct slab_class c;
	int i, err;

	if (guard != 0)
		return 0;
	os_init();
	guard = align_up(GUARD_MIN, os_page());
	for (i = 0; i < STACK_CLASSES; i++) {
		c = classes[i];
		c.guard = guard;
		if (c.slot_size < 4 * guard)
			c.slot_size = 4 * guard;	/* pages of 64 KiB */
		c.slot_size += os_page();		/* not a power of two apart, see above */
		err = slab_init(&slab[i], &c);
		if (err != 0)
			return err;
	}
	return 0;
}

size_t
stack_usable(enum stack_class c)
{
	if (c >= STACK_CLASSES)
		return 0;
	return slab[c].class.slot_size - guard - HEAD - (COLOURS - 1) * CACHE_LINE;
}

enum stack_class
stack_class(size_t usable)
{
	enum stack_class c = STACK_64K;

	while (c < STACK_CLASSES && stack_usable(c) < usable)
		c++;
	return c;
}

/* --- The layout of a slot --- */

static size_t
colour(uintptr_t slot, size_t size)
{
	return slot / size % COLOURS * CACHE_LINE;
}

/* Where the stack in a slot of `size' bytes ends; the head begins there. */
static char *
base_of(char *slot, size_t size, size_t col)
{
	return slot + size - col - HEAD;
}

static struct stack *
make_head(char *slot, size_t size, size_t col, enum stack_class c)
{
	char *base = base_of(slot, size, col);
	struct stack *s = (struct stack *)(void *)base;

	memset(s, 0, sizeof(*s));		/* a cold slot's is zero, a warm one's is old */
	s->lo = slot + guard;
	s->size = (size_t)(base - s->lo);
	s->colour = (uint16_t)col;
	s->class = (uint8_t)c;
	return s;
}

/* --- Huge stacks --- */

/* A free entry, or NULL if there is no memory for more. */
static struct huge *
find_free(void)
{
	struct huge_block *b = &huge_first, *more;
	size_t i;

	assert_held(&huge_lock);
	for (;;) {
		for (i = 0; i < countof(b->e); i++)
			if (load_rlx(&b->e[i].map) == 0)
				return &b->e[i];
		if (load_own(&b->next) == NULL)
			break;
		b = load_own(&b->next);
	}
	more = os_reserve(align_up(sizeof(*more), os_page()));
	if (more == NULL)
		return NULL;
	if (os_commit(more, align_up(sizeof(*more), os_page())) != 0) {
		os_unreserve(more, align_up(sizeof(*more), os_page()));
		return NULL;
	}
	store_rel(&b->next, more);		/* [huge-block] */
	return &more->e[0];
}

/*
 * The entry whose mapping contains addr, or NULL; lock-free.  An answer about a stack that is
 * being freed meanwhile may be stale.
 */
static struct huge *
find_huge(uintptr_t addr, uintptr_t *map, size_t *size)
{
	struct huge_block *b;
	struct huge *e;

	for (b = &huge_first; b != NULL; b = load_acq(&b->next)) {	/* [huge-block] */
		for (e = b->e; e < b->e + countof(b->e); e++) {
			*map = load_acq(&e->map);			/* [huge-map] */
			if (*map == 0)
				continue;
			*size = load_acq(&e->size);			/* [huge-map] */
			if (addr - *map < *size && load_rlx(&e->map) == *map)
				return e;
		}
	}
	return NULL;
}

static struct stack *
huge_get(size_t usable)
{
	struct stack *s;
	struct huge *e;
	size_t size;
	char *map;

	if (usable > SIZE_MAX / 4)
		return NULL;
	size = align_up(guard + usable + HEAD, os_page());
	map = os_reserve(size);
	if (map == NULL)
		return NULL;
	if (os_commit(map + guard, size - guard) != 0)	/* what is not committed guards */
		goto error;
	lock(&huge_lock, RANK_SLAB);
	e = find_free();
	if (e != NULL) {
		store_rel(&e->size, size);		/* [huge-map] */
		store_rel(&e->map, (uintptr_t)map);	/* [huge-map] */
	}
	unlock(&huge_lock);
	if (e == NULL)
		goto error;
	add_rlx(&huge_bytes, size);
	san_root(map + guard, size - guard);
	s = make_head(map, size, 0, STACK_HUGE);
	s->valgrind_id = san_stack_register(s->lo, map + size);
	return s;
error:
	os_unreserve(map, size);
	return NULL;
}

static void
huge_put(struct stack *s)
{
	uintptr_t map;
	size_t size = 0;
	struct huge *e = find_huge((uintptr_t)s, &map, &size);

	ensure(e != NULL && (uintptr_t)s->lo - guard == map);
	san_stack_deregister(s->valgrind_id);
	san_unroot(s->lo, size - guard);
	store_rlx(&e->map, 0);
	add_rlx(&huge_bytes, (size_t)0 - size);
	os_unreserve((void *)map, size);
}

/* --- Getting and putting --- */

int
stack_get_n(enum stack_class c, struct stack **v, int n)
{
	size_t size = slab[c].class.slot_size;
	void *slot[BATCH];
	int done = 0, want, got, i;

	assert(c < STACK_CLASSES);
	do {
		want = n - done < BATCH ? n - done : BATCH;
		got = slab_get(&slab[c], slot, want);
		for (i = 0; i < got; i++)
			v[done + i] = make_head(slot[i], size, colour((uintptr_t)slot[i], size), c);
		done += got;
	} while (done < n && got == want);
	return done;
}

struct stack *
stack_get(enum stack_class c, size_t usable)
{
	struct stack *s = NULL;

	if (c == STACK_HUGE)
		return huge_get(usable);
	return stack_get_n(c, &s, 1) == 1 ? s : NULL;
}

/* Frames that were left without returning may have poisoned what the next owner will use. */
static void
unpoison(struct stack *s)
{
	san_unpoison(s->lo, s->size + HEAD + s->colour);
}

void
stack_put_n(struct stack *const *v, int n)
{
	void *slot[BATCH];
	int i = 0, k, c;

	while (i < n) {
		c = v[i]->class;
		if (c == STACK_HUGE) {
			unpoison(v[i]);
			huge_put(v[i++]);
			continue;
		}
		for (k = 0; k < BATCH && i < n && v[i]->class == c; k++, i++) {
			unpoison(v[i]);
			slot[k] = v[i]->lo - guard;
		}
		slab_put(&slab[c], slot, k);
	}
}

void
stack_put(struct stack *s)
{
	stack_put_n(&s, 1);
}

/* --- Whose address is this? --- */

/* Finds the slot or mapping of any stack that contains addr, and its usable bounds. */
static char *
find(const void *addr, char **lo, char **hi)
{
	size_t size = 0, col;
	uintptr_t map;
	char *slot;
	int c;

	if (guard == 0)
		return NULL;
	for (c = 0; c < STACK_CLASSES; c++) {
		slot = slab_find(&slab[c], addr);
		if (slot == NULL)
			continue;
		size = slab[c].class.slot_size;
		col = colour((uintptr_t)slot, size);
		goto found;
	}
	if (find_huge((uintptr_t)addr, &map, &size) == NULL)
		return NULL;
	slot = (char *)map;
	col = 0;
found:
	*lo = slot + guard;
	*hi = base_of(slot, size, col);
	return slot;
}

bool
stack_in_guard(const void *addr, char **lo, char **hi)
{
	return find(addr, lo, hi) != NULL && (const char *)addr < *lo;
}

bool
stack_contains(const void *addr, char **lo, char **hi)
{
	return find(addr, lo, hi) != NULL && (const char *)addr >= *lo && (const char *)addr < *hi;
}

/* --- Giving memory back --- */

size_t
stack_trim(size_t keep, size_t max)
{
	size_t n = 0;
	int c;

	for (c = 0; c < STACK_CLASSES && n < max; c++)
		n += slab_trim(&slab[c], keep, max - n);
	return n;
}

size_t
stack_trim_spare(size_t keep, size_t max)
{
	size_t n = 0;
	int c;

	for (c = 0; c < STACK_CLASSES && n < max; c++)
		n += slab_trim_spare(&slab[c], keep, max - n);
	return n;
}

void
stack_drop_add(struct stack_drop *d, const struct stack *s, const void *sp)
{
	uintptr_t lo = (uintptr_t)s->lo;
	uintptr_t hi = ((uintptr_t)sp - RED_ZONE) & ~(uintptr_t)(os_page() - 1);

	assert((const char *)sp >= s->lo && (const char *)sp <= s->lo + s->size);
	if (hi <= lo)
		return;
	if (d->n == OS_RANGES)
		stack_drop_flush(d);
	d->range[d->n].lo = s->lo;
	d->range[d->n].size = hi - lo;
	d->n++;
}

void
stack_drop_flush(struct stack_drop *d)
{
	if (d->n > 0)
		os_discard(d->range, d->n);
	d->n = 0;
}

size_t
stack_committed(void)
{
	size_t n = load_rlx(&huge_bytes);
	struct slab_stats st;
	int c;

	for (c = 0; c < STACK_CLASSES; c++) {
		slab_stats(&slab[c], &st);
		n += st.slots * slab[c].class.slot_size;
	}
	return n;
}

size_t
stack_unguarded(void)
{
	struct slab_stats st;
	size_t n = 0;
	int c;

	for (c = 0; c < STACK_CLASSES; c++) {
		slab_stats(&slab[c], &st);
		n += st.unguarded;
	}
	return n;
}
