/* SPDX-License-Identifier: MIT */
/* Arguments are converted as in a call. */
#include "goro.h"

void task(int n, const char *s);

void test();
void test()
{
#ifdef ACCEPT
	GO(task, 1, "");
#else
	GO(task, 1, 2);
#endif
}
