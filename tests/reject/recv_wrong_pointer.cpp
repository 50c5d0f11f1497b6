/* SPDX-License-Identifier: MIT */
/* A pointer to another type. */
#include "goro.h"

void test(go_chan(int) c, int *i, long *l);
void test(go_chan(int) c, int *i, long *l)
{
#ifdef ACCEPT
	go_recv(c, i);
#else
	go_recv(c, l);
#endif
}
