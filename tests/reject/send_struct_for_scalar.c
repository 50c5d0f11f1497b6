/* SPDX-License-Identifier: MIT */
/* A struct is no int. */
#include "goro.h"

struct one { int only; };

void test(go_chan(int) c, struct one s);
void test(go_chan(int) c, struct one s)
{
#ifdef ACCEPT
	go_send(c, s.only);
#else
	go_send(c, s);
#endif
}
