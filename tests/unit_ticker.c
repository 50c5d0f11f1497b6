/* SPDX-License-Identifier: MIT */
/* unit_ticker.c - a ticker that fires while an earlier firing is finished elsewhere. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../src/sched/timer.h"

#include <cmocka.h>

#define LATE (INT64_MAX / 2)	/* due for nobody but us */

static struct g *(*real_fire)(struct timer *, int64_t, struct timer **);
static atomic_bool firing, finished_too_early;
static pthread_t finisher;

/* As whoever worked off a list that it was on already. */
static void *finish_in_thread(void *arg)
{
	struct timer *t = arg;
	struct m *m = enter();

	t->finish(t);
	finished_too_early = firing;
	leave(m);
	return NULL;
}

/* With p's heap locked: takes its time after it has said that the timer is due. */
static struct g *slow_fire(struct timer *t, int64_t now, struct timer **later)
{
	assert_null(real_fire(t, now, later));
	assert_ptr_equal(*later, t);
	firing = true;
	assert_int_equal(pthread_create(&finisher, NULL, finish_in_thread, t), 0);
	usleep(50000);
	firing = false;
	return NULL;
}

/* Or it could be freed from the other heap, with this one still at work on it. */
static void it_enters_no_heap_before_the_last_has_let_go_of_it(void **state)
{
	struct timer *t, *later = NULL;
	struct gqueue ready = {0};
	go_timer *ticker;
	struct m *m;

	(void)state;
	go_procs(2);
	ticker = go_ticker_new(GO_HOUR);
	t = (struct timer *)(void *)ticker;	/* its first member */
	m = enter();
	assert_true(timer_del(t));
	real_fire = t->fire;
	t->fire = slow_fire;
	timer_add(sched.p[1], t, LATE);		/* threads without a P use the first */
	assert_int_equal(timers_due(sched.p[1], LATE, &ready, &later, 1), 1);
	leave(m);
	pthread_join(finisher, NULL);
	assert_false(finished_too_early);
	assert_ptr_equal(t->p, sched.p[0]);
	t->fire = real_fire;
	go_timer_free(ticker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_enters_no_heap_before_the_last_has_let_go_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
