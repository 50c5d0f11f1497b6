/* SPDX-License-Identifier: MIT */
/* A struct of one member is not that member. */
#include "goro.h"

struct one { int only; };

void test(go_chan(one) c, one s);
void test(go_chan(one) c, one s)
{
#ifdef ACCEPT
	go_send(c, s);
#else
	go_send(c, s.only);
#endif
}
