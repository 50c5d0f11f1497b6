/* SPDX-License-Identifier: MIT */
/* Whether it was sent is for the caller to know. */
#include "goro.h"

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	if (go_send_until(c, 1, GO_NOWAIT) != 0)
		go_yield();
#else
	go_send_until(c, 1, GO_NOWAIT);
#endif
}
