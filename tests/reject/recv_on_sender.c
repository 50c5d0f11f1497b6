/* SPDX-License-Identifier: MIT */
/* A sender cannot receive. */
/* says: this channel handle cannot receive */
#include "goro.h"

void test(go_sender(int) c, int *p);
void test(go_sender(int) c, int *p)
{
#ifdef ACCEPT
	go_send(c, *p);
#else
	go_recv(c, p);
#endif
}
