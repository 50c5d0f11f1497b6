/* SPDX-License-Identifier: MIT */
/* A pointer is no channel. */
#include "goro.h"

void test(go_chan(int) c, int **p);
void test(go_chan(int) c, int **p)
{
#ifdef ACCEPT
	go_unref(c);
#else
	go_unref(p);
#endif
}
