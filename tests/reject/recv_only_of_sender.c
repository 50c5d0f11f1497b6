/* SPDX-License-Identifier: MIT */
/* A right given away does not come back. */
/* says: this channel handle cannot receive */
#include "goro.h"

void test(go_sender(int) c);
void test(go_sender(int) c)
{
#ifdef ACCEPT
	(void)go_send_only(c);
#else
	(void)go_recv_only(c);
#endif
}
