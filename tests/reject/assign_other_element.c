/* SPDX-License-Identifier: MIT */
/* A channel of long is no channel of int. */
#include "goro.h"

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	c = go_make(int, 0);
#else
	c = go_make(long, 0);
#endif
}
