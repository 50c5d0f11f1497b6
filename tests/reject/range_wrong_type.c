/* SPDX-License-Identifier: MIT */
/* The variable of a range has the type of the elements. */
#include "goro.h"

void test(go_chan(int *) c);
void test(go_chan(int *) c)
{
#ifdef ACCEPT
	go_range(v, c)
		*v = 1;
#else
	go_range(v, c)
		v = 1.5;
#endif
}
