/* SPDX-License-Identifier: MIT */
/*
 * stack.h - stacks: large in address space, small in memory.
 *
 * C pointers into stacks rule out moving them, so a stack is a slot of a size class: its
 * address space is reserved and guarded once, its pages come as they are touched and go when
 * it has been idle.  See stack.c for the layout of a slot.
 */
#ifndef GORO_STACK_H
#define GORO_STACK_H

#include "../base/base.h"
#include "../base/os.h"

enum stack_class {
	STACK_64K,
	STACK_256K,		/* the default */
	STACK_1M,
	STACK_8M,
	STACK_CLASSES,
	STACK_HUGE = STACK_CLASSES	/* larger: mapped singly */
};

/*
 * The head of a stack, just above its base, in the first page that is touched anyway.  Valid
 * from stack_get to stack_put; below it is the usable stack, growing down.
 */
struct stack {
	char		*lo;		/* lowest usable byte, just above the guard */
	size_t		size;		/* usable bytes, from lo to the stack's base */
	struct stack	*next;		/* for the owner's lists */
	void		*asan_fake;	/* sanitizers' own state of the context that runs here */
	void		*tsan_fiber;
	uint32_t	valgrind_id;
	uint16_t	colour;		/* bytes left free above the head, so that bases differ */
	uint8_t		class;
	uint8_t		scrubbed;	/* spare */
};

int		stack_init(void);			/* idempotent; 0 or -ENOMEM */
/*
 * The smallest class that has so many usable bytes.  The guard and the head are within a
 * class's name: of 256 KiB a goroutine can use 239, so 256 KiB make STACK_1M.
 */
enum stack_class stack_class(size_t usable);
size_t		stack_usable(enum stack_class c);	/* of all stacks of c; 0: STACK_HUGE */

/*
 * A stack with at least `usable' bytes (looked at for STACK_HUGE only), or NULL when memory or
 * address space is exhausted.  stack_get_n: up to n of a class; returns how many.
 * A stack that was put back may keep its pages: their contents are undefined.
 */
struct stack	*stack_get(enum stack_class c, size_t usable);
int		stack_get_n(enum stack_class c, struct stack **v, int n);
void		stack_put(struct stack *s);
void		stack_put_n(struct stack *const *v, int n);

/* The stack's base: the highest address, exclusive, 64-byte aligned; frames go below it. */
static inline void *
stack_base(const struct stack *s)
{
	return s->lo + s->size;
}

/* The whole of the stack for the sanitizers: [lo, lo + size), header excluded. */

/*
 * Which stack's guard contains addr?  Its usable bounds go to lo and hi.  For the SIGSEGV handler:
 * lock-free, async-signal-safe.  Covers huge stacks as well.
 */
bool		stack_in_guard(const void *addr, char **lo, char **hi);
bool		stack_contains(const void *addr, char **lo, char **hi);	/* usable part */

/* Monitor: give back memory of cached stacks beyond `keep' per class; returns stacks trimmed. */
size_t		stack_trim(size_t keep, size_t max);

/* The same, but only those that nobody has wanted since the last such call. */
size_t		stack_trim_spare(size_t keep, size_t max);

/*
 * Monitor: drop the pages of a parked stack below its saved stack pointer (minus a red zone).
 * Collects ranges and drops them in one call; the caller holds the goroutines meanwhile.
 */
struct stack_drop {
	int		n;
	struct os_range	range[OS_RANGES];
};
void		stack_drop_add(struct stack_drop *d, const struct stack *s, const void *sp);
void		stack_drop_flush(struct stack_drop *d);

size_t		stack_committed(void);	/* bytes of address space, huge stacks included */
size_t		stack_unguarded(void);	/* stacks whose guard the kernel refused */

#endif
