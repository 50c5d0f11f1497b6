/* SPDX-License-Identifier: MIT */
/* A struct is not the list of its members. */
#include "goro.h"

struct one { int only; };
struct pair { int x, y; };
void show(struct pair p);
GO_TASK(show, struct pair);

void test(void);
void test(void)
{
#ifdef ACCEPT
	GO(show, (struct pair){1, 2});
#else
	GO(show, 1, 2);
#endif
}
