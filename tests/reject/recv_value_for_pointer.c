/* SPDX-License-Identifier: MIT */
/* Where to, not what. */
#include "goro.h"

void test(go_chan(int) c, int i);
void test(go_chan(int) c, int i)
{
#ifdef ACCEPT
	go_recv(c, &i);
#else
	go_recv(c, i);
#endif
}
