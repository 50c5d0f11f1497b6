/* SPDX-License-Identifier: MIT */
/*
 * chan.h - channels, for select and timers.
 */
#ifndef GORO_CHAN_H
#define GORO_CHAN_H

#include <string.h>

#include "wait.h"

/*
 * Field protection: c constant after creation, a atomic, L lock.
 */
struct go_ch {
	struct lock	lock;		/* rank CHAN; several in address order, by select only */
	uint32_t	len;		/* L  elements in the ring; may be peeked */
	uint32_t	head;		/* L  next to be received */
	uint32_t	cap;		/* c  elements the ring holds; 0: unbuffered */
	size_t		elem_size;	/* c */
	bool		closed;		/* L  a true is final, so it may be peeked */
	bool		is_timer;	/* c  a go_timer's: looks unbuffered */
	uint32_t	refs;		/* a  [chan-refs] */
	struct link	senders;	/* L */
	struct link	receivers;	/* L */
	unsigned char	ring[] ALIGNED(16);	/* L  cap * elem_size bytes */
};

enum chan_result { CHAN_DONE, CHAN_CLOSED, CHAN_WAIT };

/*
 * One try, with the channel locked.  DONE: *ready is whom to make runnable after unlocking, or
 * NULL.  CLOSED: nothing was touched.  WAIT: nobody is there.
 */
enum chan_result chan_send_locked(struct go_ch *c, const void *elem, struct g **ready);
enum chan_result chan_recv_locked(struct go_ch *c, void *elem, struct g **ready);

/* c is locked and open: closes it; *woken is whom to make runnable after unlocking. */
void	chan_close_locked(struct go_ch *c, struct gqueue *woken);

/* A panic about a channel; the caller has a reference, or has no business here. */
NORETURN void chan_panic(const struct go_ch *c, const char *text);

/* A glance without the lock: could it go on?  Right at some moment during the call. */
static inline bool
chan_may_send(struct go_ch *c)
{
	return load_rlx(&c->closed) || load_rlx(&c->len) < c->cap ||
	       load_rlx(&c->receivers.next) != &c->receivers;
}

static inline bool
chan_may_recv(struct go_ch *c)
{
	return load_rlx(&c->len) > 0 || load_rlx(&c->senders.next) != &c->senders ||
	       load_rlx(&c->closed);
}

static ALWAYS_INLINE void
chan_copy(void *to, const void *from, size_t size)
{
	if (size == 4)
		memcpy(to, from, 4);
	else if (size == 8)
		memcpy(to, from, 8);
	else if (size != 0)
		memcpy(to, from, size);
}

static inline void
chan_zero(struct go_ch *c, void *elem)
{
	if (elem != NULL && c->elem_size != 0)
		memset(elem, 0, c->elem_size);
}

#endif
