/* SPDX-License-Identifier: MIT */
/* go_send_until of the only member instead of the struct. */
#include "goro.h"

struct one { int only; };

void test(go_chan(struct one) c, struct one s);
void test(go_chan(struct one) c, struct one s)
{
#ifdef ACCEPT
	(void)!go_send_until(c, s, GO_NOWAIT);
#else
	(void)!go_send_until(c, s.only, GO_NOWAIT);
#endif
}
