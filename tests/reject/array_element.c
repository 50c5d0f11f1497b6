/* SPDX-License-Identifier: MIT */
/* An array cannot be an element; a struct with one can. */
#include "goro.h"

struct row { int x[4]; };

void test(void);
void test(void)
{
#ifdef ACCEPT
	(void)go_make(struct row, 1);
#else
	(void)go_make(int[4], 1);
#endif
}
