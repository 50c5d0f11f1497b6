/* SPDX-License-Identifier: MIT */
/* What is unlocked is a mutex. */
#include "goro.h"

void test(go_mutex *m, go_once *o);
void test(go_mutex *m, go_once *o)
{
#ifdef ACCEPT
	go_defer_unlock(m);
#else
	go_defer_unlock(o);
#endif
}
