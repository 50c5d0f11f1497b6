/* SPDX-License-Identifier: MIT */
/* What is given back is a channel. */
#include "goro.h"

void test(go_sender(int) c, go_mutex *m);
void test(go_sender(int) c, go_mutex *m)
{
#ifdef ACCEPT
	go_defer_unref(c);
	(void)m;
#else
	go_defer_unref(m);
	(void)c;
#endif
}
