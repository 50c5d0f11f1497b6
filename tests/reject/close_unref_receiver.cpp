/* SPDX-License-Identifier: MIT */
/* Who only receives does not close. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_receiver(int) c);
void test(go_receiver(int) c)
{
#ifdef ACCEPT
	go_unref(c);
#else
	go_close_unref(c);
#endif
}
