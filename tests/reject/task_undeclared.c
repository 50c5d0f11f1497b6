/* SPDX-License-Identifier: MIT */
/* After the declaration, not before. */
#include "goro.h"

#ifdef ACCEPT
void task(int n);
GO_TASK(task, int);
#else
GO_TASK(task, int);
void task(int n);
#endif
