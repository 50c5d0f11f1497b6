/* SPDX-License-Identifier: MIT */
/* Contexts are done, channels are not. */
#include "goro.h"

int test(go_ctx *ctx, go_chan(int) c);
int test(go_ctx *ctx, go_chan(int) c)
{
#ifdef ACCEPT
	return go_select(GO_RECV(c, NULL), GO_DONE(ctx));
#else
	return go_select(GO_DONE(ctx), GO_DONE(c));
#endif
}
