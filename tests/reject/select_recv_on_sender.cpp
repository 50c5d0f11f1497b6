/* SPDX-License-Identifier: MIT */
/* A sender cannot receive, in a select as well. */
/* says: this channel handle cannot receive */
#include "goro.h"

void test(go_sender(int) c, int *p);
void test(go_sender(int) c, int *p)
{
#ifdef ACCEPT
	go_select(GO_SEND(c, *p));
#else
	go_select(GO_RECV(c, p));
#endif
}
