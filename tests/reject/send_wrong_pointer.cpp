/* SPDX-License-Identifier: MIT */
/* A pointer to another type. */
#include "goro.h"

void test(go_chan(int *) c, int *i, long *l);
void test(go_chan(int *) c, int *i, long *l)
{
#ifdef ACCEPT
	go_send(c, i);
#else
	go_send(c, l);
#endif
}
