/* SPDX-License-Identifier: MIT */
/*
 * panic_exit.c - go_exit and panics that meet: in each other's deferred calls, and in go_try.
 *
 * After runtime/crash_test.go: TestGoexitInPanic, TestPanicAfterGoexit and the four about a
 * recover after Goexit, TestRecursivePanic to TestRecursivePanic5.
 */
#include "support.h"

/* What happened, in order, a letter each.  One goroutine at a time writes to it. */
static char diary[64];
static size_t pages;

static void note(void *arg) {
	if (CHECK(pages < sizeof diary - 1))
		diary[pages++] = *(const char *)arg;
}

static void check_diary(const char *expected, int line) {
	CHECK_MSG(strcmp(diary, expected) == 0, "line %d: it went \"%s\", not \"%s\"", line, diary,
		  expected);
	memset(diary, 0, sizeof diary);
	pages = 0;
}
#define CHECK_DIARY(expected) check_diary((expected), __LINE__)

/* Run fn in a goroutine of its own and wait until that has ended, deferred calls and all. */
static void in_a_goroutine(go_fn fn, void *arg) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn(&wg, fn, arg);
	go_wg_wait(&wg);
}

static void panic_with(void *arg) { go_panic("%s", (const char *)arg); }

/* Longer than what a panic keeps without malloc; LeakSanitizer is watching. */
static void panic_at_length(void *arg) { go_panic("%s%300d", (const char *)arg, 7); }

static bool is_long(const char *message, const char *text) {
	return strncmp(message, text, strlen(text)) == 0 && strlen(message) == strlen(text) + 300;
}
static void exit_now(void *arg) { (void)arg; go_exit(); }

/* ------------------------------------------------------------ exit, then panic --- */

static void catch_hello(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_with, arg, &info));
	CHECK_STR(info.message, "hello");
	note("c");
}

static void exit_and_catch(void *arg) {
	go_defer(note, "o");
	go_defer(catch_hello, arg);
	go_exit();
}

/* TestRecoveredPanicAfterGoexit */
TEST(a_panic_caught_within_a_deferred_call_lets_the_exit_go_on) {
	in_a_goroutine(exit_and_catch, "hello");
	CHECK_DIARY("co");
}

static go_panic_info passed;

static void exit_and_panic(void *arg) {
	go_defer(note, "b");
	go_defer(panic_at_length, arg);
	go_defer(note, "a");
	go_exit();
}

static void try_exiting(void *arg) {
	passed = (go_panic_info)GO_PANIC_INFO_INIT;
	go_defer(note, "o");
	go_try(exit_and_panic, arg, &passed);
	note("!");
}

/* TestRecoverBeforePanicAfterGoexit */
TEST(a_panic_on_the_way_is_stopped_by_go_try_and_the_exit_goes_on) {
	in_a_goroutine(try_exiting, "x");
	CHECK_DIARY("abo");
	CHECK(passed.depth > 0);        /* what there is to tell has been told */
}

static void try_twice(void *arg) {
	go_defer(note, "p");
	go_defer(panic_with, "again");
	go_try(try_exiting, arg, NULL);
	note("!");
}

static void try_thrice(void *arg) {
	go_defer(note, "q");
	go_try(try_twice, arg, NULL);
	note("!");
}

/* TestRecoverBeforePanicAfterGoexit2: each go_try on the way stops what comes to it. */
TEST(every_go_try_on_the_way_stops_its_panic) {
	in_a_goroutine(try_thrice, "x");
	CHECK_DIARY("abopq");
}

static void exit_below(void *arg) {
	go_defer(panic_with, arg);
	go_exit();
}

static void exit_while_exiting(void *arg) {
	go_defer(note, "n");
	go_try(exit_below, arg, NULL);
	note("!");
}

static void exit_twice(void *arg) {
	go_defer(note, "o");
	go_defer(exit_while_exiting, arg);
	go_exit();
}

static void try_exit_twice(void *arg) {
	go_defer(note, "t");
	go_try(exit_twice, arg, NULL);
	note("!");
}

TEST(an_exit_within_an_exit_passes_all_tries) {
	in_a_goroutine(try_exit_twice, "x");
	CHECK_DIARY("not");
}

CHILD(panics_while_exiting) {
	if (*arg == 'm') {
		go_defer(panic_with, "hello");
		go_exit();
	}
	in_a_goroutine(exit_below, "hello");
	return 7;
}

/* TestPanicAfterGoexit */
TEST(an_uncaught_panic_while_exiting_is_told) {
	CHECK_DIES(panics_while_exiting, "main", "panic: hello\n");
	CHECK_DIES(panics_while_exiting, "goroutine", "panic: hello\n");
}

CHILD(main_exits_with_a_panic_caught) {
	if (*arg == 'd') {
		go_defer(catch_hello, "hello");
		go_exit();
	}
	go_try(exit_and_panic, "x", NULL);
	return 7;
}

/* TestRecoveredPanicAfterGoexit, TestRecoverBeforePanicAfterGoexit, as they are there: in main */
TEST(main_exits_for_good_though_a_panic_was_caught) {
	static const char *const text =
		"fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n";

	if (SUPPORT_TSAN)
		skip();                 /* its own thread might come */
	CHECK_DIES(main_exits_with_a_panic_caught, "d", text);
	CHECK_DIES(main_exits_with_a_panic_caught, "t", text);
}

/* ------------------------------------------------------------ panic, then exit --- */

static void exit_in_panic(void *arg) {
	go_defer(note, "o");
	go_defer(exit_now, NULL);
	go_defer(panic_at_length, "second");
	go_defer(note, "i");
	panic_at_length(arg);
}

static void try_exit_in_panic(void *arg) {
	go_defer(note, "t");
	go_try(exit_in_panic, arg, NULL);
	note("!");
}

/* TestGoexitInPanic */
TEST(an_exit_in_a_deferred_call_ends_the_panic) {
	in_a_goroutine(exit_in_panic, "first");
	CHECK_DIARY("io");
	in_a_goroutine(try_exit_in_panic, "first");
	CHECK_DIARY("iot");
}

CHILD(a_goroutine_exits_in_its_panic) {
	go_spawn(exit_in_panic, "hello");
	go_exit();
}

TEST(an_exit_in_a_panic_is_no_crash) {
	if (SUPPORT_TSAN)
		skip();
	CHECK_DIES(a_goroutine_exits_in_its_panic, "",
		   "fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n");
}

static void panic_exit_panic(void *arg) {
	go_defer(panic_with, "second");
	go_defer(exit_now, NULL);
	go_panic("%s", (const char *)arg);
}

CHILD(panics_exits_and_panics) {
	in_a_goroutine(panic_exit_panic, "first");
	return 7;
}

TEST(a_panic_that_an_exit_ended_is_still_told_with_the_next) {
	CHECK_DIES(panics_exits_and_panics, "", "panic: first\n\tpanic: second\n\ngoroutine ");
}

CHILD(main_returns_after_an_exit_in_a_panic) {
	in_a_goroutine(exit_in_panic, "first");
	return 0;
}

TEST(a_panic_that_an_exit_ended_is_not_told) {
	CHECK_LIVES(main_returns_after_an_exit_in_a_panic, "");
}

/* ------------------------------------------------------------ panic upon panic --- */

static void wrap(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (!go_try(panic_with, arg, &info))
		go_panic("wrap: %s", info.message);
}

CHILD(panics_recursively) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	go_try(wrap, "bad", &info);
	fprintf(stderr, "%s\n", info.message);
	go_panic("again");
}

/* TestRecursivePanic: what was caught and wrapped is not told again. */
TEST(a_panic_after_a_caught_one_is_told_alone) {
	CHECK_DIES(panics_recursively, "", "wrap: bad\npanic: again\n\ngoroutine 1 [running]:");
}

static void catch_and_panic(void *arg) {
	CHECK(!go_try(panic_at_length, "inner", NULL));
	go_panic("%s", (const char *)arg);
}

static void panic_catch_panic(void *arg) {
	go_defer(note, "o");
	go_defer(panic_at_length, "third");
	go_defer(catch_and_panic, "second");
	panic_at_length(arg);
}

/* TestRecursivePanic2: deferred calls that panic after catching something of their own. */
TEST(deferred_calls_catch_and_panic_in_turn) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_catch_panic, "first", &info));
	CHECK(is_long(info.message, "third"));
	CHECK_DIARY("o");
}

static void catch_all_below(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_catch_panic, arg, &info));
	CHECK(is_long(info.message, "third"));
}

static void panic_over_many(void *arg) {
	go_defer(catch_all_below, "f");
	go_defer(catch_all_below, "f");
	panic_at_length(arg);
}

/* TestRecursivePanic3, 4: whole chains in a deferred call, with tries around them. */
TEST(a_panic_goes_on_after_chains_caught_in_its_deferred_calls) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_over_many, "main one", &info));
	CHECK(is_long(info.message, "main one"));
	CHECK_DIARY("oo");
}

static int left;

static void panic_until_tired(void *arg) {
	if (left-- > 0) {
		go_defer(panic_until_tired, arg);
		panic_at_length(arg);
	}
	note("z");
}

/* TestRecursivePanic5: each deferred call begins a panic with a deferred call of its own. */
TEST(panics_nest_in_deferred_calls) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	left = 20;
	CHECK(!go_try(panic_until_tired, "deep", &info));
	CHECK(is_long(info.message, "deep"));
	CHECK_DIARY("z");
}

static void once_more(void *arg) {
	(void)arg;
	go_defer(note, "o");
	if (left-- > 0)
		go_exit();
}

static void exits_nested(void *arg) {
	go_defer(once_more, arg);
	go_defer(once_more, arg);
	go_defer(once_more, arg);
	go_exit();
}

TEST(exits_nest_in_deferred_calls) {
	left = 2;
	in_a_goroutine(exits_nested, NULL);
	CHECK_DIARY("ooo");
}

static void storm(uint64_t salt, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);

	go_defer_done(wg);
	for (int i = 0; i < (int)support_scale(200); i++) {
		go_panic_info info = GO_PANIC_INFO_INIT;
		go_fn fn = support_below(&rng, 2) == 0 ? panic_at_length : panic_with;

		CHECK(!go_try(fn, "storm", &info));
		CHECK(fn == panic_with ? strcmp(info.message, "storm") == 0 : is_long(info.message, "storm"));
		if (support_below(&rng, 3) == 0)
			go_yield();
	}
	go_defer(panic_at_length, "s");
	if (salt % 2 == 0)
		go_try(exit_now, NULL, NULL);
	CHECK(!go_try(panic_at_length, "s", NULL));
	CHECK(salt % 2 == 1);
}
GO_TASK(storm, uint64_t, go_waitgroup *);

static void storm_in_try(void *arg) {
	uint64_t *salt = arg;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	storm(*salt, &wg);
}

static void many_storms(uint64_t salt) {
	go_try(storm_in_try, &salt, NULL);
}
GO_TASK(many_storms, uint64_t);

TEST(many_goroutines_panic_and_exit_at_once) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (uint64_t i = 0; i < 24; i++)
		GO_WG(&wg, many_storms, i);
	go_wg_wait(&wg);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_panic_caught_within_a_deferred_call_lets_the_exit_go_on),
	cmocka_unit_test(a_panic_on_the_way_is_stopped_by_go_try_and_the_exit_goes_on),
	cmocka_unit_test(every_go_try_on_the_way_stops_its_panic),
	cmocka_unit_test(an_exit_within_an_exit_passes_all_tries),
	cmocka_unit_test(an_uncaught_panic_while_exiting_is_told),
	cmocka_unit_test(main_exits_for_good_though_a_panic_was_caught),
	cmocka_unit_test(an_exit_in_a_deferred_call_ends_the_panic),
	cmocka_unit_test(an_exit_in_a_panic_is_no_crash),
	cmocka_unit_test(a_panic_that_an_exit_ended_is_still_told_with_the_next),
	cmocka_unit_test(a_panic_that_an_exit_ended_is_not_told),
	cmocka_unit_test(a_panic_after_a_caught_one_is_told_alone),
	cmocka_unit_test(deferred_calls_catch_and_panic_in_turn),
	cmocka_unit_test(a_panic_goes_on_after_chains_caught_in_its_deferred_calls),
	cmocka_unit_test(panics_nest_in_deferred_calls),
	cmocka_unit_test(exits_nest_in_deferred_calls),
	cmocka_unit_test(many_goroutines_panic_and_exit_at_once),
};

SUPPORT_MAIN(tests)
