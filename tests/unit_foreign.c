/* SPDX-License-Identifier: MIT */
/*
 * unit_foreign.c - threads that are not goroutines park: they count as waiting neither too early
 * nor too late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "../src/sched/sched.h"

static const int64_t LONG = INT64_C(200000000);	/* for the monitor to look more than twice */

static void nap(void)
{
	struct timespec t = {0, LONG};

	nanosleep(&t, NULL);
}

/* As go_run's: it is this that makes what wakes us, and on a busy machine it may take its time. */
static void make_work_late(struct g *g, void *arg)
{
	(void)arg;
	nap();
	sched_ready(self(), g);
}

static void a_thread_on_its_way_into_a_wait_is_no_deadlock(void **state)
{
	struct m *m = enter();

	(void)state;
	assert_true(m->foreign);
	leave(m);
	nap();			/* the monitor sleeps, until somebody begins to wait */
	m = enter();
	m = sched_park(m, make_work_late, NULL, WAIT_RUN, NULL);
	leave(m);
	assert_int_equal(load_rlx(&sched.n_foreign_wait), 0);
}

/* Woken before it sleeps, by its own finish function: it is not counted after that. */
static void wake_at_once(struct g *g, void *arg)
{
	(void)arg;
	sched_ready(self(), g);
}

static void who_is_woken_before_he_waits_is_not_counted(void **state)
{
	struct m *m = enter();
	bool woken = false;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		m = sched_park(m, wake_at_once, NULL, WAIT_RUN, NULL);
		assert_int_equal(load_rlx(&sched.n_foreign_wait), 0);
		m = sched_park_until(m, wake_at_once, NULL, WAIT_RUN, NULL, os_now() + LONG, &woken);
		assert_true(woken);
		assert_int_equal(load_rlx(&sched.n_foreign_wait), 0);
	}
	leave(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_on_its_way_into_a_wait_is_no_deadlock),
		cmocka_unit_test(who_is_woken_before_he_waits_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
