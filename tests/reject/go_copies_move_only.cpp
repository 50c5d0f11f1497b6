/* SPDX-License-Identifier: MIT */
/* What cannot be copied is moved. */
#include "goro.h"

#include <memory>
void task(std::unique_ptr<int> p);

void test(std::unique_ptr<int> p);
void test(std::unique_ptr<int> p)
{
#ifdef ACCEPT
	GO(task, std::move(p));
#else
	GO(task, p);
#endif
}
