/* SPDX-License-Identifier: MIT */
/* What is ended is a context. */
#include "goro.h"

void test(go_ctx *ctx, go_mutex *m);
void test(go_ctx *ctx, go_mutex *m)
{
#ifdef ACCEPT
	go_defer_end(ctx);
#else
	go_defer_end(m);
#endif
}
