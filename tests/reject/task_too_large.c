/* SPDX-License-Identifier: MIT */
/* Arguments travel in 512 bytes. */
/* says: GO_TASK(other, ...): more than 512 bytes of arguments; pass a pointer */
#include "goro.h"

struct fits { char x[512]; };
struct large { char x[513]; };
void task(struct fits f);
void other(struct large l);

#ifdef ACCEPT
GO_TASK(task, struct fits);
#else
GO_TASK(other, struct large);
#endif
