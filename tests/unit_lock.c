/* SPDX-License-Identifier: MIT */
/* unit_lock.c - the runtime's own mutex, its order, and the note a thread sleeps on. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../src/base/lock.h"

enum { MS = 1000000 };

/* --- The lock --- */

enum { THREADS = 8, ROUNDS = 20000 };	/* more threads than CPUs: holders are preempted */

static struct lock l;
static volatile long counter;		/* under l */
static uint32_t inside;

static void *count(void *unused)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		lock(&l, RANK_CHAN);
		if (add_rlx(&inside, 1) != 0)
			abort();
		counter = counter + 1;
		add_rlx(&inside, (uint32_t)-1);
		unlock(&l);
	}
	return unused;
}

static void one_at_a_time(void **state)
{
	pthread_t t[THREADS];
	int i;

	(void)state;
	counter = 0;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, count, NULL), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(counter, THREADS * ROUNDS);
}

static uint32_t got_it;

static void *be_cancelled_waiting(void *unused)
{
	pthread_cancel(pthread_self());		/* takes effect at the next cancellation point */
	lock(&l, RANK_CHAN);
	add_rlx(&got_it, 1);
	unlock(&l);
	return unused;
}

/* Who is cut off there would leave other locks held, and records on a stack that is gone. */
static void waiting_is_no_cancellation_point(void **state)
{
	pthread_t t;

	(void)state;
	lock(&l, RANK_CHAN);
	assert_int_equal(pthread_create(&t, NULL, be_cancelled_waiting, NULL), 0);
	usleep(20000);
	unlock(&l);
	pthread_join(t, NULL);
	assert_int_equal(load_rlx(&got_it), 1);
}

static void trying_fails_while_it_is_held(void **state)
{
	(void)state;
	assert_true(lock_try(&l, RANK_CHAN));
	assert_held(&l);
	assert_false(lock_try(&l, RANK_CHAN));
	unlock(&l);
	assert_true(lock_try(&l, RANK_CHAN));
	unlock(&l);
}

/* --- The order --- */

#ifdef GORO_RANKS
static struct lock other;

static void wrong_order(void)
{
	lock(&l, RANK_SCHED);
	lock(&other, RANK_CHAN);
}

static void twice(void)
{
	lock(&l, RANK_CHAN);
	lock(&l, RANK_CHAN);
}

static void not_held(void)
{
	unlock(&l);
}

/* Runs f in a child; its end must be a fatal error that says `text'. */
static void dies_of(void (*f)(void), const char *text)
{
	char buf[4096];
	int p[2], status;
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		f();
		_exit(0);
	}
	close(p[1]);
	while (n < sizeof(buf) - 1 && (r = read(p[0], buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	assert_non_null(strstr(buf, text));
}

static void a_broken_order_is_fatal_and_names_both(void **state)
{
	(void)state;
	dies_of(wrong_order, "lock order: CHAN taken while holding SCHED");
	dies_of(twice, "taken twice by one thread");
	dies_of(not_held, "released by a thread that does not hold it");
}

static void the_right_order_is_fine(void **state)
{
	(void)state;
	lock(&l, RANK_CHAN);
	lock(&other, RANK_CHAN);	/* select takes several */
	unlock(&l);			/* and may release them in any order */
	assert_held(&other);
	unlock(&other);
}
#endif

/* --- The note --- */

static struct note note, reply;

static void *wake(void *unused)
{
	note_wait(&reply, OS_NEVER);
	note_wake(&note);
	return unused;
}

static void a_wake_up_before_the_wait_is_kept(void **state)
{
	(void)state;
	note_clear(&note);
	note_wake(&note);
	assert_true(note_wait(&note, OS_NEVER));
	assert_true(note_wait(&note, 1));	/* still woken, whatever the deadline */
}

static void a_wake_up_ends_the_wait(void **state)
{
	pthread_t t;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		note_clear(&note);
		note_clear(&reply);
		assert_int_equal(pthread_create(&t, NULL, wake, NULL), 0);
		note_wake(&reply);
		assert_true(note_wait(&note, OS_NEVER));
		pthread_join(t, NULL);
	}
}

static void a_deadline_is_never_early(void **state)
{
	int64_t before = os_now();

	(void)state;
	note_clear(&note);
	assert_false(note_wait(&note, before + 5 * MS));
	assert_true(os_now() >= before + 5 * MS);
	assert_false(note_wait(&note, before));		/* past: at once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(waiting_is_no_cancellation_point),
		cmocka_unit_test(trying_fails_while_it_is_held),
#ifdef GORO_RANKS
		cmocka_unit_test(a_broken_order_is_fatal_and_names_both),
		cmocka_unit_test(the_right_order_is_fine),
#endif
		cmocka_unit_test(a_wake_up_before_the_wait_is_kept),
		cmocka_unit_test(a_wake_up_ends_the_wait),
		cmocka_unit_test(a_deadline_is_never_early),
	};

	os_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
