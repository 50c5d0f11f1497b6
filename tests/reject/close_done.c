/* SPDX-License-Identifier: MIT */
/* Only the context closes its channel. */
/* says: this channel handle cannot send */
#include "goro.h"

void test(go_ctx *ctx);
void test(go_ctx *ctx)
{
#ifdef ACCEPT
	go_ctx_cancel(ctx);
#else
	go_close(go_ctx_done(ctx));
#endif
}
