/* SPDX-License-Identifier: MIT */
/* Contexts one by one: done, err, cause, deadlines, values, functions, references. */
#include "support.h"

static bool
is_done(const go_ctx *ctx)
{
	bool closed = go_select(GO_DONE(ctx), GO_DEFAULT) == 0;

	CHECK_EQ(closed, go_ctx_err(ctx) != 0);
	CHECK_EQ(closed, go_ctx_strerror(ctx) != NULL);
	return closed;
}

/* ------------------------------------------------------------ the background --- */

static void never(void *arg) { CHECK_MSG(false, "%s ran", (const char *)arg); }

TEST(the_background_is_never_done_and_has_nothing) {
	static char key;
	const char *why = "untouched";
	uint64_t token;

	CHECK(GO_CTX_BACKGROUND == NULL && GO_CTX_TODO == NULL);
	CHECK(go_ctx_ref(NULL) == NULL);
	go_ctx_unref(NULL);
	go_ctx_cancel(NULL);
	go_ctx_cancel_cause(NULL, -EIO, "why");
	go_ctx_end(NULL);
	CHECK_EQ(go_ctx_err(GO_CTX_BACKGROUND), 0);
	CHECK(go_ctx_strerror(GO_CTX_TODO) == NULL);
	CHECK_EQ(go_ctx_cause(NULL, &why), 0);
	CHECK(why == NULL);
	CHECK_EQ(go_ctx_cause(NULL, NULL), 0);
	CHECK_EQ(go_ctx_deadline(NULL), GO_FOREVER);
	CHECK(go_ctx_value(NULL, &key) == NULL);
	CHECK(go_ctx_done_chan(NULL) == NULL);
	CHECK(go_ctx_done(GO_CTX_BACKGROUND) == NULL);
	CHECK(!is_done(GO_CTX_BACKGROUND));
	token = go_ctx_after_func(NULL, never, "a function of the background");
	CHECK(token != 0);
	CHECK(go_ctx_stop_func(NULL, token));
}

/* ------------------------------------------------------------ cancelling --- */

TEST(cancelling_is_seen_at_once_and_for_ever) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_receiver(char) done = go_ctx_done(ctx);
	const char *why = "untouched";
	char c = 'x';
	bool ok = true;

	CHECK(!is_done(ctx));
	CHECK_EQ(go_ctx_cause(ctx, &why), 0);
	CHECK(why == NULL);
	CHECK(done == go_ctx_done(ctx));
	go_ctx_cancel(ctx);
	for (int i = 0; i < 3; i++) {
		CHECK(is_done(ctx));
		CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
		CHECK_STR(go_ctx_strerror(ctx), "context canceled");
		CHECK_EQ(go_ctx_cause(ctx, &why), -ECANCELED);
		CHECK(why == NULL);
		CHECK(done == go_ctx_done(ctx));
		CHECK_EQ(go_select(GO_RECV_OK(done, &c, &ok)), 0);
		CHECK(!ok && c == 0);
		CHECK_EQ(go_recv_until(done, &c, GO_FOREVER), -EPIPE);
		go_ctx_cancel(ctx);
		go_ctx_cancel_cause(ctx, -EIO, "too late");
	}
	go_ctx_unref(ctx);
}

TEST(a_done_channel_first_asked_for_afterwards_is_closed) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_ch *done;

	go_ctx_cancel(ctx);
	done = go_ctx_done_chan(ctx);
	CHECK(!go_chan_recv(done, NULL));
	CHECK(done == go_ctx_done_chan(ctx));
	go_ctx_unref(ctx);
}

TEST(a_done_channel_may_be_kept_longer_than_its_context) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_ch *done = go_chan_ref(go_ctx_done_chan(ctx));

	go_ctx_end(ctx);
	CHECK(!go_chan_recv(done, NULL));
	go_chan_unref(done);
}

static void
watch(const go_ctx *ctx, int *before)
{
	go_recv(go_ctx_done(ctx), NULL);
	CHECK_EQ(*before, 7);           /* written before the cancellation */
	CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
	go_ctx_unref(ctx);
}
GO_TASK(watch, const go_ctx *, int *);

TEST(everybody_who_waits_is_woken) {
	for (int round = 0; round < (int)support_scale(50); round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		int before = 0;

		for (int i = 0; i < 20; i++)
			GO_WG(&wg, watch, go_ctx_ref(ctx), &before);
		if (round % 2)
			support_settle();
		before = 7;
		go_ctx_end(ctx);
		go_wg_wait(&wg);
	}
}

TEST(a_cause_is_kept_and_copied) {
	char text[] = "the disk is full";
	go_ctx *ctx = go_ctx_with_cancel(NULL), *child = go_ctx_with_cancel(ctx), *late;
	const char *why;

	go_ctx_cancel_cause(ctx, -ENOSPC, text);
	memset(text, 'x', sizeof text - 1);
	late = go_ctx_with_cancel(child);
	for (int i = 0; i < 3; i++) {
		go_ctx *c = i == 0 ? ctx : i == 1 ? child : late;

		CHECK_EQ(go_ctx_err(c), -ECANCELED);
		CHECK_STR(go_ctx_strerror(c), "context canceled");
		CHECK_EQ(go_ctx_cause(c, &why), -ENOSPC);
		CHECK_STR(why, "the disk is full");
	}
	go_ctx_cancel_cause(child, -EIO, "second");
	go_ctx_unref(ctx);
	go_ctx_unref(child);
	CHECK_EQ(go_ctx_cause(late, &why), -ENOSPC);
	CHECK_STR(why, "the disk is full");     /* its ancestors are kept */
	go_ctx_unref(late);
}

TEST(a_cause_may_lack_its_number_or_its_text) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	const char *why;

	go_ctx_cancel_cause(ctx, 0, NULL);
	CHECK_EQ(go_ctx_cause(ctx, &why), -ECANCELED);
	CHECK(why == NULL);
	go_ctx_unref(ctx);
	ctx = go_ctx_with_cancel(NULL);
	go_ctx_cancel_cause(ctx, 0, "just so");
	CHECK_EQ(go_ctx_cause(ctx, &why), -ECANCELED);
	CHECK_STR(why, "just so");
	go_ctx_unref(ctx);
	ctx = go_ctx_with_cancel(NULL);
	go_ctx_cancel_cause(ctx, -ETIMEDOUT, NULL);
	CHECK_EQ(go_ctx_cause(ctx, NULL), -ETIMEDOUT);
	CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
	go_ctx_unref(ctx);
}

static int
returns_early(const go_ctx *parent, const go_ctx **seen)
{
	go_ctx *ctx = go_ctx_with_cancel(parent);
	go_defer_end(ctx);

	*seen = go_ctx_ref(ctx);
	return go_ctx_err(ctx);
}

TEST(end_is_what_the_creator_defers) {
	const go_ctx *seen;

	CHECK_EQ(returns_early(NULL, &seen), 0);
	CHECK_EQ(go_ctx_err(seen), -ECANCELED);
	go_ctx_unref(seen);
}

/* ------------------------------------------------------------ deadlines --- */

TEST(a_deadline_is_not_early_and_says_so) {
	static const int64_t after[] = {1, GO_MILLISECOND, 20 * GO_MILLISECOND};
	const char *why;

	for (int form = 0; form < 2; form++) {
		for (int i = 0; i < 3; i++) {
			int64_t d = go_now() + after[i];
			go_ctx *ctx = form ? go_ctx_with_deadline(NULL, d)
					   : go_ctx_with_timeout(NULL, after[i]);

			CHECK(go_ctx_deadline(ctx) >= d);
			go_recv(go_ctx_done(ctx), NULL);
			CHECK(go_now() >= go_ctx_deadline(ctx));
			CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
			CHECK_STR(go_ctx_strerror(ctx), "context deadline exceeded");
			CHECK_EQ(go_ctx_cause(ctx, &why), -ETIMEDOUT);
			CHECK(why == NULL);
			go_ctx_cancel(ctx);
			CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
			go_ctx_unref(ctx);
		}
	}
}

TEST(a_past_deadline_is_over_at_birth) {
	int64_t past[] = {0, -1, INT64_MIN, go_now() - GO_SECOND, go_now()};

	for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
		go_ctx *ctx = go_ctx_with_deadline(NULL, past[i]);

		CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
		CHECK(is_done(ctx));
		CHECK_EQ(go_ctx_cause(ctx, NULL), -ETIMEDOUT);
		CHECK_EQ(go_ctx_deadline(ctx), past[i]);
		go_ctx_end(ctx);
		if (past[i] <= 0) {
			ctx = go_ctx_with_timeout(NULL, past[i]);
			CHECK_EQ(go_ctx_err(ctx), -ETIMEDOUT);
			CHECK(go_ctx_deadline(ctx) <= go_now());
			go_ctx_end(ctx);
		}
	}
}

TEST(a_timeout_too_long_for_the_clock_is_for_ever) {
	static const int64_t longest[] = {INT64_MAX, INT64_MAX - 1};

	for (int i = 0; i < 2; i++) {
		go_ctx *ctx = go_ctx_with_timeout(NULL, longest[i]);

		CHECK_EQ(go_ctx_deadline(ctx), GO_FOREVER);
		CHECK(!is_done(ctx));
		go_ctx_end(ctx);
	}
	go_ctx *ctx = go_ctx_with_deadline(NULL, GO_FOREVER);

	CHECK_EQ(go_ctx_deadline(ctx), GO_FOREVER);
	CHECK(!is_done(ctx));
	go_ctx_end(ctx);
}

TEST(the_earliest_deadline_of_the_ancestors_counts) {
	int64_t now = go_now();
	go_ctx *a = go_ctx_with_deadline(NULL, now + GO_HOUR);
	go_ctx *b = go_ctx_with_deadline(a, now + 2 * GO_HOUR);
	go_ctx *c = go_ctx_with_deadline(b, now + GO_MINUTE);
	go_ctx *d = go_ctx_with_cancel(c);

	CHECK_EQ(go_ctx_deadline(a), now + GO_HOUR);
	CHECK_EQ(go_ctx_deadline(b), now + GO_HOUR);
	CHECK_EQ(go_ctx_deadline(c), now + GO_MINUTE);
	CHECK_EQ(go_ctx_deadline(d), now + GO_MINUTE);
	go_ctx_end(d);
	go_ctx_end(c);
	go_ctx_end(b);
	go_ctx_end(a);
}

static uint64_t
timers_pending(void)
{
	go_stats s = GO_STATS_INIT;

	CHECK_EQ(go_stats_read(&s), 0);
	return s.timers;
}

TEST(no_timer_is_left_behind) {
	uint64_t before = timers_pending();
	go_ctx *parent = go_ctx_with_timeout(NULL, GO_HOUR);
	go_ctx *child = go_ctx_with_timeout(parent, GO_MINUTE);
	go_ctx *forgotten = go_ctx_with_timeout(NULL, GO_HOUR);

	CHECK_EQ(timers_pending(), before + 3);
	go_ctx_unref(forgotten);                /* not cancelled */
	CHECK_EQ(timers_pending(), before + 2);
	go_ctx_cancel(parent);
	CHECK_EQ(timers_pending(), before);
	go_ctx_unref(parent);
	go_ctx_unref(child);
}

/* ------------------------------------------------------------ values --- */

static atomic_int destroyed;

static void count_destroyed(void *value) {
	CHECK(value != NULL);
	atomic_fetch_add(&destroyed, 1);
}

TEST(values_are_found_upwards_and_hidden_downwards) {
	static char k1, k2;
	static int v1, v2, v3;
	go_ctx *a = go_ctx_with_value(NULL, &k1, &v1, NULL);
	go_ctx *b = go_ctx_with_cancel(a);
	go_ctx *c = go_ctx_with_value(b, &k2, &v2, NULL);
	go_ctx *d = go_ctx_with_value(c, &k1, &v3, NULL);
	go_ctx *t = go_ctx_with_timeout(d, GO_HOUR);
	go_ctx *e = go_ctx_with_value(t, &k2, NULL, NULL);

	CHECK(go_ctx_value(a, &k1) == &v1 && go_ctx_value(a, &k2) == NULL);
	CHECK(go_ctx_value(b, &k1) == &v1 && go_ctx_value(b, &k2) == NULL);
	CHECK(go_ctx_value(c, &k1) == &v1 && go_ctx_value(c, &k2) == &v2);
	CHECK(go_ctx_value(d, &k1) == &v3 && go_ctx_value(d, &k2) == &v2);
	CHECK(go_ctx_value(e, &k1) == &v3 && go_ctx_value(e, &k2) == NULL);
	CHECK(go_ctx_value(e, &v1) == NULL && go_ctx_value(e, NULL) == NULL);
	go_ctx_cancel(a);
	CHECK(is_done(e));
	CHECK(go_ctx_value(e, &k1) == &v3);
	go_ctx_unref(a);
	go_ctx_unref(b);
	go_ctx_unref(c);
	CHECK(go_ctx_value(d, &k2) == &v2);     /* ancestors are kept */
	go_ctx_unref(d);
	go_ctx_unref(t);
	go_ctx_unref(e);
}

TEST(a_value_is_destroyed_with_the_last_reference) {
	static char key, v;
	go_ctx *a, *b;

	destroyed = 0;
	a = go_ctx_with_value(NULL, &key, &v, count_destroyed);
	go_ctx_ref(a);
	go_ctx_cancel(a);
	go_ctx_unref(a);
	CHECK_EQ(destroyed, 0);
	go_ctx_unref(a);
	CHECK_EQ(destroyed, 1);
	a = go_ctx_with_value(NULL, &key, &v, count_destroyed);
	b = go_ctx_with_value(a, &key, &v, count_destroyed);
	go_ctx_unref(a);
	CHECK_EQ(destroyed, 1);                 /* the child holds it */
	go_ctx_unref(b);
	CHECK_EQ(destroyed, 3);
}

static void use_contexts(void *value) {
	go_ctx *ctx = go_ctx_with_timeout(NULL, GO_HOUR);

	go_yield();
	go_ctx_end(ctx);
	go_ctx_unref(go_ctx_bind(NULL));
	go_sleep(1);
	count_destroyed(value);
}

TEST(what_destroys_a_value_may_block_and_use_contexts) {
	static char key, v;
	go_ctx *root = go_ctx_with_cancel(NULL), *ctx[20];

	destroyed = 0;
	for (int i = 0; i < 20; i++)
		ctx[i] = go_ctx_with_value(i % 5 ? ctx[i - 1] : root, &key, &v, use_contexts);
	for (int i = 0; i < 10; i++)
		go_ctx_end(ctx[i]);
	go_ctx_cancel(root);
	for (int i = 10; i < 20; i++)
		go_ctx_unref(ctx[i]);
	CHECK_EQ(destroyed, 20);
	go_ctx_unref(root);
}

static void null_key(void *arg) { go_ctx_with_value(NULL, NULL, arg, NULL); }

TEST(a_null_key_is_a_panic) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(null_key, &info, &info));
	CHECK_STR(info.message, "nil key");
}

/* A context with a value can be cancelled without its parent noticing. */
TEST(every_kind_can_be_cancelled_alone) {
	static char key;
	go_ctx *root = go_ctx_with_cancel(NULL), *ctx[4];

	ctx[0] = go_ctx_with_cancel(root);
	ctx[1] = go_ctx_with_timeout(root, GO_HOUR);
	ctx[2] = go_ctx_with_value(root, &key, &key, NULL);
	ctx[3] = go_ctx_without_cancel(root);
	for (int i = 0; i < 4; i++) {
		go_ctx *child = go_ctx_with_cancel(ctx[i]);

		CHECK(!is_done(child));
		go_ctx_cancel_cause(ctx[i], -i - 1, NULL);
		CHECK_EQ(go_ctx_cause(child, NULL), -i - 1);
		CHECK(!is_done(root));
		for (int k = i + 1; k < 4; k++)
			CHECK(!is_done(ctx[k]));
		go_ctx_unref(child);
		go_ctx_unref(ctx[i]);
	}
	go_ctx_end(root);
}

TEST(without_cancel_keeps_values_only) {
	static char key, v;
	go_ctx *root = go_ctx_with_timeout(NULL, GO_HOUR);
	go_ctx *val = go_ctx_with_value(root, &key, &v, NULL);
	go_ctx *ctx = go_ctx_without_cancel(val), *none = go_ctx_without_cancel(NULL);

	go_ctx_cancel_cause(root, -EIO, "why");
	CHECK(is_done(val));
	CHECK(!is_done(ctx));
	CHECK_EQ(go_ctx_cause(ctx, NULL), 0);
	CHECK_EQ(go_ctx_deadline(ctx), GO_FOREVER);
	CHECK(go_ctx_value(ctx, &key) == &v);
	CHECK(none != NULL && !is_done(none));
	go_ctx_end(none);
	go_ctx_unref(root);
	go_ctx_unref(val);
	CHECK(go_ctx_value(ctx, &key) == &v);
	go_ctx_end(ctx);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_background_is_never_done_and_has_nothing),
	cmocka_unit_test(cancelling_is_seen_at_once_and_for_ever),
	cmocka_unit_test(a_done_channel_first_asked_for_afterwards_is_closed),
	cmocka_unit_test(a_done_channel_may_be_kept_longer_than_its_context),
	cmocka_unit_test(everybody_who_waits_is_woken),
	cmocka_unit_test(a_cause_is_kept_and_copied),
	cmocka_unit_test(a_cause_may_lack_its_number_or_its_text),
	cmocka_unit_test(end_is_what_the_creator_defers),
	cmocka_unit_test(a_deadline_is_not_early_and_says_so),
	cmocka_unit_test(a_past_deadline_is_over_at_birth),
	cmocka_unit_test(a_timeout_too_long_for_the_clock_is_for_ever),
	cmocka_unit_test(the_earliest_deadline_of_the_ancestors_counts),
	cmocka_unit_test(no_timer_is_left_behind),
	cmocka_unit_test(values_are_found_upwards_and_hidden_downwards),
	cmocka_unit_test(a_value_is_destroyed_with_the_last_reference),
	cmocka_unit_test(what_destroys_a_value_may_block_and_use_contexts),
	cmocka_unit_test(a_null_key_is_a_panic),
	cmocka_unit_test(every_kind_can_be_cancelled_alone),
	cmocka_unit_test(without_cancel_keeps_values_only),
};

SUPPORT_MAIN(tests)
