/* SPDX-License-Identifier: MIT */
/* What is freed is a timer. */
#include "goro.h"

void test(go_timer *t, go_receiver(int64_t) c);
void test(go_timer *t, go_receiver(int64_t) c)
{
#ifdef ACCEPT
	go_defer_timer_free(t);
	(void)c;
#else
	go_defer_timer_free(c);
	(void)t;
#endif
}
