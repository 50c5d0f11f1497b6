/* SPDX-License-Identifier: MIT */
/* Misuse of channels: the texts, the exit status, and that go_try catches what is a panic in Go. */
#include "support.h"

/* ------------------------------------------------------------ uncaught: children --- */

static const struct { const char *what, *text; } misuses[] = {
	{"send", "panic: send on closed channel"},
	{"send-buffered", "panic: send on closed channel"},
	{"send-from-goroutine", "panic: send on closed channel"},
	{"blocked-send", "panic: send on closed channel"},
	{"blocked-send-buffered", "panic: send on closed channel"},
	{"select-send", "panic: send on closed channel"},
	{"select-send-default", "panic: send on closed channel"},
	{"blocked-select-send", "panic: send on closed channel"},
	{"close-nil", "panic: close of nil channel"},
	{"close-twice", "panic: close of closed channel"},
	{"make", "panic: makechan: size out of range"},
	{"make-element", "panic: makechan: size out of range"},
};

static void
send_forever(go_chan(int) c)
{
	for (;;)
		go_send(c, 1);
}
GO_TASK(send_forever, go_chan(int));

static void
select_send(go_chan(int) c)
{
	go_chan(int) other = go_make(int, 0);

	go_select(GO_RECV(other, NULL), GO_SEND(c, 1));
}
GO_TASK(select_send, go_chan(int));

static int
misuse(const char *what)
{
	bool buffered = strstr(what, "buffered") != NULL;
	go_chan(int) c = go_make(int, buffered ? 1 : 0);
	size_t huge = SIZE_MAX;

	if (strncmp(what, "blocked", 7) == 0) {
		if (strstr(what, "select") != NULL)
			GO(select_send, c);
		else
			GO(send_forever, c);
		support_settle();
	}
	if (strncmp(what, "make", 4) == 0)
		go_chan_make(what[4] == '\0' ? 8 : huge, what[4] == '\0' ? huge / 4 : 2);
	if (strcmp(what, "close-nil") == 0)
		go_chan_close(NULL);
	go_close(c);
	if (strcmp(what, "close-twice") == 0)
		go_close(c);
	if (strcmp(what, "send") == 0 || strcmp(what, "send-buffered") == 0)
		go_send(c, 1);
	if (strcmp(what, "send-from-goroutine") == 0)
		GO(send_forever, c);
	if (strcmp(what, "select-send") == 0)
		select_send(c);
	if (strcmp(what, "select-send-default") == 0)
		go_select(GO_SEND(c, 1), GO_DEFAULT);
	go_sleep(20 * GO_SECOND);       /* for those that must die elsewhere */
	return 0;
}

CHILD(misuse_in_main_goroutine)
{
	return misuse(arg);
}

CHILD_PLAIN(misuse_in_plain_main)
{
	return misuse(arg);
}

static void *
misuse_thread(void *arg)
{
	misuse(arg);
	return NULL;
}

CHILD(misuse_in_foreign_thread)
{
	char what[64];
	pthread_t t;

	snprintf(what, sizeof what, "%s", arg);
	if (pthread_create(&t, NULL, misuse_thread, what) == 0)
		pthread_join(t, NULL);
	return 0;
}

TEST(misuse_kills_with_the_text_and_status_2)
{
	for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++)
		CHECK_DIES(misuse_in_main_goroutine, misuses[i].what, misuses[i].text);
}

TEST(misuse_in_a_plain_program_kills_the_same_way)
{
	for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++)
		CHECK_DIES(misuse_in_plain_main, misuses[i].what, misuses[i].text);
}

TEST(misuse_in_a_foreign_thread_kills_the_same_way)
{
	for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++)
		CHECK_DIES(misuse_in_foreign_thread, misuses[i].what, misuses[i].text);
}

CHILD(dropped_with_waiter)
{
	go_chan(int) c = go_make(int, 0);

	(void)arg;
	GO(send_forever, c);
	wait_until(support_parked("", "chan send") == 1);
	go_unref(c);
	return 0;
}

TEST(last_reference_dropped_with_waiters_is_a_panic)
{
	CHECK_DIES(dropped_with_waiter, NULL, "panic: ");
}

TEST(traceback_crash_aborts)
{
	static const char *const env[] = {"GORO_TRACEBACK=crash", NULL};
	struct support_result r;

	support_child_env(misuse_in_main_goroutine, "send", env, &r);
	CHECK_EQ(r.signal, SIGABRT);
	CHECK(strstr(r.err, "panic: send on closed channel") != NULL);
	support_free(&r);
}

/* ------------------------------------------------------------ nothing can come --- */

CHILD(waits_for_ever)
{
	go_chan(int) c = strstr(arg, "nil") != NULL ? NULL : go_make(int, 0);

	if (strstr(arg, "send") != NULL)
		go_send(c, 1);
	else if (strstr(arg, "receive") != NULL)
		go_recv(c, NULL);
	return 0;
}

TEST(deadlock_names_the_reason)
{
	static const char *const reasons[] = {"chan send (nil chan)", "chan receive (nil chan)",
					      "chan send", "chan receive"};
	struct support_result r;

	if (SUPPORT_TSAN)
		skip();                 /* its own thread might come */
	for (int i = 0; i < 4; i++) {
		support_child(waits_for_ever, reasons[i], &r);
		CHECK_EQ(r.status, 2);
		CHECK(strstr(r.err, "fatal error: all goroutines are asleep - deadlock!") != NULL);
		CHECK(strstr(r.err, "goroutine 1 ") != NULL);
		CHECK(strstr(r.err, reasons[i]) != NULL);
		CHECK((strstr(r.err, "(nil chan)") != NULL) == (i < 2));
		support_free(&r);
	}
}

/* ------------------------------------------------------------ caught --- */

static void
close_it(void *c)
{
	go_chan_close(c);
}

static void
send_it(void *c)
{
	int v = 1;

	go_chan_send(c, &v);
}

static void
select_it(void *c)
{
	go_chan(int) typed = (go_chan(int))c;

	go_select(GO_SEND(typed, 1), GO_RECV((go_chan(int))NULL, NULL));
}

static void
make_it(__attribute__((unused)) void *arg)
{
	go_chan_make(SIZE_MAX / 2, 3);
}

static void
check_panics(void (*fn)(void *), void *arg, const char *text)
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (CHECK(!go_try(fn, arg, &info))) {
		CHECK_STR(info.message, text);
		CHECK_EQ(info.id, go_id());
	}
	CHECK(!go_try(fn, arg, NULL));
}

TEST(go_try_catches_misuse)
{
	for (size_t cap = 0; cap < 2; cap++) {
		go_ch *c = go_chan_make(sizeof(int), cap);

		check_panics(close_it, NULL, "close of nil channel");
		check_panics(make_it, NULL, "makechan: size out of range");
		CHECK(go_try(close_it, c, NULL));
		check_panics(close_it, c, "close of closed channel");
		check_panics(send_it, c, "send on closed channel");
		check_panics(select_it, c, "send on closed channel");
		CHECK(!go_chan_recv(c, NULL));          /* its lock is free, its state is sound */
		CHECK_EQ(go_chan_len(c), 0);
		go_chan_unref(c);
	}
}

static atomic_int caught;

static void
send_and_catch(go_ch *c, bool in_select)
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	go_set_name("catches");
	CHECK(!go_try(in_select ? select_it : send_it, c, &info));
	CHECK_STR(info.message, "send on closed channel");
	atomic_fetch_add(&caught, 1);
	go_chan_unref(c);
}
GO_TASK(send_and_catch, go_ch *, bool);

TEST(close_makes_blocked_senders_panic)
{
	for (size_t cap = 0; cap < 2; cap++) {
		go_ch *c = go_chan_make(sizeof(int), cap);
		int v = 9;

		atomic_store(&caught, 0);
		if (cap > 0)
			go_chan_send(c, &v);
		for (int i = 0; i < 10; i++)
			GO(send_and_catch, go_chan_ref(c), i % 2 == 0);
		wait_until(support_parked("catches", "chan send") == 5);
		wait_until(support_parked("catches", "select") == 5);
		go_chan_close(c);
		wait_until(atomic_load(&caught) == 10);
		if (cap > 0) {
			v = 0;
			CHECK(go_chan_recv(c, &v));
			CHECK_EQ(v, 9);
		}
		CHECK(!go_chan_recv(c, &v));
		go_chan_unref(c);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(misuse_kills_with_the_text_and_status_2),
	cmocka_unit_test(misuse_in_a_plain_program_kills_the_same_way),
	cmocka_unit_test(misuse_in_a_foreign_thread_kills_the_same_way),
	cmocka_unit_test(last_reference_dropped_with_waiters_is_a_panic),
	cmocka_unit_test(traceback_crash_aborts),
	cmocka_unit_test(deadlock_names_the_reason),
	cmocka_unit_test(go_try_catches_misuse),
	cmocka_unit_test(close_makes_blocked_senders_panic),
};

SUPPORT_MAIN(tests)
