/* SPDX-License-Identifier: MIT */
/*
 * timer_select.c - timers beside time limits and other channels; when nobody fetches a value, nobody
 * lets go of the processor, or nothing can happen any more; and who wakes first.
 */
#include <sys/time.h>

#include "support.h"

static int wait_for(go_timer *t, int64_t *when, int64_t deadline) {
	return go_select_until(deadline, GO_RECV(go_timer_c(t), when));
}

TEST(a_timer_and_a_deadline_in_one_select) {
	int64_t start = go_now(), when = 0;
	go_timer *t = go_timer_new(3 * GO_MILLISECOND);

	CHECK_EQ(wait_for(t, &when, start + GO_HOUR), 0);
	CHECK(when >= start + 3 * GO_MILLISECOND);
	CHECK(!go_timer_reset(t, GO_HOUR));
	start = go_now();
	CHECK_EQ(wait_for(t, &when, start + 2 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(go_now() >= start + 2 * GO_MILLISECOND);
	CHECK(go_timer_stop(t));
	go_timer_free(t);
}

TEST(a_timer_and_a_limit_in_one_select) {
	go_timer *t = go_timer_new(GO_MILLISECOND);

	CHECK_EQ(go_select(GO_AFTER(GO_HOUR), GO_RECV(go_timer_c(t), NULL)), 1);
	CHECK(!go_timer_reset(t, GO_HOUR));
	CHECK_EQ(go_select(GO_AFTER(GO_MILLISECOND), GO_RECV(go_timer_c(t), NULL)), 0);
	CHECK_EQ(go_select(GO_AFTER(0), GO_RECV(go_timer_c(t), NULL)), 0);
	CHECK_EQ(go_select(GO_RECV(go_timer_c(t), NULL), GO_AFTER(-1)), 1);
	CHECK(go_timer_reset(t, 0));
	go_sleep(GO_MILLISECOND);
	/* Fired or not, one of the two: what is there wins over a limit that has passed. */
	if (go_select(GO_AFTER(INT64_MIN), GO_RECV(go_timer_c(t), NULL)) == 0)
		CHECK(go_timer_stop(t));
	else
		CHECK(!go_timer_stop(t));
	go_timer_free(t);
}

/* Both due at the same time: exactly one counts, and the timer's value is there or was taken. */
TEST(a_timer_that_races_with_the_deadline_is_not_lost) {
	for (int i = 0; i < (int)support_scale(1000); i++) {
		int64_t deadline = go_now() + 20 * GO_MICROSECOND, when = 0;
		go_timer *t = go_timer_new(20 * GO_MICROSECOND);
		int rc = wait_for(t, &when, deadline);

		if (rc == 0)
			CHECK(!go_timer_stop(t) && when >= deadline);
		else if (i % 2 == 0)
			CHECK(go_timer_stop(t));
		else
			CHECK_EQ(wait_for(t, &when, go_now() + GO_MINUTE), 0);
		CHECK(!go_tryrecv(go_timer_c(t), NULL));
		go_timer_free(t);
	}
}

/* Nobody else on the processor gives the timer its chance: the monitor has to. */
TEST(who_polls_a_timer_gets_its_value) {
	int procs = go_procs(1);
	go_timer *t = go_timer_new(GO_MILLISECOND), *tick = go_ticker_new(GO_MILLISECOND);
	int64_t end = support_clock() + 60 * GO_SECOND;

	while (!go_tryrecv(go_timer_c(t), NULL) && support_clock() < end)
		;
	for (int n = 0; n < 3 && support_clock() < end;)
		n += go_tryselect(GO_RECV(go_timer_c(tick), NULL)) == 0;
	CHECK(support_clock() < end);
	go_procs(procs);
	go_timer_free(t);
	go_timer_free(tick);
}

/* ------------------------------------------------------------ for ever --- */

static void live(int sig) {
	(void)sig;
	_exit(0);
}

static void end_well_in(int ms) {
	struct itimerval it = {{0, 0}, {0, ms * 1000}};

	signal(SIGALRM, live);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void sleep_for_ever(int64_t ns) {
	go_sleep(ns);
	exit(3);
}
GO_TASK(sleep_for_ever, int64_t);

static void do_nothing(void *arg) { (void)arg; }

/* Go: somebody sleeps, be it for ever, so there is a timer and no deadlock. */
CHILD(waits_beside) {
	go_timer *t = go_after_func(INT64_MAX, do_nothing, NULL);

	end_well_in(400);
	if (*arg == 's')
		GO(sleep_for_ever, INT64_MAX);
	if (*arg == 'u')
		return go_select_until(INT64_MAX - 1, (go_case){.op = GO_OP_RECV});
	if (*arg != 'f')
		go_timer_free(t);
	go_chan_recv(NULL, NULL);
	return 1;
}

/* ThreadSanitizer holds the signal back that ends the child. */
TEST(what_comes_in_ages_is_no_deadlock) {
	if (SUPPORT_TSAN)
		skip();
	CHECK_LIVES(waits_beside, "sleeper");
	CHECK_LIVES(waits_beside, "function");
	CHECK_LIVES(waits_beside, "until");
	CHECK_DIES(waits_beside, "nobody", "all goroutines are asleep - deadlock!");
}

CHILD(waits_for_stopped) {
	go_timer *t = *arg == 'r' ? go_timer_new(0) : go_ticker_new(GO_MILLISECOND);

	if (*arg == 'r')
		go_recv(go_timer_c(t), NULL);
	else
		go_timer_stop(t);
	go_recv(go_timer_c(t), NULL);
	return 1;
}

TEST(waiting_for_a_stopped_timer_is_a_deadlock) {
	CHECK_DIES(waits_for_stopped, "received", "all goroutines are asleep - deadlock!");
	CHECK_DIES(waits_for_stopped, "stopped", "all goroutines are asleep - deadlock!");
}

/* ------------------------------------------------------------ order --- */

enum { SLEEPERS = 20 };

struct order { atomic_int n; int seen[SLEEPERS]; };

static void sleep_in_turn(struct order *o, int i, int64_t until) {
	go_sleep_until(until);
	o->seen[atomic_fetch_add(&o->n, 1)] = i;
}
GO_TASK(sleep_in_turn, struct order *, int, int64_t);

static bool in_order(struct support_rng *rng, int64_t gap) {
	int64_t start = go_now() + 20 * GO_MILLISECOND;
	struct order o = {.n = 0};
	int at[SLEEPERS];
	bool ordered = true;

	for (int i = 0; i < SLEEPERS; i++)
		at[i] = i;
	for (int i = SLEEPERS - 1; i > 0; i--) {
		int k = support_below(rng, i + 1), x = at[i];

		at[i] = at[k];
		at[k] = x;
	}
	for (int i = 0; i < SLEEPERS; i++)
		GO(sleep_in_turn, &o, at[i], start + at[i] * gap);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&o.n), SLEEPERS);
	for (int i = 0; i < SLEEPERS; i++)
		ordered = ordered && o.seen[i] == i;
	return ordered;
}

/*
 * Tried again with longer gaps: a busy machine stops one thread, and its processor goes on with the
 * next; in the hostile build, who wakes may yield.
 */
TEST(sleepers_wake_in_the_order_of_their_times) {
	struct support_rng rng = support_rng(0);
	int procs = go_procs(1);
	bool ok = false;

	for (int64_t gap = 1000; gap <= 100 * GO_MILLISECOND && !ok; gap *= 2)
		ok = in_order(&rng, gap);
	CHECK(ok);
	go_procs(procs);
}

/* ------------------------------------------------------------ misuse --- */

/* ASan sees the use of a timer that was freed. */
CHILD(use_after_free) {
	go_timer *t = go_timer_new(GO_HOUR), *volatile gone = t;

	go_timer_free(t);
	if (*arg == 's')
		go_timer_stop(gone);
	else if (*arg == 'r')
		go_timer_reset(gone, 1);
	else if (*arg == 'c')
		(void)go_timer_chan(gone);
	else
		go_timer_free(gone);
	return 0;
}

TEST(a_freed_timer_is_reported) {
	static const char *const uses[] = {"stop", "reset", "chan", "free"};

	if (!SUPPORT_ASAN)
		skip();
	for (int i = 0; i < 4; i++) {
		struct support_result r;

		support_child(use_after_free, uses[i], &r);
		CHECK(r.status != 0 && strstr(r.err, "heap-use-after-free") != NULL);
		support_free(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_timer_and_a_deadline_in_one_select),
	cmocka_unit_test(a_timer_and_a_limit_in_one_select),
	cmocka_unit_test(a_timer_that_races_with_the_deadline_is_not_lost),
	cmocka_unit_test(who_polls_a_timer_gets_its_value),
	cmocka_unit_test(what_comes_in_ages_is_no_deadlock),
	cmocka_unit_test(waiting_for_a_stopped_timer_is_a_deadlock),
	cmocka_unit_test(sleepers_wake_in_the_order_of_their_times),
	cmocka_unit_test(a_freed_timer_is_reported),
};

SUPPORT_MAIN(tests)
