/* SPDX-License-Identifier: MIT */
/*
 * map.c - go_map.
 *
 * A power of two of shards, chosen by the high bits of a keyed hash; each is a table of chains
 * with a mutex for all who change it.
 *
 * Loading takes no lock.  Whoever holds a P follows the chains in a grace section (grace.h), so a
 * node, or a table, that was taken out is freed only after a grace period, in batches.  A chain
 * can be followed at any moment, but while a table is replaced nodes move from chain to chain and
 * a reader can miss its key: seq is odd meanwhile and changed afterwards, and who finds nothing
 * then looks again with the mutex.  So does everybody who has no P.
 *
 * Values are destroyed at once, not after a grace period, since loading does not look at what they
 * point at.  Those who do, go_map_with and range, pin the node: they count in refs, under the
 * mutex, and call the user without it.  A node that is pinned keeps its value: to store another
 * means to put another node in its place.  The last of those who have it destroys the value.
 *
 *   (1) a node that is in a chain has refs >= 1; the value is changed in place only if refs == 1.
 *   (2) refs grows under the mutex only, and only of nodes in a chain.
 *   (3) `next' of a node stays as it was when the node was taken out, until it is freed.
 *   (4) n nodes are in s's chains; a table has at most 8 * n chains, or fewer than 4 * MIN_BUCKETS,
 *       or there was no memory for a smaller one.
 *
 * The mutex is a go_mutex, for a table may take a while to be replaced.  Its holder does not park.
 * User code is never called with it.
 *
 * Rejected: a lock-free pin for go_map_with.  It would write to the node all the same.
 */
#include "map.h"

#include <stdlib.h>
#include <time.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "../sched/grace.h"

enum {
	MIN_SHARDS	= HARD ? 2 : 4,
	MAX_SHARDS	= HARD ? 2 : 128,
	MIN_BUCKETS	= HARD ? 1 : 8,
	MOST_DEAD	= HARD ? 2 : 64,	/* nodes that wait in a shard to be freed */
	MOST_DEAD_BYTES	= 65536			/* of keys, likewise */
};

/* --- Birth and death of a map --- */

go_map *
go_map_new(void (*destroy)(void *))
{
	uint32_t n = MIN_SHARDS;
	go_map *map;
	size_t size;

	while (n < MAX_SHARDS && n < 2 * (uint32_t)go_procs(0))
		n *= 2;
	size = sizeof(*map) + n * sizeof(map->shard[0]);
	map = aligned_alloc(CACHE_LINE, align_up(size, CACHE_LINE));
	if (map == NULL)
		fatal("out of memory making a map");
	memset(map, 0, size);
	map->destroy = destroy;
	map->seed[0] = os_seed();
	map->seed[1] = os_seed();
	map->n_shards = n;
	return map;
}

static void
destroy_value(const go_map *map, void *value)
{
	if (value != NULL && map->destroy != NULL)
		map->destroy(value);
}

static void
free_nodes(struct node *n)
{
	while (n != NULL) {
		struct node *next = n->next_dead;

		free(n);
		n = next;
	}
}

static void
free_chain(const go_map *map, struct node *n)
{
	while (n != NULL) {
		struct node *next = n->next;

		race_acquire(n);
		destroy_value(map, n->value);
		free(n);
		n = next;
	}
}

void
go_map_free(go_map *map)
{
	uint32_t i;
	size_t k;

	for (i = 0; map != NULL && i < map->n_shards; i++) {
		struct shard *s = &map->shard[i];

		for (k = 0; s->table != NULL && k <= s->table->mask; k++)
			free_chain(map, s->table->bucket[k]);
		free(s->table);
		free_nodes(s->dead);
	}
	free(map);
}

/* --- Loading --- */

static bool
is_for(const struct node *n, uint64_t hash, const void *key, size_t len)
{
	return n->hash == hash && n->len == len && (len == 0 || memcmp(n->key, key, len) == 0);
}

enum found { NO, YES, UNSURE };

/* In a grace section. */
static enum found
look(struct shard *s, uint64_t hash, const void *key, size_t len, void **value)
{
	uint32_t seq = load_acq(&s->seq);			/* [map-seq] */
	struct table *t = load_acq(&s->table);			/* [map-table] */
	struct node *n = NULL;

	if (t != NULL)
		n = load_acq(&t->bucket[hash & t->mask]);	/* [map-next] */
	while (n != NULL && (n->hash != hash || (race_acquire(n), !is_for(n, hash, key, len))))
		n = load_acq(&n->next);				/* [map-next] */
	if (n != NULL) {
		*value = load_acq(&n->value);			/* [map-value] */
		race_acquire(n);
		return YES;
	}
	/* After the acquire loads above: who saw a node where it has moved to sees an odd seq. */
	return seq % 2 == 0 && load_rlx(&s->seq) == seq ? NO : UNSURE;
}

/* Also between go_block_begin and go_block_end, where nobody may park. */
void
map_lock(struct shard *s)
{
	struct timespec nap = {0, 20000};
	bool section;
	struct m *m;

	go_checkpoint();
	if (likely(go_mutex_trylock(&s->lock)))
		return;
	m = enter();
	section = (m->g->flags & GF_SECTION) != 0;
	leave(m);
	if (!section) {
		go_mutex_lock(&s->lock);
	} else {
		int saved = errno;

		while (!go_mutex_trylock(&s->lock))
			nanosleep(&nap, NULL);
		errno = saved;
	}
}

struct node **
map_find_locked(struct shard *s, uint64_t hash, const void *key, size_t len)
{
	struct node **at = &s->table->bucket[hash & s->table->mask];

	while (*at != NULL && !is_for(*at, hash, key, len))
		at = &(*at)->next;
	return at;
}

static enum found
look_locked(struct shard *s, uint64_t hash, const void *key, size_t len, void **value)
{
	struct node *n;

	map_lock(s);
	n = s->table != NULL ? *map_find_locked(s, hash, key, len) : NULL;
	if (n != NULL)
		*value = n->value;
	go_mutex_unlock(&s->lock);
	return n != NULL ? YES : NO;
}

bool
go_map_load(go_map *map, const void *key, size_t len, void **value)
{
	uint64_t hash = map_hash(map, key, len);
	struct shard *s = map_shard(map, hash);
	enum found found = UNSURE;
	void *v = NULL;
	struct m *m = enter();

	if (likely(m->p != NULL)) {
		grace_enter(m->p);
		found = look(s, hash, key, len, &v);
		grace_leave(m->p);
	}
	leave(m);
	if (unlikely(found == UNSURE))
		found = look_locked(s, hash, key, len, &v);
	if (value != NULL)
		*value = v;
	return found == YES;
}

size_t
go_map_len(go_map *map)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < map->n_shards; i++)
		n += load_rlx(&map->shard[i].n);
	return n;
}

/* --- Tables --- */

static struct table *
table_new(size_t buckets)
{
	struct table *t = calloc(1, sizeof(*t) + buckets * sizeof(t->bucket[0]));

	if (t != NULL)
		t->mask = buckets - 1;
	return t;
}

/* Returns the old one, to be freed after a grace period; NULL: no memory, or there was none. */
static struct table *
replace_table(struct shard *s, size_t buckets)
{
	struct table *old = s->table, *t = table_new(buckets);
	struct node *n, *next;
	size_t i;

	if (t == NULL)
		return NULL;
	store_rlx(&s->seq, s->seq + 1);		/* before the first move is seen */
	for (i = 0; old != NULL && i <= old->mask; i++) {
		for (n = old->bucket[i]; n != NULL; n = next) {
			struct node **b = &t->bucket[n->hash & t->mask];

			next = n->next;
			store_rel(&n->next, *b);	/* [map-next] */
			*b = n;
		}
	}
	store_rel(&s->table, t);			/* [map-table] */
	store_rel(&s->seq, s->seq + 1);			/* [map-seq] */
	return old;
}

/* (4) for the number of nodes that there will be. */
static struct table *
resize(struct shard *s, size_t n)
{
	size_t buckets = s->table != NULL ? s->table->mask + 1 : 0;

	if (buckets == 0)
		return replace_table(s, MIN_BUCKETS);
	if (n > buckets)
		return replace_table(s, 2 * buckets);
	if (n < buckets / 8 && buckets >= 4 * (size_t)MIN_BUCKETS)
		return replace_table(s, buckets / 4);
	return NULL;
}

/* --- Changing --- */

/* A change under way: between change_begin and change_end the shard's mutex is held. */
struct change {
	go_map		*map;
	struct shard	*s;
	const void	*key;
	size_t		len;
	uint64_t	hash;
	struct node	**at;		/* what leads to n */
	struct node	*n;		/* the key's node, or NULL */

	/* To be seen to without the mutex. */
	void		*doomed;	/* a value to destroy, unless NULL */
	struct node	*dropped;	/* a node that was taken out while pinned */
	struct node	*dead;		/* a batch of nodes, and a table, */
	struct table	*old;		/* to be freed after a grace period */
};

static void
change_begin(struct change *c, go_map *map, const void *key, size_t len)
{
	*c = (struct change){.map = map, .key = key, .len = len, .hash = map_hash(map, key, len)};
	c->s = map_shard(map, c->hash);
	map_lock(c->s);
	if (c->s->table == NULL)
		resize(c->s, 0);
	if (c->s->table == NULL)
		fatal("out of memory storing into a map");
	c->at = map_find_locked(c->s, c->hash, key, len);
	c->n = *c->at;
}

static void
bury_locked(struct shard *s, struct node *n)
{
	n->next_dead = s->dead;
	s->dead = n;
	s->n_dead++;
	s->dead_bytes += n->len;
}

/* A batch, if it is time for one or we wait for a grace period anyway. */
static struct node *
take_dead_locked(struct shard *s, bool anyway)
{
	struct node *dead = s->dead;

	if (!anyway && s->n_dead < MOST_DEAD && s->dead_bytes < MOST_DEAD_BYTES)
		return NULL;
	s->dead = NULL;
	s->n_dead = s->dead_bytes = 0;
	return dead;
}

static void
free_later(struct node *dead, struct table *old)
{
	if (dead == NULL && old == NULL)
		return;
	grace_wait();
	free_nodes(dead);
	free(old);
}

void
map_release(go_map *map, struct node *n)
{
	struct shard *s = map_shard(map, n->hash);
	struct node *dead;

	race_release(n);
	if (sub_ar(&n->refs, 1) != 1)				/* [map-refs] */
		return;
	race_acquire(n);
	if (!n->is_given)
		destroy_value(map, n->value);
	map_lock(s);
	bury_locked(s, n);
	dead = take_dead_locked(s, false);
	go_mutex_unlock(&s->lock);
	free_later(dead, NULL);
}

static void
change_end(struct change *c)
{
	c->dead = take_dead_locked(c->s, c->old != NULL);
	go_mutex_unlock(&c->s->lock);
	free_later(c->dead, c->old);
	if (c->dropped != NULL)
		map_release(c->map, c->dropped);
	destroy_value(c->map, c->doomed);
}

static struct node *
node_new(const struct change *c, void *value)
{
	struct node *n = c->len < SIZE_MAX - sizeof(*n) ? malloc(sizeof(*n) + c->len) : NULL;

	if (n == NULL)
		fatal("out of memory storing into a map");
	*n = (struct node){.value = value, .hash = c->hash, .len = c->len, .refs = 1};
	if (c->len != 0)
		memcpy(n->key, c->key, c->len);
	race_release(n);
	return n;
}

/* c->n is out of its chain.  give: its value is the caller's now. */
static void
drop(struct change *c, enum fate fate, bool give)
{
	struct node *n = c->n;

	store_rlx(&n->fate, (uint8_t)fate);
	n->is_given = give;
	if (load_acq(&n->refs) != 1) {				/* [map-refs] */
		c->dropped = n;
		return;
	}
	/* Nobody will pin it any more (2). */
	race_acquire(n);
	c->doomed = give ? NULL : n->value;
	bury_locked(c->s, n);
}

static void
insert(struct change *c, void *value)
{
	struct node *n = node_new(c, value), **b;
	struct table *t;

	c->old = resize(c->s, c->s->n + 1);
	t = c->s->table;
	b = &t->bucket[c->hash & t->mask];
	n->next = *b;
	store_rel(b, n);					/* [map-next] */
	store_rlx(&c->s->n, c->s->n + 1);
}

static void
replace(struct change *c, void *value, bool give)
{
	struct node *n = c->n, *other;

	if (value == n->value)
		return;
	if (load_acq(&n->refs) == 1) {				/* [map-refs] */
		race_acquire(n);
		c->doomed = give ? NULL : n->value;
		race_release(n);
		store_rel(&n->value, value);			/* [map-value] */
		return;
	}
	other = node_new(c, value);
	other->next = n->next;
	store_rel(c->at, other);				/* [map-next] */
	drop(c, REPLACED, give);
}

static void
take_out(struct change *c, bool give)
{
	store_rel(c->at, c->n->next);				/* [map-next] */
	store_rlx(&c->s->n, c->s->n - 1);
	drop(c, DELETED, give);
	c->old = resize(c->s, c->s->n);
}

void
go_map_store(go_map *map, const void *key, size_t len, void *value)
{
	go_map_swap(map, key, len, value, NULL);
}

bool
go_map_swap(go_map *map, const void *key, size_t len, void *value, void **previous)
{
	struct change c;
	bool found;

	change_begin(&c, map, key, len);
	found = c.n != NULL;
	if (previous != NULL)
		*previous = found ? c.n->value : NULL;
	if (found)
		replace(&c, value, previous != NULL);
	else
		insert(&c, value);
	change_end(&c);
	return found;
}

bool
go_map_load_or_store(go_map *map, const void *key, size_t len, void *value, void **actual)
{
	struct change c;
	void *v = value;
	bool found;

	if (go_map_load(map, key, len, actual))
		return true;
	change_begin(&c, map, key, len);
	found = c.n != NULL;
	if (found)
		v = c.n->value;
	else
		insert(&c, value);
	change_end(&c);
	if (actual != NULL)
		*actual = v;
	return found;
}

bool
go_map_load_and_delete(go_map *map, const void *key, size_t len, void **value)
{
	struct change c;
	bool found;

	change_begin(&c, map, key, len);
	found = c.n != NULL;
	if (value != NULL)
		*value = found ? c.n->value : NULL;
	if (found)
		take_out(&c, value != NULL);
	change_end(&c);
	return found;
}

bool
go_map_delete(go_map *map, const void *key, size_t len)
{
	return go_map_load_and_delete(map, key, len, NULL);
}

bool
go_map_compare_and_swap(go_map *map, const void *key, size_t len, void *old, void *now)
{
	struct change c;
	bool same;

	change_begin(&c, map, key, len);
	same = c.n != NULL && c.n->value == old;
	if (same)
		replace(&c, now, true);
	change_end(&c);
	return same;
}

bool
go_map_compare_and_delete(go_map *map, const void *key, size_t len, void *old)
{
	struct change c;
	bool same;

	change_begin(&c, map, key, len);
	same = c.n != NULL && c.n->value == old;
	if (same)
		take_out(&c, true);
	change_end(&c);
	return same;
}
