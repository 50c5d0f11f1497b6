/* SPDX-License-Identifier: MIT */
/* Panics are checked like printf. */
#include "goro.h"

void test(int n);
void test(int n)
{
#ifdef ACCEPT
	go_panic("%d", n);
#else
	go_panic("%s", n);
#endif
}
