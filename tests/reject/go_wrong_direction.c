/* SPDX-License-Identifier: MIT */
/* A task that receives is given a receiver. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };
void task(int n, struct one s, int *p, go_receiver(int) in);
GO_TASK(task, int, struct one, int *, go_receiver(int));

void test(struct one s, int *p, go_receiver(int) in, go_chan(int) c);
void test(struct one s, int *p, go_receiver(int) in, go_chan(int) c)
{
#ifdef ACCEPT
	GO(task, 1, s, p, go_recv_only(c));
#else
	GO(task, 1, s, p, c);
#endif
}
