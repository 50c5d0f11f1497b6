/* SPDX-License-Identifier: MIT */
/* The functions for handles take handles. */
#include "goro.h"

void test(go_ch *c, int *p);
void test(go_ch *c, int *p)
{
#ifdef ACCEPT
	go_chan_send(c, p);
#else
	go_send(c, *p);
#endif
}
