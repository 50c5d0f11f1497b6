/* SPDX-License-Identifier: MIT */
/* unit_os.c - the system calls: clock, futex, memory, CPUs, and the switches of $GORO_DEBUG. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../src/base/atomic.h"
#include "../src/base/os.h"

enum { MS = 1000000 };

/* --- Switches --- */

static void a_switch_is_found_by_its_whole_name(void **state)
{
	(void)state;
	setenv("GORO_DEBUG", "noguardx=7,noguard=1,b=-3", 1);
	assert_int_equal(os_debug("noguard", 0), 1);
	assert_int_equal(os_debug("noguardx", 0), 7);
	assert_int_equal(os_debug("b", 0), -3);
	assert_int_equal(os_debug("guard", 5), 5);
	assert_int_equal(os_debug("noguar", 5), 5);
	setenv("GORO_DEBUG", "", 1);
	assert_int_equal(os_debug("b", 4), 4);
	unsetenv("GORO_DEBUG");
	assert_int_equal(os_debug("b", 4), 4);
}

static void a_feature_once_lacking_stays_so(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		os_lacks(OS_GUARD_INSTALL);
		_exit(os_has(OS_GUARD_INSTALL) || os_guard_is_cheap() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- Clock and futex --- */

static void the_clock_does_not_go_back(void **state)
{
	int64_t last = os_now();
	int i;

	(void)state;
	assert_true(last > 0);
	for (i = 0; i < 100000; i++) {
		int64_t now = os_now();

		assert_true(now >= last);
		last = now;
	}
}

static void a_futex_wait_says_why_it_ended(void **state)
{
	uint32_t word = 5;
	int64_t before = os_now();

	(void)state;
	errno = 99;
	assert_int_equal(os_futex_wait(&word, 4, OS_NEVER), -EAGAIN);
	assert_int_equal(os_futex_wait(&word, 5, before + 3 * MS), -ETIMEDOUT);
	assert_true(os_now() >= before + 3 * MS);
	assert_int_equal(os_futex_wait(&word, 5, before), -ETIMEDOUT);
	assert_int_equal(errno, 99);
}

static uint32_t gate;

static void *sleeper(void *unused)
{
	while (load_acq(&gate) == 0)
		os_futex_wait(&gate, 0, OS_NEVER);
	return unused;
}

static void a_futex_wake_wakes_as_many_as_it_is_told(void **state)
{
	pthread_t t[4];
	int i;

	(void)state;
	store_rel(&gate, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, sleeper, NULL), 0);
	store_rel(&gate, 1);
	assert_true(os_futex_wake(&gate, 4) <= 4);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(os_futex_wake(&gate, 1), 0);
}

/* --- Memory --- */

/* Can the system read it? */
static bool readable(const void *p)
{
	int fd[2];
	bool can;

	assert_int_equal(pipe(fd), 0);
	can = write(fd[1], p, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return can;
}

static void memory_is_reserved_committed_guarded_and_given_back(void **state)
{
	size_t page = os_page(), size = 64 * page;
	char *lo = os_reserve(size);
	struct os_range all = {lo, size}, guard = {lo, 4 * page};
	size_t i;

	(void)state;
	assert_non_null(lo);
	assert_false(readable(lo));
	assert_int_equal(os_commit(lo, size), 0);
	memset(lo, 0x5a, size);
	assert_int_equal(os_discard(&all, 1), 0);
	for (i = 0; i < size; i += page)
		assert_int_equal(lo[i], 0);
	assert_int_equal(os_guard(&guard, 1), 0);
	assert_false(readable(lo));
	assert_false(readable(lo + 4 * page - 1));
	assert_true(readable(lo + 4 * page));
	assert_int_equal(os_protect(lo + 8 * page, page), 0);
	assert_false(readable(lo + 8 * page));
	assert_true(readable(lo + 9 * page));
	os_unreserve(lo, size);
	assert_false(readable(lo + 9 * page));
}

static void an_impossible_reservation_is_refused(void **state)
{
	(void)state;
	assert_null(os_reserve((size_t)1 << 60));
}

/* --- CPUs and threads --- */

static void cpus_follow_the_affinity_mask(void **state)
{
	cpu_set_t old, one;
	int cpu;

	(void)state;
	assert_true(os_cpus() >= 1);
	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	for (cpu = 0; !CPU_ISSET(cpu, &old); cpu++)
		continue;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(os_cpus(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
}

static void threads_are_counted(void **state)
{
	int before = os_threads();
	pthread_t t;

	(void)state;
	assert_true(before >= 1);
	store_rel(&gate, 0);
	assert_int_equal(pthread_create(&t, NULL, sleeper, NULL), 0);
	assert_int_equal(os_threads(), before + 1);
	store_rel(&gate, 1);
	os_futex_wake(&gate, 1);
	pthread_join(t, NULL);
}

static void each_thread_has_its_own_number(void **state)
{
	(void)state;
	assert_int_equal(os_gettid(), getpid());
	assert_true(os_seed() != os_seed());
	os_membarrier();	/* or its fall-back: it returns */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_switch_is_found_by_its_whole_name),
		cmocka_unit_test(a_feature_once_lacking_stays_so),
		cmocka_unit_test(the_clock_does_not_go_back),
		cmocka_unit_test(a_futex_wait_says_why_it_ended),
		cmocka_unit_test(a_futex_wake_wakes_as_many_as_it_is_told),
		cmocka_unit_test(memory_is_reserved_committed_guarded_and_given_back),
		cmocka_unit_test(an_impossible_reservation_is_refused),
		cmocka_unit_test(cpus_follow_the_affinity_mask),
		cmocka_unit_test(threads_are_counted),
		cmocka_unit_test(each_thread_has_its_own_number),
	};

	os_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
