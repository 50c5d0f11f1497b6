/* SPDX-License-Identifier: MIT */
/*
 * overflow.c - stacks that are too small, and faults that have nothing to do with stacks.
 *
 * An overflow is told like Go's (runtime/crash_test.go, TestStackOverflow) and ends the process, by
 * exit status 2 or by the signal, which leaves a core.  Any other fault takes its usual course.
 */
#include "support.h"

#include <regex.h>

enum { KIB = 1024 };

/* A sanitizer's runtime has its own handler, and says so in its own words. */
#define NOT_WITH_SANITIZERS()                           \
	do {                                            \
		if (SUPPORT_ASAN || SUPPORT_TSAN)       \
			skip();                         \
	} while (0)

/* ------------------------------------------------------------ digging --- */

static volatile int bottomless = 1;

/* Goes down in steps of about `step` bytes, for ever. */
static __attribute__((noinline)) int dig_small(int depth) {
	volatile char block[200];

	block[depth % 200] = 1;
	return bottomless ? dig_small(depth + 1) + block[3] : 0;
}

static __attribute__((noinline)) int dig_large(int depth) {
	volatile char block[9 * KIB];

	for (size_t i = 0; i < sizeof block; i += 512)
		block[i] = (char)depth;
	return bottomless ? dig_large(depth + 1) + block[3] : 0;
}

/* The C library goes over the end: it needs several times what one step takes here. */
static __attribute__((noinline)) int dig_in_libc(int depth) {
	volatile char block[200];
	regex_t re;

	block[depth % 200] = 1;
	if (regcomp(&re, "^(a|b)*[[:alpha:]]+(x{1,5}|y?)$", REG_EXTENDED) == 0) {
		regexec(&re, "ababx", 0, NULL, 0);
		regfree(&re);
	}
	return bottomless ? dig_in_libc(depth + 1) + block[3] : 0;
}

static void dig(void *arg) {
	const char *how = arg;

	go_set_name("the digger");
	printf("%" PRIu64 "\n", go_id());
	fflush(stdout);
	switch (*how) {
	case 'l': bottomless += dig_large(0); break;
	case 'c': bottomless += dig_in_libc(0); break;
	default: bottomless += dig_small(0);
	}
}

static char dig_how[16];

CHILD(digs) {
	go_attr attr = GO_ATTR_INIT;

	snprintf(dig_how, sizeof dig_how, "%.1s", arg);
	attr.stack_size = (size_t)atoi(arg + 1) * KIB;
	if (strcmp(arg + 1, "main") == 0)
		dig(dig_how);
	else if (go_spawn_with(&attr, dig, dig_how) != 0)
		return 8;
	go_sleep(30 * GO_SECOND);
	return 7;
}

/* The number before "-byte limit" in the report; 0 if it is not there. */
static unsigned long limit_told(const char *text) {
	const char *p = strstr(text, "stack exceeds ");
	char *end;
	unsigned long n = p != NULL ? strtoul(p + 14, &end, 10) : 0;

	return n != 0 && strncmp(end, "-byte limit", 11) == 0 ? n : 0;
}

static void check_report(const char *arg, unsigned long least, unsigned long most) {
	struct support_result r;
	char who[64];

	support_child(digs, arg, &r);
	snprintf(who, sizeof who, "goroutine %.*s ", (int)strcspn(r.out, "\n"), r.out);
	CHECK_MSG(r.status == 2 || r.signal == SIGSEGV || r.signal == SIGABRT,
		  "%s: status %d, signal %d", arg, r.status, r.signal);
	CHECK_MSG(strstr(r.err, "fatal error: stack overflow") && strstr(r.err, who) &&
		  strstr(r.err, "the digger"), "%s, %s: stderr:\n%s", arg, who, r.err);
	CHECK_IN(limit_told(r.err), least * KIB, most * KIB);
	support_free(&r);
}

/* TestStackOverflow */
TEST(an_overflow_is_told_with_goroutine_and_limit) {
	NOT_WITH_SANITIZERS();
	check_report("s0", 200, 256);
	check_report("l0", 200, 256);
	check_report("s64", 64, 256);
	check_report("s1024", 1024, 8192);              /* the next larger class will do */
	check_report("l20000", 20000, 40000);
}

TEST(an_overflow_inside_libc_is_told) {
	NOT_WITH_SANITIZERS();
	check_report("c0", 200, 256);
	check_report("c1024", 1024, 8192);
}

TEST(an_overflow_of_main_is_told) {
	NOT_WITH_SANITIZERS();
	check_report("smain", 1024, 1024 * 1024);
}

CHILD(many_dig) {
	snprintf(dig_how, sizeof dig_how, "s");
	for (int i = 0; i < 20; i++)
		go_spawn(dig, dig_how);
	go_sleep(30 * GO_SECOND);
	return 7;
}

TEST(several_overflows_at_once_end_the_process) {
	NOT_WITH_SANITIZERS();
	for (int i = 0; i < 3; i++) {
		struct support_result r;

		support_child(many_dig, NULL, &r);
		CHECK(!r.timed_out && r.status != 7);
		CHECK_MSG(strstr(r.err, "fatal error: stack overflow") != NULL, "%s", r.err);
		support_free(&r);
	}
}

static void *dig_thread(void *arg) {
	bottomless += dig_small(0);
	return arg;
}

CHILD(a_thread_digs) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, dig_thread, NULL) == 0)
		pthread_join(thread, NULL);
	return 7;
}

TEST(an_overflow_of_a_plain_thread_kills_by_the_signal) {
	struct support_result r;

	NOT_WITH_SANITIZERS();
	support_child(a_thread_digs, NULL, &r);
	CHECK_EQ(r.signal, SIGSEGV);
	support_free(&r);
}

/* ------------------------------------------------------------ enough --- */

/* Touch `bytes` of stack below the caller. */
static __attribute__((noinline)) int use(size_t bytes) {
	volatile char block[4 * KIB];

	for (size_t i = 0; i < sizeof block; i += 256)
		block[i] = (char)bytes;
	return bytes > sizeof block ? use(bytes - sizeof block) + block[256] : block[512];
}

static volatile int used;

static void use_200(void *arg) {
	used = use(196 * KIB);
	go_wg_done(arg);
}

static void use_200_task(go_waitgroup *wg) { use_200(wg); }
GO_TASK(use_200_task, go_waitgroup *);

static void use_mebibyte(void *arg) {
	used = use(1020 * KIB);
	go_wg_done(arg);
}

TEST(two_hundred_kib_of_a_default_stack_are_usable) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_timer *t;

	NOT_WITH_SANITIZERS();
	for (int i = 0; i < 50; i++) {
		go_wg_add(&wg, 3);
		go_spawn(use_200, &wg);
		GO(use_200_task, &wg);
		t = go_after_func(0, use_200, &wg);
		go_wg_wait(&wg);
		go_timer_free(t);
	}
}

TEST(a_mebibyte_is_usable_if_asked_for) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_attr attr = GO_ATTR_INIT;

	NOT_WITH_SANITIZERS();
	attr.stack_size = 1024 * KIB;
	go_wg_add(&wg, 50);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(go_spawn_with(&attr, use_mebibyte, &wg), 0);
	go_wg_wait(&wg);
}

CHILD(main_uses_four_mebibytes) {
	used = use(4096 * KIB);
	return 0;
}

TEST(main_has_as_much_as_a_plain_main) {
	NOT_WITH_SANITIZERS();
	CHECK_LIVES(main_uses_four_mebibytes, NULL);
}

/* ------------------------------------------------------------ other faults --- */

static int *volatile nowhere;

static int fault(void *arg) {
	go_yield();
	nowhere = arg;
	return *nowhere;
}

static void on_fault(int sig) {
	static const char text[] = "handler ran\n";

	_exit(sig == SIGSEGV && write(1, text, sizeof text - 1) > 0 ? 42 : 41);
}

static void on_fault_info(int sig, siginfo_t *info, void *context) {
	(void)context;
	_exit(sig == SIGSEGV && info->si_addr == (void *)64 ? 43 : 41);
}

/* arg: what the program had done about SIGSEGV before the runtime started */
CHILD_PLAIN(faults) {
	struct sigaction sa = {.sa_handler = SIG_DFL};

	if (*arg == 'h')
		sa.sa_handler = on_fault;
	if (*arg == 's')
		sa.sa_handler = on_fault, sa.sa_flags = SA_ONSTACK | SA_NODEFER;
	if (*arg == 'i')
		sa.sa_sigaction = on_fault_info, sa.sa_flags = SA_SIGINFO;
	if (*arg == 'g')
		sa.sa_handler = SIG_IGN;
	sigaction(SIGSEGV, &sa, NULL);
	if (*arg == 'l') {
		go_yield();
		sa.sa_handler = on_fault;
		sigaction(SIGSEGV, &sa, NULL);
	}
	go_run(fault, (void *)64);
	return 7;
}

TEST(a_fault_without_a_handler_kills_by_the_signal) {
	struct support_result r;

	NOT_WITH_SANITIZERS();
	support_child(faults, "none", &r);
	CHECK_EQ(r.signal, SIGSEGV);
	CHECK(strstr(r.err, "stack overflow") == NULL);
	support_free(&r);
	support_child(faults, "gnored", &r);
	CHECK_EQ(r.signal, SIGSEGV);
	support_free(&r);
}

TEST(a_fault_goes_to_the_handler_that_was_there) {
	static const struct { const char *how; int status; } cases[] = {
		{"handler", 42}, {"stack", 42}, {"info", 43}, {"later", 42},
	};

	NOT_WITH_SANITIZERS();
	for (int i = 0; i < 4; i++) {
		struct support_result r;

		support_child(faults, cases[i].how, &r);
		CHECK_MSG(r.status == cases[i].status, "%s: status %d, signal %d, stderr:\n%s",
			  cases[i].how, r.status, r.signal, r.err);
		support_free(&r);
	}
}

static int be_killed(void *arg) {
	kill(getpid(), SIGSEGV);
	for (int i = 0; i < 20; i++)
		go_sleep(GO_MILLISECOND);
	(void)arg;
	return 0;
}

CHILD_PLAIN(is_sent_the_signal) {
	signal(SIGSEGV, *arg == 'g' ? SIG_IGN : *arg == 'h' ? on_fault : SIG_DFL);
	return go_run(be_killed, NULL);
}

TEST(a_signal_sent_by_somebody_takes_its_course) {
	struct support_result r;

	NOT_WITH_SANITIZERS();
	support_child(is_sent_the_signal, "default", &r);
	CHECK_EQ(r.signal, SIGSEGV);
	support_free(&r);
	support_child(is_sent_the_signal, "handler", &r);
	CHECK_EQ(r.status, 42);
	support_free(&r);
	support_child(is_sent_the_signal, "gnored", &r);
	CHECK_EQ(r.status, 0);
	support_free(&r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_overflow_is_told_with_goroutine_and_limit),
	cmocka_unit_test(an_overflow_inside_libc_is_told),
	cmocka_unit_test(an_overflow_of_main_is_told),
	cmocka_unit_test(several_overflows_at_once_end_the_process),
	cmocka_unit_test(an_overflow_of_a_plain_thread_kills_by_the_signal),
	cmocka_unit_test(two_hundred_kib_of_a_default_stack_are_usable),
	cmocka_unit_test(a_mebibyte_is_usable_if_asked_for),
	cmocka_unit_test(main_has_as_much_as_a_plain_main),
	cmocka_unit_test(a_fault_without_a_handler_kills_by_the_signal),
	cmocka_unit_test(a_fault_goes_to_the_handler_that_was_there),
	cmocka_unit_test(a_signal_sent_by_somebody_takes_its_course),
};

SUPPORT_MAIN(tests)
