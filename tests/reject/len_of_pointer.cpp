/* SPDX-License-Identifier: MIT */
/* A pointer is no channel. */
#include "goro.h"

void test(go_chan(int) c, int *p);
void test(go_chan(int) c, int *p)
{
#ifdef ACCEPT
	(void)go_len(c);
#else
	(void)go_len(p);
#endif
}
