/* SPDX-License-Identifier: MIT */
/*
 * ctx.h - what a context is; see ctx.c for how it is cancelled.
 */
#ifndef GORO_CTX_H
#define GORO_CTX_H

#include "../sync/wait.h"

enum ctx_kind {
	CTX_PLAIN,		/* with_cancel, and deadlines that the parent's comes before */
	CTX_DEADLINE,
	CTX_VALUE,
	CTX_DETACHED		/* without_cancel: holds its parent, and is no child of it */
};

struct ctx_funcs;		/* func.c */

/*
 * Field protection: c constant after creation, a atomic, L the context's lock (scope.lock),
 * P the parent's lock, E written once with the lock held, before scope.err, and read after it,
 * W whoever made it done and walks through what hangs on it.
 */
struct go_ctx {
	struct scope	scope;		/*    err: 0, or why it is done */
	uint32_t	refs;		/* a  [ctx-refs] the users', each child's, a walk's */
	uint8_t		kind;		/* c  enum ctx_kind */
	bool		resuming;	/* W  the timer is armed again, to go on with the walk */
	int		cause;		/* E */
	const char	*why;		/* E  lives in the ancestor, or self, that was cancelled */
	char		*own_why;	/* E  ours to free */
	struct go_ctx	*parent;	/* c  counted; NULL: the background */
	struct link	sibling;	/* P  among the parent's children */
	struct link	children;	/* L */
	struct ctx_funcs *funcs;	/* L  for after_func; NULL: none yet */
	go_ch		*done;		/* a  [ctx-done] NULL until asked for */
	int64_t		deadline;	/* c  the earliest of the ancestors' and its own */
	const struct go_ctx *values;	/* c  the nearest with a value, self included */
	struct go_ctx	*up;		/* W  where a walk came from; of its root: where it is */
	union {
		struct timer timer;	/*    DEADLINE */
		struct {		/* c  VALUE */
			const void *key;
			void	*value;
			void	(*destroy)(void *);
		};
	};
};

/* One function to be called in a goroutine of its own. */
struct ctx_call {
	go_fn		fn;
	void		*arg;
	void		*pc;		/* who asked for it */
	uint64_t	creator;	/* its id */
};

struct ctx_slot {
	struct link	link;		/* in pending */
	struct ctx_call	call;
	uint32_t	number;
	uint32_t	uses;		/* never 0 in use, so that no token is 0 */
	struct ctx_slot	*next_free;
};

enum { CTX_FUNC_BLOCKS = 28 };

/* All under the context's lock. */
struct ctx_funcs {
	struct link	pending;
	struct ctx_slot	*free;
	uint32_t	made;		/* slots, used or free */
	struct ctx_slot	*block[CTX_FUNC_BLOCKS];
};

/* func.c, for ctx.c.  The context is locked; false: there is none left. */
bool	ctx_take_func(struct go_ctx *c, struct ctx_call *call);
void	ctx_start(struct m *m, const struct ctx_call *call);
void	ctx_free_funcs(struct ctx_funcs *f);

#endif
