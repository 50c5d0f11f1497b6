/* SPDX-License-Identifier: MIT */
/*
 * panic_defer.c - the typed helpers of go_defer, go_close_unref, and deferred calls where they run
 * into blocking sections, go_once and select.
 */
#include "support.h"

/* How a block is left: by its end, a panic or go_exit. */
static const char how[] = "rpe";

static void leave(char by) {
	if (by == 'p')
		go_panic("left");
	if (by == 'e')
		go_exit();
}

/* Run fn in a goroutine of its own, under go_try, and wait until that has ended. */
static void try_it(go_fn fn, void *arg, char by) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	bool ok = go_try(fn, arg, &info);

	CHECK_EQ(ok, by == 'r');
	if (by == 'p')
		CHECK_STR(info.message, "left");
}
GO_TASK(try_it, go_fn, void *, char);

static void in_a_goroutine(go_fn fn, void *arg, char by) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, try_it, fn, arg, by);
	go_wg_wait(&wg);
}

/* ------------------------------------------------------------ channels --- */

struct ends {
	go_chan(int) c;
	char by;
};

static void close_later(void *arg) {
	struct ends *e = arg;

	go_defer_close(go_send_only(e->c));
	CHECK(go_trysend(e->c, 1));
	leave(e->by);
}

TEST(defer_close_closes) {
	for (int i = 0; i < 3; i++) {
		struct ends e = {go_make(int, 2), how[i]};
		int v = 0;

		in_a_goroutine(close_later, &e, e.by);
		CHECK(go_recv(e.c, &v) && v == 1);
		CHECK_EQ(go_recv_until(e.c, &v, GO_NOWAIT), -EPIPE);
		go_unref(e.c);
	}
}

static void unref_later(void *arg) {
	struct ends *e = arg;
	go_receiver(int) mine = go_recv_only(go_ref(e->c));

	go_defer_unref(mine);
	CHECK_EQ(go_cap(mine), 2);
	leave(e->by);
}

/* That it is not too many or too few is what AddressSanitizer sees. */
TEST(defer_unref_gives_one_reference_back) {
	for (int i = 0; i < 3; i++) {
		struct ends e = {go_make(int, 2), how[i]};

		in_a_goroutine(unref_later, &e, e.by);
		CHECK(go_trysend(e.c, 1));
		go_unref(e.c);
	}
}

static void close_unref_later(void *arg) {
	struct ends *e = arg;

	go_defer_close_unref(e->c);
	go_send(e->c, 7);
	leave(e->by);
}

TEST(defer_close_unref_does_both) {
	for (int i = 0; i < 3; i++) {
		struct ends e = {go_make(int, 2), how[i]};
		go_receiver(int) mine = go_recv_only(go_ref(e.c));
		int v = 0;

		in_a_goroutine(close_unref_later, &e, e.by);
		CHECK(go_recv(mine, &v) && v == 7);
		CHECK(!go_recv(mine, &v));
		go_unref(mine);
	}
}

static void range_and_count(go_receiver(int) in, int *sum, go_waitgroup *wg) {
	go_defer_done(wg);
	go_defer_unref(in);
	go_range(v, in)
		*sum += v;
}
GO_TASK(range_and_count, go_receiver(int), int *, go_waitgroup *);

TEST(close_unref_is_the_last_sender_s_farewell) {
	go_chan(int) c = go_make(int, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int sum = 0;

	go_wg_add(&wg, 1);
	GO(range_and_count, go_recv_only(go_ref(c)), &sum, &wg);
	for (int i = 1; i <= 10; i++)
		go_send(c, i);
	go_close_unref(go_send_only(c));
	go_wg_wait(&wg);
	CHECK_EQ(sum, 55);
}

static void close_unref_it(void *c) { go_chan_close_unref(c); }

TEST(close_unref_of_a_closed_channel_panics_and_keeps_the_reference) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	go_chan(int) c = go_make(int, 1);

	go_send(c, 1);
	go_close(c);
	CHECK(!go_try(close_unref_it, c, &info));
	CHECK_STR(info.message, "close of closed channel");
	CHECK_EQ(go_len(c), 1);
	go_unref(c);
	CHECK(!go_try(close_unref_it, NULL, &info));
	CHECK_STR(info.message, "close of nil channel");
}

/* ------------------------------------------------------------ timers, memory --- */

static void free_later(void *arg) {
	char by = *(char *)arg;
	void *p = malloc(100);

	go_defer(free, p);
	go_defer_timer_free(go_timer_new(GO_HOUR));
	go_defer_timer_free(go_ticker_new(GO_HOUR));
	go_defer_timer_free(NULL);
	leave(by);
}

static uint64_t pending(void) {
	go_stats s = GO_STATS_INIT;

	CHECK_EQ(go_stats_read(&s), 0);
	return s.timers;
}

TEST(defer_timer_free_stops_and_frees) {
	for (int i = 0; i < 3; i++) {
		char by = how[i];

		in_a_goroutine(free_later, &by, by);
		wait_until(pending() == 0);
	}
}

/* ------------------------------------------------------------ blocking sections --- */

static int meetings;

static void meet_later(void *arg) {
	go_chan(int) c = arg;

	go_send(c, 1);          /* would panic inside a section */
	meetings++;
}

static void take(go_chan(int) c) {
	CHECK(go_recv(c, NULL));
	go_unref(c);
}
GO_TASK(take, go_chan(int));

static void *panic_for(void *arg) {
	go_panic("%s", (const char *)arg);
}

static char left_text[] = "left";

static void panic_in_blocking(void *arg) {
	go_defer(meet_later, arg);
	go_blocking(panic_for, left_text);
}

static void panic_in_section(void *arg) {
	go_defer(meet_later, arg);
	go_block_begin();
	go_panic("left");
}

TEST(deferred_calls_from_before_a_section_run_after_it) {
	static const go_fn leaving[] = {panic_in_blocking, panic_in_section};

	for (int i = 0; i < 20; i++) {
		go_chan(int) c = go_make(int, 0);

		meetings = 0;
		GO(take, go_ref(c));
		in_a_goroutine(leaving[i % 2], c, 'p');
		CHECK_EQ(meetings, 1);
		go_unref(c);
	}
}

static void panic_plainly(void *arg) { go_panic("%s", (const char *)arg); }

static void *catch_inside(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(panic_plainly, arg, &info));
	CHECK_STR(info.message, "left");
	CHECK(!go_try(panic_plainly, arg, NULL));
	return arg;
}

static void *block_inside(void *arg) {
	go_sleep(GO_MILLISECOND);
	return arg;
}

static void call_block_inside(void *arg) { go_blocking(block_inside, arg); }

TEST(panics_are_caught_inside_a_blocking_call_and_beyond) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	for (int i = 0; i < 20; i++) {
		CHECK(go_blocking(catch_inside, left_text) == left_text);
		CHECK(!go_try(call_block_inside, NULL, &info));
		CHECK(strstr(info.message, "blocking call inside") != NULL);
		go_sleep(GO_MICROSECOND);       /* and may block again */
	}
}

static void *panic_long(void *arg) {
	(void)arg;
	go_panic("%300d", 5);
}

static void call_panic_long(void *arg) { go_blocking(panic_long, arg); }

TEST(a_panic_out_of_a_blocking_call_keeps_text_and_place) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	CHECK(!go_try(call_panic_long, NULL, &info));
	CHECK_EQ(strlen(info.message), 300);
	CHECK_IN((uintptr_t)info.pc[0] - (uintptr_t)panic_long, 1, 1000);
}

/* ------------------------------------------------------------ once, select --- */

struct shared {
	go_once once;
	atomic_int calls, caught;
};

static void panic_once(void *arg) {
	struct shared *s = arg;

	atomic_fetch_add(&s->calls, 1);
	go_yield();
	go_panic("once");
}

static void do_once(void *arg) {
	struct shared *s = arg;

	go_once_do(&s->once, panic_once, s);
}

static void try_once(void *arg) {
	struct shared *s = arg;

	if (!go_try(do_once, s, NULL))
		atomic_fetch_add(&s->caught, 1);
}

/* Go: TestOncePanic */
TEST(a_once_that_panicked_has_run_for_all) {
	for (int round = 0; round < 20; round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		struct shared s = {.calls = 0};

		for (int i = 0; i < 8; i++)
			go_wg_spawn(&wg, try_once, &s);
		go_wg_wait(&wg);
		CHECK_EQ(s.calls, 1);
		CHECK_EQ(s.caught, 1);
	}
}

static void select_badly(void *arg) {
	go_case cases[40];

	for (int i = 0; i < 40; i++)
		cases[i] = (go_case){.chan = arg, .op = GO_OP_RECV};
	cases[39].op = arg == NULL ? 77 : GO_OP_SEND;
	go_selectv(cases, 40, GO_FOREVER);
}

/* LeakSanitizer sees the memory of so many cases. */
TEST(a_large_select_that_panics_leaks_nothing) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	go_ch *c = go_chan_make(0, 0);
	int seen = 0;

	CHECK(!go_try(select_badly, NULL, &info));
	CHECK(strstr(info.message, "no such operation") != NULL);
	go_chan_close(c);
	for (int i = 0; i < 1000 && seen == 0; i++) {
		if (go_try(select_badly, c, &info))
			continue;               /* one of the receiving cases */
		CHECK_STR(info.message, "send on closed channel");
		CHECK(info.object == c);
		seen++;
	}
	CHECK_EQ(seen, 1);
	go_chan_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(defer_close_closes),
	cmocka_unit_test(defer_unref_gives_one_reference_back),
	cmocka_unit_test(defer_close_unref_does_both),
	cmocka_unit_test(close_unref_is_the_last_sender_s_farewell),
	cmocka_unit_test(close_unref_of_a_closed_channel_panics_and_keeps_the_reference),
	cmocka_unit_test(defer_timer_free_stops_and_frees),
	cmocka_unit_test(deferred_calls_from_before_a_section_run_after_it),
	cmocka_unit_test(panics_are_caught_inside_a_blocking_call_and_beyond),
	cmocka_unit_test(a_panic_out_of_a_blocking_call_keeps_text_and_place),
	cmocka_unit_test(a_once_that_panicked_has_run_for_all),
	cmocka_unit_test(a_large_select_that_panics_leaks_nothing),
};

SUPPORT_MAIN(tests)
