/* SPDX-License-Identifier: MIT */
/* A task that receives is given a receiver. */
#include "goro.h"

void task(go_receiver(int) in);

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	GO(task, go_recv_only(c));
#else
	GO(task, c);
#endif
}
