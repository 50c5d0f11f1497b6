/* SPDX-License-Identifier: MIT */
/*
 * value.c - go_value: a pointer that many read and few replace.
 *
 * Word 0 is the object's address, 48 bits, above a count of its readers, so that one fetch-and-add
 * finds the object and holds it.  Word 1 points to what else is known of the object (struct
 * version), word 2 to a list of the objects that were replaced and still have readers.  Both
 * belong to the bucket of the value's address, as all of the slow paths do; only word 0 changes
 * without it, and then only its count.
 *
 *   load     1. word 0 += 1 [value]: what it was says which object we hold from now on.
 *            2. Once in a while the count gets high: move most of it to version.readers (spill).
 *   release  1. word 0 -= 1 [value-readers], if the object is still there and the count not 0.
 *            2. Else locked: off version.readers, of the current one or of one in the list; the
 *               last reader of one in the list takes it out and destroys it.
 *   store    1. Locked: word 0 = the new object with no readers [value], [value-readers].
 *            2. The old one's count plus its version.readers is how many hold it: none, and we
 *               destroy it; else into the list, for the last of them to find.
 *            3. If the new object is in the list, stored before, take over its readers.
 *
 * A reader has only the object to tell us what it gives back, so there is one count for an object,
 * wherever it is; that is what store 3 is for, and why an object replaced and stored again
 * between load and release (A, B, A) confuses nobody.  Readers of its two times cannot be told
 * apart: the destruction owed for the first comes with the second's.
 *
 * Rejected: hazard pointers and epochs, which destroy late, and by whoever comes along, while
 * the contract names the last reader; a count in a separate word, which a reader could only
 * raise after the object has gone.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/panic.h"
#include "wait.h"

/*
 * A thread that finds the count at MOST moves MOVED of it away before it does anything else, so
 * the count would overflow only if as many threads as there is room above MOST, 32768, were
 * between these two instructions.  For the same reason there is no enter() between them.
 */
enum { COUNT_BITS = 16, COUNT = (1 << COUNT_BITS) - 1 };
enum { MOST = HARD ? 2 : 0x8000, MOVED = HARD ? 1 : 0x4000 };

struct version {
	void		*obj;
	void		(*destroy)(void *);
	uint64_t	readers;	/* the list: all; the current one: those not in word 0 */
	struct version	*next;		/* in the list */
	struct version	*earlier;	/* of the same object: to be destroyed along with this */
};

static void *
object(uint64_t word)
{
	return (void *)(uintptr_t)(word >> COUNT_BITS);
}

static struct version *
version(uint64_t word)
{
	return (struct version *)(uintptr_t)word;
}

static uint64_t
word_of(const struct version *ver)
{
	return (uint64_t)(uintptr_t)ver;
}

/* Nobody holds it any more, nor any lock.  *v may be gone. */
static void
bury(const go_value *v, struct version *ver)
{
	race_acquire(v);
	race_acquire(&v->go__w[1]);
	while (ver != NULL) {
		struct version dead = *ver;

		free(ver);
		if (dead.destroy != NULL)
			dead.destroy(dead.obj);
		ver = dead.earlier;
	}
}

/* Takes the object's version out of the list: NULL if it is not there, or is to stay. */
static struct version *
unlist(go_value *v, const void *obj, uint64_t released, bool *found)
{
	struct version *at = version(v->go__w[2]), *before = NULL;

	while (at != NULL && at->obj != obj) {
		before = at;
		at = at->next;
	}
	*found = at != NULL;
	if (at == NULL)
		return NULL;
	at->readers -= released;
	if (released != 0 && at->readers != 0)
		return NULL;
	if (before != NULL)
		before->next = at->next;
	else
		v->go__w[2] = word_of(at->next);
	return at;
}

/* --- Readers --- */

static NOINLINE void
spill(go_value *v)
{
	struct bucket *b = addr_lock(v);
	uint64_t s = load_rlx(&v->go__w[0]);

	while (object(s) != NULL && (s & COUNT) >= MOST) {
		if (cas_rlx(&v->go__w[0], &s, s - MOVED)) {
			version(v->go__w[1])->readers += MOVED;
			break;
		}
	}
	unlock(&b->lock);
}

void *
go_value_load(go_value *v)
{
	uint64_t s;

	if (object(load_rlx(&v->go__w[0])) == NULL)
		return NULL;
	s = add_ar(&v->go__w[0], 1);		/* [value] */
	if (unlikely((s & COUNT) >= MOST))
		spill(v);
	/* Cleared meanwhile: NULL.  Its count, at most one a thread, goes with the next store. */
	race_acquire(v);
	return object(s);
}

/* Word 0 has another object, or this one's readers were all moved.  false: nobody loaded it. */
static NOINLINE bool
release_slow(go_value *v, void *obj)
{
	struct m *m = enter();
	struct bucket *b = addr_lock(v);
	struct version *last = NULL, *current = version(v->go__w[1]);
	uint64_t s = load_rlx(&v->go__w[0]);
	bool done = false;

	if (object(s) == obj) {
		while (!done && (s & COUNT) != 0)
			done = cas_rel(&v->go__w[0], &s, s - 1);	/* [value-readers] */
		if (!done && current->readers != 0) {
			current->readers--;
			done = true;
		}
	} else {
		last = unlist(v, obj, 1, &done);
	}
	unlock(&b->lock);
	leave(m);
	bury(v, last);
	return done;
}

void
go_value_release(go_value *v, void *obj)
{
	uint64_t s = load_rlx(&v->go__w[0]);

	if (obj == NULL)
		return;
	race_release(&v->go__w[1]);
	while (likely(object(s) == obj && (s & COUNT) != 0))
		if (cas_rel(&v->go__w[0], &s, s - 1))		/* [value-readers] */
			return;
	if (!release_slow(v, obj))
		panic_about(v, "go_value_release of an object that nobody has loaded",
			    "Value %p, object %p", (void *)v, obj);
}

/* --- Writers --- */

/* The old object is out of word 0, where it had that many readers: it, if it has none left. */
static struct version *
retire(go_value *v, struct version *old, uint64_t readers)
{
	if (old == NULL)
		return NULL;
	old->readers += readers;
	if (old->readers == 0)
		return old;
	old->next = version(v->go__w[2]);
	v->go__w[2] = word_of(old);
	return NULL;
}

static void
replace(go_value *v, struct version *new)
{
	struct m *m = enter();
	struct bucket *b = addr_lock(v);
	uint64_t obj = new != NULL ? (uint64_t)(uintptr_t)new->obj : 0;
	uint64_t s = xchg_ar(&v->go__w[0], obj << COUNT_BITS);	/* [value], [value-readers] */
	struct version *dead = retire(v, version(v->go__w[1]), s & COUNT);
	bool found;

	if (new != NULL) {
		new->earlier = unlist(v, new->obj, 0, &found);
		if (found)
			new->readers = new->earlier->readers;
	}
	v->go__w[1] = word_of(new);
	unlock(&b->lock);
	leave(m);
	bury(v, dead);
}

void
go_value_store(go_value *v, void *obj, void (*destroy)(void *))
{
	struct version *new;

	if (obj == NULL)
		panic_about(v, "sync/atomic: store of nil value into Value", "Value %p", (void *)v);
	if ((uint64_t)(uintptr_t)obj >> (64 - COUNT_BITS) != 0)
		panic_about(v, "go_value_store of an address that needs more than 48 bits",
			    "Value %p, object %p", (void *)v, obj);
	new = malloc(sizeof(*new));
	if (new == NULL)
		fatal("out of memory storing a value");
	*new = (struct version){.obj = obj, .destroy = destroy};
	race_release(v);
	replace(v, new);
}

void
go_value_clear(go_value *v)
{
	replace(v, NULL);
}
