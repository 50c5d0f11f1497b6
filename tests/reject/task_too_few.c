/* SPDX-License-Identifier: MIT */
/* As many types as parameters. */
#include "goro.h"

void task(int n, char *s);

#ifdef ACCEPT
GO_TASK(task, int, char *);
#else
GO_TASK(task, int);
#endif
