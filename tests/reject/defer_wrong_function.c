/* SPDX-License-Identifier: MIT */
/* A deferred function takes a pointer. */
#include "goro.h"

void right(void *p);
void wrong(int n);

void test(void *p);
void test(void *p)
{
#ifdef ACCEPT
	go_defer(right, p);
#else
	go_defer(wrong, p);
#endif
}
