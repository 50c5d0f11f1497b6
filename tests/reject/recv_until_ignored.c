/* SPDX-License-Identifier: MIT */
/* Whether it was received is for the caller to know. */
#include "goro.h"

void test(go_chan(int) c, int *p);
void test(go_chan(int) c, int *p)
{
#ifdef ACCEPT
	if (go_recv_until(c, p, GO_NOWAIT) != 0)
		go_yield();
#else
	go_recv_until(c, p, GO_NOWAIT);
#endif
}
