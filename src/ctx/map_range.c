/* SPDX-License-Identifier: MIT */
/*
 * map_range.c - go_map_with, go_map_range: looking at values while they are there.
 *
 * Nodes are pinned under the mutex, a shard's all at once, and shown without it.  A key stays in
 * its shard, so who is there throughout is in the one snapshot that can have it.
 */
#include <stdlib.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/panic.h"
#include "map.h"

/* Nodes pinned for the caller; those from `next' on are still to be released. */
struct pinned {
	go_map		*map;
	struct node	**node;		/* &one, or allocated */
	size_t		room, n, next;
	struct node	*one;
};

static void
unpin(void *arg)
{
	struct pinned *p = arg;

	/* A destroy function may panic: each is released once. */
	while (p->next < p->n)
		map_release(p->map, p->node[p->next++]);
	if (p->node != &p->one)
		free(p->node);
}

static void
pin_locked(struct pinned *p, struct node *n)
{
	add_rlx(&n->refs, 1);
	p->node[p->n++] = n;
}

/* A call of the user's function, which no C++ exception may leave: our record is on this stack. */
struct call {
	struct node	*n;
	void		(*with)(void *value, void *arg);
	bool		(*range)(const void *key, size_t len, void *value, void *arg);
	void		*arg;
	bool		more;
};

static void
call_with(void *arg)
{
	struct call *c = arg;

	c->with(c->n->value, c->arg);
}

static void
call_range(void *arg)
{
	struct call *c = arg;

	c->more = c->range(c->n->key, c->n->len, c->n->value, c->arg);
}

bool
go_map_with(go_map *map, const void *key, size_t len, void (*fn)(void *value, void *arg), void *arg)
{
	uint64_t hash = map_hash(map, key, len);
	struct shard *s = map_shard(map, hash);
	struct pinned p = {.map = map, .node = &p.one, .room = 1};
	go_deferred d = {unpin, &p, NULL};
	struct call c = {.with = fn, .arg = arg};

	map_lock(s);
	c.n = s->table != NULL ? *map_find_locked(s, hash, key, len) : NULL;
	if (c.n != NULL)
		pin_locked(&p, c.n);
	go_mutex_unlock(&s->lock);
	go__defer_push(&d);		/* go_exit and panics must unpin as well */
	if (c.n != NULL) {
		race_acquire(c.n);
		panic_guard(call_with, &c);
	}
	go__defer_pop(&d);
	return c.n != NULL;
}

/* All nodes of s as they are now; p has none. */
static void
pin_shard(struct pinned *p, struct shard *s)
{
	struct node *n;
	size_t i;

	p->n = p->next = 0;
	map_lock(s);
	while (p->room < s->n) {
		size_t room = s->n + s->n / 8;

		go_mutex_unlock(&s->lock);
		if (p->node != &p->one)
			free(p->node);
		p->node = malloc(room * sizeof(struct node *));
		if (p->node == NULL)
			fatal("out of memory ranging over a map");
		p->room = room;
		map_lock(s);
	}
	for (i = 0; s->table != NULL && i <= s->table->mask; i++)
		for (n = s->table->bucket[i]; n != NULL; n = n->next)
			pin_locked(p, n);
	go_mutex_unlock(&s->lock);
}

void
go_map_range(go_map *map, bool (*fn)(const void *key, size_t len, void *value, void *arg),
	     void *arg)
{
	struct pinned p = {.map = map, .node = &p.one, .room = 1};
	go_deferred d = {unpin, &p, NULL};
	struct call c = {.range = fn, .arg = arg, .more = true};
	uint32_t i;

	go__defer_push(&d);
	for (i = 0; i < map->n_shards && c.more; i++) {
		pin_shard(&p, &map->shard[i]);
		while (p.next < p.n && c.more) {
			c.n = p.node[p.next];
			race_acquire(c.n);
			if (load_rlx(&c.n->fate) != DELETED)
				panic_guard(call_range, &c);
			p.next++;
			map_release(map, c.n);
		}
	}
	go__defer_pop(&d);
}
