/* SPDX-License-Identifier: MIT */
/* The read lock that is given back is that of an rwmutex. */
#include "goro.h"

void test(go_rwmutex *rw, go_mutex *m);
void test(go_rwmutex *rw, go_mutex *m)
{
#ifdef ACCEPT
	go_defer_runlock(rw);
#else
	go_defer_runlock(m);
#endif
}
