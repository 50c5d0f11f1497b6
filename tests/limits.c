/* SPDX-License-Identifier: MIT */
/*
 * limits.c - what the runtime refuses: bad configuration, too many threads, calls in the wrong
 * place, and anything but exec and _exit after fork.
 */
#include "support.h"

/* ------------------------------------------------------------ configuration --- */

static int refused(int which) {
	go_config cfg = GO_CONFIG_INIT;

	switch (which) {
	case 0: cfg.size = 0; break;
	case 1: cfg.size = 4; break;
	case 2: cfg.procs = -1; break;
	case 3: cfg.max_threads = -1; break;
	case 4: cfg.stack_size = SIZE_MAX; break;
	case 5: cfg.stack_size = SIZE_MAX / 2; break;
	case 6: cfg.flags = UINT32_C(1) << 31; break;
	default: return -1;
	}
	return go_init(&cfg);
}

CHILD_PLAIN(bad_then_good_config) {
	go_config cfg = GO_CONFIG_INIT;

	for (int i = 0; i < 7; i++) {
		if (refused(i) != -EINVAL) {
			fprintf(stderr, "case %d: %d\n", i, refused(i));
			return 1;
		}
	}
	cfg.procs = 2;
	if (go_init(&cfg) != 0)
		return 2;
	if (go_procs(0) != 2)
		return 3;
	return go_init(&cfg) == -EALREADY ? 0 : 4;
}

TEST(a_bad_configuration_is_refused_and_changes_nothing) {
	CHECK_LIVES(bad_then_good_config, NULL);
}

CHILD_PLAIN(config_after_start) {
	go_config cfg = GO_CONFIG_INIT;

	if (*arg == 'y')
		go_yield();
	if (go_procs(0) < 1)
		return 1;
	return go_init(&cfg) == -EALREADY ? 0 : 2;
}

CHILD(config_in_main) {
	go_config cfg = GO_CONFIG_INIT;

	return go_init(&cfg) == -EALREADY ? 0 : 2;
}

TEST(configuring_a_running_runtime_is_refused) {
	CHECK_LIVES(config_after_start, "");
	CHECK_LIVES(config_after_start, "yield");
	CHECK_LIVES(config_in_main, NULL);
}

CHILD_PLAIN(any_runtime_use) {
	return go_procs(0) >= 1 ? 0 : 1;
}

TEST(a_senseless_number_of_procs_is_named) {
	static const char *const values[] = {"banana", "0", "-2", "3x", "99999999999999", "1.5"};

	for (int i = 0; i < 6; i++) {
		char setting[64];
		const char *env[] = {setting, NULL};
		struct support_result r;

		snprintf(setting, sizeof setting, "GORO_PROCS=%s", values[i]);
		support_child_env(any_runtime_use, NULL, env, &r);
		CHECK_MSG(r.signal == 0 && strstr(r.err, "GORO_PROCS") && strstr(r.err, values[i]),
			  "GORO_PROCS=%s: status %d, signal %d, stderr: %s", values[i], r.status,
			  r.signal, r.err);
		support_free(&r);
	}
}

/* ------------------------------------------------------------ threads --- */

static void *stay(void *arg) {
	usleep(3 * 1000 * 1000);
	return arg;
}

static void stay_in_a_section(void *arg) { go_blocking(stay, arg); }
static void stay_unannounced(void *arg) { stay(arg); }

static void stay_pinned(void *arg) {
	go_lock_thread();
	go_sleep(3 * GO_SECOND);
	go_yield();
	(void)arg;
}

static int start_stayers(void *arg) {
	const char *how = arg;

	for (int i = 0; i < 60; i++) {
		go_spawn(strcmp(how, "section") == 0 ? stay_in_a_section :
			 strcmp(how, "pinned") == 0 ? stay_pinned : stay_unannounced, NULL);
		go_yield();
	}
	go_sleep(10 * GO_SECOND);
	return 7;
}

CHILD_PLAIN(too_many_threads) {
	go_config cfg = GO_CONFIG_INIT;
	char how[16];

	cfg.procs = 2;
	cfg.max_threads = 20;
	snprintf(how, sizeof how, "%s", arg);
	return go_init(&cfg) == 0 ? go_run(start_stayers, how) : 8;
}

/* TestThreadExhaustion */
TEST(too_many_threads_are_a_clear_error) {
	static const char *const how[] = {"section", "pinned", "unannounced"};

	for (int i = 0; i < 3; i++) {
		struct support_result r;

		support_child(too_many_threads, how[i], &r);
		CHECK_MSG(r.status == 2 && strstr(r.err, "fatal error: thread exhaustion\n") &&
			  strstr(r.err, "runtime: program exceeds 20-thread limit\n"),
			  "%s: status %d, signal %d%s, stderr:\n%s", how[i], r.status, r.signal,
			  r.timed_out ? ", timed out" : "", r.err);
		support_free(&r);
	}
}

static void *stay_shortly(void *arg) {
	usleep(20 * 1000);
	return arg;
}

static void block_shortly(void *arg) {
	go_blocking(stay_shortly, NULL);
	go_wg_done(arg);
}

static int block_by_tens(void *arg) {
	(void)arg;
	for (int round = 0; round < 10; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 10);
		for (int i = 0; i < 10; i++)
			go_spawn(block_shortly, &wg);
		go_wg_wait(&wg);
	}
	return 0;
}

CHILD_PLAIN(threads_enough) {
	go_config cfg = GO_CONFIG_INIT;

	cfg.procs = 2;
	cfg.max_threads = 20;
	return go_init(&cfg) == 0 ? go_run(block_by_tens, NULL) : 8;
}

TEST(threads_are_used_again) {
	CHECK_LIVES(threads_enough, NULL);
}

/* ------------------------------------------------------------ wrong places --- */

static void *exit_here(void *arg) {
	(void)arg;
	go_exit();
}

CHILD_PLAIN(exit_on_a_thread) {
	pthread_t thread;

	if (*arg == 'm')
		exit_here(NULL);
	if (pthread_create(&thread, NULL, exit_here, NULL) == 0)
		pthread_join(thread, NULL);
	return 7;
}

TEST(go_exit_on_a_plain_thread_is_a_panic) {
	CHECK_DIES(exit_on_a_thread, "main", "panic: ");
	CHECK_DIES(exit_on_a_thread, "thread", "go_exit");
}

static void *receive_there(void *arg) {
	go_chan_recv(arg, NULL);
	return NULL;
}

CHILD(block_inside_a_section) {
	go_ch *c = go_chan_make(0, 0);

	if (*arg == 'c')
		go_blocking(receive_there, c);
	go_block_begin();
	switch (*arg) {
	case 's': go_sleep(GO_MILLISECOND); break;
	case 'r': go_chan_recv(c, NULL); break;
	default: go_block_begin();
	}
	return 7;
}

TEST(blocking_in_the_library_inside_a_section_is_a_panic) {
	static const char *const how[] = {"call", "sleep", "receive"};

	for (int i = 0; i < 3; i++)
		CHECK_DIES(block_inside_a_section, how[i], "panic: ");
}

static void take_args(void *arg) { (void)arg; }

CHILD(copy_too_much) {
	static char args[513];

	go_spawn_copy(take_args, args, sizeof args);
	go_sleep(10 * GO_MILLISECOND);
	return 7;
}

TEST(more_than_512_bytes_of_arguments_are_a_panic) {
	CHECK_DIES(copy_too_much, NULL, "panic: ");
}

/* ------------------------------------------------------------ fork --- */

static int wait_for_child(pid_t pid) {
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 9;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

CHILD(fork_and_go_on) {
	go_ch *c = go_chan_make(0, 1);
	pid_t pid = fork();

	if (pid == 0) {
		alarm(20);
		switch (*arg) {
		case '_': _exit(5);
		case 'e': execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL); _exit(1);
		case 'y': go_yield(); break;
		case 's': go_sleep(GO_MILLISECOND); break;
		default: go_chan_recv(c, NULL);
		}
		_exit(3);
	}
	go_yield();
	return wait_for_child(pid);
}

TEST(after_fork_only_exec_and_exit_work) {
	static const struct { const char *what; int status; } cases[] = {
		{"_exit", 5}, {"exec", 6}, {"yield", 2}, {"sleep", 2}, {"recv", 2},
	};

	for (int i = 0; i < 5; i++) {
		struct support_result r;

		support_child(fork_and_go_on, cases[i].what, &r);
		CHECK_EQ(r.status, cases[i].status);
		if (cases[i].status == 2)
			CHECK_MSG(strstr(r.err, "fork") != NULL, "stderr: %s", r.err);
		support_free(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_bad_configuration_is_refused_and_changes_nothing),
	cmocka_unit_test(configuring_a_running_runtime_is_refused),
	cmocka_unit_test(a_senseless_number_of_procs_is_named),
	cmocka_unit_test(too_many_threads_are_a_clear_error),
	cmocka_unit_test(threads_are_used_again),
	cmocka_unit_test(go_exit_on_a_plain_thread_is_a_panic),
	cmocka_unit_test(blocking_in_the_library_inside_a_section_is_a_panic),
	cmocka_unit_test(more_than_512_bytes_of_arguments_are_a_panic),
	cmocka_unit_test(after_fork_only_exec_and_exit_work),
};

SUPPORT_MAIN(tests)
