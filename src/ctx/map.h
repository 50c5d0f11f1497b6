/* SPDX-License-Identifier: MIT */
/*
 * map.h - what go_map is made of; see map.c for how it works.
 */
#ifndef GORO_MAP_H
#define GORO_MAP_H

#include "../sched/proc.h"
#include "siphash.h"

enum fate { IN_PLACE, REPLACED, DELETED };

struct node {
	struct node	*next;		/* a  [map-next] in its chain */
	void		*value;		/* a  [map-value] */
	uint64_t	hash;		/* c */
	size_t		len;		/* c  of key */
	struct node	*next_dead;	/* L */
	uint32_t	refs;		/* a  [map-refs] the map's, and one for each who pinned it */
	uint8_t		fate;		/* a  enum fate, written under L */
	bool		is_given;	/* L  the value is somebody else's: not to be destroyed */
	unsigned char	key[] ALIGNED(16);
};

struct table {
	size_t		mask;		/* c */
	struct node	*bucket[];	/* a  [map-next] */
};

/* L: the mutex. */
struct shard {
	struct table	*table;		/* a  [map-table] NULL: nothing was ever stored */
	uint32_t	seq;		/* a  [map-seq] odd: nodes are moving to another table */

	go_mutex	lock ALIGNED(CACHE_LINE);
	size_t		n;		/* L  may be peeked */
	struct node	*dead;		/* L  taken out, some reader may still be there */
	size_t		n_dead, dead_bytes;	/* L */
} ALIGNED(CACHE_LINE);

struct go_map {
	void		(*destroy)(void *);	/* c */
	uint64_t	seed[2];		/* c */
	uint32_t	n_shards;		/* c */
	struct shard	shard[];
};

static inline uint64_t
map_hash(const go_map *map, const void *key, size_t len)
{
	return siphash(map->seed, key, len, 1, 3);
}

static inline struct shard *
map_shard(go_map *map, uint64_t hash)
{
	return &map->shard[(hash >> 48) & (map->n_shards - 1)];
}

void	map_lock(struct shard *s);	/* the mutex */

/* What leads to the key's node, or to NULL at the end of its chain; the table exists. */
struct node **map_find_locked(struct shard *s, uint64_t hash, const void *key, size_t len);

/* One who had n in its refs is done with it.  Without the mutex; calls the user. */
void	map_release(go_map *map, struct node *n);

#endif
