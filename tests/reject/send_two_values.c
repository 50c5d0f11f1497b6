/* SPDX-License-Identifier: MIT */
/* One value at a time. */
#include "goro.h"

void test(go_chan(int) c, int a, int b);
void test(go_chan(int) c, int a, int b)
{
#ifdef ACCEPT
	go_send(c, a + b);
#else
	go_send(c, a, b);
#endif
}
