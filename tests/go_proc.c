/* SPDX-License-Identifier: MIT */
/*
 * go_proc.c - what Go's runtime/proc_test.go expects of its scheduler, retold.  Each test names the
 * one it follows; TestStackGrowth is from stack_test.go.  (The run queue's own are unit tests;
 * deadlocks, panics and thread limits are in deadlock.c, fatal.c and limits.c.)
 */
#include "support.h"

#include <sys/syscall.h>

/* ------------------------------------------------------------ changing procs --- */

static void for_ever(atomic_bool *stop, atomic_int *ended);
GO_TASK(for_ever, atomic_bool *, atomic_int *);
static void for_ever(atomic_bool *stop, atomic_int *ended) {
	if (atomic_load(stop))
		atomic_store(ended, 1);
	else
		GO(for_ever, stop, ended);
}

static void set_procs_often(go_waitgroup *wg) {
	for (int i = 0; i < (int)support_scale(1000); i++)
		go_procs(3);
	go_wg_done(wg);
}
GO_TASK(set_procs_often, go_waitgroup *);

/* TestStopTheWorldDeadlock */
TEST(setting_procs_does_not_stop_a_chain_of_spawns) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_bool stop = false;
	atomic_int ended = 0;
	int procs = go_procs(3);

	go_wg_add(&wg, 2);
	GO(set_procs_often, &wg);
	GO(set_procs_often, &wg);
	GO(for_ever, &stop, &ended);
	go_wg_wait(&wg);
	atomic_store(&stop, true);
	wait_until(atomic_load(&ended) == 1);
	go_procs(procs);
}

/* ------------------------------------------------------------ yielding --- */

static void yield_until_told(go_chan(char) c, go_chan(char) ack, bool locked) {
	if (locked)
		go_lock_thread();
	while (go_select(GO_RECV(c, NULL), GO_DEFAULT) == 1)
		go_yield();
	go_send(ack, 'a');
}
GO_TASK(yield_until_told, go_chan(char), go_chan(char), bool);

/* TestYieldProgress, TestYieldLockedProgress */
TEST(one_who_yields_for_ever_starves_nobody) {
	for (int locked = 0; locked < 2; locked++) {
		go_chan(char) c = go_make(char, 0), ack = go_make(char, 0);

		GO(yield_until_told, c, ack, locked);
		go_sleep(10 * GO_MILLISECOND);
		go_send(c, 'c');
		go_recv(ack, NULL);
		wait_until(go_count() == 2);
		go_unref(c);
		go_unref(ack);
	}
}

static void yield_locked(go_ch *c) {
	go_lock_thread();
	for (int i = 0; i < 10; i++) {
		go_yield();
		go_sleep(GO_MILLISECOND);
	}
	go_chan_send(c, NULL);          /* and it ends locked */
}
GO_TASK(yield_locked, go_ch *);

/* TestYieldLocked */
TEST(a_locked_goroutine_yields_and_sleeps) {
	go_ch *c = go_chan_make(0, 0);

	GO(yield_locked, c);
	go_chan_recv(c, NULL);
	wait_until(go_count() == 2);
	go_chan_unref(c);
}

static void send_locked(go_ch *c) {
	go_lock_thread();
	for (int i = 0; i < 10; i++)
		go_chan_send(c, NULL);
	go_unlock_thread();
}
GO_TASK(send_locked, go_ch *);

/* TestBlockLocked */
TEST(a_locked_goroutine_sends) {
	go_ch *c = go_chan_make(0, 0);

	GO(send_locked, c);
	for (int i = 0; i < 10; i++)
		go_chan_recv(c, NULL);
	wait_until(go_count() == 2);
	go_chan_unref(c);
}

/* ------------------------------------------------------------ in parallel --- */

enum { P = 4 };

/* Spins, without a call, until it is its turn; so all P must really run at the same time. */
static void take_turns(atomic_uint *x, unsigned p, go_waitgroup *wg) {
	for (unsigned i = 0; i < 3; i++) {
		while (atomic_load(x) != P * i + p)
			;
		atomic_store(x, P * i + p + 1);
	}
	go_wg_done(wg);
}
GO_TASK(take_turns, atomic_uint *, unsigned, go_waitgroup *);

/* TestGoroutineParallelism */
TEST(as_many_as_procs_run_at_the_same_time) {
	int procs = go_procs(P);

	for (int try = 0; try < 5; try++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		atomic_uint x = 0;

		go_wg_add(&wg, P);
		for (unsigned p = 0; p < P; p++)
			GO(take_turns, &x, p, &wg);
		go_wg_wait(&wg);
	}
	go_procs(procs);
}

static void meet_all(atomic_uint *x, go_waitgroup *wg) {
	atomic_fetch_add(x, 1);
	while (atomic_load(x) != P)
		;
	go_wg_done(wg);
}
GO_TASK(meet_all, atomic_uint *, go_waitgroup *);

static void start_two(atomic_uint *x, unsigned p, go_waitgroup *wg) {
	GO(take_turns, x, 2 * p, wg);
	GO(take_turns, x, 2 * p + 1, wg);
}
GO_TASK(start_two, atomic_uint *, unsigned, go_waitgroup *);

/* TestGoroutineParallelism2, with load */
TEST(so_do_those_started_in_a_nested_fashion_under_load) {
	int procs = go_procs(P);

	for (int try = 0; try < 5; try++) {
		go_waitgroup load = GO_WAITGROUP_INIT, wg = GO_WAITGROUP_INIT;
		atomic_uint met = 0, x = 0;

		go_wg_add(&load, P);
		for (int p = 0; p < P; p++)
			GO(meet_all, &met, &load);
		go_wg_wait(&load);
		go_wg_add(&wg, P);
		for (unsigned p = 0; p < P / 2; p++)
			GO(start_two, &x, p, &wg);
		go_wg_wait(&wg);
	}
	go_procs(procs);
}

/* ------------------------------------------------------------ timers beside work --- */

static void offer(go_chan(char) c, go_chan(char) done) {
	while (go_select(GO_SEND(c, 'x'), GO_RECV(done, NULL)) == 0)
		;
}
GO_TASK(offer, go_chan(char), go_chan(char));

/* TestTimerFairness */
TEST(a_timer_fires_beside_endless_channel_work) {
	go_chan(char) c = go_make(char, 0), done = go_make(char, 0);
	go_timer *t = go_timer_new(20 * GO_MILLISECOND);

	GO(offer, c, done);
	GO(offer, c, done);
	while (go_select(GO_RECV(c, NULL), GO_RECV(go_timer_c(t), NULL)) == 0)
		;
	go_close(done);
	wait_until(go_count() == 2);
	go_timer_free(t);
	go_unref(c);
	go_unref(done);
}

static void call_and_select(go_chan(char) c, go_waitgroup *wg) {
	go_timer *t = go_timer_new(20 * GO_MILLISECOND);

	do
		syscall(SYS_getppid);
	while (go_select(GO_SEND(c, 'x'), GO_RECV(c, NULL), GO_RECV(go_timer_c(t), NULL)) != 2);
	go_timer_free(t);
	go_wg_done(wg);
}
GO_TASK(call_and_select, go_chan(char), go_waitgroup *);

/* TestTimerFairness2 */
TEST(timers_fire_beside_endless_system_calls) {
	go_chan(char) c = go_make(char, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 2);
	GO(call_and_select, c, &wg);
	GO(call_and_select, c, &wg);
	go_wg_wait(&wg);
	go_unref(c);
}

/* ------------------------------------------------------------ preemption --- */

static void alternate(atomic_uint *x, unsigned me, go_waitgroup *wg) {
	for (int i = 0; i < 5; i++) {
		while (atomic_load(x) != me)
			;
		atomic_store(x, 1 - me);
	}
	go_wg_done(wg);
}
GO_TASK(alternate, atomic_uint *, unsigned, go_waitgroup *);

/* TestPreemption, on one P */
TEST(two_that_spin_for_each_other_alternate) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int procs = go_procs(1);
	atomic_uint x = 0;

	go_wg_add(&wg, 2);
	GO(alternate, &x, 0u, &wg);
	GO(alternate, &x, 1u, &wg);
	go_wg_wait(&wg);
	go_procs(procs);
}

static void spin(void *arg) {
	atomic_store((atomic_bool *)arg, true);
	for (volatile unsigned x = 0;; x = x + 1)
		;
}

CHILD(spin_on_one_p) {
	static atomic_bool spinning[2];

	go_spawn(spin, (void *)&spinning[0]);
	go_spawn(spin, (void *)&spinning[1]);
	while (!atomic_load(&spinning[0]) || !atomic_load(&spinning[1]))
		go_yield();
	for (int i = 0; i < 10; i++)
		go_yield();
	go_sleep(GO_MILLISECOND);
	return 0;
}

/* TestAsyncPreempt */
TEST(loops_without_calls_do_not_keep_main_from_ending) {
	static const char *const one[] = {"GORO_PROCS=1", NULL};
	struct support_result r;

	support_child_env(spin_on_one_p, NULL, one, &r);
	CHECK(r.status == 0 && !r.timed_out);
	support_free(&r);
}

static void open_and_close(void *arg) {
	while (!atomic_load((atomic_bool *)arg)) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		CHECK(fd >= 0);
		close(fd);
	}
}

/* TestGCFairness */
TEST(endless_system_calls_do_not_hold_a_sleeper_up) {
	int procs = go_procs(1);
	atomic_bool stop = false;

	for (int i = 0; i < 2; i++)
		go_spawn(open_and_close, &stop);
	go_sleep(50 * GO_MILLISECOND);
	atomic_store(&stop, true);
	wait_until(go_count() == 2);
	go_procs(procs);
}

static void call_for(int64_t ns, go_waitgroup *wg) {
	for (int i = 0; i < 200; i++) {
		struct timespec ts = {0, ns};

		nanosleep(&ts, NULL);
		for (volatile int k = 0; k < 1000; k = k + 1)
			;
	}
	go_wg_done(wg);
}
GO_TASK(call_for, int64_t, go_waitgroup *);

/* TestPreemptionAfterSyscall: 10, 100 and 1000 us in the kernel, time after time */
TEST(eight_that_call_the_kernel_all_end) {
	int procs = go_procs(2);

	for (int64_t ns = 10000; ns <= 1000000; ns *= 10) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 8);
		for (int i = 0; i < 8; i++)
			GO(call_for, ns, &wg);
		go_wg_wait(&wg);
	}
	go_procs(procs);
}

/* ------------------------------------------------------------ a pair of hogs --- */

struct pair { go_chan(char) wake, done; int limit; long count; };

static void hog_and_wake(struct pair *p) {
	char token;

	while (go_select(GO_RECV(p->done, NULL), GO_RECV(p->wake, &token)) == 1) {
		for (volatile int i = 0; i < p->limit; i = i + 1)
			;
		p->count += p->limit;
		if (go_select(GO_RECV(p->done, NULL), GO_SEND(p->wake, token)) == 0)
			return;
	}
}
GO_TASK(hog_and_wake, struct pair *);

static double hog_ratio(void) {
	go_chan(char) done = go_make(char, 0);
	struct pair hogs = {go_make(char, 0), done, 1000000, 0};
	struct pair light = {go_make(char, 0), done, 1000, 0};
	go_waitgroup wg = GO_WAITGROUP_INIT;
	double ratio;

	for (int i = 0; i < 2; i++) {
		GO_WG(&wg, hog_and_wake, &hogs);
		GO_WG(&wg, hog_and_wake, &light);
	}
	go_send(hogs.wake, 'h');
	go_send(light.wake, 'l');
	go_sleep(200 * GO_MILLISECOND);
	go_close(done);
	go_wg_wait(&wg);
	CHECK(hogs.count > 0);
	ratio = (double)hogs.count / (double)(light.count + 1);
	go_unref(hogs.wake);
	go_unref(light.wake);
	go_unref(done);
	return ratio;
}

/* TestPingPongHog, best of three, since other programs use the processor too */
TEST(a_pair_that_works_little_gets_its_share_beside_one_that_works_much) {
	bool fair = support_slowness() == 1;
	int procs = go_procs(1);
	double ratio = 0;

#ifdef GORO_HARD
	fair = false;           /* the hostile build yields at random, by count and not by time */
#endif
	for (int i = 0; i < 3; i++) {
		ratio = hog_ratio();
		if (ratio > 1.0 / 20 && ratio < 20)
			break;
	}
	if (fair)
		CHECK_MSG(ratio > 1.0 / 20 && ratio < 20, "one did %g times as much", ratio);
	go_procs(procs);
}

/* ------------------------------------------------------------ the number of goroutines --- */

static int dump_lines(void) {
	char name[] = "/tmp/goro-dump-XXXXXX", line[4096];
	int fd = mkstemp(name), n = 0;
	FILE *f;

	if (!CHECK(fd >= 0))
		return -1;
	unlink(name);
	go_dump(fd);
	f = fdopen(fd, "r");
	rewind(f);
	while (fgets(line, sizeof line, f) != NULL)
		n += strncmp(line, "goroutine ", 10) == 0;
	fclose(f);
	return n;
}

static void receive(void *arg) { go_chan_recv(arg, NULL); }

/* TestNumGoroutine */
TEST(the_dump_has_a_line_for_each_that_is_counted) {
	go_ch *c = go_chan_make(0, 0);

	wait_until(go_count() == 2);
	CHECK_EQ(dump_lines(), 2);
	for (int i = 0; i < 100; i++)
		go_spawn(receive, c);
	CHECK_EQ(dump_lines(), 102);            /* those that have not run yet, too */
	support_settle();
	CHECK_EQ(dump_lines(), go_count());
	go_chan_close(c);
	wait_until(go_count() == 2);
	CHECK_EQ(dump_lines(), 2);
	go_chan_unref(c);
}

static void nothing(void *arg) { (void)arg; }

CHILD(uses_everything_once) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_sleep(GO_MILLISECOND);
	go_timer_free(go_timer_new(GO_HOUR));
	go_wg_spawn(&wg, nothing, NULL);
	go_wg_wait(&wg);
	while (go_count() != 1)
		go_yield();
	return dump_lines() == 1 ? 0 : 1;
}

/* TestNoHelperGoroutines of crash_test.go */
TEST(the_runtime_has_no_goroutines_of_its_own) {
	CHECK_LIVES(uses_everything_once, NULL);
}

/* ------------------------------------------------------------ the rest --- */

CHILD(busy_on_many_ps) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < 100; i++)
		go_wg_spawn(&wg, nothing, NULL);
	go_wg_wait(&wg);
	return go_procs(0) == 1024 ? 0 : 1;
}

/* TestBigGOMAXPROCS */
TEST(a_thousand_ps_are_no_trouble) {
	static const char *const many[] = {"GORO_PROCS=1024", NULL};
	struct support_result r;

	support_child_env(busy_on_many_ps, NULL, many, &r);
	CHECK_MSG(r.status == 0, "status %d, signal %d: %s", r.status, r.signal, r.err);
	support_free(&r);
}

static __attribute__((noinline)) long grow(int depth, const long *above, go_chan(int) c) {
	volatile long here[16];
	long sum = *above;

	for (int i = 0; i < 16; i++)
		here[i] = depth + i;
	if (depth == 0)
		return sum;
	if (depth % 50 == 0)
		go_yield();
	if (depth % 75 == 0)
		go_send(c, depth);
	sum += grow(depth - 1, (const long *)&here[3], c);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(here[i], depth + i);
	return sum;
}

static void grow_and_shrink(go_chan(int) c, go_waitgroup *wg) {
	long one = 1;

	for (int depth = 0; depth <= 300; depth += 60) {
		long expected = 1 + (depth > 0 ? (long)depth * (depth + 1) / 2 + 3L * depth : 0);

		CHECK_EQ(grow(depth, &one, c), expected);
	}
	go_wg_done(wg);
}
GO_TASK(grow_and_shrink, go_chan(int), go_waitgroup *);

static void drain(go_chan(int) c, go_ch *done) {
	go_range(v, c)
		CHECK_EQ(v % 75, 0);
	go_chan_send(done, NULL);
}
GO_TASK(drain, go_chan(int), go_ch *);

/* TestStackGrowth: pointers into stacks that grow and shrink stay good. */
TEST(stacks_grow_and_shrink_under_pointers) {
	go_chan(int) c = go_make(int, 0);
	go_ch *done = go_chan_make(0, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = (int)support_scale(200);

	GO(drain, c, done);
	for (int i = 0; i < n; i++) {
		go_wg_add(&wg, 1);
		GO(grow_and_shrink, c, &wg);
	}
	go_wg_wait(&wg);
	go_close(c);
	go_chan_recv(done, NULL);
	go_unref(c);
	go_chan_unref(done);
}

static void end_locked(go_waitgroup *wg) {
	go_lock_thread();
	go_yield();
	go_wg_done(wg);
}
GO_TASK(end_locked, go_waitgroup *);

/* TestMexitSTW, with a change of procs for the stop of the world */
TEST(threads_end_while_procs_change) {
	int procs = go_procs(0);

	for (int i = 0; i < (int)support_scale(50); i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 10);
		for (int k = 0; k < 10; k++)
			GO(end_locked, &wg);
		go_procs(1 + i % 7);
		go_wg_wait(&wg);
	}
	go_procs(procs);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(setting_procs_does_not_stop_a_chain_of_spawns),
	cmocka_unit_test(one_who_yields_for_ever_starves_nobody),
	cmocka_unit_test(a_locked_goroutine_yields_and_sleeps),
	cmocka_unit_test(a_locked_goroutine_sends),
	cmocka_unit_test(as_many_as_procs_run_at_the_same_time),
	cmocka_unit_test(so_do_those_started_in_a_nested_fashion_under_load),
	cmocka_unit_test(a_timer_fires_beside_endless_channel_work),
	cmocka_unit_test(timers_fire_beside_endless_system_calls),
	cmocka_unit_test(two_that_spin_for_each_other_alternate),
	cmocka_unit_test(loops_without_calls_do_not_keep_main_from_ending),
	cmocka_unit_test(endless_system_calls_do_not_hold_a_sleeper_up),
	cmocka_unit_test(eight_that_call_the_kernel_all_end),
	cmocka_unit_test(a_pair_that_works_little_gets_its_share_beside_one_that_works_much),
	cmocka_unit_test(the_dump_has_a_line_for_each_that_is_counted),
	cmocka_unit_test(the_runtime_has_no_goroutines_of_its_own),
	cmocka_unit_test(a_thousand_ps_are_no_trouble),
	cmocka_unit_test(stacks_grow_and_shrink_under_pointers),
	cmocka_unit_test(threads_end_while_procs_change),
};

SUPPORT_MAIN(tests)
