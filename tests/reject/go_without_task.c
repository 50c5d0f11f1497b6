/* SPDX-License-Identifier: MIT */
/* GO needs to have been taught. */
#include "goro.h"

void task(int n);
void test(void);

#ifdef ACCEPT
GO_TASK(task, int);
#else
_Static_assert(1, "");
#endif

void test(void)
{
	GO(task, 1);
}
