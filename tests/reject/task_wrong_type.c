/* SPDX-License-Identifier: MIT */
/* The types are those of the parameters. */
/* says: GO_TASK(task, ...): it is not declared as void task(long, char *) */
#include "goro.h"

void task(int n, char *s);

#ifdef ACCEPT
GO_TASK(task, int, char *);
#else
GO_TASK(task, long, char *);
#endif
