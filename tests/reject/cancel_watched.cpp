/* SPDX-License-Identifier: MIT */
/* Who may only watch a context cannot cancel it. */
#include "goro.h"

int test(const go_ctx *ctx);
int test(const go_ctx *ctx)
{
#ifdef ACCEPT
	return go_ctx_err(ctx);
#else
	go_ctx_cancel(ctx);
	return 0;
#endif
}
