/* SPDX-License-Identifier: MIT */
/* go_trysend of the only member instead of the struct. */
#include "goro.h"

struct one { int only; };

void test(go_chan(struct one) c, struct one s);
void test(go_chan(struct one) c, struct one s)
{
#ifdef ACCEPT
	(void)go_trysend(c, s);
#else
	(void)go_trysend(c, s.only);
#endif
}
