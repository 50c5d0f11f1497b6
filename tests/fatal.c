/* SPDX-License-Identifier: MIT */
/*
 * fatal.c - how misuse ends a process: the texts, the report, exit status 2 or a core.
 *
 * After Go's sync/mutex_test.go (TestMutexMisuse) and runtime/crash_test.go (TestGoNil,
 * TestPanicTraceback, TestThreadExhaustion, TestDoublePanic).  Deadlocks are in deadlock.c, stack
 * overflows in overflow.c, what else panics print in panic_report.c.
 */
#include "support.h"

/* ------------------------------------------------------------ misuse --- */

static void nothing(void *arg) { (void)arg; }

static void unlock_unlocked(void *arg) {
	go_mutex m = GO_MUTEX_INIT;

	(void)arg;
	go_mutex_unlock(&m);
}

static void unlock_twice(void *arg) {
	go_mutex m = GO_MUTEX_INIT;

	(void)arg;
	go_mutex_lock(&m);
	go_mutex_unlock(&m);
	go_mutex_unlock(&m);
}

static void count_below_zero(void *arg) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	(void)arg;
	go_wg_add(&wg, 2);
	go_wg_add(&wg, -3);
}

static void close_nil(void *arg) { (void)arg; go_chan_close(NULL); }

static void close_twice(void *arg) {
	go_chan(int) c = go_make(int, 0);

	(void)arg;
	go_close(c);
	go_close(c);
}

static void send_on_closed(void *arg) {
	go_chan(int) c = go_make(int, 1);

	(void)arg;
	go_close(c);
	go_send(c, 1);
}

static void select_on_closed(void *arg) {
	go_chan(int) c = go_make(int, 0);

	(void)arg;
	go_close(c);
	go_select(GO_SEND(c, 1), GO_RECV((go_chan(int))NULL, NULL));
}

static void close_later(void *arg) {
	go_sleep(GO_MILLISECOND);
	go_chan_close(arg);
}

static void blocked_send_on_closed(void *arg) {
	go_ch *c = go_chan_make(0, 0);

	(void)arg;
	go_spawn(close_later, c);
	go_chan_send(c, NULL);
}

static void make_too_large(void *arg) { (void)arg; go_chan_make(16, SIZE_MAX / 8); }
static void make_overflowing(void *arg) { (void)arg; go_chan_make(SIZE_MAX / 2 + 2, 2); }
static void ticker_of_zero(void *arg) { (void)arg; go_ticker_new(0); }
static void reset_to_zero(void *arg) { (void)arg; go_timer_reset(go_ticker_new(GO_HOUR), 0); }
static void spawn_null(void *arg) { go_spawn(NULL, arg); }
static void spawn_copy_null(void *arg) { go_spawn_copy(NULL, &arg, sizeof arg); }

static void wg_spawn_null(void *arg) {
	static go_waitgroup wg;

	go_wg_spawn(&wg, NULL, arg);
}

static void copy_too_much(void *arg) {
	static const char args[513];

	go_spawn_copy(nothing, args, arg == NULL ? sizeof args : 0);
}

static void wg_copy_too_much(void *arg) {
	static const char args[513];
	static go_waitgroup wg;

	go_wg_spawn_copy(&wg, nothing, args, arg == NULL ? sizeof args : 0);
}

static void select_too_few(void *arg) { go_selectv(arg, -1, GO_FOREVER); }

static void select_nonsense(void *arg) {
	go_case c[2] = {{.chan = arg, .op = GO_OP_RECV}, {.op = 99}};

	go_selectv(c, 2, GO_FOREVER);
}

static void panic_plainly(void *arg) { (void)arg; go_panic("boom %d of %s", 42, "forty"); }

static const struct misuse { const char *name, *text; go_fn fn; } misuses[] = {
	{"unlock", "fatal error: sync: unlock of unlocked mutex\n", unlock_unlocked},
	{"unlock twice", "fatal error: sync: unlock of unlocked mutex\n", unlock_twice},
	{"spawn", "fatal error: go of nil func value\n", spawn_null},
	{"spawn copy", "fatal error: go of nil func value\n", spawn_copy_null},
	{"wg spawn", "fatal error: go of nil func value\n", wg_spawn_null},
	{"count", "panic: sync: negative WaitGroup counter\n", count_below_zero},
	{"close nil", "panic: close of nil channel\n", close_nil},
	{"close twice", "panic: close of closed channel\n", close_twice},
	{"send", "panic: send on closed channel\n", send_on_closed},
	{"select", "panic: send on closed channel\n", select_on_closed},
	{"blocked send", "panic: send on closed channel\n", blocked_send_on_closed},
	{"make", "panic: makechan: size out of range\n", make_too_large},
	{"make more", "panic: makechan: size out of range\n", make_overflowing},
	{"ticker", "panic: non-positive interval for NewTicker\n", ticker_of_zero},
	{"reset", "panic: non-positive interval for Ticker.Reset\n", reset_to_zero},
	{"copy", "panic: go_spawn_copy: 513 bytes of arguments, at most 512\n", copy_too_much},
	{"wg copy", "panic: go_wg_spawn_copy: 513 bytes of arguments, at most 512\n", wg_copy_too_much},
	{"cases", "panic: go_selectv: -1 cases\n", select_too_few},
	{"case", "panic: go_selectv: case 1 has no such operation: 99\n", select_nonsense},
	{"panic", "panic: boom 42 of forty\n", panic_plainly},
};
enum { MISUSES = sizeof misuses / sizeof *misuses };

static go_fn misuse_called(const char *name) {
	for (int i = 0; i < MISUSES; i++)
		if (strcmp(misuses[i].name, name) == 0)
			return misuses[i].fn;
	return nothing;
}

CHILD(in_main) {
	misuse_called(arg)(NULL);
	return 7;
}

/* Is there a line that begins so and has both a and b in it? */
static bool line_with(const char *text, const char *begin, const char *a, const char *b) {
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		char buf[512];

		line += *line == '\n';
		snprintf(buf, sizeof buf, "%.*s", (int)strcspn(line, "\n"), line);
		if (strncmp(buf, begin, strlen(begin)) == 0 && strstr(buf, a) && strstr(buf, b))
			return true;
	}
	return false;
}

/* TestMutexMisuse, TestGoNil, TestPanicTraceback */
TEST(misuse_in_main_is_told_with_the_goroutine) {
	for (int i = 0; i < MISUSES; i++) {
		struct support_result r;

		support_child(in_main, misuses[i].name, &r);
		CHECK_MSG(r.status == 2 && strstr(r.err, misuses[i].text) == r.err &&
			  line_with(r.err, "goroutine 1 ", "[running", "]"),
			  "%s: status %d, signal %d, stderr:\n%s", misuses[i].name, r.status,
			  r.signal, r.err);
		support_free(&r);
	}
}

static void misuse_named(const char *name) {
	go_set_name("the culprit");
	printf("%" PRIu64 "\n", go_id());
	fflush(stdout);
	misuse_called(name)(NULL);
}
GO_TASK(misuse_named, const char *);

CHILD(in_a_goroutine) {
	GO(misuse_named, arg);
	go_sleep(30 * GO_SECOND);
	return 7;
}

TEST(misuse_in_a_goroutine_is_told_with_its_name) {
	for (int i = 0; i < MISUSES; i++) {
		struct support_result r;
		char begin[64];

		support_child(in_a_goroutine, misuses[i].name, &r);
		snprintf(begin, sizeof begin, "goroutine %.*s ", (int)strcspn(r.out, "\n"), r.out);
		CHECK_MSG(r.status == 2 && strstr(r.err, misuses[i].text) != NULL &&
			  line_with(r.err, begin, "the culprit", "[running"),
			  "%s: status %d, signal %d, stderr:\n%s", misuses[i].name, r.status,
			  r.signal, r.err);
		support_free(&r);
	}
}

CHILD_PLAIN(on_a_thread) {
	misuse_called(arg)(NULL);
	return 7;
}

TEST(misuse_on_a_plain_thread_is_told) {
	for (int i = 0; i < MISUSES; i++)
		CHECK_DIES(on_a_thread, misuses[i].name, misuses[i].text);
}

CHILD(inside_try) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	return go_try(misuse_called(arg), NULL, &info) ? 7 : 0;
}

/* Go: a recover does not help against the fatal ones. */
TEST(try_stops_panics_and_not_fatal_errors) {
	for (int i = 0; i < MISUSES; i++) {
		if (strncmp(misuses[i].text, "panic", 5) == 0)
			CHECK_LIVES(inside_try, misuses[i].name);
		else
			CHECK_DIES(inside_try, misuses[i].name, misuses[i].text);
	}
}

TEST(traceback_crash_aborts) {
	static const char *const crash[] = {"GORO_TRACEBACK=crash", NULL};
	static const int which[] = {0, 8, MISUSES - 1};

	for (int i = 0; i < 3; i++) {
		const struct misuse *m = &misuses[which[i]];
		struct support_result r;

		support_child_env(in_main, m->name, crash, &r);
		CHECK_MSG(r.signal == SIGABRT && strstr(r.err, m->text) != NULL,
			  "%s: status %d, signal %d, stderr:\n%s", m->name, r.status, r.signal,
			  r.err);
		support_free(&r);
	}
}

/* ------------------------------------------------------------ panics --- */

static void say(void *arg) {
	fprintf(stderr, "<%s>\n", (const char *)arg);
}

static void panic_again(void *arg) { go_panic("%s", (const char *)arg); }

static char outer_text[] = "outer", inner_text[] = "inner", second_text[] = "second";

CHILD(panic_with_deferred) {
	go_defer(say, outer_text);
	if (*arg == 'a') {
		go_defer(panic_again, second_text);
		go_defer(say, inner_text);
		go_panic("first");
	}
	go_defer(say, inner_text);
	go_panic("first");
}

TEST(deferred_calls_run_before_the_text) {
	struct support_result r;
	const char *inner, *outer, *text;

	support_child(panic_with_deferred, "", &r);
	CHECK_EQ(r.status, 2);
	inner = strstr(r.err, "<inner>");
	outer = strstr(r.err, "<outer>");
	text = strstr(r.err, "panic: first");
	CHECK_MSG(inner && outer && text && inner < outer && outer < text, "stderr:\n%s", r.err);
	support_free(&r);
}

/* TestDoublePanic */
TEST(a_panic_in_a_deferred_call_is_told) {
	struct support_result r;

	support_child(panic_with_deferred, "again", &r);
	CHECK_EQ(r.status, 2);
	CHECK(strstr(r.err, "<inner>") != NULL && strstr(r.err, "<outer>") != NULL);
	CHECK_MSG(strstr(r.err, "panic: second") != NULL, "stderr:\n%s", r.err);
	support_free(&r);
}

CHILD(many_panic) {
	for (int i = 0; i < 50; i++)
		go_spawn(panic_plainly, NULL);
	go_sleep(30 * GO_SECOND);
	return 7;
}

TEST(panics_in_many_goroutines_end_the_process_once) {
	for (int i = 0; i < 5; i++)
		CHECK_DIES(many_panic, NULL, "panic: boom 42 of forty\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(misuse_in_main_is_told_with_the_goroutine),
	cmocka_unit_test(misuse_in_a_goroutine_is_told_with_its_name),
	cmocka_unit_test(misuse_on_a_plain_thread_is_told),
	cmocka_unit_test(try_stops_panics_and_not_fatal_errors),
	cmocka_unit_test(traceback_crash_aborts),
	cmocka_unit_test(deferred_calls_run_before_the_text),
	cmocka_unit_test(a_panic_in_a_deferred_call_is_told),
	cmocka_unit_test(panics_in_many_goroutines_end_the_process_once),
};

SUPPORT_MAIN(tests)
