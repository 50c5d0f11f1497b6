/* SPDX-License-Identifier: MIT */
/*
 * spec_sync.c - what goro.h says of mutexes, wait groups, once and conditions, sentence by
 * sentence, where the tests of each leave something out.
 */
#include "spec_places.h"

struct all {
	go_mutex m;
	go_rwmutex rw;
	go_waitgroup wg;
	go_once o;
	go_cond c;
	go_sema s;
	go_value v;
};

static struct all initialized = {
	GO_MUTEX_INIT, GO_RWMUTEX_INIT, GO_WAITGROUP_INIT, GO_ONCE_INIT, GO_COND_INIT,
	GO_SEMA_INIT(0), GO_VALUE_INIT
};

/* "valid when zeroed": the initializers are zeros. */
TEST(initializers_are_zeros) {
	static const struct all zeros;
	static go_group g = GO_GROUP_INIT;
	static const go_group no_group;
	static go_pool p = GO_POOL_INIT(NULL, NULL, NULL);
	static const go_pool no_pool;

	CHECK(memcmp(&initialized, &zeros, sizeof zeros) == 0);
	CHECK(memcmp(&g, &no_group, sizeof g) == 0);
	CHECK(memcmp(&p, &no_pool, sizeof p) == 0);
}

static void add_one(void *n) { ++*(int *)n; }
static void add_ten(void *n) { *(int *)n += 10; }
static void take_nothing(void *arg) { (void)arg; }
static void *give(void *p) { return p; }

/*
 * "Any goroutine and any thread may call any function"; "valid when zeroed, nothing to destroy".
 */
static void use_all(void *arg) {
	struct all *a = calloc(1, sizeof *a);
	int n = 0, done = 0;
	void *slot = NULL;
	bool read;

	(void)arg;
	assert_non_null(a);
	CHECK(go_mutex_trylock(&a->m) && !go_mutex_trylock(&a->m));
	CHECK_EQ(go_mutex_lock_until(&a->m, go_now() + GO_MICROSECOND), -ETIMEDOUT);
	CHECK_EQ(go_cond_wait_until(&a->c, &a->m, go_now() + GO_MICROSECOND), -ETIMEDOUT);
	go_cond_signal(&a->c);
	go_cond_broadcast(&a->c);
	go_mutex_unlock(&a->m);
	go_rwmutex_rlock(&a->rw);
	CHECK((read = go_rwmutex_tryrlock(&a->rw)) && !go_rwmutex_trylock(&a->rw));
	CHECK_EQ(go_rwmutex_lock_until(&a->rw, go_now() + GO_MICROSECOND), -ETIMEDOUT);
	CHECK_EQ(go_rwmutex_rlock_until(&a->rw, INT64_MIN), 0);
	for (int i = 0; i < 2 + read; i++)
		go_rwmutex_runlock(&a->rw);
	go_rwmutex_lock(&a->rw);
	CHECK(!go_rwmutex_tryrlock(&a->rw));
	go_rwmutex_unlock(&a->rw);
	go_wg_spawn(&a->wg, add_one, &n);
	go_wg_spawn_copy(&a->wg, take_nothing, &n, 0);
	go_wg_wait(&a->wg);
	CHECK_EQ(n, 1);
	go_once_do(&a->o, add_one, &done);
	go_once_do(&a->o, add_ten, &done);
	CHECK(go_once_value(&a->o, &slot, give, &n) == NULL && done == 1);
	CHECK(!go_sema_try_acquire(&a->s, 1));
	CHECK_EQ(go_sema_acquire_until(&a->s, 1, go_now() + GO_MICROSECOND), -ETIMEDOUT);
	go_sema_release(&a->s, 2);
	go_sema_acquire(&a->s, 2);
	CHECK(go_value_load(&a->v) == NULL);
	go_value_store(&a->v, &n, add_one);
	CHECK(go_value_load(&a->v) == &n);
	go_value_clear(&a->v);
	CHECK_EQ(n, 1);
	go_value_release(&a->v, &n);
	CHECK_EQ(n, 2);
	free(a);
}

TEST(everything_works_at_every_place) {
	at_every_place(use_all, NULL);
}

/* ------------------------------------------------------------ deadlines --- */

/* "any past one means do not wait; what can be done at once is done even then" */
static void try_deadlines(void *arg) {
	const int64_t past[] = {
		INT64_MIN, INT64_MIN + 1, -GO_SECOND, -1, 0, 1, go_now() - 1, go_now()
	};
	struct all a;
	int64_t d;

	(void)arg;
	memset(&a, 0, sizeof a);
	for (int i = 0; i < 9; i++) {
		d = i < 8 ? past[i] : GO_FOREVER;
		CHECK_EQ(go_wg_wait_until(&a.wg, d), 0);
		CHECK_EQ(go_mutex_lock_until(&a.m, d), 0);
		CHECK_EQ(go_rwmutex_lock_until(&a.rw, d), 0);
		go_rwmutex_unlock(&a.rw);
		CHECK_EQ(go_rwmutex_rlock_until(&a.rw, d), 0);
		CHECK_EQ(go_rwmutex_rlock_until(&a.rw, d), 0);
		CHECK_EQ(go_sema_acquire_until(&a.s, 0, d), 0);
		d = i < 8 ? past[i] : go_now() + GO_MICROSECOND;
		go_wg_add(&a.wg, 1);
		CHECK_EQ(go_wg_wait_until(&a.wg, d), -ETIMEDOUT);
		CHECK_EQ(go_mutex_lock_until(&a.m, d), -ETIMEDOUT);
		CHECK_EQ(go_cond_wait_until(&a.c, &a.m, d), -ETIMEDOUT);
		CHECK(!go_mutex_trylock(&a.m));
		CHECK_EQ(go_rwmutex_lock_until(&a.rw, d), -ETIMEDOUT);
		CHECK_EQ(go_rwmutex_rlock_until(&a.rw, d), 0);
		CHECK_EQ(go_sema_acquire_until(&a.s, 1, d), -ETIMEDOUT);
		for (int k = 0; k < 3; k++)
			go_rwmutex_runlock(&a.rw);
		go_mutex_unlock(&a.m);
		go_wg_done(&a.wg);
	}
}

TEST(past_deadlines_of_all_kinds_do_not_wait) {
	at_every_place(try_deadlines, NULL);
}

__attribute__((noinline)) static int *errno_address(void) { return &errno; }

/* "errno itself is never set" */
static void fail_everywhere(void *arg) {
	struct all a;
	int v;

	(void)arg;
	memset(&a, 0, sizeof a);
	go_lock_thread();
	*errno_address() = 1234;
	go_mutex_lock(&a.m);
	go_rwmutex_lock(&a.rw);
	go_wg_add(&a.wg, 1);
	for (int i = 0; i < 2; i++) {
		int64_t d = i == 0 ? 0 : go_now() + 10 * GO_MICROSECOND;

		v = go_mutex_lock_until(&a.m, d) + go_rwmutex_lock_until(&a.rw, d) +
			go_rwmutex_rlock_until(&a.rw, d) + go_wg_wait_until(&a.wg, d) +
			go_sema_acquire_until(&a.s, 1, d) + go_cond_wait_until(&a.c, &a.m, d);
		CHECK_EQ(v, 6 * -ETIMEDOUT);
		CHECK_EQ(*errno_address(), 1234);
	}
	go_unlock_thread();
}

TEST(errno_is_never_set) {
	at_every_place(fail_everywhere, NULL);
}

/* ------------------------------------------------------------ locks --- */

static void *unlock_all(void *arg) {
	struct all *a = arg;

	go_mutex_unlock(&a->m);
	go_rwmutex_unlock(&a->rw);
	go_rwmutex_rlock(&a->rw);
	return NULL;
}

static void *lock_all(void *arg) {
	struct all *a = arg;

	go_mutex_lock(&a->m);
	go_rwmutex_runlock(&a->rw);
	go_rwmutex_lock(&a->rw);
	return NULL;
}

/* "Any goroutine may unlock, not only the one that locked"; "any goroutine may do so" */
TEST(threads_unlock_what_goroutines_locked_and_back) {
	struct all a;

	memset(&a, 0, sizeof a);
	go_rwmutex_rlock(&a.rw);
	for (int i = 0; i < 3; i++) {
		(i % 2 == 0 ? lock_all(&a) : (on_a_thread(lock_all, &a), NULL));
		CHECK(!go_mutex_trylock(&a.m) && !go_rwmutex_tryrlock(&a.rw));
		on_a_thread(unlock_all, &a);
		CHECK(go_mutex_trylock(&a.m) && !go_rwmutex_trylock(&a.rw));
		on_a_thread(unlock_all, (go_rwmutex_runlock(&a.rw), go_rwmutex_lock(&a.rw), &a));
	}
}

struct writer { go_rwmutex *rw; int64_t wait; int result; };

static void *write_until(void *arg) {
	struct writer *w = arg;

	w->result = go_rwmutex_lock_until(w->rw, go_now() + w->wait);
	if (w->result == 0)
		go_rwmutex_unlock(w->rw);
	return NULL;
}

static bool
try_to_read(go_rwmutex *rw)
{
	bool read = go_rwmutex_tryrlock(rw);

	if (read)
		go_rwmutex_runlock(rw);
	return read;
}

/* "Readers fail if a writer waits"; "Who gives up is in nobody's way" */
TEST(a_thread_that_waits_to_write_keeps_readers_out_until_it_gives_up) {
	for (int i = 0; i < 2; i++) {
		go_rwmutex rw = GO_RWMUTEX_INIT;
		struct writer w = {&rw, i == 0 ? 20 * GO_MILLISECOND : GO_HOUR, 1};
		pthread_t t;

		go_rwmutex_rlock(&rw);
		CHECK_EQ(pthread_create(&t, NULL, write_until, &w), 0);
		if (i == 1) {
			wait_until(!try_to_read(&rw));
			CHECK_EQ(go_rwmutex_rlock_until(&rw, GO_NOWAIT), -ETIMEDOUT);
			CHECK_EQ(go_rwmutex_rlock_until(&rw, go_now() + 1000), -ETIMEDOUT);
			go_rwmutex_runlock(&rw);
		}
		pthread_join(t, NULL);
		CHECK_EQ(w.result, i == 0 ? -ETIMEDOUT : 0);
		CHECK(go_rwmutex_tryrlock(&rw));
	}
}

static void misuse(void *arg) {
	static struct all a;
	const char *what = arg;

	if (strcmp(what, "unlock read") == 0) {
		go_rwmutex_rlock(&a.rw);
		go_rwmutex_unlock(&a.rw);
	} else if (strcmp(what, "runlock written") == 0) {
		go_rwmutex_lock(&a.rw);
		go_rwmutex_runlock(&a.rw);
	} else if (strcmp(what, "unlock twice") == 0) {
		go_mutex_lock(&a.m);
		go_mutex_unlock(&a.m);
		go_mutex_unlock(&a.m);
	} else if (strcmp(what, "runlock twice") == 0) {
		go_rwmutex_rlock(&a.rw);
		go_rwmutex_runlock(&a.rw);
		go_rwmutex_runlock(&a.rw);
	}
}

static void *misuse_there(void *arg) {
	go_try(misuse, arg, NULL);
	return NULL;
}

static char *misuses[] = {"unlock read", "runlock written", "unlock twice", "runlock twice"};

CHILD(misuse_in_goroutine) { misuse_there(misuses[atoi(arg)]); return 0; }
CHILD_PLAIN(misuse_in_thread) { on_a_thread(misuse_there, misuses[atoi(arg)]); return 0; }

/* "Fatal if it is not locked"; "Fatal if it is not locked thus": go_try does not stop it. */
TEST(unlocking_what_is_not_locked_thus_is_fatal_for_goroutines_and_threads) {
	static const char *const texts[] = {
		"fatal error: sync: Unlock of unlocked RWMutex",
		"fatal error: sync: RUnlock of unlocked RWMutex",
		"fatal error: sync: unlock of unlocked mutex",
		"fatal error: sync: RUnlock of unlocked RWMutex"
	};
	static const char *const numbers[] = {"0", "1", "2", "3"};

	for (int i = 0; i < 4; i++) {
		CHECK_DIES(misuse_in_goroutine, numbers[i], texts[i]);
		CHECK_DIES(misuse_in_thread, numbers[i], texts[i]);
	}
}

/* ------------------------------------------------------------ wait groups --- */

struct sum { go_waitgroup wg; int delta; };

static void add_delta(void *arg) {
	struct sum *s = arg;

	go_wg_add(&s->wg, s->delta);
}

static void *wait_there(void *wg) { go_wg_wait(wg); return NULL; }

/* "Panics if the number goes below 0": any delta; what waits returns at any way to 0. */
TEST(any_delta_may_be_added) {
	static const int below[] = {-1, -2, INT_MIN, INT_MIN + 1};
	pthread_t t;

	for (int i = 0; i < 4; i++) {
		struct sum s = {GO_WAITGROUP_INIT, below[i]};

		check_panics(add_delta, &s, "sync: negative WaitGroup counter");
	}
	for (int i = 0; i < 3; i++) {
		int n = i == 0 ? 1 : i == 1 ? 1000000 : INT_MAX;
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 0);
		go_wg_wait(&wg);
		go_wg_add(&wg, n);
		CHECK_EQ(pthread_create(&t, NULL, wait_there, &wg), 0);
		go_wg_add(&wg, 0);
		CHECK_EQ(go_wg_wait_until(&wg, go_now() + GO_MILLISECOND), -ETIMEDOUT);
		go_wg_add(&wg, -n);
		pthread_join(t, NULL);
		go_wg_wait(&wg);
	}
}

TEST(more_than_int_max_to_be_done_is_a_panic) {
	struct sum s = {GO_WAITGROUP_INIT, 1};

	go_wg_add(&s.wg, INT_MAX);
	check_panics(add_delta, &s, "sync: negative WaitGroup counter");
}

struct copied { max_align_t a; char text[200]; };

static void check_copy(void *arg) {
	struct copied *c = arg;

	CHECK_EQ((uintptr_t)arg % 16, 0);
	go_yield();
	for (size_t i = 0; i < sizeof c->text; i++)
		CHECK_EQ(c->text[i], 'x');
}

/* "with a copy of args, 16-byte aligned, which lives as long as fn runs" */
static void spawn_copies(void *arg) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct copied c;

	(void)arg;
	for (int i = 0; i < 5; i++) {
		memset(&c, 'x', sizeof c);
		go_wg_spawn_copy(&wg, check_copy, &c, sizeof c);
		memset(&c, 'y', sizeof c);
	}
	go_wg_wait(&wg);
}

TEST(wg_spawn_copies_its_arguments_at_every_place) { at_every_place(spawn_copies, NULL); }

/* ------------------------------------------------------------ once --- */

static void *never(void *arg) { CHECK(false); return arg; }
static void call_never(void *arg) { never(arg); }

/* "unless some call on *o has before"; "*slot = fn(arg), the first time; returns *slot" */
TEST(later_functions_and_slots_are_left_alone) {
	int x, y;
	go_once o = GO_ONCE_INIT;
	void *slot = NULL, *other = &y;

	CHECK(go_once_value(&o, &slot, give, &x) == &x && slot == &x);
	CHECK(go_once_value(&o, &other, never, NULL) == &y && other == &y);
	CHECK(go_once_value(&o, &slot, NULL, NULL) == &x);
	go_once_do(&o, call_never, NULL);
	go_once_do(&o, NULL, NULL);
}

static go_waitgroup once_reached;

static void store_slowly(void *n) {
	go_wg_done(&once_reached);
	go_sleep(5 * GO_MILLISECOND);
	*(int *)n = 7;
}

struct once_call { go_once o; int n; };

static void *call_once(void *arg) {
	struct once_call *c = arg;

	go_once_do(&c->o, store_slowly, &c->n);
	return NULL;
}

/* "Blocks until that one has returned" */
TEST(goroutines_wait_for_a_thread_that_calls_and_see_what_it_wrote) {
	struct once_call c = {GO_ONCE_INIT, 0};
	pthread_t t;

	go_wg_add(&once_reached, 1);
	CHECK_EQ(pthread_create(&t, NULL, call_once, &c), 0);
	go_wg_wait(&once_reached);
	go_once_do(&c.o, call_never, NULL);
	CHECK_EQ(c.n, 7);
	pthread_join(t, NULL);
}

/* ------------------------------------------------------------ conditions --- */

struct queue { go_mutex m; go_cond c; int waiting, served; };

static void *stand_in_line(void *arg) {
	struct queue *q = arg;
	int place;

	go_mutex_lock(&q->m);
	place = q->waiting++;
	if (place % 3 == 2)
		CHECK_EQ(go_cond_wait_until(&q->c, &q->m, go_now() + GO_HOUR), 0);
	else
		go_cond_wait(&q->c, &q->m);
	CHECK_EQ(q->served++, place);
	go_mutex_unlock(&q->m);
	return NULL;
}

static void stand(void *arg) { stand_in_line(arg); }

static int
locked_read(struct queue *q, const int *n)
{
	int r;

	go_mutex_lock(&q->m);
	r = *n;
	go_mutex_unlock(&q->m);
	return r;
}

static void *signal_one(void *c) { go_cond_signal(c); return NULL; }

/* "Wakes who has waited longest.  *m may be locked or not." */
TEST(goroutines_and_threads_are_woken_in_one_order) {
	struct queue q = {.waiting = 0};
	pthread_t t[6];

	for (int i = 0; i < 12; i++) {
		if (i % 2 == 0)
			CHECK_EQ(pthread_create(&t[i / 2], NULL, stand_in_line, &q), 0);
		else
			go_spawn(stand, &q);
		wait_until(locked_read(&q, &q.waiting) == i + 1);
	}
	for (int i = 0; i < 12; i++) {
		if (i % 3 == 0)
			go_mutex_lock(&q.m);
		if (i % 3 == 1)
			on_a_thread(signal_one, &q.c);
		else
			go_cond_signal(&q.c);
		if (i % 3 == 0)
			go_mutex_unlock(&q.m);
		wait_until(locked_read(&q, &q.served) == i + 1);
	}
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(initializers_are_zeros),
	cmocka_unit_test(everything_works_at_every_place),
	cmocka_unit_test(past_deadlines_of_all_kinds_do_not_wait),
	cmocka_unit_test(errno_is_never_set),
	cmocka_unit_test(threads_unlock_what_goroutines_locked_and_back),
	cmocka_unit_test(a_thread_that_waits_to_write_keeps_readers_out_until_it_gives_up),
	cmocka_unit_test(unlocking_what_is_not_locked_thus_is_fatal_for_goroutines_and_threads),
	cmocka_unit_test(any_delta_may_be_added),
	cmocka_unit_test(more_than_int_max_to_be_done_is_a_panic),
	cmocka_unit_test(wg_spawn_copies_its_arguments_at_every_place),
	cmocka_unit_test(later_functions_and_slots_are_left_alone),
	cmocka_unit_test(goroutines_wait_for_a_thread_that_calls_and_see_what_it_wrote),
	cmocka_unit_test(goroutines_and_threads_are_woken_in_one_order),
};

SUPPORT_MAIN(tests)
