/* SPDX-License-Identifier: MIT */
/* What is received must be writable. */
#include "goro.h"

void test(go_chan(int) c, int *i, const int *k);
void test(go_chan(int) c, int *i, const int *k)
{
#ifdef ACCEPT
	go_recv(c, i);
#else
	go_recv(c, k);
#endif
}
