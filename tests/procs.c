/* SPDX-License-Identifier: MIT */
/*
 * procs.c - the number of Ps, at the start and while everything runs, and go_run from threads.
 */
#include "support.h"

/* ------------------------------------------------------------ how many --- */

TEST(procs_returns_the_previous_number) {
	int procs = go_procs(0);

	CHECK(procs >= 1);
	CHECK_EQ(go_procs(-3), procs);
	CHECK_EQ(go_procs(3), procs);
	CHECK_EQ(go_procs(0), 3);
	CHECK_EQ(go_procs(3), 3);
	CHECK_EQ(go_procs(64), 3);
	CHECK_EQ(go_procs(1), 64);
	CHECK_EQ(go_procs(procs), 1);
	CHECK_EQ(go_procs(0), procs);
}

TEST(cpus_are_those_of_the_machine_at_most) {
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	CHECK_IN((uintmax_t)go_cpus(), 1, (uintmax_t)online);
}

CHILD_PLAIN(one_cpu_allowed) {
	cpu_set_t all, one;

	unsetenv("GORO_PROCS");
	if (sched_getaffinity(0, sizeof all, &all) != 0)
		return 10;
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	if (sched_setaffinity(0, sizeof one, &one) != 0)
		return 11;
	return go_cpus() == 1 && go_procs(0) == 1 ? 0 : 1;
}

TEST(the_affinity_mask_limits_cpus_and_the_default) {
	CHECK_LIVES(one_cpu_allowed, NULL);
}

static int procs_now(void *arg) {
	(void)arg;
	return go_procs(0);
}

CHILD_PLAIN(procs_by_environment) {
	return go_run(procs_now, NULL) == atoi(arg) ? 0 : 1;
}

TEST(the_environment_sets_the_number) {
	static const char *const numbers[] = {"1", "3", "17"};

	for (int i = 0; i < 3; i++) {
		char setting[64];
		const char *env[] = {setting, NULL};
		struct support_result r;

		snprintf(setting, sizeof setting, "GORO_PROCS=%s", numbers[i]);
		support_child_env(procs_by_environment, numbers[i], env, &r);
		CHECK_EQ(r.status, 0);
		CHECK_STR(r.err, "");
		support_free(&r);
	}
}

CHILD_PLAIN(procs_by_config) {
	go_config cfg = GO_CONFIG_INIT;

	cfg.procs = 5;
	cfg.max_threads = 100;
	cfg.stack_size = 512 << 10;
	return go_init(&cfg) == 0 && go_run(procs_now, NULL) == 5 ? 0 : 1;
}

TEST(the_configuration_wins_over_the_environment) {
	const char *env[] = {"GORO_PROCS=2", NULL};
	struct support_result r;

	support_child_env(procs_by_config, NULL, env, &r);
	CHECK_EQ(r.status, 0);
	support_free(&r);
}

/* ------------------------------------------------------------ under load --- */

enum { PAIRS = 12, GUARDS = 8 };

struct load {
	atomic_bool stop;
	atomic_llong sent, received, sleeps;
	go_mutex m;
	long long guarded, locked_times;
	go_waitgroup wg;
};

static void load_sender(struct load *l, go_sender(int) c) {
	int i = 0;

	while (!atomic_load(&l->stop)) {
		go_send(c, i++);
		atomic_fetch_add(&l->sent, 1);
		if (i % 16 == 0)
			go_yield();
	}
	go_close(c);
}
GO_TASK(load_sender, struct load *, go_sender(int));

static void load_receiver(struct load *l, go_chan(int) c) {
	int expected = 0;

	go_range(v, c) {
		CHECK_EQ(v, expected++);
		atomic_fetch_add(&l->received, 1);
	}
	go_unref(c);
}
GO_TASK(load_receiver, struct load *, go_chan(int));

static void load_guard(struct load *l) {
	while (!atomic_load(&l->stop)) {
		go_mutex_lock(&l->m);
		long long before = l->guarded++;
		go_yield();
		CHECK_EQ(l->guarded, before + 1);
		l->locked_times++;
		go_mutex_unlock(&l->m);
		go_sleep(10 * GO_MICROSECOND);
		atomic_fetch_add(&l->sleeps, 1);
	}
}
GO_TASK(load_guard, struct load *);

static void load_start(struct load *l) {
	for (int i = 0; i < PAIRS; i++) {
		go_chan(int) c = go_make(int, (size_t)i % 4);

		GO_WG(&l->wg, load_receiver, l, c);
		GO_WG(&l->wg, load_sender, l, go_send_only(c));
	}
	for (int i = 0; i < GUARDS; i++)
		GO_WG(&l->wg, load_guard, l);
}

static void load_stop(struct load *l) {
	atomic_store(&l->stop, true);
	go_wg_wait(&l->wg);
	CHECK_EQ(atomic_load(&l->sent), atomic_load(&l->received));
	CHECK(atomic_load(&l->sent) > 0);
	CHECK_EQ(l->guarded, l->locked_times);
}

TEST(procs_may_change_under_load) {
	struct support_rng rng = support_rng(1);
	int procs = go_procs(0), last = procs;
	struct load l = {0};

	load_start(&l);
	for (int64_t i = 0; i < support_scale(600); i++) {
		int n = 1 + support_below(&rng, i % 10 == 0 ? 64 : 8);
		long long sent = atomic_load(&l.sent);

		CHECK_EQ(go_procs(n), last);
		last = n;
		if (i % 20 == 0)
			wait_until(atomic_load(&l.sent) > sent);        /* nobody stands still */
		else if (i % 3 == 0)
			go_yield();
	}
	go_procs(procs);
	load_stop(&l);
}

static void *change_from_a_thread(void *arg) {
	struct support_rng rng = support_rng((uintptr_t)arg);

	for (int64_t i = 0; i < support_scale(200); i++)
		CHECK(go_procs(1 + support_below(&rng, 9)) >= 1);
	return NULL;
}

static void change_from_a_goroutine(void *arg) {
	change_from_a_thread(arg);
}

TEST(procs_may_be_changed_by_several_at_once) {
	static char salts[4];
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int procs = go_procs(0);
	pthread_t threads[2];
	struct load l = {0};

	load_start(&l);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(pthread_create(&threads[i], NULL, change_from_a_thread, &salts[i]), 0);
		go_wg_spawn(&wg, change_from_a_goroutine, &salts[2 + i]);
	}
	go_wg_wait(&wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	go_procs(procs);
	load_stop(&l);
}

static void count_sleep(void *arg) {
	go_sleep(GO_MILLISECOND);
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* Timers and run queues of the Ps that go must be taken over by those that stay. */
TEST(nothing_is_lost_when_ps_go) {
	int procs = go_procs(0), n = (int)support_scale(500), expected = 0;
	atomic_int woken = 0;

	for (int round = 0; round < 10; round++) {
		go_procs(16);
		for (int i = 0; i < n / 10 + 1; i++, expected++)
			go_spawn(count_sleep, &woken);
		go_yield();
		go_procs(1);
	}
	wait_until(atomic_load(&woken) == expected);
	go_procs(procs);
}

/* ------------------------------------------------------------ go_run --- */

static int twice(void *arg) {
	int n = *(int *)arg;

	CHECK(go_running());
	CHECK(go_id() != 0);
	go_yield();
	return 2 * n;
}

static void *run_often(void *arg) {
	(void)arg;
	for (int i = 0; i < (int)support_scale(300); i++)
		CHECK_EQ(go_run(twice, &i), 2 * i);
	CHECK(!go_running());
	return NULL;
}

TEST(threads_run_functions_as_goroutines) {
	pthread_t threads[6];

	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_often, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	wait_until(go_count() == 2);
}

static void receive_and_count(void *arg) {
	go_chan_recv(arg, NULL);
	go_chan_send(arg, NULL);
}

static int leave_one_behind(void *arg) {
	go_spawn(receive_and_count, arg);
	return go_count();
}

CHILD_PLAIN(runs_from_main) {
	go_ch *c = go_chan_make(0, 0);
	int bad = 0;

	bad += go_running() || go_id() != 0;
	for (int i = 0; i < 200; i++)
		bad += go_run(twice, &i) != 2 * i;
	bad += atomic_load(&support.failures) != 0;
	bad += go_run(leave_one_behind, c) < 2;
	go_chan_send(c, NULL);                  /* what go_run started goes on after it */
	bad += !go_chan_recv(c, NULL);
	for (int i = 0; i < 1000 && go_count() != 0; i++)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	bad += go_count() != 0;
	go_chan_unref(c);
	return bad;
}

TEST(a_plain_main_runs_goroutines_time_and_again) {
	CHECK_LIVES(runs_from_main, NULL);
}

static void notify(void *arg) { go_chan_send(arg, NULL); }

static void *lazy_thread(void *arg) {
	go_ch *c = go_chan_make(0, 0);

	(void)arg;
	go_spawn(notify, c);
	go_chan_recv(c, NULL);
	go_chan_unref(c);
	return NULL;
}

CHILD_PLAIN(many_threads_start_the_runtime) {
	pthread_t threads[16];

	for (int i = 0; i < 16; i++)
		if (pthread_create(&threads[i], NULL, lazy_thread, NULL) != 0)
			return 1;
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

TEST(the_first_call_starts_the_runtime_once) {
	for (int i = 0; i < 5; i++)
		CHECK_LIVES(many_threads_start_the_runtime, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(procs_returns_the_previous_number),
	cmocka_unit_test(cpus_are_those_of_the_machine_at_most),
	cmocka_unit_test(the_affinity_mask_limits_cpus_and_the_default),
	cmocka_unit_test(the_environment_sets_the_number),
	cmocka_unit_test(the_configuration_wins_over_the_environment),
	cmocka_unit_test(procs_may_change_under_load),
	cmocka_unit_test(procs_may_be_changed_by_several_at_once),
	cmocka_unit_test(nothing_is_lost_when_ps_go),
	cmocka_unit_test(threads_run_functions_as_goroutines),
	cmocka_unit_test(a_plain_main_runs_goroutines_time_and_again),
	cmocka_unit_test(the_first_call_starts_the_runtime_once),
};

SUPPORT_MAIN(tests)
