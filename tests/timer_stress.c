/* SPDX-License-Identifier: MIT */
/*
 * timer_stress.c - timers of all kinds, stopped, reset and freed by several at once while they fire
 * and others wait for them: no event is lost, doubled or late for its timer's life.
 */
#include "support.h"

static void spin_for(int64_t ns) {
	int64_t end = support_clock() + ns;

	while (support_clock() < end)
		;
}

/* ------------------------------------------------------------ conservation --- */

struct tally { atomic_int ran, stopped, started; };

static void count_run(void *arg) { atomic_fetch_add(&((struct tally *)arg)->ran, 1); }

/* Each start either runs its function, or is called off by exactly one stop or reset. */
static void start_and_stop(struct tally *y, uint64_t salt, int n) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < n; i++) {
		go_timer *t = go_after_func(support_below(&rng, 30) * GO_MICROSECOND, count_run, y);

		atomic_fetch_add(&y->started, 1);
		for (int k = support_below(&rng, 4); k > 0; k--) {
			spin_for(support_below(&rng, 20000));
			if (support_below(&rng, 2) == 0) {
				atomic_fetch_add(&y->stopped, go_timer_stop(t));
				continue;
			}
			atomic_fetch_add(&y->stopped, go_timer_reset(t, support_below(&rng, 20000)));
			atomic_fetch_add(&y->started, 1);
		}
		atomic_fetch_add(&y->stopped, go_timer_stop(t));
		go_timer_free(t);
		if (i % 8 == 0 && go_running())
			go_yield();
	}
}

static void start_and_stop_task(struct tally *y, uint64_t salt, int n, go_waitgroup *wg) {
	start_and_stop(y, salt, n);
	go_wg_done(wg);
}
GO_TASK(start_and_stop_task, struct tally *, uint64_t, int, go_waitgroup *);

struct thread_arg { struct tally *y; uint64_t salt; int n; };

static void *start_and_stop_thread(void *arg) {
	struct thread_arg *a = arg;

	start_and_stop(a->y, a->salt, a->n);
	return NULL;
}

TEST(every_start_runs_or_is_stopped_once) {
	struct tally y = {0, 0, 0};
	struct thread_arg args[2] = {{&y, 100, (int)support_scale(1000)}, {&y, 101, (int)support_scale(1000)}};
	go_waitgroup wg = GO_WAITGROUP_INIT;
	pthread_t threads[2];

	go_wg_add(&wg, 6);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, start_and_stop_thread, &args[i]), 0);
	for (uint64_t i = 0; i < 6; i++)
		GO(start_and_stop_task, &y, i, (int)support_scale(1000), &wg);
	go_wg_wait(&wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	wait_until(atomic_load(&y.ran) + atomic_load(&y.stopped) == atomic_load(&y.started) &&
		   go_count() == 2);
	support_settle();
	CHECK_EQ(atomic_load(&y.ran) + atomic_load(&y.stopped), atomic_load(&y.started));
}

/* ------------------------------------------------------------ one timer, many hands --- */

struct shared { go_timer *t; struct tally y; atomic_bool over; };

static void fiddle(struct shared *s, uint64_t salt, int n, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < n; i++) {
		switch (support_below(&rng, 4)) {
		case 0:
			atomic_fetch_add(&s->y.stopped, go_timer_stop(s->t));
			break;
		case 1:
			go_sleep(support_below(&rng, 20) * GO_MICROSECOND);
			break;
		default:
			atomic_fetch_add(&s->y.started, 1);
			atomic_fetch_add(&s->y.stopped,
					 go_timer_reset(s->t, support_below(&rng, 3) * 10000));
		}
	}
	go_wg_done(wg);
}
GO_TASK(fiddle, struct shared *, uint64_t, int, go_waitgroup *);

TEST(many_may_stop_and_reset_one_function) {
	struct shared s = {.over = false};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	s.t = go_after_func(GO_HOUR, count_run, &s.y);
	atomic_fetch_add(&s.y.started, 1);
	go_wg_add(&wg, 8);
	for (uint64_t i = 0; i < 8; i++)
		GO(fiddle, &s, i, (int)support_scale(4000), &wg);
	go_wg_wait(&wg);
	atomic_fetch_add(&s.y.stopped, go_timer_stop(s.t));
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&s.y.ran) + atomic_load(&s.y.stopped), atomic_load(&s.y.started));
	go_timer_free(s.t);
}

/* The same with a value instead of a run; the channel is made in the midst of it. */
static void take_values(struct shared *s, go_waitgroup *wg) {
	int rc;

	do {
		rc = go_recv_until(go_timer_c(s->t), NULL, go_now() + GO_MILLISECOND);
		CHECK(rc == 0 || rc == -ETIMEDOUT);
		atomic_fetch_add(&s->y.ran, rc == 0);
	} while (rc == 0 || !atomic_load(&s->over));
	go_wg_done(wg);
}
GO_TASK(take_values, struct shared *, go_waitgroup *);

TEST(many_may_stop_reset_and_receive_from_one_timer) {
	for (int round = 0; round < 5; round++) {
		struct shared s = {.over = false};
		go_waitgroup wg = GO_WAITGROUP_INIT, takers = GO_WAITGROUP_INIT;

		s.t = go_timer_new(0);
		atomic_fetch_add(&s.y.started, 1);
		go_wg_add(&wg, 4);
		go_wg_add(&takers, 4);
		for (uint64_t i = 0; i < 4; i++) {
			GO(fiddle, &s, i, (int)support_scale(1000), &wg);
			GO(take_values, &s, &takers);
		}
		go_wg_wait(&wg);
		atomic_fetch_add(&s.y.stopped, go_timer_stop(s.t));
		atomic_store(&s.over, true);
		go_wg_wait(&takers);
		CHECK_EQ(atomic_load(&s.y.ran) + atomic_load(&s.y.stopped), atomic_load(&s.y.started));
		go_timer_free(s.t);
		wait_until(go_count() == 2);
	}
}

/* ------------------------------------------------------------ no stale value --- */

enum { QUIET = 300, WATCHERS = 3, VALUES = 4000 };

struct watched {
	go_timer *t;
	go_chan(char) stop;
	atomic_int watchers;
	struct { int n; int64_t when[VALUES]; } got[WATCHERS];
	struct { int64_t from, to; } quiet[QUIET];
};

static void watch(struct watched *w) {
	int i = atomic_fetch_add(&w->watchers, 1), *n = &w->got[i].n;
	int64_t when;

	while (go_select(GO_RECV(go_timer_c(w->t), &when), GO_RECV(w->stop, NULL)) == 0)
		if (*n < VALUES)
			w->got[i].when[(*n)++] = when;
}
GO_TASK(watch, struct watched *);

static void check_values(const struct watched *w, int rounds) {
	for (int i = 0; i < WATCHERS; i++)
		for (int k = 0; k < w->got[i].n; k++)
			for (int r = 0; r < rounds; r++)
				CHECK(w->got[i].when[k] <= w->quiet[r].from ||
				      w->got[i].when[k] >= w->quiet[r].to);
}

/* Between a stop, or a reset to a far time, and the next reset no value is made. */
static void no_value_after_stop(bool ticks) {
	static struct watched w;
	struct support_rng rng = support_rng(3);
	int rounds = support_scale(QUIET) < QUIET ? (int)support_scale(QUIET) : QUIET;

	memset(&w, 0, sizeof w);
	w.stop = go_make(char, 0);
	w.t = ticks ? go_ticker_new(GO_MICROSECOND) : go_timer_new(0);
	for (int i = 0; i < WATCHERS; i++)
		GO(watch, &w);
	for (int r = 0; r < rounds; r++) {
		go_timer_reset(w.t, 1 + support_below(&rng, 10000));
		spin_for(support_below(&rng, 20000));
		if (r % 2 == 0)
			go_timer_stop(w.t);
		else
			go_timer_reset(w.t, GO_HOUR);
		w.quiet[r].from = go_now();
		CHECK(!go_tryrecv(go_timer_c(w.t), NULL));
		if (r % 4 < 2)
			support_settle();
		CHECK(!go_tryrecv(go_timer_c(w.t), NULL));
		w.quiet[r].to = go_now();
	}
	go_close(w.stop);
	wait_until(go_count() == 2);
	check_values(&w, rounds);
	go_timer_free(w.t);
	go_unref(w.stop);
}

TEST(selects_get_nothing_after_a_stop) {
	no_value_after_stop(false);
	no_value_after_stop(true);
}

/* ------------------------------------------------------------ made when asked for --- */

static void ask(go_timer *t, go_ch **c, go_waitgroup *wg) {
	*c = go_timer_chan(t);
	go_wg_done(wg);
}
GO_TASK(ask, go_timer *, go_ch **, go_waitgroup *);

TEST(all_who_ask_get_the_same_channel_and_the_value) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		int64_t start = go_now(), when = 0;
		go_timer *t = go_timer_new(i % 4 * GO_MICROSECOND);
		go_ch *c[4];

		go_wg_add(&wg, 4);
		for (int k = 0; k < 4; k++)
			GO(ask, t, &c[k], &wg);
		go_wg_wait(&wg);
		CHECK(c[0] != NULL && c[0] == c[1] && c[0] == c[2] && c[0] == c[3]);
		CHECK(go_recv(go_timer_c(t), &when));
		CHECK(when >= start + i % 4 * GO_MICROSECOND && when <= go_now());
		CHECK(!go_tryrecv(go_timer_c(t), NULL));
		go_timer_free(t);
	}
}

/* Fired, with nobody having asked: stop finds the value, reset drops it, a later question gets it. */
TEST(a_value_waits_for_the_channel) {
	int64_t start, when = 0, late;
	go_timer *t = go_timer_new(1);

	go_sleep(GO_MILLISECOND);
	CHECK(go_timer_stop(t));
	CHECK(!go_timer_stop(t));
	CHECK(!go_timer_reset(t, 1));
	go_sleep(GO_MILLISECOND);
	CHECK(go_timer_reset(t, 2));
	start = go_now();
	do {
		go_sleep(10 * GO_MILLISECOND);
		late = go_now();
	} while (late < start + 10 * GO_MILLISECOND);
	CHECK(go_recv(go_timer_c(t), &when));
	CHECK(when <= late);
	CHECK(!go_tryrecv(go_timer_c(t), NULL));
	CHECK(!go_timer_stop(t));
	go_timer_free(t);
}

/* ------------------------------------------------------------ freed --- */

static void churn(uint64_t salt, struct tally *y, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < (int)support_scale(2000); i++) {
		int64_t ns = support_below(&rng, 4) * 2000;
		go_timer *t = i % 3 == 0 ? go_ticker_new(ns + 1) :
			i % 3 == 1 ? go_timer_new(ns) : go_after_func(ns, count_run, y);

		if (support_below(&rng, 2) == 0)
			spin_for(support_below(&rng, 10000));
		if (support_below(&rng, 4) == 0 && go_timer_chan(t) != NULL)
			(void)go_select(GO_RECV(go_timer_c(t), NULL), GO_AFTER(2000));
		if (support_below(&rng, 8) == 0)
			go_yield();
		go_timer_free(t);
	}
	go_wg_done(wg);
}
GO_TASK(churn, uint64_t, struct tally *, go_waitgroup *);

/* Freed while they fire, on any P, and used again for another kind: the Ps change as well. */
TEST(timers_freed_while_they_fire_do_no_harm) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct tally y = {0, 0, 0};
	int procs = go_procs(0);

	go_wg_add(&wg, 8);
	for (uint64_t i = 0; i < 8; i++)
		GO(churn, i, &y, &wg);
	for (int i = 0; go_wg_wait_until(&wg, go_now() + GO_MILLISECOND) != 0; i++)
		go_procs(1 + i % 8);
	go_procs(procs);
	wait_until(go_count() == 2);
}

/* ------------------------------------------------------------ Ps that go --- */

static void leave_timers(go_timer **t, struct tally *y, go_waitgroup *wg) {
	for (int i = 0; i < 10; i++)
		t[i] = go_after_func((5 + i) * GO_MILLISECOND, count_run, y);
	spin_for(GO_MILLISECOND);
	go_sleep(8 * GO_MILLISECOND);
	go_wg_done(wg);
}
GO_TASK(leave_timers, go_timer **, struct tally *, go_waitgroup *);

TEST(timers_of_processors_that_are_gone_fire) {
	go_timer *t[16][10];
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct tally y = {0, 0, 0};
	int procs = go_procs(8);

	go_wg_add(&wg, 16);
	for (int i = 0; i < 16; i++)
		GO(leave_timers, t[i], &y, &wg);
	for (int i = 0; i < 3; i++)
		go_yield();
	spin_for(2 * GO_MILLISECOND);
	go_procs(1);
	go_wg_wait(&wg);
	wait_until(atomic_load(&y.ran) == 160 && go_count() == 2);
	CHECK_EQ(atomic_load(&y.ran), 160);
	for (int i = 0; i < 160; i++)
		go_timer_free(t[i / 10][i % 10]);
	go_procs(procs);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_start_runs_or_is_stopped_once),
	cmocka_unit_test(many_may_stop_and_reset_one_function),
	cmocka_unit_test(many_may_stop_reset_and_receive_from_one_timer),
	cmocka_unit_test(selects_get_nothing_after_a_stop),
	cmocka_unit_test(all_who_ask_get_the_same_channel_and_the_value),
	cmocka_unit_test(a_value_waits_for_the_channel),
	cmocka_unit_test(timers_freed_while_they_fire_do_no_harm),
	cmocka_unit_test(timers_of_processors_that_are_gone_fire),
};

SUPPORT_MAIN(tests)
