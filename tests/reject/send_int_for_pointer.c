/* SPDX-License-Identifier: MIT */
/* An int is no pointer. */
#include "goro.h"

void test(go_chan(int *) c, int i);
void test(go_chan(int *) c, int i)
{
#ifdef ACCEPT
	go_send(c, &i);
#else
	go_send(c, i);
#endif
}
