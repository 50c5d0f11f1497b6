/* SPDX-License-Identifier: MIT */
/* Cases are cases. */
#include "goro.h"

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	go_select(GO_RECV(c, NULL));
#else
	go_select(c);
#endif
}
