/* SPDX-License-Identifier: MIT */
/* A reference to something here is asked for by std::ref. */
#include "goro.h"

#include <functional>
void task(int &n);

void test(int &n);
void test(int &n)
{
#ifdef ACCEPT
	GO(task, std::ref(n));
#else
	GO(task, n);
#endif
}
