/* SPDX-License-Identifier: MIT */
/* Who only receives does not close, later either. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_receiver(int) c);
void test(go_receiver(int) c)
{
#ifdef ACCEPT
	go_defer_unref(c);
#else
	go_defer_close(c);
#endif
}
