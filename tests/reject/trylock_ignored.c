/* SPDX-License-Identifier: MIT */
/* Whether it is locked is for the caller to know. */
#include "goro.h"

void test(go_mutex *m);
void test(go_mutex *m)
{
#ifdef ACCEPT
	if (go_mutex_trylock(m))
		go_mutex_unlock(m);
#else
	go_mutex_trylock(m);
#endif
}
