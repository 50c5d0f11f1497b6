/* SPDX-License-Identifier: MIT */
/* What is done is a WaitGroup. */
#include "goro.h"

void test(go_waitgroup *wg, go_mutex *m);
void test(go_waitgroup *wg, go_mutex *m)
{
#ifdef ACCEPT
	go_defer_done(wg);
#else
	go_defer_done(m);
#endif
}
