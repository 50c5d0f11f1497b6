/* SPDX-License-Identifier: MIT */
/* A struct is not the list of its members. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };

void test(go_chan(struct pair) c);
void test(go_chan(struct pair) c)
{
#ifdef ACCEPT
	go_send(c, (struct pair){1, 2});
#else
	go_send(c, 1, 2);
#endif
}
