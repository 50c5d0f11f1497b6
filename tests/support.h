/* SPDX-License-Identifier: MIT */
/*
 * support.h - what every test program shares, on top of cmocka.
 *
 * A program is a list of cmocka tests and SUPPORT_MAIN(tests).  cmocka itself runs in goroutine 1,
 * locked to its thread because cmocka keeps its state in thread-local variables; every test runs in
 * a fresh goroutine named after it, free to migrate.  (So go_count() is 2 when a test begins.)
 *
 * Checks.  CHECK(cond), CHECK_EQ(a, b), CHECK_MSG(cond, fmt, ...) record a failure and go on; they
 * may be used in any goroutine and any thread, and the test fails at its end.  cmocka's assert_*
 * names work too: in the test's own goroutine a failure ends the test with go_exit (deferred calls
 * run), anywhere else it is recorded like a CHECK.
 *
 * Children.  CHILD(name) { ... } defines a function that support_child(name, arg, &result) runs in
 * a new process of this program, as goroutine 1; CHILD_PLAIN(name) runs it under a plain main().
 * The parameter is `const char *arg`, the result is the exit status.
 *
 * Environment: GORO_TEST_SEED (a number; printed at the start), GORO_TEST_TIMEOUT (seconds for one
 * test), GORO_TEST_CHILD_TIMEOUT (seconds for one child), GORO_TEST_SLOW (divide loop counts by
 * that much, say under valgrind), GORO_STRESS (minutes; multiplies loop counts), GORO_TEST_RUNNER
 * (a command, words split at blanks, put before the path of a child: an emulator).  The first
 * argument of the program, if any, is a pattern (* and ?) of the tests to run.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1        /* so include this header first */
#endif

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "goro.h"

#if defined __has_feature
#define SUPPORT_FEATURE(x) __has_feature(x)
#else
#define SUPPORT_FEATURE(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || SUPPORT_FEATURE(address_sanitizer)
#define SUPPORT_ASAN 1
#else
#define SUPPORT_ASAN 0
#endif
#if defined __SANITIZE_THREAD__ || SUPPORT_FEATURE(thread_sanitizer)
#define SUPPORT_TSAN 1
#else
#define SUPPORT_TSAN 0
#endif

enum { SUPPORT_MAX_TESTS = 256 };

struct support_state {
	const char *program;              /* last part of argv[0] */
	char self[4096];                  /* path of this program, for children */
	int (*body)(int, char **);        /* what go_main runs */
	const struct CMUnitTest *tests;
	size_t ntests;
	const char *pattern;
	uint64_t seed;
	const char *_Atomic test;         /* the one running, for the watchdog and the messages */
	atomic_uint_least64_t test_id;    /* its goroutine */
	atomic_int failures;              /* of the test that runs */
	atomic_int skipped;
	int64_t timeout;                  /* seconds for one test */
	atomic_int_least64_t deadline;    /* CLOCK_MONOTONIC ns, for the watchdog thread */
	go_ch *done;                      /* the test's goroutine has ended */
	struct sigaction handlers[5];     /* the library's, which cmocka replaces */
};

static struct support_state support;

/* ------------------------------------------------------------ environment --- */

static inline int64_t
support_env(const char *name, int64_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL && *s != '\0' ? strtoll(s, NULL, 0) : otherwise;
}

/* Wall time by the system, not the library, so that the library can be checked against it. */
static inline int64_t
support_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* How much slower than a plain build this process runs; generous bounds on time multiply by it. */
static inline int64_t
support_slowness(void)
{
	int64_t slow = getenv("GORO_TEST_SLOW") != NULL ? support_env("GORO_TEST_SLOW", 0) : 1;

	if (slow <= 0)
		slow = 20;
	return slow * (SUPPORT_TSAN ? 20 : SUPPORT_ASAN ? 10 : 1);
}

/* A loop count fit for this build and run; at least 1. */
static inline int64_t
support_scale(int64_t n)
{
	int64_t minutes = support_env("GORO_STRESS", 0);

	n /= support_slowness();
	if (minutes > 0)
		n *= 10 * minutes;
	return n > 0 ? n : 1;
}

/* How many goroutines a test may have alive: ThreadSanitizer counts each as a thread. */
static inline int64_t
support_max_goroutines(void)
{
#if SUPPORT_TSAN && !defined __clang__
	return 300;
#elif SUPPORT_TSAN
	return 4000;
#else
	return SUPPORT_ASAN || getenv("GORO_TEST_SLOW") != NULL ? 4000 : 1000000;
#endif
}

/* support_scale(n), but not too many to be alive at a time. */
static inline int
support_goroutines(int64_t n)
{
	int64_t most = support_max_goroutines() - 50;

	n = support_scale(n);
	return (int)(n < most ? n : most);
}

/* ------------------------------------------------------------ random numbers --- */

struct support_rng { uint64_t state; };

static inline uint64_t
support_seed(void)
{
	return support.seed;
}

/* A generator for one goroutine: the run's seed, made different by salt. */
static inline struct support_rng
support_rng(uint64_t salt)
{
	return (struct support_rng){support.seed ^ (salt + 1) * UINT64_C(0xd1342543de82ef95)};
}

static inline uint64_t
support_rand(struct support_rng *r)             /* splitmix64 */
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline int
support_below(struct support_rng *r, int n)     /* uniform in [0, n) */
{
	return (int)(support_rand(r) % (uint64_t)n);
}

/* ------------------------------------------------------------ failures --- */

static inline void
support_vfailed(const char *file, int line, const char *fmt, va_list ap)
{
	const char *test = atomic_load(&support.test);
	char buf[1024];
	int n;

	if (atomic_fetch_add(&support.failures, 1) >= 10)
		return;                         /* the first ones tell enough */
	n = snprintf(buf, sizeof buf - 1, "%s:%d: %s: ", file, line, test ? test : "(no test)");
	n += vsnprintf(buf + n, sizeof buf - 1 - (size_t)n, fmt, ap);
	if (n > (int)sizeof buf - 2)
		n = (int)sizeof buf - 2;
	buf[n++] = '\n';
	while (write(2, buf, (size_t)n) < 0 && errno == EINTR)
		;
}

static inline bool support_check_msg(bool ok, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool
support_check_msg(bool ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!ok)
		support_vfailed(file, line, fmt, ap);
	va_end(ap);
	return ok;
}

static inline bool
support_check(bool ok, const char *file, int line, const char *what)
{
	return support_check_msg(ok, file, line, "%s does not hold", what);
}

static inline bool
support_check_eq(intmax_t a, intmax_t b, const char *file, int line, const char *what)
{
	return support_check_msg(a == b, file, line, "%s: %jd != %jd", what, a, b);
}

static inline bool
support_check_in(uintmax_t v, uintmax_t lo, uintmax_t hi, const char *file, int line,
		 const char *what)
{
	return support_check_msg(v >= lo && v <= hi, file, line, "%s: %ju is not in [%ju, %ju]",
				 what, v, lo, hi);
}

static inline bool
support_check_str(const char *a, const char *b, const char *file, int line, const char *what)
{
	bool same = a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);

	return support_check_msg(same, file, line, "%s: \"%s\" != \"%s\"", what, a ? a : "(null)",
				 b ? b : "(null)");
}

/* After an assert_* has failed: the test ends, other goroutines and threads go on. */
static inline void
support_give_up(bool ok)
{
	if (!ok && go_running() && go_id() == atomic_load(&support.test_id))
		go_exit();
}

#define TEST(name) static void name(__attribute__((unused)) void **state)

/* Each is an expression: whether the check held. */
#define CHECK(cond)          support_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ(a, b)       support_check_eq((a), (b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b)      support_check_str((a), (b), __FILE__, __LINE__, #a " is " #b)
#define CHECK_IN(v, lo, hi)  support_check_in((v), (lo), (hi), __FILE__, __LINE__, #v)
#define CHECK_MSG(cond, ...) support_check_msg((cond), __FILE__, __LINE__, __VA_ARGS__)

#undef assert_true
#undef assert_false
#undef assert_null
#undef assert_non_null
#undef assert_ptr_equal
#undef assert_ptr_not_equal
#undef assert_int_equal
#undef assert_int_not_equal
#undef assert_string_equal
#undef assert_string_not_equal
#undef assert_memory_equal
#undef assert_memory_not_equal
#undef assert_in_range
#undef assert_not_in_range
#undef assert_return_code
#undef assert_float_equal
#undef assert_float_not_equal
#undef assert_in_set
#undef assert_not_in_set
#undef fail
#undef fail_msg
#undef skip
#define assert_true(c)              support_give_up(CHECK(c))
#define assert_false(c)             support_give_up(CHECK(!(c)))
#define assert_null(p)              support_give_up(CHECK((p) == NULL))
#define assert_non_null(p)          support_give_up(CHECK((p) != NULL))
#define assert_ptr_equal(a, b)      support_give_up(CHECK((const void *)(a) == (const void *)(b)))
#define assert_ptr_not_equal(a, b)  support_give_up(CHECK((const void *)(a) != (const void *)(b)))
#define assert_int_equal(a, b)      support_give_up(CHECK_EQ(a, b))
#define assert_int_not_equal(a, b)  support_give_up(CHECK((intmax_t)(a) != (intmax_t)(b)))
#define assert_string_equal(a, b)   support_give_up(CHECK_STR(a, b))
#define assert_string_not_equal(a, b) support_give_up(CHECK(strcmp((a), (b)) != 0))
#define assert_memory_equal(a, b, n)     support_give_up(CHECK(memcmp((a), (b), (n)) == 0))
#define assert_memory_not_equal(a, b, n) support_give_up(CHECK(memcmp((a), (b), (n)) != 0))
#define assert_in_range(v, lo, hi)  support_give_up(CHECK_IN(v, lo, hi))
#define assert_return_code(rc, err) \
	support_give_up(CHECK_MSG((rc) >= 0, #rc " failed: %s", strerror(err)))
#define fail()                      support_give_up(CHECK_MSG(false, "failed"))
#define fail_msg(...)               support_give_up(CHECK_MSG(false, __VA_ARGS__))
#define skip()                      (atomic_store(&support.skipped, 1), go_exit())

#include "support_wait.h"
#include "support_child.h"

/* ------------------------------------------------------------ watchdog --- */

static inline void
support_bark(void)
{
	static const char text[] = ": hangs; every goroutine:\n";
	const char *test = atomic_load(&support.test);
	ssize_t ignored = 0;

	test = test != NULL ? test : "(no test)";
	ignored += write(2, "\n", 1);
	ignored += write(2, test, strlen(test));
	ignored += write(2, text, sizeof text - 1);
	(void)ignored;
	go_dump(2);
	_exit(3);
}

static inline void
support_alarm(__attribute__((unused)) int sig)
{
	static atomic_int again;

	if (atomic_exchange(&again, 1) != 0)
		_exit(3);                       /* the dump hangs as well */
	alarm(10);
	support_bark();
}

static inline void *
support_watch(__attribute__((unused)) void *arg)
{
	for (;;) {
		int64_t deadline = atomic_load(&support.deadline);

		if (deadline != 0 && support_clock() > deadline)
			support_bark();
		nanosleep(&(struct timespec){0, 100 * 1000 * 1000}, NULL);
	}
	return NULL;
}

/*
 * An alarm leaves the process without a thread of the user's, so the deadlock report stays armed
 * in all tests.  ThreadSanitizer holds signals back from threads that wait in the runtime: a thread
 * there.
 */
static inline void
support_watchdog_start(void)
{
	struct sigaction sa = {.sa_handler = support_alarm, .sa_flags = SA_NODEFER};
	pthread_t thread;

	support.timeout = support_env("GORO_TEST_TIMEOUT", 120);
	if (SUPPORT_TSAN) {
		if (pthread_create(&thread, NULL, support_watch, NULL) == 0)
			pthread_detach(thread);
	} else {
		sigaction(SIGALRM, &sa, NULL);
	}
}

static inline void
support_watchdog_set(bool on)
{
	int64_t deadline = support_clock() + support.timeout * GO_SECOND;

	if (SUPPORT_TSAN)
		atomic_store(&support.deadline, on ? deadline : 0);
	else
		alarm(on ? (unsigned)support.timeout : 0);
}

/* ------------------------------------------------------------ running --- */

static const int support_signals[5] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};

static inline void
support_test_over(__attribute__((unused)) void *arg)
{
	go_chan_send(support.done, NULL);
}

static inline void
support_test_body(void *arg)
{
	const struct CMUnitTest *t = arg;
	void *state = t->initial_state;

	go_defer(support_test_over, NULL);
	atomic_store(&support.test_id, go_id());
	if (t->setup_func != NULL)
		assert_true(t->setup_func(&state) == 0);
	t->test_func(&state);
	if (t->teardown_func != NULL)
		assert_true(t->teardown_func(&state) == 0);
}

/*
 * Those of the test before that are about to end shall have ended: a test that counts goroutines
 * must not count them.  Some tests leave one behind for good.
 */
static inline void
support_wait_for_the_last(void)
{
	static int left = 1;
	int64_t patience = support_clock() + 3 * GO_SECOND;

	while (go_count() > left && support_clock() < patience)
		go_sleep(100 * GO_MICROSECOND);
	if (go_count() > left)
		left = go_count();
}

/* What cmocka takes for the test, in goroutine 1. */
static inline void
support_test(void **state)
{
	const struct CMUnitTest *t = *state;
	go_attr attr = GO_ATTR_INIT;

	for (int i = 0; i < 5; i++)
		sigaction(support_signals[i], &support.handlers[i], NULL);
	support_wait_for_the_last();
	atomic_store(&support.failures, 0);
	atomic_store(&support.skipped, 0);
	atomic_store(&support.test, t->name);
	support_watchdog_set(true);
	attr.name = t->name;
	attr.stack_size = 1 << 20;
	if (go_spawn_with(&attr, support_test_body, *state) != 0)
		_fail(__FILE__, __LINE__);
	go_chan_recv(support.done, NULL);
	support_watchdog_set(false);
	if (atomic_load(&support.failures) != 0)
		_fail(t->name, 0);
	if (atomic_load(&support.skipped) != 0)
		_skip(t->name, 0);
}

static inline int
support_group(__attribute__((unused)) int argc, __attribute__((unused)) char **argv)
{
	static struct CMUnitTest wrapped[SUPPORT_MAX_TESTS];

	go_lock_thread();
	support.done = go_chan_make(0, 0);
	for (int i = 0; i < 5; i++)
		sigaction(support_signals[i], NULL, &support.handlers[i]);
	for (size_t i = 0; i < support.ntests && i < SUPPORT_MAX_TESTS; i++) {
		const void *test = &support.tests[i];

		wrapped[i].name = support.tests[i].name;
		wrapped[i].test_func = support_test;
		memcpy(&wrapped[i].initial_state, &test, sizeof test);
	}
	if (support.pattern != NULL)
		cmocka_set_test_filter(support.pattern);
	return _cmocka_run_group_tests(support.program, wrapped, support.ntests, NULL, NULL);
}

static inline int
support_child_main(__attribute__((unused)) int argc, char **argv)
{
	return support_child_find(NULL, argv[2])->fn(argv[3]);
}

static inline void
support_seed_start(void)
{
	support.seed = getenv("GORO_TEST_SEED") != NULL
		? strtoull(getenv("GORO_TEST_SEED"), NULL, 0)
		: (uint64_t)support_clock() ^ (uint64_t)getpid() << 40;
}

/*
 * ThreadSanitizer lets every process linger for a second at its end.  Children mostly die on
 * purpose and free nothing: leaks are looked for in the tests themselves.
 */
static inline void
support_hurry_children(void)
{
	const char *old = getenv("TSAN_OPTIONS"), *asan = getenv("ASAN_OPTIONS");
	char options[1024];

	snprintf(options, sizeof options, "atexit_sleep_ms=0 %s", old != NULL ? old : "");
	if (SUPPORT_TSAN)
		setenv("TSAN_OPTIONS", options, 1);
	snprintf(options, sizeof options, "%s%sdetect_leaks=0", asan != NULL ? asan : "",
		asan != NULL ? ":" : "");
	setenv("ASAN_OPTIONS", options, 1);
}

static inline int
support_main(const char *name, const struct CMUnitTest *tests, size_t n, int argc, char **argv)
{
	const struct support_child_def *child;
	ssize_t len = readlink("/proc/self/exe", support.self, sizeof support.self - 1);

	support.program = name;
	support.self[len > 0 ? len : 0] = '\0';
	support_seed_start();
	support_hurry_children();
	if (argc >= 4 && strcmp(argv[1], "--child") == 0) {
		child = support_child_find(NULL, argv[2]);
		if (child == NULL)
			return 127;
		alarm((unsigned)support_env("GORO_TEST_CHILD_TIMEOUT", 60) + 10);
		return child->plain ? child->fn(argv[3]) : go_main(support_child_main, argc, argv);
	}
	if (n > SUPPORT_MAX_TESTS) {
		fprintf(stderr, "%s: more than %d tests\n", name, SUPPORT_MAX_TESTS);
		return 1;
	}
	fprintf(stderr, "# GORO_TEST_SEED=%" PRIu64 "\n", support.seed);
	support.tests = tests;
	support.ntests = n;
	support.pattern = argc > 1 ? argv[1] : NULL;
	support_watchdog_start();
	return go_main(support_group, argc, argv);
}

#define SUPPORT_MAIN(tests)                                                             \
	int main(int argc, char **argv)                                                 \
	{                                                                               \
		const char *slash = strrchr(argv[0], '/');                              \
		return support_main(slash ? slash + 1 : argv[0], tests,                 \
				    sizeof tests / sizeof *tests, argc, argv);          \
	}

#endif /* SUPPORT_H */
