/* SPDX-License-Identifier: MIT */
/*
 * panic.c - deferred calls, panics, go_try and go_exit, as they run into each other.
 *
 * After what Go's spec says of defer, panic and recover, and runtime/crash_test.go's
 * TestRecursivePanic and TestPanicAfterGoexit.
 */
#include "support.h"

/* ------------------------------------------------------------ a diary --- */

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

/* ------------------------------------------------------------ scopes --- */

static int return_through_scopes(void) {
	go_defer(note, "a");
	{
		go_defer(note, "b");
		go_defer(note, "c");
	}
	note("d");
	{
		go_defer(note, "e");
		return 5;
	}
}

TEST(deferred_calls_run_in_reverse_at_the_end_of_the_block) {
	CHECK_EQ(return_through_scopes(), 5);
	CHECK_DIARY("cbdea");
}

TEST(loops_run_them_in_every_turn) {
	for (int i = 0; i < 4; i++) {
		go_defer(note, "x");
		if (i == 1)
			continue;
		if (i == 3)
			break;
		note("y");
	}
	CHECK_DIARY("yxxyxx");
	{
		go_defer(note, "g");
		goto out;
	}
out:
	CHECK_DIARY("g");
}

TEST(function_and_argument_are_evaluated_when_deferred) {
	char first[] = "1", second[] = "2", *which = first;
	go_fn fn = note;
	{
		go_defer(fn, which);
		which = second;
		fn = NULL;
		(void)fn;
	}
	CHECK(*which == '2');
	CHECK_DIARY("1");
}

/* ------------------------------------------------------------ exit --- */

static void exit_below(void *arg) {
	go_defer(note, "i");
	if (arg != NULL)
		go_exit();
}

static void exit_from_below(void *arg) {
	go_defer(note, "o");
	{
		go_defer(note, "m");
		exit_below(arg);
	}
	note("r");
}

TEST(go_exit_runs_those_of_all_frames) {
	in_a_goroutine(exit_from_below, NULL);
	CHECK_DIARY("imro");
	in_a_goroutine(exit_from_below, "yes");
	CHECK_DIARY("imo");
}

static void just_exit(void *arg) {
	note(arg);
	go_exit();
}

static void exit_while_leaving(void *arg) {
	(void)arg;
	go_defer(note, "o");
	{
		go_defer(note, "m");
		go_defer(just_exit, "e");
	}
	note("r");
}

static void exit_while_exiting(void *arg) {
	go_defer(note, "o");
	go_defer(just_exit, "2");
	go_defer(just_exit, "1");
	just_exit(arg);
}

TEST(a_deferred_call_may_exit) {
	in_a_goroutine(exit_while_leaving, NULL);
	CHECK_DIARY("emo");
	in_a_goroutine(exit_while_exiting, "0");
	CHECK_DIARY("012o");
}

static void try_to_exit(void *arg) {
	go_defer(note, "o");
	CHECK(go_try(exit_from_below, arg, NULL));
	note("t");
}

TEST(go_exit_passes_through_go_try) {
	in_a_goroutine(try_to_exit, NULL);
	CHECK_DIARY("imroto");
	in_a_goroutine(try_to_exit, "yes");
	CHECK_DIARY("imoo");
}

/* ------------------------------------------------------------ panic and try --- */

__attribute__((noinline)) static void panic_below(void *arg) {
	go_defer(note, "i");
	go_panic("no %s at %d", (const char *)arg, 7);
}

static void panic_from_below(void *arg) {
	go_defer(note, "o");
	{
		go_defer(note, "m");
		panic_below(arg);
	}
	note("r");
}

TEST(a_panic_runs_deferred_calls_up_to_go_try) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	{
		go_defer(note, "z");
		CHECK(!go_try(panic_from_below, "luck", &info));
		note("t");
	}
	CHECK_DIARY("imotz");
	CHECK_STR(info.message, "no luck at 7");
	CHECK_EQ(info.id, go_id());
	CHECK_IN((uintmax_t)info.depth, 1, 16);
	/* The first is behind the call in panic_below. */
	CHECK_IN((uintptr_t)info.pc[0] - (uintptr_t)panic_below, 1, 1000);
}

TEST(go_try_is_true_without_a_panic) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(go_try(note, "n", &info));
	CHECK(go_try(note, "n", NULL));
	CHECK(!go_try(panic_below, "info", NULL));
	CHECK_DIARY("nni");
}

static void try_inside(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	go_defer(note, "x");
	CHECK(!go_try(panic_below, "inner", &info));
	CHECK_STR(info.message, "no inner at 7");
	note("t");
	if (arg != NULL)
		go_panic("%s", (const char *)arg);
}

TEST(tries_nest) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(go_try(try_inside, NULL, &info));
	CHECK_DIARY("itx");
	CHECK(!go_try(try_inside, "outer", &info));
	CHECK_STR(info.message, "outer");
	CHECK_DIARY("itx");
}

static void panic_with(void *arg) { go_panic("%s", (const char *)arg); }

static void panic_in_deferred(void *arg) {
	go_defer(note, "o");
	go_defer(panic_with, "third");
	go_defer(note, "m");
	go_defer(panic_with, "second");
	go_defer(note, "i");
	if (arg != NULL)
		go_panic("first");
}

/* TestRecursivePanic */
TEST(a_panic_in_a_deferred_call_replaces_the_first) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_in_deferred, "first", &info));
	CHECK_STR(info.message, "third");
	CHECK_DIARY("imo");
	CHECK(!go_try(panic_in_deferred, NULL, &info));         /* from the end of a scope */
	CHECK_STR(info.message, "third");
	CHECK_DIARY("imo");
}

static void catch_one(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_with, arg, &info));
	CHECK_STR(info.message, (const char *)arg);
	note("c");
}

static void catch_while_panicking(void *arg) {
	go_defer(note, "o");
	go_defer(catch_one, "small");
	go_panic("%s", (const char *)arg);
}

TEST(catching_another_does_not_stop_the_panic_under_way) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(catch_while_panicking, "large", &info));
	CHECK_STR(info.message, "large");
	CHECK_DIARY("co");
}

static void catch_while_exiting(void *arg) {
	(void)arg;
	go_defer(note, "o");
	go_defer(catch_one, "late");
	go_exit();
}

TEST(catching_one_does_not_stop_an_exit_under_way) {
	in_a_goroutine(catch_while_exiting, NULL);
	CHECK_DIARY("co");
}

static void panic_while_exiting(void *arg) {
	go_defer(panic_with, arg);
	go_exit();
}

CHILD(panics_while_exiting) {
	in_a_goroutine(panic_while_exiting, "hello");
	return 7;
}

/* TestPanicAfterGoexit */
TEST(a_panic_while_exiting_is_told) {
	CHECK_DIES(panics_while_exiting, NULL, "panic: hello\n");
}

static void again(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (!go_try(panic_with, arg, &info))
		go_panic("again: %s", info.message);
}

TEST(a_caught_panic_may_be_thrown_again) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(again, "no", &info));
	CHECK_STR(info.message, "again: no");
}

TEST(the_message_is_good_until_the_next_catch) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	char text[200];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	CHECK(!go_try(panic_with, text, &info));
	in_a_goroutine(catch_one, "of another goroutine");
	for (int i = 0; i < 20; i++)
		go_yield();
	CHECK_STR(info.message, text);
	CHECK_DIARY("c");
}

/* ------------------------------------------------------------ with the rest --- */

static void rest(void *arg) {
	note(arg);
	go_yield();
	go_sleep(100 * GO_MICROSECOND);
	go_chan(int) c = go_make(int, 0);

	CHECK_EQ(go_recv_until(c, NULL, go_now() + 100 * GO_MICROSECOND), -ETIMEDOUT);
	go_unref(c);
}

static void rest_while_unwinding(void *arg) {
	go_defer(rest, "2");
	go_defer(rest, "1");
	if (*(char *)arg == 'p')
		go_panic("unrest");
	if (*(char *)arg == 'e')
		go_exit();
}

static void try_resting(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	bool ok = go_try(rest_while_unwinding, arg, &info);

	CHECK_EQ(ok, *(char *)arg == 'r');
	if (!ok)
		CHECK_STR(info.message, "unrest");
}

TEST(deferred_calls_may_block) {
	static char how[] = "rpe";

	for (int i = 0; i < 3; i++) {
		in_a_goroutine(try_resting, &how[i]);
		CHECK_DIARY("12");
	}
}

struct held { go_mutex m; go_waitgroup wg; char how; };

static void hold_and_leave(void *arg) {
	struct held *h = arg;

	go_mutex_lock(&h->m);
	go_wg_add(&h->wg, 1);
	go_defer_done(&h->wg);
	go_defer_unlock(&h->m);
	CHECK(!go_mutex_trylock(&h->m));
	if (h->how == 'p')
		go_panic("held");
	if (h->how == 'e')
		go_exit();
}

static void try_holding(void *arg) {
	struct held *h = arg;

	CHECK_EQ(go_try(hold_and_leave, h, NULL), h->how == 'r');
}

TEST(typed_helpers_unlock_and_count_down) {
	static const char how[] = "rpe";

	for (int i = 0; i < 3; i++) {
		struct held h = {.how = how[i]};

		in_a_goroutine(try_holding, &h);
		CHECK(go_mutex_trylock(&h.m));
		go_mutex_unlock(&h.m);
		go_wg_wait(&h.wg);
	}
}

static void send_on_closed(void *arg) { go_chan_send(arg, "x"); }
static void close_again(void *arg) { go_chan_close(arg); }

TEST(objects_are_whole_after_a_caught_misuse) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	go_chan(char) c = go_make(char, 2);
	char got = 0;

	go_send(c, 'a');
	go_close(c);
	for (int i = 0; i < 3; i++) {
		CHECK(!go_try(send_on_closed, c, &info));
		CHECK_STR(info.message, "send on closed channel");
		CHECK(!go_try(close_again, c, &info));
		CHECK_STR(info.message, "close of closed channel");
	}
	CHECK(go_recv(c, &got) && got == 'a');
	CHECK(!go_recv(c, &got) && got == 0);
	go_unref(c);
}

struct dive { int depth; int risen; };

static void rise(void *arg) {
	struct dive *d = arg;

	if (++d->risen % 100 == 0)
		go_yield();
}

/* Called through this, or the compiler warns of a recursion that only a panic ends. */
static void dive(struct dive *d, int depth);
static void (*volatile dive_on)(struct dive *d, int depth) = dive;

static void dive(struct dive *d, int depth) {
	go_defer(rise, d);
	if (depth == 0)
		go_panic("ground at %d", d->depth);
	dive_on(d, depth - 1);
	CHECK(false);
}

static void start_dive(void *arg) {
	struct dive *d = arg;

	dive(d, d->depth);
}

static void dive_often(uint64_t salt, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < (int)support_scale(50); i++) {
		go_panic_info info = GO_PANIC_INFO_INIT;
		struct dive d = {support_below(&rng, 300), 0};
		char expected[64];

		snprintf(expected, sizeof expected, "ground at %d", d.depth);
		CHECK(!go_try(start_dive, &d, &info));
		CHECK_STR(info.message, expected);
		CHECK_EQ(d.risen, d.depth + 1);
		CHECK_EQ(info.id, go_id());
		go_yield();
	}
	go_wg_done(wg);
}
GO_TASK(dive_often, uint64_t, go_waitgroup *);

TEST(many_panic_at_once_and_move_about_meanwhile) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (uint64_t i = 0; i < 32; i++) {
		go_wg_add(&wg, 1);
		GO(dive_often, i, &wg);
	}
	go_wg_wait(&wg);
}

static void *panic_on_a_thread(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	(void)arg;
	CHECK_EQ(return_through_scopes(), 5);
	CHECK_DIARY("cbdea");
	CHECK(!go_try(panic_from_below, "thread", &info));
	CHECK_STR(info.message, "no thread at 7");
	CHECK_EQ(info.id, 0);
	CHECK_DIARY("imo");
	return NULL;
}

TEST(threads_defer_and_try_too) {
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, panic_on_a_thread, NULL), 0);
	pthread_join(thread, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(deferred_calls_run_in_reverse_at_the_end_of_the_block),
	cmocka_unit_test(loops_run_them_in_every_turn),
	cmocka_unit_test(function_and_argument_are_evaluated_when_deferred),
	cmocka_unit_test(go_exit_runs_those_of_all_frames),
	cmocka_unit_test(a_deferred_call_may_exit),
	cmocka_unit_test(go_exit_passes_through_go_try),
	cmocka_unit_test(a_panic_runs_deferred_calls_up_to_go_try),
	cmocka_unit_test(go_try_is_true_without_a_panic),
	cmocka_unit_test(tries_nest),
	cmocka_unit_test(a_panic_in_a_deferred_call_replaces_the_first),
	cmocka_unit_test(catching_another_does_not_stop_the_panic_under_way),
	cmocka_unit_test(catching_one_does_not_stop_an_exit_under_way),
	cmocka_unit_test(a_panic_while_exiting_is_told),
	cmocka_unit_test(a_caught_panic_may_be_thrown_again),
	cmocka_unit_test(the_message_is_good_until_the_next_catch),
	cmocka_unit_test(deferred_calls_may_block),
	cmocka_unit_test(typed_helpers_unlock_and_count_down),
	cmocka_unit_test(objects_are_whole_after_a_caught_misuse),
	cmocka_unit_test(many_panic_at_once_and_move_about_meanwhile),
	cmocka_unit_test(threads_defer_and_try_too),
};

SUPPORT_MAIN(tests)
