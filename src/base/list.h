/* SPDX-License-Identifier: MIT */
/*
 * list.h - an intrusive doubly linked list with a sentinel.
 *
 * A link that is in no list points at itself or is zero; list_remove leaves it zero, so that
 * list_linked can be asked afterwards.
 */
#ifndef GORO_LIST_H
#define GORO_LIST_H

#include "base.h"

struct link {
	struct link	*prev, *next;
};

static inline void
list_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline bool
list_empty(const struct link *l)
{
	return l->next == l;
}

static inline bool
list_linked(const struct link *e)
{
	return e->next != NULL;
}

static inline void
list_insert_before(struct link *at, struct link *e)
{
	e->prev = at->prev;
	e->next = at;
	at->prev->next = e;
	at->prev = e;
}

static inline void
list_append(struct link *l, struct link *e)
{
	list_insert_before(l, e);
}

static inline void
list_prepend(struct link *l, struct link *e)
{
	list_insert_before(l->next, e);
}

static inline void
list_remove(struct link *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->prev = e->next = NULL;
}

#endif
