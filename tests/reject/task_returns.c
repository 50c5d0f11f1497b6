/* SPDX-License-Identifier: MIT */
/* Nobody would get what it returns. */
/* says: GO_TASK(other, ...): it is not declared as void other(int) */
#include "goro.h"

void task(int n);
int other(int n);

#ifdef ACCEPT
GO_TASK(task, int);
#else
GO_TASK(other, int);
#endif
