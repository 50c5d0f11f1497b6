/* SPDX-License-Identifier: MIT */
/* As many types as parameters: none is none. */
#include "goro.h"

void task(int n);

#ifdef ACCEPT
GO_TASK(task, int);
#else
GO_TASK(task);
#endif
