/* SPDX-License-Identifier: MIT */
/* Elements are copied as bytes, which a string does not bear. */
/* says: channel elements are copied as bytes */
#include "goro.h"

#include <string>

void test();
void test()
{
#ifdef ACCEPT
	(void)go_make(int, 1);
#else
	(void)go_make(std::string, 1);
#endif
}
