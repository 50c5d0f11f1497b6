/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - the binary interface: what a program compiled against this header relies on when it
 * runs with a later library, and with a later header on this library.
 */
#include "goro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Frozen: these live in the program's own memory. */
_Static_assert(sizeof(go_mutex) == 8, "ABI");
_Static_assert(sizeof(go_rwmutex) == 24, "ABI");
_Static_assert(sizeof(go_waitgroup) == 16, "ABI");
_Static_assert(sizeof(go_once) == 16, "ABI");
_Static_assert(sizeof(go_cond) == 16, "ABI");
_Static_assert(sizeof(go_sema) == 32, "ABI");
_Static_assert(sizeof(go_value) == 32, "ABI");
_Static_assert(_Alignof(go_mutex) == 4, "ABI");
_Static_assert(_Alignof(go_rwmutex) == 4, "ABI");
_Static_assert(_Alignof(go_waitgroup) == 8, "ABI");
_Static_assert(_Alignof(go_once) == 4, "ABI");
_Static_assert(_Alignof(go_cond) == 4, "ABI");
_Static_assert(_Alignof(go_sema) == 8, "ABI");
_Static_assert(_Alignof(go_value) == 8, "ABI");

_Static_assert(sizeof(go_local) == 2 * sizeof(void *), "ABI");
_Static_assert(offsetof(go_local, destroy) == sizeof(void *), "ABI");

_Static_assert(sizeof(go_group) == 80, "ABI");
_Static_assert(_Alignof(go_group) == 8, "ABI");
_Static_assert(sizeof(go_pool) == 8 * sizeof(void *), "ABI");
_Static_assert(offsetof(go_pool, make) == 0, "ABI");
_Static_assert(offsetof(go_pool, destroy) == sizeof(void *), "ABI");
_Static_assert(offsetof(go_pool, arg) == 2 * sizeof(void *), "ABI");

_Static_assert(sizeof(go_case) == 3 * sizeof(void *) + 16, "ABI");
_Static_assert(offsetof(go_case, chan) == 0, "ABI");
_Static_assert(offsetof(go_case, elem) == sizeof(void *), "ABI");
_Static_assert(offsetof(go_case, ok) == 2 * sizeof(void *), "ABI");
_Static_assert(offsetof(go_case, arg) == 3 * sizeof(void *), "ABI");
_Static_assert(offsetof(go_case, op) == 3 * sizeof(void *) + 8, "ABI");
_Static_assert(offsetof(go_case, reserved) == 3 * sizeof(void *) + 12, "ABI");
_Static_assert(GO_OP_RECV == 1 && GO_OP_SEND == 2 && GO_OP_DEFAULT == 3 && GO_OP_AFTER == 4 &&
	       GO_OP_UNTIL == 5, "ABI");

_Static_assert(sizeof(go_deferred) == 3 * sizeof(void *), "ABI");
_Static_assert(offsetof(go_deferred, fn) == 0, "ABI");
_Static_assert(offsetof(go_deferred, arg) == sizeof(void *), "ABI");

/* May grow at the end: the size comes first and says how much there is. */
_Static_assert(sizeof(go_config) == 3 * sizeof(size_t) + 8, "ABI");
_Static_assert(offsetof(go_config, size) == 0, "ABI");
_Static_assert(offsetof(go_config, flags) == sizeof(size_t), "ABI");
_Static_assert(offsetof(go_config, procs) == sizeof(size_t) + 4, "ABI");
_Static_assert(offsetof(go_config, max_threads) == sizeof(size_t) + 8, "ABI");
_Static_assert(offsetof(go_config, stack_size) == sizeof(size_t) + 16, "ABI");
_Static_assert(GO_CFG_IGNORE_SIGPIPE == 4, "ABI");

_Static_assert(offsetof(go_attr, size) == 0, "ABI");
_Static_assert(offsetof(go_attr, stack_size) == sizeof(size_t), "ABI");
_Static_assert(offsetof(go_attr, name) == 2 * sizeof(size_t), "ABI");

_Static_assert(offsetof(go_panic_info, size) == 0, "ABI");
_Static_assert(offsetof(go_panic_info, message) == sizeof(size_t), "ABI");
_Static_assert(offsetof(go_panic_info, id) == 2 * sizeof(size_t), "ABI");
_Static_assert(offsetof(go_panic_info, pc) == 2 * sizeof(size_t) + 8, "ABI");
_Static_assert(offsetof(go_panic_info, depth) == 18 * sizeof(size_t) + 8, "ABI");
_Static_assert(offsetof(go_panic_info, object) == 18 * sizeof(size_t) + 16, "ABI");

_Static_assert(offsetof(go_stats, size) == 0, "ABI");
_Static_assert(offsetof(go_stats, goroutines) == 8, "ABI");
_Static_assert(offsetof(go_stats, timers) == 72, "ABI");

/* Handles of every kind are one pointer. */
_Static_assert(sizeof(go_chan(int)) == sizeof(void *), "ABI");
_Static_assert(sizeof(go_sender(go_stats)) == sizeof(void *), "ABI");
_Static_assert(sizeof(go_receiver(go_chan(char))) == sizeof(void *), "ABI");

static void the_initializers_are_zero_bytes(void **state)
{
	static const char zero[256];
	go_mutex m = GO_MUTEX_INIT;
	go_rwmutex rw = GO_RWMUTEX_INIT;
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_once o = GO_ONCE_INIT;
	go_cond c = GO_COND_INIT;
	go_sema s = GO_SEMA_INIT(0);
	go_value v = GO_VALUE_INIT;
	go_local l = GO_LOCAL_INIT(NULL);
	go_pool p = GO_POOL_INIT(NULL, NULL, NULL);
	go_group g = GO_GROUP_INIT;

	(void)state;
	assert_memory_equal(&m, zero, sizeof m);
	assert_memory_equal(&rw, zero, sizeof rw);
	assert_memory_equal(&wg, zero, sizeof wg);
	assert_memory_equal(&o, zero, sizeof o);
	assert_memory_equal(&c, zero, sizeof c);
	assert_memory_equal(&s, zero, sizeof s);
	assert_memory_equal(&v, zero, sizeof v);
	assert_memory_equal(&l, zero, sizeof l);
	assert_memory_equal(&p, zero, sizeof p);
	assert_memory_equal(&g, zero, sizeof g);
}

/* A later library must understand what this header has written. */
static void a_semaphore_s_units_stand_in_its_first_word(void **state)
{
	go_sema s = GO_SEMA_INIT(INT64_C(1) << 40);

	(void)state;
	assert_true(s.go__w[0] == INT64_C(1) << 40);
	assert_true(s.go__w[1] == 0 && s.go__w[2] == 0 && s.go__w[3] == 0);
	assert_true(go_sema_try_acquire(&s, INT64_C(1) << 40));
	assert_false(go_sema_try_acquire(&s, 1));
}

static void the_initializers_say_the_size(void **state)
{
	go_config config = GO_CONFIG_INIT;
	go_attr attr = GO_ATTR_INIT;
	go_stats stats = GO_STATS_INIT;
	go_panic_info info = GO_PANIC_INFO_INIT;

	(void)state;
	assert_int_equal(config.size, sizeof config);
	assert_int_equal(attr.size, sizeof attr);
	assert_int_equal(stats.size, sizeof stats);
	assert_int_equal(info.size, sizeof info);
}

static void the_library_has_the_header_s_version(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof text, "%d.%d.%d", GORO_VERSION_MAJOR, GORO_VERSION_MINOR,
		 GORO_VERSION_PATCH);
	assert_string_equal(go_version(), text);
}

/* A program that knows fewer fields: nothing behind them is written. */
static void stats_of_an_older_program_stay_within_its_struct(void **state)
{
	go_stats s;

	(void)state;
	memset(&s, 0xa5, sizeof s);
	s.size = offsetof(go_stats, created);
	assert_int_equal(go_stats_read(&s), 0);
	assert_int_equal(s.size, offsetof(go_stats, created));
	assert_true(s.goroutines >= 1 && s.goroutines < 1000);
	assert_true(s.created == UINT64_C(0xa5a5a5a5a5a5a5a5));
	assert_true(s.timers == UINT64_C(0xa5a5a5a5a5a5a5a5));
}

/* A program that knows more fields: they read as 0. */
static void stats_of_a_newer_program_are_zero_where_unknown(void **state)
{
	struct {
		go_stats known;
		uint64_t unknown[2];
	} s;

	(void)state;
	memset(&s, 0xa5, sizeof s);
	s.known.size = sizeof s;
	assert_int_equal(go_stats_read(&s.known), 0);
	assert_true(s.known.goroutines >= 1 && s.known.goroutines < 1000);
	assert_true(s.known.timers != UINT64_C(0xa5a5a5a5a5a5a5a5));
	assert_true(s.unknown[0] == 0 && s.unknown[1] == 0);
}

static void stats_of_an_impossible_size_are_refused(void **state)
{
	go_stats s = GO_STATS_INIT;

	(void)state;
	s.size = sizeof(size_t) - 1;
	assert_int_equal(go_stats_read(&s), -EINVAL);
	s.size = 0;
	assert_int_equal(go_stats_read(&s), -EINVAL);
}

static void complain(void *arg)
{
	go_panic("%s", (const char *)arg);
}

static void panic_info_of_an_older_program_stays_within_its_struct(void **state)
{
	go_panic_info info;

	(void)state;
	memset(&info, 0xa5, sizeof info);
	info.size = offsetof(go_panic_info, id);
	assert_false(go_try(complain, (void *)"short", &info));
	assert_int_equal(info.size, offsetof(go_panic_info, id));
	assert_string_equal(info.message, "short");
	assert_true(info.id == UINT64_C(0xa5a5a5a5a5a5a5a5));
	assert_true(info.depth != 0 && (unsigned)info.depth == 0xa5a5a5a5u);
}

static void panic_info_is_filled_in(void **state)
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	(void)state;
	info.depth = -1;
	assert_false(go_try(complain, (void *)"whole", &info));
	assert_string_equal(info.message, "whole");
	assert_true(info.id == go_id());
	assert_in_range(info.depth, 0, 16);
}

static int run(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initializers_are_zero_bytes),
		cmocka_unit_test(a_semaphore_s_units_stand_in_its_first_word),
		cmocka_unit_test(the_initializers_say_the_size),
		cmocka_unit_test(the_library_has_the_header_s_version),
		cmocka_unit_test(stats_of_an_older_program_stay_within_its_struct),
		cmocka_unit_test(stats_of_a_newer_program_are_zero_where_unknown),
		cmocka_unit_test(stats_of_an_impossible_size_are_refused),
		cmocka_unit_test(panic_info_of_an_older_program_stays_within_its_struct),
		cmocka_unit_test(panic_info_is_filled_in),
	};

	(void)argc;
	(void)argv;
	go_lock_thread();	/* cmocka keeps its state in thread-local variables */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
GO_MAIN(run)
