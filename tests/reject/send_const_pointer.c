/* SPDX-License-Identifier: MIT */
/* const is not dropped. */
#include "goro.h"

void test(go_chan(char *) c, char *s, const char *t);
void test(go_chan(char *) c, char *s, const char *t)
{
#ifdef ACCEPT
	go_send(c, s);
#else
	go_send(c, t);
#endif
}
