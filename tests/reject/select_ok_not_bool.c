/* SPDX-License-Identifier: MIT */
/* GO_RECV_OK tells in a bool. */
#include "goro.h"

void test(go_chan(int) c, bool *ok, int *no);
void test(go_chan(int) c, bool *ok, int *no)
{
#ifdef ACCEPT
	go_select(GO_RECV_OK(c, NULL, ok));
#else
	go_select(GO_RECV_OK(c, NULL, no));
#endif
}
