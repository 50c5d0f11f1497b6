/* SPDX-License-Identifier: MIT */
/* GO_RECV to another type. */
#include "goro.h"

void test(go_chan(int) c, int *i, long *l);
void test(go_chan(int) c, int *i, long *l)
{
#ifdef ACCEPT
	go_select(GO_RECV(c, i));
#else
	go_select(GO_RECV(c, l));
#endif
}
