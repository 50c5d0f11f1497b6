/* SPDX-License-Identifier: MIT */
/*
 * lockcheck.c - who holds which mutex: for the race detector, and for who asks to be warned.
 *
 * A table from the object's address to who holds it and where that was locked.  By address,
 * since any goroutine may unlock, and so that memory used anew forgets what it was: whoever
 * gets a lock alone is its only holder, whatever the table said.  An entry is made after its
 * lock was taken and removed before it is released; so it is complete for its own holder,
 * which is the only one to ask whether a lock is recursive.
 */
#include "lockcheck.h"

#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/proc.h"
#include "../sched/run.h"

#ifdef GORO_RANKS
enum { DEBUG_BUILD = 1 };
#else
enum { DEBUG_BUILD = 0 };
#endif

enum { SHARDS = HARD ? 2 : 256, MOST_TOLD = 8, MOST_RECURSIVE = 8 };
enum { OFF, TELL, DIE };

struct held {
	struct link	link;		/* in its shard */
	const void	*obj;
	const struct g	*g;		/* Gs are used again: with its id, 0 for threads */
	uint64_t	id;
	uint64_t	number;		/* of all locks taken, in order */
	void		*pc;
	enum held_as	how;
};

struct shard {
	struct lock	lock;		/* rank OS */
	struct link	held;
} ALIGNED(CACHE_LINE);

bool lock_watched;
void (*lockcheck_print_pc)(struct out *o, void *pc);

static int level;
static struct shard table[SHARDS];

/* The caller's G or pseudo-G; NULL on a scheduler's context, which is nobody's. */
static struct g *
current(void)
{
	struct m *m = self();

	if (unlikely(m_is_nobody(m))) {
		m = enter();
		leave(m);
	}
	return (m->g->flags & GF_SYSTEM) ? NULL : m->g;
}

static struct shard *
shard_lock(const void *obj)
{
	uint64_t h = (uint64_t)(uintptr_t)obj * UINT64_C(0x9e3779b97f4a7c15);
	struct shard *s = &table[(h >> 32) % SHARDS];

	lock(&s->lock, RANK_OS);
	if (unlikely(s->held.next == NULL))
		list_init(&s->held);
	return s;
}

static bool
is_mine(const struct held *h, const struct g *g)
{
	return h->g == g && h->id == g->id;
}

/* The entry after h, or the first one if h is NULL. */
static struct held *
next_held(struct shard *s, struct held *h)
{
	struct link *l = h != NULL ? h->link.next : s->held.next;

	return l == &s->held ? NULL : container_of(l, struct held, link);
}

/* Out of its shard, into a list in the order of locking. */
static void
move(struct held *h, struct link *to)
{
	struct link *at = to;

	while (at->prev != to && container_of(at->prev, struct held, link)->number > h->number)
		at = at->prev;
	list_remove(&h->link);
	list_insert_before(at, &h->link);
}

static void
free_all(struct link *q)
{
	while (!list_empty(q)) {
		struct held *h = container_of(q->next, struct held, link);

		list_remove(&h->link);
		race_acquire(h);	/* the heap is watched, and another may have made it */
		free(h);
	}
}

/* --- Reports --- */

static const char *
name_of(enum held_as how)
{
	return how == HELD_MUTEX ? "mutex" : "rwmutex";
}

static void
print_holder(struct out *o, const struct g *g)
{
	const char *name = g->name;

	if (g->flags & GF_FOREIGN)
		out_fmt(o, "thread %u", g->m->tid);
	else
		out_fmt(o, "goroutine %lu", g->id);
	if (name != NULL)
		out_fmt(o, " (%s)", name);
}

static void
print_place(struct out *o, void *pc)
{
	out_fmt(o, "\t");
	if (lockcheck_print_pc != NULL)
		lockcheck_print_pc(o, pc);
	else
		out_fmt(o, "%p", pc);
}

/* h is a copy; its holder, g, wants it again. */
static void
recursive(const struct held *h, const struct g *g)
{
	static uint32_t told;
	struct out o;

	if (level != DIE && add_rlx(&told, 1) >= MOST_RECURSIVE)
		return;
	out_init(&o, -1);
	out_fmt(&o, "goro: recursive lock of %s %p by ", name_of(h->how),
		(void *)(uintptr_t)h->obj);
	print_holder(&o, g);
	out_fmt(&o, ", which holds it%s since it was locked at\n",
		h->how == HELD_READ ? " for reading" : "");
	print_place(&o, h->pc);
	if (level == DIE) {
		out_fmt(&o, "%c", '\0');
		fatal("%s", o.buf);
	}
	out_fmt(&o, "\n");
	o.fd = 2;
	out_flush(&o);
}

/* g has ended with these. */
static void
tell_left(struct link *left, const struct g *g)
{
	struct link *l;
	struct out o;
	int n = 0;

	out_init(&o, 2);
	out_fmt(&o, "goro: warning: ");
	print_holder(&o, g);
	out_fmt(&o, " has ended and still holds\n");
	for (l = left->next; l != left; l = l->next) {
		struct held *h = container_of(l, struct held, link);

		if (n++ >= MOST_TOLD)
			continue;
		out_fmt(&o, "%s %p%s, locked at\n", name_of(h->how), (void *)(uintptr_t)h->obj,
			h->how == HELD_READ ? " for reading" : "");
		print_place(&o, h->pc);
		out_fmt(&o, "\n");
	}
	if (n > MOST_TOLD)
		out_fmt(&o, "... and %d more\n", n - MOST_TOLD);
	out_flush(&o);
}

/* --- The end of a holder --- */

static void at_end(void *round);
static go_local marks = GO_LOCAL_INIT(at_end);

/*
 * Runs as the destructor of a goroutine-local value, so that who never locks pays nothing.  In
 * the second round: those of others, in the first, may unlock something.
 */
static void
at_end(void *round)
{
	static char second;
	struct g *g = current();
	struct link left;
	int i;

	if (round != &second) {
		go_local_set(&marks, &second);
		return;
	}
	list_init(&left);
	for (i = 0; i < SHARDS; i++) {
		struct shard *s = &table[i];
		struct held *h, *next;

		lock(&s->lock, RANK_OS);
		for (h = s->held.next != NULL ? next_held(s, NULL) : NULL; h != NULL; h = next) {
			next = next_held(s, h);
			if (is_mine(h, g))
				move(h, &left);
		}
		unlock(&s->lock);
	}
	if (!list_empty(&left))
		tell_left(&left, g);
	free_all(&left);
}

/* --- What happens to a lock --- */

static void
record(const void *obj, enum held_as how, void *pc)
{
	static uint64_t last;
	struct g *g = current();
	struct held *new = g != NULL ? malloc(sizeof(*new)) : NULL, *h, *next;
	struct link stale;
	struct shard *s;

	list_init(&stale);
	s = shard_lock(obj);
	for (h = next_held(s, NULL); h != NULL; h = next) {
		next = next_held(s, h);
		if (h->obj == obj && (how != HELD_READ || h->how != HELD_READ))
			move(h, &stale);
	}
	if (new != NULL) {
		*new = (struct held){.obj = obj, .g = g, .id = g->id,
			.number = add_rlx(&last, 1), .pc = pc, .how = how};
		list_append(&s->held, &new->link);
		race_release(new);
	}
	unlock(&s->lock);
	free_all(&stale);
	if (new != NULL && go_local_get(&marks) == NULL)
		go_local_set(&marks, &marks);
}

static void
forget(const void *obj, enum held_as how)
{
	struct g *g = current();
	struct shard *s = shard_lock(obj);
	struct held *h, *found = NULL;

	/* Of several readers that are not us, any: nobody says for whom he unlocks. */
	for (h = next_held(s, NULL); h != NULL; h = next_held(s, h))
		if (h->obj == obj && h->how == how &&
		    (found == NULL || (g != NULL && is_mine(h, g))))
			found = h;
	if (found != NULL)
		list_remove(&found->link);
	unlock(&s->lock);
	if (found != NULL)
		race_acquire(found);
	free(found);
}

/* What writers release readers acquire, and the other way round; a mutex is all writers. */
static const char *
by_readers(const void *obj)
{
	return (const char *)obj + sizeof(uint32_t);
}

NOINLINE void
lockcheck_taken(const void *obj, enum held_as how, void *pc)
{
	race_acquire(obj);
	if (how == HELD_WRITE)
		race_acquire(by_readers(obj));
	if (level != OFF)
		record(obj, how, pc);
}

NOINLINE void
lockcheck_leaving(const void *obj, enum held_as how)
{
	race_release(how == HELD_READ ? by_readers(obj) : obj);
	if (level != OFF)
		forget(obj, how);
}

NOINLINE void
lockcheck_waiting(const void *obj, enum held_as how)
{
	struct g *g = level != OFF ? current() : NULL;
	struct held *h, found = {.obj = NULL};
	struct shard *s;

	if (g == NULL)
		return;
	s = shard_lock(obj);
	for (h = next_held(s, NULL); h != NULL; h = next_held(s, h))
		if (h->obj == obj && is_mine(h, g) && (how != HELD_READ || h->how != HELD_READ))
			found = *h;
	unlock(&s->lock);
	if (found.obj != NULL)
		recursive(&found, g);
}

static void
start(void)
{
	long wish = os_debug("locks", DEBUG_BUILD ? -1 : 0);

	level = wish < 0 ? TELL : wish > 0 ? DIE : OFF;
	lock_watched = san_tsan || level != OFF;
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	run_at_start(start);
}
