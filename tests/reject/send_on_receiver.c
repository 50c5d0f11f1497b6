/* SPDX-License-Identifier: MIT */
/* A receiver cannot send. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_receiver(int) c, int *p);
void test(go_receiver(int) c, int *p)
{
#ifdef ACCEPT
	go_recv(c, p);
#else
	go_send(c, *p);
#endif
}
