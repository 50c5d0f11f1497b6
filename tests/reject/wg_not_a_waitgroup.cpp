/* SPDX-License-Identifier: MIT */
/* GO_WG counts in a WaitGroup. */
#include "goro.h"

void task();

void test(go_waitgroup *wg, go_mutex *m);
void test(go_waitgroup *wg, go_mutex *m)
{
#ifdef ACCEPT
	GO_WG(wg, task);
#else
	GO_WG(m, task);
#endif
}
