/* SPDX-License-Identifier: MIT */
/* GO with an argument missing. */
/* says: GO: wrong number of arguments */
#include "goro.h"

void task(int n, const char *s);

void test();
void test()
{
#ifdef ACCEPT
	GO(task, 1, "");
#else
	GO(task, 1);
#endif
}
