/* SPDX-License-Identifier: MIT */
/*
 * spec_time.c - what goro.h says of timers and sleeping, sentence by sentence, where the tests of
 * each leave something out.
 */
#include "spec_places.h"

static void count(void *n) { atomic_fetch_add((atomic_int *)n, 1); }

/* ------------------------------------------------------------ everywhere --- */

static void *receive_there(void *arg) {
	int64_t *v = arg;
	go_timer *t = go_timer_new(0);

	CHECK(go_recv(go_timer_c(t), v));
	go_timer_free(t);
	return NULL;
}

/* "Any goroutine and any thread may call any function" */
static void use_timers(void *arg) {
	atomic_int n = 0;
	int64_t before = go_now(), v = 0;
	go_timer *t = go_timer_new(GO_MICROSECOND), *f = go_after_func(GO_HOUR, count, &n);
	go_timer *tick = go_ticker_new(GO_MILLISECOND);

	(void)arg;
	CHECK(go_recv(go_timer_c(t), &v));
	CHECK(v >= before + GO_MICROSECOND && v <= go_now());
	CHECK(!go_timer_stop(t) && !go_timer_reset(t, GO_HOUR) && go_timer_stop(t));
	CHECK(go_timer_chan(f) == NULL && go_timer_chan(t) == go_timer_chan(t));
	CHECK(go_timer_reset(f, -1));
	wait_until(atomic_load(&n) == 1);
	CHECK(!go_timer_stop(f));
	for (int i = 0; i < 2; i++)
		CHECK(go_recv(go_timer_c(tick), &v));
	CHECK(v >= before + 2 * GO_MILLISECOND && v <= go_now());
	receive_there(&v);
	on_a_thread(receive_there, &v);
	go_timer_free(tick);
	go_timer_free(f);
	go_timer_free(t);
	go_timer_free(NULL);
}

TEST(timers_work_at_every_place) { at_every_place(use_timers, NULL); }

/* "Both block: for at least ns, until the deadline; not at all if that is past." */
static void sleep_somehow(void *arg) {
	int64_t start = support_clock(), d;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		go_sleep((int64_t[]){0, -1, INT64_MIN}[i]);
		go_sleep_until((int64_t[]){0, -1, INT64_MIN}[i]);
	}
	go_sleep_until(go_now());
	CHECK(support_clock() - start < 30 * GO_SECOND);
	d = go_now() + 200 * GO_MICROSECOND;
	go_sleep_until(d);
	CHECK(go_now() >= d);
	d = go_now();
	go_sleep(200 * GO_MICROSECOND);
	CHECK(go_now() - d >= 200 * GO_MICROSECOND);
}

TEST(sleeping_works_at_every_place) { at_every_place(sleep_somehow, NULL); }

/* "Calls that cannot fail are not affected" by a bound context, though they end in _until. */
TEST(a_done_context_does_not_shorten_sleep_or_timers) {
	go_ctx *ctx = go_ctx_with_timeout(NULL, -1);
	int64_t start = go_now();
	go_timer *t = go_timer_new(GO_MILLISECOND);

	go_ctx_bind(ctx);
	go_sleep_until(start + GO_MILLISECOND);
	CHECK(go_now() >= start + GO_MILLISECOND);
	go_sleep(GO_MILLISECOND);
	CHECK(go_now() >= start + 2 * GO_MILLISECOND);
	CHECK(go_recv(go_timer_c(t), NULL));
	go_timer_free(t);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(ctx);
}

/* ------------------------------------------------------------ the channel --- */

/* Has it fired?  Only the clock tells, as nothing may be received. */
static void
let_it_fire(void)
{
	go_sleep(2 * GO_MILLISECOND);
	support_settle();
}

/* "A value waits there until it is received, ... though go_chan_len and go_chan_cap are 0." */
TEST(the_channel_looks_empty_though_a_value_waits) {
	go_timer *t[] = {go_timer_new(-1), go_ticker_new(GO_MICROSECOND)};

	for (int i = 0; i < 2; i++) {
		go_ch *c = go_timer_chan(t[i]);
		int64_t v = 0;

		let_it_fire();
		CHECK(go_chan_len(c) == 0 && go_chan_cap(c) == 0);
		CHECK_EQ(go_chan_recv_until(c, &v, GO_NOWAIT), 0);
		CHECK(v > 0 && v <= go_now());
		CHECK(go_chan_len(c) == 0 && go_chan_cap(c) == 0);
		go_timer_free(t[i]);
	}
}

/*
 * "true if it was active: it had not fired, or its value had not been received."  "nothing sent
 * before is received afterwards."
 */
TEST(what_fired_unreceived_is_active_and_then_gone) {
	for (int i = 0; i < 4; i++) {
		go_timer *t = go_timer_new((int64_t[]){INT64_MIN, -1, 0, 1}[i]);

		let_it_fire();
		CHECK(i % 2 == 0 ? go_timer_stop(t) : go_timer_reset(t, GO_HOUR));
		CHECK(!go_tryrecv(go_timer_c(t), NULL));
		CHECK_EQ(go_timer_stop(t), i % 2 != 0);
		CHECK(!go_timer_stop(t));
		CHECK(!go_timer_reset(t, INT64_MIN));    /* "at once if ns <= 0" */
		CHECK(go_recv(go_timer_c(t), NULL));
		CHECK_EQ(go_recv_until(go_timer_c(t), NULL, go_now() + GO_MILLISECOND), -ETIMEDOUT);
		CHECK(!go_timer_stop(t));
		go_timer_free(t);
	}
}

/* A ticker is active until it is stopped, whatever was received. */
TEST(a_ticker_is_active_until_stopped) {
	for (int i = 0; i < 3; i++) {
		go_timer *t = go_ticker_new(i == 2 ? GO_HOUR : GO_MICROSECOND);

		if (i == 1)
			CHECK(go_recv(go_timer_c(t), NULL));
		CHECK(go_timer_reset(t, GO_MICROSECOND));
		CHECK(go_recv(go_timer_c(t), NULL));
		CHECK(go_timer_stop(t) && !go_timer_stop(t));
		CHECK(!go_tryrecv(go_timer_c(t), NULL));
		CHECK(!go_timer_reset(t, GO_MICROSECOND));
		CHECK(go_recv(go_timer_c(t), NULL) && go_recv(go_timer_c(t), NULL));
		CHECK(go_timer_stop(t));
		go_timer_free(t);
	}
}

/* ------------------------------------------------------------ misuse --- */

struct period { go_timer *t; int64_t ns; };

static void new_ticker(void *ns) { go_ticker_new(*(int64_t *)ns); }
static void reset_ticker(void *arg) {
	struct period *p = arg;

	go_timer_reset(p->t, p->ns);
}

/* "Panics if ns <= 0"; "Panics for a ticker if ns <= 0": it goes on as before. */
static void misuse_tickers(void *arg) {
	int64_t wrong[] = {0, -1, INT64_MIN};

	(void)arg;
	for (int i = 0; i < 3; i++) {
		struct period p = {go_ticker_new(GO_MILLISECOND), wrong[i]};

		check_panics(new_ticker, &wrong[i], "non-positive interval for NewTicker");
		check_panics(reset_ticker, &p, "non-positive interval for Ticker.Reset");
		for (int k = 0; k < 2; k++)
			CHECK(go_recv(go_timer_c(p.t), NULL));
		CHECK(go_timer_stop(p.t));
		check_panics(reset_ticker, &p, "non-positive interval for Ticker.Reset");
		CHECK(!go_timer_stop(p.t));
		go_timer_free(p.t);
	}
}

TEST(a_refused_period_changes_nothing_at_any_place) { at_every_place(misuse_tickers, NULL); }

/* ------------------------------------------------------------ functions --- */

struct call {
	go_timer *_Atomic t;
	atomic_int ready, done, ended;
	uint64_t id;
	const go_ctx *bound;
	void *local;
	char name[32];
	int what;
};

static go_local key;

static void look_around(void *arg) {
	struct call *c = arg;

	c->id = go_id();
	c->bound = go_ctx_current();
	c->local = go_local_get(&key);
	snprintf(c->name, sizeof c->name, "%s", go_name());
	atomic_fetch_add(&c->done, 1);
}

/* "Starts fn(arg) in a goroutine after ns": one of its own, with nothing of its creator's. */
TEST(a_timer_s_function_inherits_nothing) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	struct call c = {.what = 0};
	go_timer *t;

	go_ctx_bind(ctx);
	go_local_set(&key, &c);
	t = go_after_func(1, look_around, &c);
	wait_until(atomic_load(&c.done) == 1);
	CHECK(c.id != 0 && c.id != go_id());
	CHECK(c.bound == NULL && c.local == NULL && c.name[0] == '\0');
	go_timer_free(t);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_end(ctx);
}

static void mark_ended(void *arg) { atomic_fetch_add(&((struct call *)arg)->ended, 1); }

static void handle_itself(void *arg) {
	struct call *c = arg;
	go_timer *t = c->t;

	wait_until(atomic_load(&c->ready) == 1);        /* nobody else is in a call on it */
	go_defer(mark_ended, c);
	atomic_fetch_add(&c->done, 1);
	switch (c->what) {
	case 0:
		CHECK(!go_timer_stop(t));       /* it has fired */
		break;
	case 1:
		if (atomic_load(&c->done) < 3)
			CHECK(!go_timer_reset(t, 0));
		break;
	case 2:
		go_timer_free(t);
		go_sleep(GO_MILLISECOND);
		break;
	case 3:
		go_timer_free(t);
		go_exit();
	case 4:
		CHECK(!go_timer_reset(t, GO_HOUR) && go_timer_stop(t));
		break;
	}
}

/* "Stops and frees it; the timer's own function may do so": and stop, reset and exit. */
TEST(a_timer_s_function_may_do_anything_with_it) {
	for (int i = 0; i < 5; i++) {
		struct call c = {.what = i};
		int times = i == 1 ? 3 : 1;

		c.t = go_after_func(GO_HOUR, handle_itself, &c);
		CHECK(go_timer_reset(c.t, GO_MICROSECOND));
		atomic_store(&c.ready, 1);
		wait_until(atomic_load(&c.ended) == times);
		CHECK_EQ(c.done, times);
		if (i != 2 && i != 3)
			go_timer_free(c.t);
	}
}

struct timers { go_timer *t, *f; atomic_int n; };

static void *make_timers(void *arg) {
	struct timers *s = arg;

	s->t = go_timer_new(GO_MILLISECOND);
	s->f = go_after_func(GO_MILLISECOND, count, &s->n);
	return NULL;
}
static void make_and_end(void *arg) { make_timers(arg); }
static void *free_timers(void *arg) {
	struct timers *s = arg;

	go_timer_free(s->t);
	go_timer_free(s->f);
	return NULL;
}

/* Timers belong to nobody in particular: whoever made them may end, anybody may free them. */
TEST(timers_outlive_the_goroutine_or_thread_that_made_them) {
	for (int i = 0; i < 4; i++) {
		struct timers s = {NULL, NULL, 0};
		go_waitgroup wg = GO_WAITGROUP_INIT;

		if (i % 2 == 0)
			on_a_thread(make_timers, &s);
		else
			go_wg_spawn(&wg, make_and_end, &s);
		go_wg_wait(&wg);
		CHECK(go_recv(go_timer_c(s.t), NULL));
		wait_until(atomic_load(&s.n) == 1);
		if (i < 2)
			on_a_thread(free_timers, &s);
		else
			free_timers(&s);
	}
}

/* "Starts fn(arg) in a goroutine": none before, "once": each reset starts one more. */
TEST(pending_timers_are_no_goroutines) {
	atomic_int n = 0;
	int before = go_count();
	go_timer *t[3] = {
		go_timer_new(GO_HOUR), go_ticker_new(GO_HOUR), go_after_func(GO_HOUR, count, &n)
	};

	CHECK_EQ(go_count(), before);
	for (int i = 1; i <= 10; i++) {
		go_timer_reset(t[2], i % 2 == 0 ? 0 : INT64_MIN);
		wait_until(atomic_load(&n) == i);
	}
	for (int i = 0; i < 3; i++)
		go_timer_free(t[i]);
	wait_until(go_count() <= before);
	CHECK_EQ(n, 10);
}

CHILD(start_a_null_function) {
	go_timer *t = go_after_func(0, NULL, NULL);

	go_sleep(5 * GO_SECOND);
	go_timer_free(t);
	return 0;
}

/* "A NULL fn is fatal", as for go_spawn. */
TEST(a_null_function_is_fatal) { CHECK_DIES(start_a_null_function, NULL, "go of nil func value"); }

static void done_once_too_often(void *arg) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	(void)arg;
	go_wg_done(&wg);
}

CHILD(panic_in_a_timer) {
	go_after_func(0, done_once_too_often, NULL);
	go_sleep(GO_HOUR);
	return 0;
}

TEST(a_panic_in_a_timer_s_function_ends_the_process) {
	CHECK_DIES(panic_in_a_timer, NULL, "panic: sync: negative WaitGroup counter");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(timers_work_at_every_place),
	cmocka_unit_test(sleeping_works_at_every_place),
	cmocka_unit_test(a_done_context_does_not_shorten_sleep_or_timers),
	cmocka_unit_test(the_channel_looks_empty_though_a_value_waits),
	cmocka_unit_test(what_fired_unreceived_is_active_and_then_gone),
	cmocka_unit_test(a_ticker_is_active_until_stopped),
	cmocka_unit_test(a_refused_period_changes_nothing_at_any_place),
	cmocka_unit_test(a_timer_s_function_inherits_nothing),
	cmocka_unit_test(a_timer_s_function_may_do_anything_with_it),
	cmocka_unit_test(timers_outlive_the_goroutine_or_thread_that_made_them),
	cmocka_unit_test(pending_timers_are_no_goroutines),
	cmocka_unit_test(a_null_function_is_fatal),
	cmocka_unit_test(a_panic_in_a_timer_s_function_ends_the_process),
};

SUPPORT_MAIN(tests)
