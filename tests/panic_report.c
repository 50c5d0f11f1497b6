/* SPDX-License-Identifier: MIT */
/*
 * panic_report.c - what an uncaught panic prints, wherever it comes from, and that it does.
 *
 * After runtime/crash_test.go (TestPanicTraceback, TestPanicRace, TestMainGoroutineID) and
 * printpanics in runtime/panic.go.  That nothing but exit status 2 follows is CHECK_DIES's part.
 */
#include "support.h"

static void panic_with(void *arg) { go_panic("%s", (const char *)arg); }

/* ------------------------------------------------------------ the text --- */

static void pt2(const char *text) {
	go_defer(panic_with, "panic pt2");
	go_panic("%s", text);
}

static void pt1(const char *text) {
	go_defer(panic_with, "panic pt1");
	pt2(text);
}

CHILD(panics_in_deferred_calls) {
	pt1("hello");
	return 7;
}

/* TestPanicTraceback, TestMainGoroutineID */
TEST(replaced_panics_are_told_in_order) {
	CHECK_DIES(panics_in_deferred_calls, "",
		   "panic: hello\n\tpanic: panic pt2\n\tpanic: panic pt1\n\ngoroutine 1 [running]:\n");
}

static int depth;

static void panic_below(void *arg) {
	if (--depth == 0)
		go_panic("0");
	go_defer(panic_below, arg);
	go_panic("%d", depth);
}

CHILD(panics_forty_deep) {
	depth = 40;
	panic_below(NULL);
	return 7;
}

TEST(long_chains_are_told_from_the_first_to_the_last) {
	struct support_result r;
	int next = 40;

	support_child(panics_forty_deep, "", &r);
	CHECK_EQ(r.status, 2);
	for (char *line = r.err; line != NULL; line = strchr(line, '\n')) {
		int n;

		line += *line == '\n';
		if (sscanf(line, " panic: %d", &n) == 1)
			CHECK_EQ(n, --next);
	}
	CHECK_EQ(next, 0);
	CHECK(strncmp(r.err, "panic: 39\n\tpanic: 38\n", 21) == 0);
	support_free(&r);
}

CHILD(panics_in_lines) {
	go_panic("one\ntwo%s\n", arg);
}

/* Go 1.23: further lines are indented. */
TEST(further_lines_are_indented) {
	CHECK_DIES(panics_in_lines, "", "panic: one\n\ttwo\n\t\n\ngoroutine 1 ");
}

CHILD(panics_again) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	char copy[16];

	go_try(panic_with, "first", &info);
	snprintf(copy, sizeof copy, "%s", info.message);
	go_panic("%s", *arg == 's' ? info.message : copy);
}

/* Go 1.25: the mark is for who hands on what was caught, not for who happens to say the same. */
TEST(a_panic_raised_again_is_marked) {
	CHECK_DIES(panics_again, "same", "panic: first [recovered, repanicked]\n\ngoroutine 1 ");
	CHECK_DIES(panics_again, "other", "panic: first\n\ngoroutine 1 ");
}

static void raise_in_goroutine(void *arg) {
	panic_with(arg);
}

static void wait_for_ever(void *c) {
	go_set_name("bystander");
	go_chan_recv(c, NULL);
}

static void start_the_culprit(void *arg) {
	go_spawn(raise_in_goroutine, arg);
	go_sleep(30 * GO_SECOND);
}

CHILD(one_panics_while_others_wait) {
	char text[] = "oops";

	(void)arg;
	go_spawn(wait_for_ever, go_chan_make(0, 0));
	wait_until(support_parked("bystander", "chan receive") == 1);
	start_the_culprit(text);
	return 7;
}

TEST(others_are_told_if_wanted) {
	static const char *const all[] = {"GORO_TRACEBACK=all", NULL};
	struct support_result r;

	for (int i = 0; i < 2; i++) {
		support_child_env(one_panics_while_others_wait, "", i == 0 ? NULL : all, &r);
		CHECK_EQ(r.status, 2);
		CHECK(strncmp(r.err, "panic: oops\n\ngoroutine ", 23) == 0);
		CHECK(strstr(r.err, " [running]:\n") != NULL);
		CHECK(strstr(r.err, "\ncreated by ") != NULL);
		CHECK(strstr(r.err, " in goroutine 1\n") != NULL);
		CHECK_EQ(strstr(r.err, "bystander") != NULL, i == 1);
		support_free(&r);
	}
}

/* ------------------------------------------------------------ what was misused --- */

static go_ch *object;
static go_waitgroup group;
static go_mutex mutex;

static void misuse(const char *what) {
	bool closed = strstr(what, "clos") != NULL;
	int v = 0;

	object = go_chan_make(sizeof v, 3);
	fprintf(stdout, "%p", *what == 'w' ? (void *)&group : *what == 'm' ? (void *)&mutex : (void *)object);
	fflush(stdout);
	go_chan_send(object, &v);
	if (closed)
		go_chan_close(object);
	if (strcmp(what, "close closed") == 0)
		go_chan_close(object);
	if (strcmp(what, "send closed") == 0)
		go_chan_send(object, &v);
	if (strcmp(what, "select closed") == 0)
		go_select(GO_RECV((go_chan(int))NULL, NULL), GO_SEND((go_chan(int))object, 1));
	if (*what == 'w')
		go_wg_add(&group, -1);
	if (*what == 'm')
		go_mutex_unlock(&mutex);
}

CHILD(misuses) {
	misuse(arg);
	return 7;
}

static void check_object(const char *what, const char *before, const char *after) {
	struct support_result r;
	char expected[256];

	support_child(misuses, what, &r);
	snprintf(expected, sizeof expected, "%s%s%s\n\ngoroutine 1 ", before, r.out, after);
	CHECK_EQ(r.status, 2);
	CHECK_MSG(strncmp(r.err, expected, strlen(expected)) == 0, "%s: \"%s\", not \"%s\"", what,
		  r.err, expected);
	support_free(&r);
}

TEST(the_report_names_the_object) {
	static const char *const channel = " of 4-byte elements, 1 of 3 buffered";

	check_object("close closed", "panic: close of closed channel\n\tchannel ", channel);
	check_object("send closed", "panic: send on closed channel\n\tchannel ", channel);
	check_object("select closed", "panic: send on closed channel\n\tchannel ", channel);
	check_object("wg", "panic: sync: negative WaitGroup counter\n\tWaitGroup ", "");
	check_object("mutex", "fatal error: sync: unlock of unlocked mutex\n\tmutex ", "");
}

static void misuse_it(void *what) { misuse(what); }

TEST(go_try_tells_the_object_beside_the_text) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(misuse_it, "close closed", &info));
	CHECK_STR(info.message, "close of closed channel");
	CHECK(info.object == object);
	go_chan_unref(object);
	CHECK(!go_try(misuse_it, "wg", &info));
	CHECK_STR(info.message, "sync: negative WaitGroup counter");
	CHECK(info.object == &group);
	go_chan_unref(object);
	CHECK(!go_try(panic_with, "plain", &info));
	CHECK(info.object == NULL);
}

/* ------------------------------------------------------------ where --- */

static int panic_in_run(void *arg) {
	go_panic("%s", (const char *)arg);
}

static void *panic_in_blocking(void *arg) {
	go_panic("%s", (const char *)arg);
}

static void panic_in_section(void *arg) {
	go_block_begin();
	go_panic("%s", (const char *)arg);
}

static char oops[] = "oops";
static go_local local = GO_LOCAL_INIT(panic_with);

static void end_with_local(void *arg) { go_local_set(&local, arg); }

static void *on_a_thread(void *arg) {
	if (*(char *)arg == 'l')
		go_local_set(&local, oops);
	else
		go_panic("%s", oops);
	return NULL;
}

static void panic_on_a_thread(char *how) {
	pthread_t t;

	if (pthread_create(&t, NULL, on_a_thread, how) == 0)
		pthread_join(t, NULL);
	go_sleep(30 * GO_SECOND);
}

CHILD(panics_there) {
	static go_once once = GO_ONCE_INIT;
	static char local_there[] = "l", here[] = "h";

	if (strcmp(arg, "main") == 0)
		panic_with(oops);
	if (strcmp(arg, "once") == 0)
		go_once_do(&once, panic_with, oops);
	if (strcmp(arg, "timer") == 0)
		go_after_func(0, panic_with, oops);
	if (strcmp(arg, "run") == 0)
		go_run(panic_in_run, oops);
	if (strcmp(arg, "blocking") == 0)
		go_blocking(panic_in_blocking, oops);
	if (strcmp(arg, "section") == 0)
		panic_in_section(oops);
	if (strcmp(arg, "local") == 0)
		go_spawn(end_with_local, oops);
	if (strcmp(arg, "overwritten local") == 0)
		go_local_set(&local, oops), go_local_set(&local, NULL);
	if (strcmp(arg, "thread") == 0)
		panic_on_a_thread(here);
	if (strcmp(arg, "local of a thread") == 0)
		panic_on_a_thread(local_there);
	go_sleep(30 * GO_SECOND);
	return 7;
}

TEST(a_panic_anywhere_is_told_with_its_goroutine) {
	static const char *const where[] = {"main", "once", "timer", "run", "blocking", "section",
					    "local", "overwritten local", "thread",
					    "local of a thread"};

	for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
		bool thread = strstr(where[i], "thread") != NULL;
		struct support_result r;

		support_child(panics_there, where[i], &r);
		CHECK_MSG(r.status == 2 && strncmp(r.err, "panic: oops\n", 12) == 0 &&
			  strstr(r.err, thread ? "\nthread " : "\ngoroutine ") != NULL &&
			  strstr(r.err, " [running]:\n\t") != NULL,
			  "%s: status %d, stderr:\n%s", where[i], r.status, r.err);
		CHECK_EQ(strstr(r.err, "\tinside go_blocking:\n\t") != NULL,
			 strcmp(where[i], "blocking") == 0);
		support_free(&r);
	}
}

/* ------------------------------------------------------------ main returns meanwhile --- */

static void done_then_panic(void *arg) {
	go_defer_done((go_waitgroup *)arg);
	go_panic("crash");
}

static void yield_a_little(void *arg) {
	(void)arg;
	for (int i = 0; i < 20; i++)
		go_yield();
	go_sleep(GO_MILLISECOND);
}

static void done_and_more_then_panic(void *arg) {
	go_defer(yield_a_little, NULL);
	done_then_panic(arg);
}

CHILD(main_ends_while_another_panics) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	go_spawn(*arg == 'm' ? done_and_more_then_panic : done_then_panic, &wg);
	go_wg_wait(&wg);
	return 0;
}

/* TestPanicRace; there most of the texts arrive, here all. */
TEST(main_s_end_does_not_stop_a_panic) {
	for (int i = 0; i < 10; i++)
		CHECK_DIES(main_ends_while_another_panics, i % 2 == 0 ? "" : "more",
			   "panic: crash\n\ngoroutine ");
}

static int panic_there(void *arg) { go_panic("%s", (const char *)arg); }

CHILD_PLAIN(a_plain_main_runs_one_that_panics) {
	return go_run(panic_there, (void *)(uintptr_t)arg);
}

TEST(go_run_does_not_return_from_a_panic) {
	for (int i = 0; i < 20; i++)
		CHECK_DIES(a_plain_main_runs_one_that_panics, "crash", "panic: crash\n\ngoroutine ");
}

static void wait_in_vain(void *arg) {
	(void)arg;
	go_chan_recv(NULL, NULL);
}

static void never_panics(void *wg) {
	go_defer(wait_in_vain, NULL);
	go_defer_done((go_waitgroup *)wg);
	go_panic("never told");
}

CHILD(main_ends_while_a_deferred_call_hangs) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	(void)arg;
	go_wg_add(&wg, 1);
	go_spawn(never_panics, &wg);
	go_wg_wait(&wg);
	return 0;
}

TEST(a_panic_whose_deferred_call_hangs_does_not_hold_main_for_ever) {
	CHECK_LIVES(main_ends_while_a_deferred_call_hangs, "");
}

CHILD(main_ends_while_many_print) {
	for (int i = 0; i < 20; i++)
		go_spawn(panic_with, oops);
	for (int i = atoi(arg); i > 0; i--)
		go_yield();
	return 0;
}

TEST(a_report_begun_is_finished) {
	for (int i = 0; i < 10; i++) {
		struct support_result r;
		const char *begin;

		support_child(main_ends_while_many_print, i % 2 == 0 ? "0" : "2", &r);
		begin = strstr(r.err, "panic: ");
		CHECK_EQ(begin != NULL, r.status == 2);
		CHECK(begin != NULL || r.status == 0);
		if (begin != NULL) {
			CHECK(strstr(begin, "\ncreated by ") != NULL);
			CHECK(strstr(begin + 1, "panic: ") == NULL);
			CHECK_EQ(r.err[r.nerr - 1], '\n');
		}
		support_free(&r);
	}
}

/* ------------------------------------------------------------ threads that end --- */

static void never(void *arg) { (void)arg; abort(); }

static void leave_the_thread(void *arg) {
	go_deferred d = {never, arg, NULL};

	go__defer_push(&d);             /* as of a block compiled without exceptions */
	pthread_exit(NULL);
}

static void try_to_leave(void *arg) {
	CHECK(go_try(leave_the_thread, arg, NULL));
}

static void *leave_while_trying(void *key) {
	pthread_setspecific(*(pthread_key_t *)key, "destructor");
	go_try(try_to_leave, NULL, NULL);
	return NULL;
}

static void panic_at_the_end(void *arg) { go_panic("%s", (const char *)arg); }

/* The key is older than the library's, so its destructor comes before that. */
CHILD_PLAIN(a_thread_panics_after_pthread_exit) {
	pthread_key_t key;
	pthread_t t;

	(void)arg;
	if (pthread_key_create(&key, panic_at_the_end) != 0 ||
	    pthread_create(&t, NULL, leave_while_trying, &key) != 0)
		return 3;
	pthread_join(t, NULL);
	return 0;
}

TEST(a_thread_that_ends_leaves_no_go_try_behind) {
	CHECK_DIES(a_thread_panics_after_pthread_exit, "", "panic: destructor\n\nthread ");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(replaced_panics_are_told_in_order),
	cmocka_unit_test(long_chains_are_told_from_the_first_to_the_last),
	cmocka_unit_test(further_lines_are_indented),
	cmocka_unit_test(a_panic_raised_again_is_marked),
	cmocka_unit_test(others_are_told_if_wanted),
	cmocka_unit_test(the_report_names_the_object),
	cmocka_unit_test(go_try_tells_the_object_beside_the_text),
	cmocka_unit_test(a_panic_anywhere_is_told_with_its_goroutine),
	cmocka_unit_test(main_s_end_does_not_stop_a_panic),
	cmocka_unit_test(go_run_does_not_return_from_a_panic),
	cmocka_unit_test(a_panic_whose_deferred_call_hangs_does_not_hold_main_for_ever),
	cmocka_unit_test(a_report_begun_is_finished),
	cmocka_unit_test(a_thread_that_ends_leaves_no_go_try_behind),
};

SUPPORT_MAIN(tests)
