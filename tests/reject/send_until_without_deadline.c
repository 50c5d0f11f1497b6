/* SPDX-License-Identifier: MIT */
/* A deadline is an argument of its own. */
#include "goro.h"

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	(void)!go_send_until(c, 1, GO_NOWAIT);
#else
	(void)!go_send_until(c, 1);
#endif
}
