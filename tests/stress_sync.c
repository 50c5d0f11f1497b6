/* SPDX-License-Identifier: MIT */
/*
 * Random traffic over the sync types at once: mutex, semaphore, Cond, Value, Once, WaitGroup, by
 * goroutines and threads, with and without time limits.  Nothing is lost: units of the semaphore,
 * tokens that a Cond passes on, objects of the Value, calls of the Onces, tasks of the groups.
 */
#include "support.h"

enum { WORKERS = 12, THREADS = 3, UNITS = 7, JARS = 4, LAST = JARS - 1, TOKENS = 6, ONCES = 256 };

struct object { int a, b; atomic_int readers; };

struct world {
	int n;                                  /* rounds of each worker */
	go_mutex m;
	long a, b;                              /* equal while nobody has m */
	atomic_long visits;
	go_sema units;
	atomic_long held;
	go_mutex jars_m;
	go_cond filled[JARS];
	int jar[JARS];
	go_value v;
	atomic_long made, gone;
	go_once once[ONCES];
	atomic_int called[ONCES];
	atomic_int next_once;
	atomic_long tasks_begun, tasks_ended;
	go_waitgroup workers, tasks;
};

static struct world *w;

/* ------------------------------------------------------------ mutex, semaphore --- */

static void visit(struct support_rng *rng) {
	int64_t limit = go_now() + support_below(rng, 50) * GO_MICROSECOND;
	bool locked = true;

	switch (support_below(rng, 3)) {
	case 0:  locked = go_mutex_trylock(&w->m); break;
	case 1:  locked = go_mutex_lock_until(&w->m, limit) == 0; break;
	default: go_mutex_lock(&w->m); break;
	}
	if (!locked)
		return;
	CHECK_EQ(w->a, w->b);
	w->a++;
	if (support_below(rng, 16) == 0)
		go_yield();
	w->b++;
	go_mutex_unlock(&w->m);
	atomic_fetch_add(&w->visits, 1);
}

/* How many units are ours now. */
static int64_t acquire_some(struct support_rng *rng) {
	int64_t n = support_below(rng, UNITS + 1);
	int64_t limit = go_now() + support_below(rng, 50) * GO_MICROSECOND;

	switch (support_below(rng, 3)) {
	case 0:  return go_sema_try_acquire(&w->units, n) ? n : 0;
	case 1:  return go_sema_acquire_until(&w->units, n, limit) == 0 ? n : 0;
	default: go_sema_acquire(&w->units, n);
		 return n;
	}
}

static void use_units(struct support_rng *rng) {
	int64_t n = acquire_some(rng);

	CHECK(atomic_fetch_add(&w->held, (long)n) + n <= UNITS);
	if (support_below(rng, 4) == 0)
		visit(rng);
	if (support_below(rng, 8) == 0)
		go_sleep(support_below(rng, 30) * GO_MICROSECOND);
	atomic_fetch_sub(&w->held, (long)n);
	if (n > 1 && support_below(rng, 2) == 0) {
		go_sema_release(&w->units, 1);
		n--;
	}
	go_sema_release(&w->units, n);
}

/* ------------------------------------------------------------ jars --- */

/* A token from one jar to another; whoever waits for it is told, one or all. */
static void move_token(struct support_rng *rng) {
	int from = support_below(rng, LAST), to = support_below(rng, LAST);
	bool broadcast = support_below(rng, 4) == 0, unlocked = support_below(rng, 2) == 0;
	int64_t limit = go_now() + support_below(rng, 100) * GO_MICROSECOND;

	go_mutex_lock(&w->jars_m);
	while (w->jar[from] == 0)
		if (go_cond_wait_until(&w->filled[from], &w->jars_m, limit) != 0)
			break;
	if (w->jar[from] == 0) {
		go_mutex_unlock(&w->jars_m);
		return;
	}
	w->jar[from]--;
	w->jar[to]++;
	if (unlocked)
		go_mutex_unlock(&w->jars_m);
	if (broadcast)
		go_cond_broadcast(&w->filled[to]);
	else
		go_cond_signal(&w->filled[to]);
	if (!unlocked)
		go_mutex_unlock(&w->jars_m);
}

/* Without a limit: the last jar gets a token for each one that is wanted, before or after. */
static void put_into_last(void *arg) {
	struct world *its = arg;

	go_mutex_lock(&its->jars_m);
	its->jar[LAST]++;
	go_cond_signal(&its->filled[LAST]);
	go_mutex_unlock(&its->jars_m);
	atomic_fetch_add(&its->tasks_ended, 1);
}

static void exchange_with_last(void) {
	atomic_fetch_add(&w->tasks_begun, 1);
	go_wg_spawn(&w->tasks, put_into_last, w);
	go_mutex_lock(&w->jars_m);
	while (w->jar[LAST] == 0)
		go_cond_wait(&w->filled[LAST], &w->jars_m);
	w->jar[LAST]--;
	go_mutex_unlock(&w->jars_m);
}

/* ------------------------------------------------------------ value, once, group --- */

static void dispose(void *arg) {
	struct object *o = arg;

	CHECK_EQ(atomic_load(&o->readers), 0);
	free(o);
	atomic_fetch_add(&w->gone, 1);
}

static void replace_object(int n) {
	struct object *o = calloc(1, sizeof *o);

	assert_non_null(o);
	o->a = n;
	o->b = ~n;
	atomic_fetch_add(&w->made, 1);
	go_value_store(&w->v, o, dispose);
}

static void read_object(struct support_rng *rng) {
	struct object *o = go_value_load(&w->v);

	if (o == NULL)
		return;
	atomic_fetch_add(&o->readers, 1);
	if (support_below(rng, 4) == 0)
		use_units(rng);
	CHECK_EQ(o->a, ~o->b);
	atomic_fetch_sub(&o->readers, 1);
	go_value_release(&w->v, o);
}

static void call(void *arg) {
	int i = (int)((go_once *)arg - w->once);

	go_yield();
	atomic_fetch_add(&w->called[i], 1);
	if (i % 8 == 0)
		go_panic("%d", i);
}

static void call_once(void *arg) { go_once_do(arg, call, arg); }

static void use_once(struct support_rng *rng) {
	int i = atomic_load(&w->next_once);

	if (i < ONCES && support_below(rng, 8) == 0)
		atomic_fetch_add(&w->next_once, 1);
	i = i < ONCES ? i : support_below(rng, ONCES);
	go_try(call_once, &w->once[i], NULL);
	CHECK_EQ(atomic_load(&w->called[i]), 1);
}

static void end_task(struct world *its, bool by_exit) {
	atomic_fetch_add(&its->tasks_ended, 1);
	if (by_exit)
		go_exit();
}
GO_TASK(end_task, struct world *, bool);

static void run_group(struct support_rng *rng) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = support_below(rng, 4);

	atomic_fetch_add(&w->tasks_begun, n);
	for (int i = 0; i < n; i++)
		GO_WG(&wg, end_task, w, i == 1);
	while (support_below(rng, 2) == 0 && go_wg_wait_until(&wg, go_now() + GO_MICROSECOND) != 0)
		;
	go_wg_wait(&wg);
}

/* ------------------------------------------------------------ all of it --- */

static void work(int id) {
	struct support_rng rng = support_rng((uint64_t)id);

	for (int i = 0; i < w->n; i++) {
		switch (support_below(&rng, 8)) {
		case 0:  visit(&rng); break;
		case 1:  use_units(&rng); break;
		case 2:  move_token(&rng); break;
		case 3:  exchange_with_last(); break;
		case 4:  replace_object(i); break;
		case 5:  read_object(&rng); break;
		case 6:  use_once(&rng); break;
		default: run_group(&rng); break;
		}
	}
	go_wg_done(&w->workers);
}
GO_TASK(work, int);

static void *work_in_a_thread(void *arg) {
	work(*(int *)arg);
	return NULL;
}

static void check_world(void) {
	int tokens = 0;

	CHECK_EQ(w->a, atomic_load(&w->visits));
	CHECK_EQ(w->b, w->a);
	CHECK_EQ(atomic_load(&w->held), 0);
	CHECK(go_sema_try_acquire(&w->units, UNITS) && !go_sema_try_acquire(&w->units, 1));
	for (int i = 0; i < JARS; i++)
		tokens += w->jar[i];
	CHECK_EQ(tokens, TOKENS);
	go_value_clear(&w->v);
	CHECK_EQ(atomic_load(&w->made), atomic_load(&w->gone));
	for (int i = 0; i < ONCES; i++)
		CHECK(atomic_load(&w->called[i]) <= 1);
	CHECK_EQ(atomic_load(&w->tasks_begun), atomic_load(&w->tasks_ended));
}

TEST(nothing_is_lost) {
	int ids[THREADS];
	pthread_t threads[THREADS];

	w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->n = (int)support_scale(2000);
	w->units = (go_sema)GO_SEMA_INIT(UNITS);
	w->jar[0] = TOKENS;
	go_wg_add(&w->workers, WORKERS + THREADS);
	for (int i = 0; i < THREADS; i++) {
		ids[i] = WORKERS + i;
		CHECK_EQ(pthread_create(&threads[i], NULL, work_in_a_thread, &ids[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++)
		GO(work, i);
	go_wg_wait(&w->workers);
	go_wg_wait(&w->tasks);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_world();
	free(w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_is_lost),
};

SUPPORT_MAIN(tests)
