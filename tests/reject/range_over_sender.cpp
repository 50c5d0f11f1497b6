/* SPDX-License-Identifier: MIT */
/* A sender has nothing to range over. */
/* says: this channel handle cannot receive */
#include "goro.h"

void test(go_chan(int) c, go_sender(int) s);
void test(go_chan(int) c, go_sender(int) s)
{
#ifdef ACCEPT
	go_range(v, c)
		(void)v;
#else
	go_range(v, s)
		(void)v;
#endif
}
