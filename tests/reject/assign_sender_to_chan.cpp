/* SPDX-License-Identifier: MIT */
/* A sender does not become a channel again by assignment. */
#include "goro.h"

void test(go_sender(int) s, go_chan(int) c);
void test(go_sender(int) s, go_chan(int) c)
{
#ifdef ACCEPT
	s = go_send_only(c);
#else
	c = s;
#endif
}
