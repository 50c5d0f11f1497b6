/* SPDX-License-Identifier: MIT */
/*
 * spec_ctx.c - what goro.h says of contexts, sentence by sentence, where the tests of each leave
 * something out.
 */
#include "spec_places.h"

static char key, other_key;
static void count(void *n) { atomic_fetch_add((atomic_int *)n, 1); }
static void never(void *arg) { CHECK_MSG(false, "called with %p", arg); }

/* A context whose last reference counts one in *n. */
static go_ctx *
counted(const go_ctx *parent, atomic_int *n)
{
	return go_ctx_with_value(parent, &key, n, count);
}

/* ------------------------------------------------------------ everywhere --- */

/* "Any goroutine and any thread may call any function" */
static void use_contexts(void *arg) {
	atomic_int destroyed = 0, called = 0;
	go_ctx *top = counted(NULL, &destroyed), *sub = go_ctx_with_timeout(top, GO_HOUR);
	go_ctx *loose = go_ctx_without_cancel(sub);
	const char *why = "untouched";
	uint64_t token = go_ctx_after_func(sub, never, arg);
	const go_ctx *before = go_ctx_bind(sub);        /* some places have one bound */

	CHECK(go_ctx_current() == sub);
	CHECK(go_ctx_value(sub, &key) == &destroyed && go_ctx_value(loose, &key) == &destroyed);
	CHECK(go_ctx_value(sub, &other_key) == NULL);
	CHECK(go_ctx_stop_func(sub, token) && !go_ctx_stop_func(sub, token));
	CHECK(go_ctx_after_func(sub, count, &called) != 0);
	CHECK(go_ctx_deadline(loose) == GO_FOREVER && go_ctx_deadline(sub) > go_now());
	CHECK_EQ(go_ctx_cause(sub, &why), 0);
	CHECK(why == NULL);
	go_ctx_cancel_cause(top, 42, "forty-two");
	CHECK(go_ctx_cause(sub, &why) == 42 && go_ctx_err(sub) == -ECANCELED);
	CHECK_STR(why, "forty-two");
	CHECK_STR(go_ctx_strerror(sub), "context canceled");
	CHECK(go_ctx_err(loose) == 0 && go_ctx_cause(loose, NULL) == 0);
	CHECK_EQ(go_recv_until(go_recv_only((go_chan(int))NULL), NULL, GO_FOREVER), -ECANCELED);
	CHECK(!go_recv(go_ctx_done(sub), NULL));
	CHECK_EQ(go_ctx_after_func(sub, count, &called), 0);
	CHECK(go_ctx_bind(before) == sub);
	go_ctx_unref(sub);
	go_ctx_unref(before);
	wait_until(atomic_load(&called) == 2);
	go_ctx_end(sub);
	go_ctx_unref(top);
	CHECK_EQ(destroyed, 0);
	go_ctx_end(loose);
	wait_until(atomic_load(&destroyed) == 1);       /* the functions may hold it a little */
}

TEST(contexts_work_at_every_place) { at_every_place(use_contexts, NULL); }

/* ------------------------------------------------------------ causes --- */

/* "go_ctx_cause gives err, -ECANCELED if that is 0, and a copy of why, which may be NULL." */
TEST(any_cause_is_given_as_it_was) {
	static const int errs[] = {INT_MIN, -1, -ECANCELED, -ETIMEDOUT, 1, INT_MAX, 0};
	char text[100000];

	for (int i = 0; i < 7; i++) {
		go_ctx *top = go_ctx_with_timeout(NULL, GO_HOUR);
		go_ctx *sub = go_ctx_with_value(top, &key, text, NULL);
		const char *why = NULL;

		memset(text, 'a' + i, sizeof text - 1);
		text[i % 2 == 0 ? 0 : sizeof text - 1] = '\0';
		go_ctx_cancel_cause(sub, errs[i], i % 3 == 0 ? NULL : text);
		CHECK_EQ(go_ctx_err(top), 0);
		go_ctx_cancel_cause(sub, 5, "later");
		go_ctx_cancel_cause(top, 6, "later");
		CHECK_EQ(go_ctx_err(sub), -ECANCELED);
		CHECK_EQ(go_ctx_cause(sub, NULL), errs[i] != 0 ? errs[i] : -ECANCELED);
		CHECK_EQ(go_ctx_cause(sub, &why), errs[i] != 0 ? errs[i] : -ECANCELED);
		if (i % 3 == 0)
			CHECK(why == NULL);
		else
			CHECK(why != text && strcmp(why, text) == 0);
		CHECK_EQ(go_ctx_cause(top, &why), 6);
		CHECK_STR(why, "later");
		go_ctx_unref(top);
		go_ctx_unref(sub);
	}
}

/* "otherwise what go_ctx_err gives": a time out has neither text nor another cause */
TEST(the_cause_of_a_time_out_is_the_time_out) {
	go_ctx *top = go_ctx_with_deadline(NULL, INT64_MIN), *sub = go_ctx_with_cancel(top);
	const char *why = "untouched";

	go_ctx_cancel_cause(top, 5, "too late");
	go_ctx_cancel_cause(sub, 5, "too late");
	CHECK_EQ(go_ctx_cause(sub, &why), -ETIMEDOUT);
	CHECK(why == NULL);
	CHECK_STR(go_ctx_strerror(sub), "context deadline exceeded");
	CHECK_EQ(go_ctx_err(sub), -ETIMEDOUT);
	go_ctx_end(sub);
	go_ctx_end(top);
}

/* ------------------------------------------------------------ deadlines --- */

/* "at once if it is past"; "GO_FOREVER: who knows"; "if the parent's does not come first" */
TEST(deadlines_of_all_kinds) {
	const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, go_now()};
	go_ctx *hour = go_ctx_with_timeout(NULL, GO_HOUR);
	go_ctx *c[4] = {
		go_ctx_with_deadline(hour, GO_FOREVER), go_ctx_with_timeout(hour, GO_FOREVER),
		go_ctx_with_deadline(hour, GO_FOREVER - 1), go_ctx_with_timeout(hour, 2 * GO_HOUR)
	};

	for (int i = 0; i < 6; i++) {
		go_ctx *late = go_ctx_with_deadline(hour, past[i]);

		CHECK_EQ(go_ctx_err(late), -ETIMEDOUT);
		CHECK_EQ(go_ctx_deadline(late), past[i]);
		go_ctx_end(late);
		late = go_ctx_with_timeout(hour, i < 4 ? past[i] : 0);
		CHECK_EQ(go_ctx_err(late), -ETIMEDOUT);
		CHECK(go_ctx_deadline(late) <= go_now());
		go_ctx_end(late);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(go_ctx_deadline(c[i]), go_ctx_deadline(hour));
		CHECK_EQ(go_ctx_err(c[i]), 0);
		go_ctx_end(c[i]);
		c[i] = go_ctx_without_cancel(hour);
		CHECK_EQ(go_ctx_deadline(c[i]), GO_FOREVER);
		go_ctx_unref(c[i]);
	}
	c[0] = go_ctx_with_timeout(NULL, GO_FOREVER);
	c[1] = go_ctx_with_deadline(NULL, GO_FOREVER);
	CHECK(go_ctx_deadline(c[0]) == GO_FOREVER && go_ctx_deadline(c[1]) == GO_FOREVER);
	go_ctx_end(c[0]);
	go_ctx_end(c[1]);
	go_ctx_end(hour);
}

/* "done ... if the parent's does not come first": a child of one done is done for its reason. */
TEST(a_late_child_is_done_for_its_parent_s_reason) {
	go_ctx *top = go_ctx_with_cancel(NULL), *sub;

	go_ctx_cancel_cause(top, 3, "three");
	for (int i = 0; i < 3; i++) {
		sub = i == 0 ? go_ctx_with_timeout(top, -1) : i == 1 ? go_ctx_with_cancel(top)
			: go_ctx_with_value(top, &key, NULL, NULL);
		CHECK_EQ(go_ctx_err(sub), -ECANCELED);
		CHECK_EQ(go_ctx_cause(sub, NULL), 3);
		CHECK(!go_recv(go_ctx_done(sub), NULL));
		go_ctx_end(sub);
	}
	sub = go_ctx_without_cancel(top);
	CHECK(go_ctx_err(sub) == 0 && !go_tryrecv(go_ctx_done(sub), NULL));
	go_ctx_cancel(sub);
	CHECK_EQ(go_ctx_cause(sub, NULL), -ECANCELED);
	go_ctx_unref(sub);
	go_ctx_end(top);
}

/* ------------------------------------------------------------ references --- */

/* "each function with_x returns one with one reference, which itself has one to the parent" */
TEST(a_child_of_any_kind_keeps_its_parent) {
	for (int i = 0; i < 5; i++) {
		atomic_int n = 0;
		go_ctx *top = counted(NULL, &n), *sub;

		sub = i == 0 ? go_ctx_with_cancel(top) : i == 1 ? go_ctx_with_timeout(top, GO_HOUR)
			: i == 2 ? go_ctx_with_timeout(top, -1)
			: i == 3 ? go_ctx_without_cancel(top)
			: go_ctx_with_value(top, &other_key, NULL, NULL);
		go_ctx_end(top);
		CHECK_EQ(n, 0);
		CHECK(go_ctx_value(sub, &key) == &n);
		CHECK(go_ctx_ref(sub) == sub);
		go_ctx_unref(sub);
		CHECK_EQ(n, 0);
		go_ctx_unref(sub);
		CHECK_EQ(n, 1);
	}
}

/* "the last one frees it, done or not": pending deadlines, functions and channels go with it */
TEST(the_last_reference_takes_all_with_it) {
	for (int i = 0; i < 4; i++) {
		atomic_int n = 0;
		go_ctx *ctx = go_ctx_with_timeout(NULL, 3 * GO_MILLISECOND);
		go_ctx *sub = counted(ctx, &n);

		CHECK(go_ctx_after_func(sub, never, NULL) != 0);
		CHECK(go_ctx_done_chan(sub) != NULL);
		CHECK(go_ctx_done_chan(sub) == go_ctx_done_chan(sub));
		if (i % 2 == 0) {
			go_ctx_unref(sub);
			CHECK_EQ(n, 1);
			go_ctx_unref(ctx);
		} else {
			go_ctx_unref(ctx);
			go_ctx_unref(sub);
			CHECK_EQ(n, 1);
		}
	}
	go_sleep(4 * GO_MILLISECOND);
}

static int null_destroyed;
static void check_arg(void *value) { CHECK(value == NULL); null_destroyed++; }

/* "destroy, unless NULL, is called for it": a NULL value has its call too, and hides others. */
TEST(a_null_value_hides_those_above) {
	go_ctx *top = go_ctx_with_value(NULL, &key, &other_key, NULL);
	go_ctx *sub = go_ctx_with_value(top, &key, NULL, check_arg);

	CHECK(go_ctx_value(sub, &key) == NULL && go_ctx_value(top, &key) == &other_key);
	go_ctx_end(sub);
	CHECK_EQ(null_destroyed, 1);
	go_ctx_end(top);
}

/* ------------------------------------------------------------ functions --- */

struct around { atomic_int done; uint64_t id; const go_ctx *bound, *ctx; int err; go_ctx *mine; };

static void look_around(void *arg) {
	struct around *a = arg;

	a->id = go_id();
	a->bound = go_ctx_current();
	if (a->ctx != NULL)
		a->err = go_ctx_err(a->ctx);
	go_ctx_end(a->mine);
	atomic_store(&a->done, 1);
}

static void bind_and_start(go_ctx *ctx, struct around *a, int how) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_timer *t = NULL;

	go_ctx_unref(go_ctx_bind(ctx));
	if (how == 0)
		go_spawn(look_around, a);
	else if (how == 1)
		go_wg_spawn(&wg, look_around, a);
	else if (how == 2)
		go_spawn_copy(look_around, a, sizeof *a);
	else if (how == 3)
		t = go_after_func(0, look_around, a);
	else
		CHECK((go_ctx_after_func(ctx, look_around, a) == 0) == (go_ctx_err(ctx) != 0));
	if (how == 2)
		atomic_store(&a->done, 1);      /* it has a copy */
	go_ctx_cancel(ctx);
	wait_until(atomic_load(&a->done) == 1);
	go_wg_wait(&wg);
	go_timer_free(t);
	go_ctx_unref(go_ctx_bind(NULL));
}

/* "NULL: to none, as all begin": whoever is started by someone bound */
TEST(all_begin_unbound) {
	for (int i = 0; i < 6; i++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct around a = {.bound = i == 2 ? NULL : ctx};

		if (i == 5)
			go_ctx_cancel(ctx);
		bind_and_start(ctx, &a, i);
		CHECK(a.bound == NULL);
		CHECK(i == 2 || (a.id != 0 && a.id != go_id()));
		go_ctx_unref(ctx);
	}
}

/* "Starts fn(arg) in a goroutine once ctx is done": it sees it done and may end it. */
TEST(a_function_may_drop_the_context_that_started_it) {
	for (int i = 0; i < 2; i++) {
		struct around a = {.mine = i == 0 ? go_ctx_with_cancel(NULL)
			: go_ctx_with_timeout(NULL, GO_MILLISECOND)};

		a.ctx = a.mine;
		CHECK(go_ctx_after_func(a.mine, look_around, &a) != 0);
		if (i == 0) {                    /* who cancels has a reference of his own */
			go_ctx_ref(a.mine);
			go_ctx_cancel(a.mine);
			go_ctx_unref(a.ctx);
		}
		wait_until(atomic_load(&a.done) == 1);
		CHECK_EQ(a.err, i == 0 ? -ECANCELED : -ETIMEDOUT);
	}
}

/* "false: it has been started or stopped": and every other number */
TEST(only_its_token_stops_a_function) {
	go_ctx *ctx = go_ctx_with_cancel(NULL), *other = go_ctx_with_cancel(ctx);
	uint64_t a = go_ctx_after_func(ctx, never, &key), b = go_ctx_after_func(ctx, never, &key);

	CHECK(a != 0 && b != 0 && a != b);
	CHECK(!go_ctx_stop_func(ctx, 0) && !go_ctx_stop_func(ctx, UINT64_MAX));
	CHECK(!go_ctx_stop_func(other, a) && !go_ctx_stop_func(NULL, a));
	CHECK(go_ctx_stop_func(ctx, b) && go_ctx_stop_func(ctx, a));
	CHECK(!go_ctx_stop_func(ctx, b) && !go_ctx_stop_func(ctx, a));
	go_ctx_end(other);
	go_ctx_end(ctx);
}

/* ------------------------------------------------------------ binding --- */

static void bind_at_the_end(void *ctx) {
	CHECK(go_ctx_current() == NULL);
	CHECK(go_ctx_bind(ctx) == NULL);
	CHECK(go_ctx_current() == ctx);
}

static go_local late = GO_LOCAL_INIT(bind_at_the_end);

static void end_bound(void *arg) {
	go_local_set(&late, arg);
}

static void end_bound_by_exit(void *arg) {
	go_defer(bind_at_the_end, arg);
	go_exit();
}

static void end_bound_after_panic(void *arg) {
	CHECK(go_ctx_bind(go_ctx_ref(arg)) == NULL);
	go_panic("caught");
}

static void try_bound(void *arg) {
	CHECK(!go_try(end_bound_after_panic, arg, NULL));
	CHECK(go_ctx_current() == arg);         /* a panic is no end */
	go_ctx_unref(arg);
}

static void *end_bound_there(void *arg) { end_bound(arg); return NULL; }

/* "Binds the caller ... until it binds another or ends": even what is bound while it ends */
TEST(what_is_bound_while_ending_is_dropped) {
	for (int i = 0; i < 4; i++) {
		atomic_int n = 0;
		go_ctx *ctx = counted(NULL, &n);

		if (i == 3)
			on_a_thread(end_bound_there, ctx);
		else
			go_spawn(i == 0 ? end_bound : i == 1 ? end_bound_by_exit : try_bound, ctx);
		wait_until(go_count() == 2);
		CHECK_EQ(n, 0);
		go_ctx_unref(ctx);
		wait_until(atomic_load(&n) == 1);
	}
}

/* "that of the context bound before, which it returns, is the caller's": also for the same one */
TEST(binding_the_bound_one_again_counts) {
	atomic_int n = 0;
	go_ctx *ctx = counted(NULL, &n);

	CHECK(go_ctx_bind(ctx) == NULL);
	for (int i = 0; i < 3; i++) {
		CHECK(go_ctx_bind(go_ctx_current()) == ctx);
		go_ctx_unref(ctx);
	}
	go_ctx_unref(ctx);
	CHECK(go_ctx_current() == ctx && n == 0);
	go_ctx_unref(go_ctx_bind(NULL));
	CHECK_EQ(n, 1);
}

/* "go_selectv": the function itself is bound as go_select_until, whatever go_select is. */
TEST(selectv_heeds_the_binding_in_all_its_forms) {
	go_ctx *ctx = go_ctx_with_timeout(NULL, -1);
	int64_t start = go_now();
	go_case c[2] = {{.op = GO_OP_RECV}, {.op = GO_OP_AFTER}};

	go_ctx_bind(ctx);
	c[1].arg = GO_HOUR;
	CHECK_EQ(go_selectv(c, 2, GO_FOREVER), -ETIMEDOUT);
	CHECK_EQ(go_selectv(c, 1, GO_FOREVER), -ETIMEDOUT);
	CHECK_EQ(go_selectv(NULL, 0, GO_FOREVER), -ETIMEDOUT);
	c[1].arg = -1;
	CHECK_EQ(go_selectv(c, 2, GO_FOREVER), 1);
	CHECK_EQ(go_select(GO_AFTER(GO_MILLISECOND)), 0);
	CHECK(go_now() >= start + GO_MILLISECOND);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(ctx);
}

/* ------------------------------------------------------------ memory --- */

struct news { int plain; go_ctx *ctx; int how; go_waitgroup wg; };

static void learn(void *arg) {
	struct news *n = arg;

	switch (n->how) {
	case 0: wait_until(go_ctx_err(n->ctx) != 0); break;
	case 1: wait_until(go_ctx_cause(n->ctx, NULL) != 0); break;
	case 2: wait_until(go_ctx_strerror(n->ctx) != NULL); break;
	case 3: CHECK(!go_recv(go_ctx_done(n->ctx), NULL)); break;
	default:
		go_ctx_bind(n->ctx);
		CHECK_EQ(go_selectv(NULL, 0, GO_FOREVER), -ECANCELED);
		go_ctx_unref(go_ctx_bind(NULL));
	}
	CHECK_EQ(n->plain, 5);
	go_wg_done(&n->wg);
}

static void *cancel_there(void *arg) {
	struct news *n = arg;

	n->plain = 5;
	go_ctx_cancel_cause(n->ctx, 1, "news");
	return NULL;
}

/* "What was written before a context was cancelled is seen by whoever has learned of that." */
TEST(whoever_learns_of_the_end_sees_what_was_before) {
	for (int i = 0; i < 10; i++) {
		go_ctx *top = go_ctx_with_cancel(NULL), *sub = go_ctx_with_cancel(top);
		struct news n = {.ctx = top, .how = i / 2};
		struct news *p = &n;

		go_wg_add(&n.wg, 1);
		if (i % 2 == 0)
			n.ctx = sub;
		go_spawn(learn, p);
		support_settle();
		on_a_thread(cancel_there, p);
		go_wg_wait(&n.wg);
		go_ctx_end(sub);
		go_ctx_end(top);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(contexts_work_at_every_place),
	cmocka_unit_test(any_cause_is_given_as_it_was),
	cmocka_unit_test(the_cause_of_a_time_out_is_the_time_out),
	cmocka_unit_test(deadlines_of_all_kinds),
	cmocka_unit_test(a_late_child_is_done_for_its_parent_s_reason),
	cmocka_unit_test(a_child_of_any_kind_keeps_its_parent),
	cmocka_unit_test(the_last_reference_takes_all_with_it),
	cmocka_unit_test(a_null_value_hides_those_above),
	cmocka_unit_test(all_begin_unbound),
	cmocka_unit_test(a_function_may_drop_the_context_that_started_it),
	cmocka_unit_test(only_its_token_stops_a_function),
	cmocka_unit_test(what_is_bound_while_ending_is_dropped),
	cmocka_unit_test(binding_the_bound_one_again_counts),
	cmocka_unit_test(selectv_heeds_the_binding_in_all_its_forms),
	cmocka_unit_test(whoever_learns_of_the_end_sees_what_was_before),
};

SUPPORT_MAIN(tests)
