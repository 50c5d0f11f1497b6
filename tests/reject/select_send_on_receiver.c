/* SPDX-License-Identifier: MIT */
/* A receiver cannot send, in a select as well. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_receiver(int) c, int *p);
void test(go_receiver(int) c, int *p)
{
#ifdef ACCEPT
	go_select(GO_RECV(c, p));
#else
	go_select(GO_SEND(c, *p));
#endif
}
