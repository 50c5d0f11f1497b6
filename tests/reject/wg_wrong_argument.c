/* SPDX-License-Identifier: MIT */
/* GO_WG checks as GO does. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };
void task(int n, struct one s, int *p, go_receiver(int) in);
GO_TASK(task, int, struct one, int *, go_receiver(int));

void test(struct one s, int *p, go_receiver(int) in, go_waitgroup *wg);
void test(struct one s, int *p, go_receiver(int) in, go_waitgroup *wg)
{
#ifdef ACCEPT
	GO_WG(wg, task, 1, s, p, in);
#else
	GO_WG(wg, task, 1, s.only, p, in);
#endif
}
