/* SPDX-License-Identifier: MIT */
/* A timer closes nothing. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_timer *t);
void test(go_timer *t)
{
#ifdef ACCEPT
	go_recv(go_timer_c(t), NULL);
#else
	go_close(go_timer_c(t));
#endif
}
