/* SPDX-License-Identifier: MIT */
/* go_tryrecv into another type. */
#include "goro.h"

void test(go_chan(int) c, int *i, long *l);
void test(go_chan(int) c, int *i, long *l)
{
#ifdef ACCEPT
	(void)go_tryrecv(c, i);
#else
	(void)go_tryrecv(c, l);
#endif
}
