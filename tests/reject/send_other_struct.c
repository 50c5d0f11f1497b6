/* SPDX-License-Identifier: MIT */
/* One struct is not another. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };

void test(go_chan(struct one) c, struct one s, struct pair t);
void test(go_chan(struct one) c, struct one s, struct pair t)
{
#ifdef ACCEPT
	go_send(c, s);
#else
	go_send(c, t);
#endif
}
