/* SPDX-License-Identifier: MIT */
/*
 * counter.c - many may count, if they agree on how.
 *
 *	mutex	for anything of several parts that belong together: here a sum and a number
 *	atomic	for one number
 *	CAS	for one word that an operation is missing for: look at it, compute what it should
 *		be, and put that there unless it has changed; if it has, do it again
 *
 * A plain n++ by two goroutines at a time loses counts, and ThreadSanitizer says so: that needs no
 * special library, only -fsanitize=thread.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include "check.h"

enum { GOROUTINES = 20, TIMES = 500 };

struct counter {
	go_mutex lock;
	int64_t sum, n; /* under the lock */
};

static void add(struct counter *c, int value)
{
	go_mutex_lock(&c->lock);
	go_defer_unlock(&c->lock); /* at the end of the block, whichever way it is left */
	c->sum += value;
	c->n++;
}

static int64_t average(struct counter *c)
{
	go_mutex_lock(&c->lock); /* readers as well: both parts at the same moment */
	go_defer_unlock(&c->lock);
	return c->n ? c->sum / c->n : 0;
}

static struct counter values;
static atomic_int calls;
static atomic_int greatest;

/*
 * No lock, and nobody ever waits: when the exchange fails, another has succeeded, and *now is what
 * is there now.  Fit for short computations.  For pointers to what may be freed it is much harder:
 * the same address can be something else by then.
 */
static void maximum(atomic_int *m, int value)
{
	int now = *m;

	while (value > now && !atomic_compare_exchange_weak(m, &now, value))
		;
}

static void count(int id)
{
	for (int i = 1; i <= TIMES; i++) {
		add(&values, i);
		calls++;
		maximum(&greatest, id * TIMES + i);
		go_checkpoint();
	}
}
GO_TASK(count, int);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int id = 0; id < GOROUTINES; id++)
		GO_WG(&wg, count, id);
	go_wg_wait(&wg);

	check(values.n == GOROUTINES * TIMES);
	printf("%d calls, average %d, greatest %d\n", calls, (int)average(&values), greatest);
	return nobody_left();
}
GO_MAIN(app)
