/* SPDX-License-Identifier: MIT */
/* unit_ctx.c - what of a context would take days to see from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../src/ctx/ctx.h"

#include <cmocka.h>

static atomic_int ran;

static void run_one(void *arg)
{
	(void)arg;
	ran++;
}

/* One slot is used again and again by who adds a function for each request and stops it. */
static void a_slot_outlives_its_count_of_uses(void **state)
{
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	uint64_t old, token;
	int i;

	(void)state;
	old = go_ctx_after_func(ctx, run_one, NULL);
	assert_true(go_ctx_stop_func(ctx, old));
	ctx->funcs->free->uses = UINT32_MAX - 2;
	for (i = 0; i < 6; i++) {
		token = go_ctx_after_func(ctx, run_one, NULL);
		assert_true(token != 0);
		assert_false(go_ctx_stop_func(ctx, 0));
		assert_true(go_ctx_stop_func(ctx, token));
		assert_false(go_ctx_stop_func(ctx, token));
	}
	usleep(10000);
	assert_int_equal(ran, 0);
	assert_int_equal(ctx->funcs->made, 1);
	token = go_ctx_after_func(ctx, run_one, NULL);
	go_ctx_cancel(ctx);
	while (ran == 0)
		usleep(1000);
	assert_false(go_ctx_stop_func(ctx, token));
	go_ctx_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_outlives_its_count_of_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
