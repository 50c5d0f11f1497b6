/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - the clock and sleeping: never early, never lost, whatever the duration.
 *
 * After Go's time/sleep_test.go (TestSleep, TestSleepZeroDeadlock, TestOverflowSleep) and
 * runtime/semasleep_test.go (TestSpuriousWakeupsNeverHangSemasleep).
 */
#include "support.h"

/* ------------------------------------------------------------ the clock --- */

static void watch_clock(void *arg) {
	int64_t last = go_now();

	for (int i = 0; i < (int)support_scale(2000); i++) {
		int64_t now = go_now();

		CHECK(now > 0 && now >= last);
		last = now;
		if (i % 16 == 0)
			go_yield();
	}
	go_wg_done(arg);
}

TEST(the_clock_is_positive_and_monotonic) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		go_spawn(watch_clock, &wg);
	go_wg_wait(&wg);
}

TEST(the_clock_runs_as_fast_as_the_systems) {
	int64_t system = support_clock(), ours = go_now();

	go_sleep(50 * GO_MILLISECOND);
	ours = go_now() - ours;
	system = support_clock() - system;
	CHECK_MSG(ours >= 50 * GO_MILLISECOND && ours <= system, "%jd ns by ours, %jd by the other",
		  (intmax_t)ours, (intmax_t)system);
}

/* ------------------------------------------------------------ never early --- */

static void sleep_once(int64_t ns) {
	int64_t ours = go_now(), system = support_clock();

	go_sleep(ns);
	CHECK(go_now() - ours >= ns);
	CHECK(support_clock() - system >= ns);
}

static void sleep_once_until(int64_t ns) {
	int64_t system = support_clock() + ns;          /* read before ours, however much before */
	int64_t deadline = go_now() + ns;

	go_sleep_until(deadline);
	CHECK(go_now() >= deadline);
	CHECK(support_clock() >= system);
}

static void sleep_at_random(uint64_t salt, go_waitgroup *wg) {
	static const int64_t most[] = {1000, 100 * 1000, 3 * GO_MILLISECOND};
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < 30; i++) {
		int64_t ns = support_below(&rng, (int)most[support_below(&rng, 3)]);

		if (i % 2 == 0)
			sleep_once(ns);
		else
			sleep_once_until(ns);
	}
	go_wg_done(wg);
}
GO_TASK(sleep_at_random, uint64_t, go_waitgroup *);

struct thread_sleeper { uint64_t salt; go_waitgroup *wg; };

static void *sleep_in_a_thread(void *arg) {
	struct thread_sleeper *s = arg;

	sleep_at_random(s->salt, s->wg);
	return NULL;
}

/* TestSleep */
TEST(nobody_wakes_early) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct thread_sleeper s[2] = {{1000, &wg}, {1001, &wg}};
	int n = SUPPORT_TSAN ? 50 : 300;
	pthread_t threads[2];

	go_wg_add(&wg, n + 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_a_thread, &s[i]), 0);
	for (int i = 0; i < n; i++)
		GO(sleep_at_random, (uint64_t)i, &wg);
	sleep_once(100 * GO_MILLISECOND);
	go_wg_wait(&wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void sleep_long(void *arg) {
	go_sleep(20 * GO_MILLISECOND);
	go_wg_done(arg);
}

TEST(a_crowd_of_sleepers_all_wake) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = support_max_goroutines() < 20000 ? 250 : 20000;

	go_wg_add(&wg, n);
	for (int i = 0; i < n; i++)
		go_spawn(sleep_long, &wg);
	go_wg_wait(&wg);
}

/* ------------------------------------------------------------ odd durations --- */

static void churn(void *arg) {
	for (int i = 0; i < 200; i++)
		go_yield();
	go_wg_done(arg);
}

/* TestSleepZeroDeadlock */
TEST(sleeping_for_nothing_returns_at_once) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	go_spawn(churn, &wg);
	for (int i = 0; i < 1000; i++) {
		go_sleep(0);
		go_sleep(-1);
		go_sleep(INT64_MIN);
		go_sleep_until(0);
		go_sleep_until(go_now());
		go_sleep_until(INT64_MIN);
	}
	go_wg_wait(&wg);
}

static void sleep_for_ever(int64_t ns) {
	go_sleep(ns);
	exit(3);
}
GO_TASK(sleep_for_ever, int64_t);

static void sleep_until_for_ever(int64_t deadline) {
	go_sleep_until(deadline);
	exit(4);
}
GO_TASK(sleep_until_for_ever, int64_t);

CHILD(sleep_too_long) {
	for (int64_t less = 0; less < 3; less++) {
		GO(sleep_for_ever, INT64_MAX - less);
		GO(sleep_for_ever, INT64_MAX - go_now() - less);
		GO(sleep_until_for_ever, INT64_MAX - less);
	}
	GO(sleep_for_ever, INT64_MAX / 2);
	for (int i = 0; i < 5; i++)
		go_sleep(10 * GO_MILLISECOND);
	return 0;
}

/* TestOverflowSleep */
TEST(the_longest_sleeps_do_not_overflow) {
	CHECK_LIVES(sleep_too_long, NULL);
}

/* ------------------------------------------------------------ idling --- */

static void ignore_signal(int sig) { (void)sig; }

static void *keep_signalling(void *arg) {
	while (!atomic_load((atomic_bool *)arg)) {
		kill(getpid(), SIGUSR1);
		nanosleep(&(struct timespec){0, 20 * 1000 * 1000}, NULL);
	}
	return NULL;
}

/* TestSpuriousWakeupsNeverHangSemasleep */
TEST(signals_neither_shorten_nor_prolong_a_sleep) {
	struct sigaction sa = {.sa_handler = ignore_signal}, old;
	atomic_bool stop = false;
	pthread_t thread;
	int64_t start;

	sigaction(SIGUSR1, &sa, &old);
	assert_int_equal(pthread_create(&thread, NULL, keep_signalling, (void *)&stop), 0);
	start = support_clock();
	sleep_once(300 * GO_MILLISECOND);
	CHECK(support_clock() - start < 10 * GO_SECOND);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	signal(SIGUSR1, SIG_IGN);       /* drops one that has found no thread yet */
	sigaction(SIGUSR1, &old, NULL);
}

CHILD(idle_for_a_second) {
	struct timespec cpu;

	go_sleep(GO_SECOND);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("%lld\n", (long long)cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000);
	return 0;
}

TEST(sleeping_uses_no_cpu) {
	struct support_result r;

	support_child(idle_for_a_second, NULL, &r);
	CHECK_EQ(r.status, 0);
	CHECK_MSG(r.nout > 0 && atol(r.out) < 300 * support_slowness(),
		  "ms of CPU time in a second: %s", r.out);
	support_free(&r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_clock_is_positive_and_monotonic),
	cmocka_unit_test(the_clock_runs_as_fast_as_the_systems),
	cmocka_unit_test(nobody_wakes_early),
	cmocka_unit_test(a_crowd_of_sleepers_all_wake),
	cmocka_unit_test(sleeping_for_nothing_returns_at_once),
	cmocka_unit_test(the_longest_sleeps_do_not_overflow),
	cmocka_unit_test(signals_neither_shorten_nor_prolong_a_sleep),
	cmocka_unit_test(sleeping_uses_no_cpu),
};

SUPPORT_MAIN(tests)
