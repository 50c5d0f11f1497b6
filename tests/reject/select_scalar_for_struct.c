/* SPDX-License-Identifier: MIT */
/* GO_SEND of a struct of one member. */
#include "goro.h"

struct one { int only; };

void test(go_chan(struct one) c, struct one s);
void test(go_chan(struct one) c, struct one s)
{
#ifdef ACCEPT
	go_select(GO_SEND(c, s));
#else
	go_select(GO_SEND(c, s.only));
#endif
}
