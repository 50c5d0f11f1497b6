/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - birth and death of goroutines; names and goroutine-local values.
 */
#include "spawn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "gmem.h"
#include "handoff.h"
#include "panic.h"
#include "sched.h"

enum { ID_BATCH = 16, NAME_SIZE = 64, MOST_ARGS = 512 };

/* --- Birth --- */

static uint64_t
new_id(struct p *p)
{
	if (p == NULL)
		return add_rlx(&sched.id, 1) + 1;
	if (unlikely(p->id_next == p->id_end)) {
		p->id_next = add_rlx(&sched.id, ID_BATCH) + 1;
		p->id_end = p->id_next + ID_BATCH;
	}
	return p->id_next++;
}

static void
count_birth(struct p *p)
{
	if (likely(p != NULL))
		store_own(&p->n_born, p->n_born + 1);
	else
		add_rlx(&sched.n_born, 1);
}

struct g *
spawn_new(struct m *m, go_fn fn, void *arg, size_t usable, void *pc)
{
	struct g *g;

	if (unlikely(fn == NULL))
		fatal("go of nil func value");
	g = g_alloc(m);
	if (unlikely(g == NULL))
		return NULL;
	race_acquire(g);
	g->sp = NULL;
	g->stack = NULL;
	g->err = 0;
	g->flags = 0;
	g->pins = 0;
	g->id = new_id(m->p);
	g->fn = fn;
	g->arg = arg;
	g->creator_pc = pc;
	g->creator = m->g->id;
	g->locals = NULL;
	g->bound = NULL;
	g->name = NULL;
	g->class = sched.stack_class;
	if (unlikely(usable != 0)) {
		g->class = (uint8_t)stack_class(usable);
		if (!g_give_stack(m, g, usable)) {
			g_free(m, g);
			return NULL;
		}
	}
	race_release(g);
	count_birth(m->p);
	return g;
}

static NORETURN COLD void
no_memory(void)
{
	fatal("out of memory starting a goroutine (%d live)", go_count());
}

void
go_spawn(go_fn fn, void *arg)
{
	struct m *m = enter();
	struct g *g = spawn_new(m, fn, arg, 0, __builtin_return_address(0));

	if (unlikely(g == NULL))
		no_memory();
	sched_spawned(m, g);
	leave(m);
}

/* Names are read by dumps without a lock, so their memory is never unmapped either. */
static const struct slab_class name_class = {
	.name = "names", .slot_size = NAME_SIZE, .arena_slots = 64, .reserve = (size_t)1 << 22,
};
static struct slab name_slab;

static char *
name_get(void)
{
	char *name;

	if (slab_get(&name_slab, (void **)&name, 1) != 1)
		return NULL;
	race_acquire(name);
	name[0] = '\0';
	return name;
}

static void
name_put(char *name)
{
	race_release(name);
	slab_put(&name_slab, (void *const *)&name, 1);
}

/* A stack is wanted now: whether there is memory for it must be known. */
static int
spawn_now(go_fn fn, void *arg, size_t usable, const char *name, void *pc)
{
	struct m *m = enter();
	struct g *g = spawn_new(m, fn, arg, usable, pc);

	if (g == NULL) {
		leave(m);
		return -ENOMEM;
	}
	if (name != NULL && (g->name = name_get()) != NULL) {
		snprintf(g->name, NAME_SIZE, "%s", name);
		race_release(g->name);
		race_release(g);
	}
	sched_spawned(m, g);
	leave(m);
	return 0;
}

int
go_try_spawn(go_fn fn, void *arg)
{
	return spawn_now(fn, arg, sched.stack_size, NULL, __builtin_return_address(0));
}

int
go_spawn_with(const go_attr *attr, go_fn fn, void *arg)
{
	go_attr a = GO_ATTR_INIT;

	if (attr != NULL) {
		if (attr->size < offsetof(go_attr, name) || attr->size > 4096)
			return -EINVAL;
		memcpy(&a, attr, attr->size < sizeof(a) ? attr->size : sizeof(a));
	}
	if (a.stack_size > (size_t)1 << 46)
		return -ENOMEM;
	return spawn_now(fn, arg, a.stack_size != 0 ? a.stack_size : sched.stack_size, a.name,
			 __builtin_return_address(0));
}

void
spawn_copy(go_fn fn, const void *args, size_t size, void *pc)
{
	struct m *m = enter();
	struct g *g = spawn_new(m, fn, NULL, size > G_ARGS ? sched.stack_size : 0, pc);

	if (unlikely(g == NULL))
		no_memory();
	if (size <= G_ARGS) {
		g->flags |= GF_COPIED;
		if (size != 0)		/* args may be NULL then */
			memcpy(g->args, args, size);
	} else {
		g->arg = (char *)stack_base(g->stack) - align_up(size, 64);
		memcpy(g->arg, args, size);
		g->flags |= GF_ON_STACK;
	}
	race_release(g);
	sched_spawned(m, g);
	leave(m);
}

void
go_spawn_copy(go_fn fn, const void *args, size_t size)
{
	if (size > MOST_ARGS)
		go_panic("go_spawn_copy: %zu bytes of arguments, at most %d", size, MOST_ARGS);
	spawn_copy(fn, args, size, __builtin_return_address(0));
}

/* --- Death --- */

void (*spawn_unbind)(struct g *g);

struct local {
	uintptr_t	key;
	void		*value;
	void		(*destroy)(void *);
};

struct locals {
	size_t		n;
	struct local	slot[];
};

/*
 * As many as there are now, each taken out before it is destroyed: a destructor that calls go_exit
 * leaves the rest to the clean-up that follows then.
 */
static void
destroy_locals(struct g *g)
{
	size_t left = g->locals != NULL ? g->locals->n : 0;

	for (; left > 0 && g->locals->n > 0; left--) {
		struct local first = g->locals->slot[0];
		struct locals *l = g->locals;

		memmove(l->slot, l->slot + 1, --l->n * sizeof(l->slot[0]));
		if (first.value != NULL && first.destroy != NULL)
			first.destroy(first.value);
	}
	if (g->locals != NULL && g->locals->n == 0) {
		free(g->locals);
		g->locals = NULL;
	}
}

static void
clean_up(struct g *g)
{
	int rounds;

	/*
	 * A destructor, of a value of the context as well, may set values or bind again: go on
	 * until it does not, within reason (as pthreads).
	 */
	for (rounds = 0; (g->locals != NULL || g->bound != NULL) && rounds < 8; rounds++) {
		destroy_locals(g);
		if (g->bound != NULL)
			spawn_unbind(g);
	}
	free(g->locals);
	g->locals = NULL;
	free(g->caught);
	g->caught = NULL;
	if (g->name != NULL) {
		char *name = g->name;

		store_rlx(&g->name, NULL);
		name_put(name);
	}
}

static void
finish_free(struct g *g, void *unused)
{
	(void)unused;
	g_free(self(), g);
}

static struct m *
end(struct g *g)
{
	struct m *m;

	if (unlikely(g->locals != NULL || g->bound != NULL || g->name != NULL || g->caught != NULL))
		clean_up(g);
	race_release(&sched.n_died);	/* who sees the count fall knows that we are done */
	m = enter();
	store_rlx(&m->blocking, 0);	/* it may have ended inside a section */
	store_rlx(&g->id, 0);		/* who sees the count fall sees it in no dump any more */
	store_rel(&m->p->n_died, m->p->n_died + 1);	/* [died] after its birth */
	return m;
}

/* User code runs in here and nowhere else. */
static NOINLINE void
run(struct m *m, struct g *g)
{
	unsigned char args[G_ARGS] ALIGNED(16);
	bool copied = (g->flags & GF_COPIED) != 0;

	race_acquire(g);
	race_acquire(g->stack);
	if (copied)
		memcpy(args, g->args, sizeof(args));
	g->defers = NULL;
	g->tries = NULL;
	g->panics = NULL;
	g->caught = NULL;
	leave(m);
	g->fn(copied ? args : g->arg);
}

static void
entry(void *arg)
{
	struct g *g = arg;
	struct m *m;

	race_acquire(g->stack);		/* arriving may use it, for timers that are due */
	m = sched_arrive();
	do {
		run(m, g);
		m = end(g);
		g = sched_succeed(m);
	} while (g != NULL);
	sched_drop(m, finish_free);
}

void
go_exit(void)
{
	struct m *m = enter();
	struct g *g = m->g;

	if (m->foreign) {
		leave(m);
		go_panic("go_exit on a thread that is not a goroutine");
	}
	if (g->flags & GF_SECTION) {
		leave(m);
		go_panic("goro: go_exit inside a blocking section");
	}
	leave(m);
	g->flags |= GF_EXITING;
	panic_exit(g);
	if (g->flags & GF_MAIN)
		store_rlx(&sched.main_exited, true);
	m = end(g);
	sched_drop(m, finish_free);
}

/* --- Names, locals --- */

uint64_t
go_id(void)
{
	struct m *m = self();

	return m_is_nobody(m) || m->foreign ? 0 : m->g->id;
}

bool
go_running(void)
{
	return go_id() != 0;
}

static struct g *
current(void)
{
	struct m *m = enter();
	struct g *g = m->g;

	leave(m);
	return g;
}

void
go_set_name(const char *fmt, ...)
{
	struct g *g = current();
	char *name = g->name;
	va_list ap;

	/* Written in place and always terminated, since dumps read it without a lock. */
	if (name == NULL && (name = name_get()) == NULL)
		return;
	race_acquire(name);
	va_start(ap, fmt);
	vsnprintf(name, NAME_SIZE, fmt, ap);
	va_end(ap);
	race_release(name);
	store_rel(&g->name, name);			/* [g-name] */
}

const char *
go_name(void)
{
	const char *name = current()->name;

	return name != NULL ? name : "";
}

void *
go_local_get(const go_local *key)
{
	struct locals *l = current()->locals;
	uintptr_t k = load_acq(&key->go__key);		/* [local-key] */
	size_t i;

	for (i = 0; l != NULL && k != 0 && i < l->n; i++)
		if (l->slot[i].key == k)
			return l->slot[i].value;
	return NULL;
}

static uintptr_t
key_of(go_local *key)
{
	static uintptr_t last;
	uintptr_t none = 0, mine;

	if (load_acq(&key->go__key) != 0)		/* [local-key] */
		return key->go__key;
	mine = add_rlx(&last, 1) + 1;
	return cas_ar(&key->go__key, &none, mine) ? mine : none;	/* [local-key] */
}

void
go_local_set(go_local *key, void *value)
{
	uintptr_t k = key_of(key);
	struct g *g = current();
	struct locals *l = g->locals;
	size_t i, n = l != NULL ? l->n : 0;

	for (i = 0; i < n && l->slot[i].key != k; i++)
		continue;
	if (i < n) {
		void *old = l->slot[i].value;

		l->slot[i].value = value;
		if (old != NULL && old != value && key->destroy != NULL)
			key->destroy(old);
		return;
	}
	l = realloc(l, sizeof(*l) + (n + 1) * sizeof(l->slot[0]));
	if (l == NULL)
		fatal("out of memory setting a goroutine-local value");
	l->n = n + 1;
	l->slot[n].key = k;
	l->slot[n].value = value;
	l->slot[n].destroy = key->destroy;
	g->locals = l;
}

int
go_count(void)
{
	/* Deaths first: a goroutine counted dead has been counted born. */
	uint64_t died = load_acq(&sched.n_died), born;	/* [died] */
	int i, n = p_count();

	for (i = 0; i < n; i++)
		died += load_acq(&sched.p[i]->n_died);	/* [died] */
	born = load_acq(&sched.n_born);			/* [died] */
	for (i = 0; i < n; i++)
		born += load_acq(&sched.p[i]->n_born);	/* [died] */
	race_acquire(&sched.n_died);
	return (int)(born - died);
}

void
spawn_init(void)
{
	if (slab_init(&name_slab, &name_class) != 0)
		fatal("goro: no address space to start the runtime");
	sched_entry = entry;
	handoff_cleanup = clean_up;
}
