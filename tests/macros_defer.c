/* SPDX-License-Identifier: MIT */
/*
 * macros_defer.c - go_defer and its typed helpers behave like statements.
 */
#include "goro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char order[8];

static void note(void *letter)
{
	strncat(order, letter, 1);
}

static int leave_by_return(void)
{
	go_defer(note, (void *)"r");
	return (int)strlen(order);
}

TEST(deferred_calls_run_in_reverse_at_the_end_of_the_block)
{
	order[0] = '\0';
	{
		go_defer(note, (void *)"c"); go_defer(note, (void *)"b");
		go_defer(note, (void *)"a");
		assert_string_equal(order, "");
	}
	assert_string_equal(order, "abc");
}

TEST(deferred_calls_run_however_the_block_is_left)
{
	order[0] = '\0';
	assert_int_equal(leave_by_return(), 0);
	for (int i = 0; i < 3; i++) {
		go_defer(note, (void *)"l");
		if (i == 0)
			continue;
		if (i == 1)
			break;
	}
	{
		go_defer(note, (void *)"g");
		goto out;
	}
out:
	assert_string_equal(order, "rllg");
}

TEST(defer_unlocks_and_counts_down)
{
	go_mutex m = GO_MUTEX_INIT;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	{
		go_mutex_lock(&m);
		go_defer_unlock(&m);
		go_defer_done(&wg);
		assert_false(go_mutex_trylock(&m));
		assert_int_equal(go_wg_wait_until(&wg, GO_NOWAIT), -ETIMEDOUT);
	}
	assert_int_equal(go_wg_wait_until(&wg, GO_NOWAIT), 0);
	assert_true(go_mutex_trylock(&m));
	go_mutex_unlock(&m);
}

TEST(defer_unlocks_readers_and_writers)
{
	go_rwmutex rw = GO_RWMUTEX_INIT;

	{
		go_rwmutex_rlock(&rw);
		go_defer_runlock(&rw);
		assert_true(go_rwmutex_tryrlock(&rw));
		go_rwmutex_runlock(&rw);
		assert_false(go_rwmutex_trylock(&rw));
	}
	{
		assert_true(go_rwmutex_trylock(&rw));
		go_defer_rwunlock(&rw);
		assert_false(go_rwmutex_tryrlock(&rw));
	}
	assert_true(go_rwmutex_trylock(&rw));
	go_rwmutex_unlock(&rw);
}

static void panic_in_two_scopes(void *arg)
{
	go_defer(note, (void *)"o");
	{
		go_defer(note, (void *)"i");
		go_panic("%s", (const char *)arg);
	}
}

TEST(deferred_calls_run_in_a_panic)
{
	order[0] = '\0';
	{
		go_defer(note, (void *)"x");
		assert_false(go_try(panic_in_two_scopes, (void *)"", NULL));
		assert_string_equal(order, "io");
	}
	assert_string_equal(order, "iox");
}

static int run(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_calls_run_in_reverse_at_the_end_of_the_block),
		cmocka_unit_test(deferred_calls_run_however_the_block_is_left),
		cmocka_unit_test(defer_unlocks_and_counts_down),
		cmocka_unit_test(defer_unlocks_readers_and_writers),
		cmocka_unit_test(deferred_calls_run_in_a_panic),
	};

	(void)argc;
	(void)argv;
	go_lock_thread();	/* cmocka keeps its state in thread-local variables */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
GO_MAIN(run)
