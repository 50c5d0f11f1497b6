/* SPDX-License-Identifier: MIT */
/* A send case holds its value: an array of cases must not outlive it. */
#include "goro.h"

void test(go_chan(int) c);
void test(go_chan(int) c)
{
#ifdef ACCEPT
	auto send = GO_SEND(c, 1);
	go_case cases[] = {send};
	go_selectv(cases, 1, GO_FOREVER);
#else
	go_case cases[] = {GO_SEND(c, 1)};
	go_selectv(cases, 1, GO_FOREVER);
#endif
}
