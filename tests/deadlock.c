/* SPDX-License-Identifier: MIT */
/*
 * deadlock.c - when a deadlock is reported, with what text, and when it must not be.
 *
 * After Go's runtime/crash_test.go: TestSimpleDeadlock, TestLockedDeadlock, TestLockedDeadlock2,
 * TestGoexitDeadlock, TestGoexitExit.
 */
#include "support.h"

static const char asleep[] = "fatal error: all goroutines are asleep - deadlock!";
static const char nobody[] = "fatal error: no goroutines (main called runtime.Goexit) - deadlock!";

/* ------------------------------------------------------------ reading a report --- */

/* Lines that begin with "goroutine ", and of those the ones with both a and b in them. */
static int report_lines(const char *text, const char *a, const char *b) {
	int n = 0;

	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n');
		char buf[512];

		snprintf(buf, sizeof buf, "%.*s", end != NULL ? (int)(end - line) : -1, line);
		if (strncmp(buf, "goroutine ", 10) == 0 && strstr(buf, a) && strstr(buf, b))
			n++;
		line = end != NULL ? end + 1 : NULL;
	}
	return n;
}

/* Run fn under a number of Ps and expect it to die of `text`; the caller frees r. */
static void die(int (*fn)(const char *), const char *arg, int procs, const char *text,
		struct support_result *r) {
	char setting[64];
	const char *env[] = {setting, NULL};

	snprintf(setting, sizeof setting, "GORO_PROCS=%d", procs);
	support_child_env(fn, arg, env, r);
	CHECK_MSG(r->status == 2 && !r->timed_out && strstr(r->err, text) != NULL,
		  "%s on %d Ps: status %d, signal %d%s instead of \"%s\":\n%s", arg ? arg : "child",
		  procs, r->status, r->signal, r->timed_out ? ", timed out" : "", text, r->err);
}

static void dies(int (*fn)(const char *), const char *arg, int procs, const char *text) {
	struct support_result r;

	die(fn, arg, procs, text, &r);
	support_free(&r);
}

static const int all_procs[] = {1, 2, 64};

/* ------------------------------------------------------------ what goroutines wait for --- */

static go_mutex locked;
static go_waitgroup undone;
static go_chan(int) never, full;

static void wait_in_select(void) {
	go_chan(int) other = go_make(int, 0);

	go_select(GO_RECV(never, NULL), GO_SEND(other, 1));
}

static const struct reason { const char *name, *reason, *or; } reasons[] = {
	{"receiver", "[chan receive", ""},
	{"sender", "[chan send", ""},
	{"nil receiver", "[chan receive (nil chan)", ""},
	{"nil sender", "[chan send (nil chan)", ""},
	{"selector", "[select", ""},
	{"empty selector", "[select (no cases)", ""},
	{"locker", "[sync.Mutex.Lock", ""},
	{"waiter", "[sync.WaitGroup.Wait", "[semacquire"},
	{NULL, NULL, NULL},
};

static void wait_for(const char *name) {
	int i = 0;

	while (strcmp(reasons[i].name, name) != 0)
		i++;
	switch (i) {
	case 0: go_recv(never, NULL); break;
	case 1: go_send(full, 2); break;
	case 2: go_chan_recv(NULL, NULL); break;
	case 3: go_chan_send(NULL, NULL); break;
	case 4: wait_in_select(); break;
	case 5: go_selectv(NULL, 0, GO_FOREVER); break;
	case 6: go_mutex_lock(&locked); break;
	default: go_wg_wait(&undone);
	}
}
GO_TASK(wait_for, const char *);

static void set_up(void) {
	never = go_make(int, 0);
	full = go_make(int, 1);
	go_send(full, 1);
	go_mutex_lock(&locked);
	go_wg_add(&undone, 1);
}

CHILD(main_waits) {
	set_up();
	wait_for(arg);
	return 0;
}

/* TestSimpleDeadlock, for everything that one can wait for */
TEST(main_alone_is_reported_with_its_reason) {
	for (int i = 0; reasons[i].name != NULL; i++) {
		struct support_result r;

		die(main_waits, reasons[i].name, all_procs[i % 3], asleep, &r);
		CHECK_EQ(report_lines(r.err, "", ""), 1);
		CHECK_MSG(report_lines(r.err, "goroutine 1 ", reasons[i].reason) == 1 ||
			  (*reasons[i].or &&
			   report_lines(r.err, "goroutine 1 ", reasons[i].or) == 1),
			  "no line \"goroutine 1 %s\" in\n%s", reasons[i].reason, r.err);
		support_free(&r);
	}
}

static void named_waiter(const char *name) {
	go_set_name("%s", name);
	wait_for(name);
}
GO_TASK(named_waiter, const char *);

CHILD(all_wait) {
	set_up();
	for (int i = 0; reasons[i].name != NULL; i++)
		GO(named_waiter, reasons[i].name);
	go_recv(never, NULL);
	return 0;
}

TEST(every_goroutine_is_reported_with_name_and_reason) {
	for (int p = 0; p < 3; p++) {
		struct support_result r;

		die(all_wait, NULL, all_procs[p], asleep, &r);
		CHECK_EQ(report_lines(r.err, "", ""), 9);
		for (int i = 0; reasons[i].name != NULL; i++) {
			CHECK_MSG(report_lines(r.err, reasons[i].name, reasons[i].reason) > 0 ||
				  (*reasons[i].or &&
				   report_lines(r.err, reasons[i].name, reasons[i].or) > 0),
				  "no line with \"%s\" and \"%s\" in\n%s", reasons[i].name,
				  reasons[i].reason, r.err);
		}
		support_free(&r);
	}
}

CHILD(hundreds_wait) {
	set_up();
	for (int i = 0; i < 300; i++)
		GO(wait_for, "locker");
	wait_for("waiter");
	return 0;
}

TEST(hundreds_of_goroutines_are_all_reported) {
	struct support_result r;

	die(hundreds_wait, NULL, 2, asleep, &r);
	if (r.nerr < SUPPORT_CAPTURE)
		CHECK_EQ(report_lines(r.err, "", "["), 301);
	CHECK_EQ(report_lines(r.err, "goroutine 1 ", "["), 1);
	support_free(&r);
}

static void receive(void *arg) { go_chan_recv(arg, NULL); }

static void receive_pinned(void *arg) {
	go_lock_thread();
	go_chan_recv(arg, NULL);
}

CHILD(pinned_ones_wait) {
	go_ch *c = go_chan_make(0, 0);

	if (*arg == 'm')
		go_lock_thread();
	go_spawn(receive_pinned, c);
	go_chan_recv(c, NULL);
	return 0;
}

/* TestLockedDeadlock, TestLockedDeadlock2 */
TEST(pinned_goroutines_are_reported_too) {
	for (int p = 0; p < 3; p++) {
		dies(pinned_ones_wait, "main", all_procs[p], asleep);
		dies(pinned_ones_wait, "other", all_procs[p], asleep);
	}
}

/* ------------------------------------------------------------ plain main --- */

static int wait_for_ever(void *arg) {
	go_spawn(receive, arg);
	go_chan_recv(arg, NULL);
	return 0;
}

static void *wait_in_a_thread(void *arg) {
	go_chan_recv(arg, NULL);
	return NULL;
}

/* Every thread there is waits in a call of the library's. */
CHILD_PLAIN(threads_wait) {
	go_ch *c = go_chan_make(0, 0);
	pthread_t thread;

	switch (*arg) {
	case 'r':
		return go_run(wait_for_ever, c);
	case 't':
		if (pthread_create(&thread, NULL, wait_in_a_thread, c) != 0)
			return 1;
		/* fallthrough */
	default:
		go_spawn(receive, c);
		go_chan_recv(c, NULL);
		return 0;
	}
}

TEST(waiting_threads_are_no_hope) {
	for (int p = 0; p < 3; p++) {
		struct support_result r;

		die(threads_wait, "run", all_procs[p], asleep, &r);
		CHECK_EQ(report_lines(r.err, "[chan receive", ""), 2);
		support_free(&r);
		die(threads_wait, "main", all_procs[p], asleep, &r);
		CHECK_EQ(report_lines(r.err, "[chan receive", ""), 1);
		support_free(&r);
		dies(threads_wait, "thread", all_procs[p], asleep);
	}
}

/* ------------------------------------------------------------ go_exit in main --- */

static void end_soon(void *arg) {
	(void)arg;
	for (int i = 0; i < 10; i++)
		go_yield();
}

static void end_later(void *arg) {
	(void)arg;
	go_sleep(20 * GO_MILLISECOND);
}

CHILD(main_exits) {
	if (*arg == 'w')
		go_spawn(receive, go_chan_make(0, 0));
	if (*arg == 's')
		go_spawn(end_later, NULL);
	go_spawn(end_soon, NULL);
	go_spawn(end_soon, NULL);
	go_exit();
}

/* TestGoexitDeadlock, TestGoexitExit */
TEST(go_exit_in_main_is_reported_when_the_last_has_ended) {
	for (int p = 0; p < 3; p++) {
		dies(main_exits, "none", all_procs[p], nobody);
		dies(main_exits, "sleeper", all_procs[p], nobody);
		dies(main_exits, "waiter", all_procs[p], " - deadlock!");
	}
}

/* ------------------------------------------------------------ hope --- */

enum { WHILE = 300 };           /* ms: long enough for a wrong report */

static void send_later(void *arg) {
	go_sleep(WHILE * GO_MILLISECOND);
	go_chan_send(arg, NULL);
}

static void send_now(void *arg) { go_chan_send(arg, NULL); }

static void *sleep_and_send(void *arg) {
	usleep(WHILE * 1000);
	go_chan_send(arg, NULL);
	return NULL;
}

static void usleep_and_send(void *arg) { sleep_and_send(arg); }

static void *just_usleep(void *arg) {
	usleep(WHILE * 1000);
	return arg;
}

static void block_and_send(void *arg) {
	go_chan_send(go_blocking(just_usleep, arg), NULL);
}

static void spin_and_send(void *arg) {
	int64_t end = support_clock() + WHILE * GO_MILLISECOND;

	while (support_clock() < end)
		;
	go_chan_send(arg, NULL);
}

static void lock_until_and_send(void *arg) {
	if (go_mutex_lock_until(&locked, go_now() + WHILE * GO_MILLISECOND) == -ETIMEDOUT)
		go_chan_send(arg, NULL);
}

static void start_thread(void *(*fn)(void *), void *arg) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg) != 0)
		exit(10);
	pthread_detach(thread);
}

/* A goroutine, timer or thread that will send on c later. */
static bool give_hope(const char *kind, go_ch *c) {
	static const struct { const char *kind; go_fn fn; } goroutines[] = {
		{"sleeper", send_later}, {"usleep", usleep_and_send}, {"blocking", block_and_send},
		{"busy", spin_and_send}, {"until", lock_until_and_send},
	};

	for (int i = 0; i < 5; i++) {
		if (strcmp(kind, goroutines[i].kind) == 0) {
			go_spawn(goroutines[i].fn, c);
			return true;
		}
	}
	if (strcmp(kind, "after_func") == 0)
		go_after_func(WHILE * GO_MILLISECOND, send_now, c);
	else if (strcmp(kind, "thread") == 0)
		start_thread(sleep_and_send, c);
	else
		return false;
	return true;
}

CHILD(waits_with_hope) {
	go_ch *c = go_chan_make(0, 0);
	int rc = 0;

	go_mutex_lock(&locked);
	if (give_hope(arg, c))
		go_chan_recv(c, NULL);
	else if (strcmp(arg, "timer") == 0)
		go_recv(go_timer_c(go_timer_new(WHILE * GO_MILLISECOND)), NULL);
	else if (strcmp(arg, "ticker") == 0)
		go_recv(go_timer_c(go_ticker_new(WHILE * GO_MILLISECOND)), NULL);
	else
		rc = go_select_until(go_now() + WHILE * GO_MILLISECOND,
				     (go_case){.op = GO_OP_RECV}) != -ETIMEDOUT;
	return rc;
}

TEST(no_report_while_somebody_may_come) {
	static const char *const kinds[] = {"sleeper", "usleep", "blocking", "busy", "until",
		"after_func", "thread", "timer", "ticker", "select until"};

	for (int i = 0; i < 10; i++)
		CHECK_LIVES(waits_with_hope, kinds[i]);
}

static int run_waits(void *arg) {
	go_chan_recv(arg, NULL);
	return 0;
}

/* A thread of the user's that has never called the library could yet do so. */
CHILD_PLAIN(stranger_lives) {
	go_ch *c = go_chan_make(0, 0);

	if (*arg == 'm') {
		go_spawn(receive, c);
		usleep(WHILE * 1000);                   /* main itself is the stranger */
		return 0;
	}
	start_thread(sleep_and_send, c);
	return go_run(run_waits, c);
}

TEST(no_report_while_a_thread_may_call) {
	CHECK_LIVES(stranger_lives, "main");
	CHECK_LIVES(stranger_lives, "thread");
}

/* ------------------------------------------------------------ hope that ends --- */

static void sleep_and_wait(void *arg) {
	go_sleep(30 * GO_MILLISECOND);
	go_chan_recv(arg, NULL);
}

static void usleep_and_end(void *arg) {
	(void)arg;
	usleep(30000);
}

static void *thread_ends(void *arg) {
	usleep(50000);
	return arg;
}

static void run_and_end(void *arg) { (void)arg; }

CHILD(hope_ends) {
	go_ch *c = go_chan_make(0, 0);
	go_timer *t;

	if (strcmp(arg, "sleeper") == 0) {
		go_spawn(sleep_and_wait, c);
	} else if (strcmp(arg, "usleep") == 0) {
		go_spawn(usleep_and_end, c);
	} else if (strcmp(arg, "thread") == 0) {
		start_thread(thread_ends, NULL);
	} else if (strcmp(arg, "after_func") == 0) {
		go_after_func(20 * GO_MILLISECOND, run_and_end, NULL);
	} else {
		t = go_ticker_new(20 * GO_MILLISECOND);
		go_timer_stop(t);
		t = go_timer_new(GO_HOUR);
		go_timer_free(t);
	}
	go_chan_recv(c, NULL);
	return 0;
}

TEST(the_report_comes_when_the_last_hope_has_gone) {
	static const char *const kinds[] = {"sleeper", "usleep", "thread", "after_func", "stopped"};

	for (int i = 0; i < 5; i++)
		for (int p = 0; p < 3; p++)
			dies(hope_ends, kinds[i], all_procs[p], asleep);
}

CHILD(deadlock_in_try) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	go_try(receive, go_chan_make(0, 0), &info);
	return 0;
}

TEST(try_does_not_stop_the_report) {
	dies(deadlock_in_try, NULL, 2, asleep);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(main_alone_is_reported_with_its_reason),
	cmocka_unit_test(every_goroutine_is_reported_with_name_and_reason),
	cmocka_unit_test(hundreds_of_goroutines_are_all_reported),
	cmocka_unit_test(pinned_goroutines_are_reported_too),
	cmocka_unit_test(waiting_threads_are_no_hope),
	cmocka_unit_test(go_exit_in_main_is_reported_when_the_last_has_ended),
	cmocka_unit_test(no_report_while_somebody_may_come),
	cmocka_unit_test(no_report_while_a_thread_may_call),
	cmocka_unit_test(the_report_comes_when_the_last_hope_has_gone),
	cmocka_unit_test(try_does_not_stop_the_report),
};

SUPPORT_MAIN(tests)
