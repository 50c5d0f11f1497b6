/* SPDX-License-Identifier: MIT */
/* GO with a channel of other elements. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };
void task(int n, struct one s, int *p, go_receiver(int) in);
GO_TASK(task, int, struct one, int *, go_receiver(int));

void test(struct one s, int *p, go_receiver(int) in, go_receiver(long) l);
void test(struct one s, int *p, go_receiver(int) in, go_receiver(long) l)
{
#ifdef ACCEPT
	GO(task, 1, s, p, in);
#else
	GO(task, 1, s, p, l);
#endif
}
