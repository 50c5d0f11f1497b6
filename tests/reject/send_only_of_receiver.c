/* SPDX-License-Identifier: MIT */
/* A right given away does not come back. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_receiver(int) c);
void test(go_receiver(int) c)
{
#ifdef ACCEPT
	(void)go_recv_only(c);
#else
	(void)go_send_only(c);
#endif
}
