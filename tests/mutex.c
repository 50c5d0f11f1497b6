/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - the mutex between goroutines and threads: exclusion, trylock, time limits, fairness.
 *
 * After Go's sync/mutex_test.go: TestMutex, TestMutexFairness.  (TestMutexMisuse is in fatal.c.)
 */
#include "support.h"

/* What a mutex guards: two counters that are equal whenever nobody is inside. */
struct guarded { go_mutex m; long a, b; };

static void visit(struct guarded *g, bool slowly) {
	CHECK_EQ(g->a, g->b);
	g->a++;
	if (slowly)
		go_yield();
	g->b++;
}

/* ------------------------------------------------------------ exclusion --- */

TEST(trylock_says_whether_it_is_free) {
	go_mutex m = GO_MUTEX_INIT;

	go_mutex_lock(&m);
	CHECK(!go_mutex_trylock(&m));
	go_mutex_unlock(&m);
	CHECK(go_mutex_trylock(&m));
	CHECK(!go_mutex_trylock(&m));
	go_mutex_unlock(&m);
}

struct hammer { struct guarded g; atomic_long visits; int loops; go_waitgroup wg; };

static void hammer_once(struct hammer *h, int i) {
	if (i % 3 == 0 && !go_mutex_trylock(&h->g.m))
		return;
	if (i % 3 != 0)
		go_mutex_lock(&h->g.m);
	visit(&h->g, i % 16 == 1);
	go_mutex_unlock(&h->g.m);
	atomic_fetch_add(&h->visits, 1);
}

static void hammer(void *arg) {
	struct hammer *h = arg;

	for (int i = 0; i < h->loops; i++)
		hammer_once(h, i);
	go_wg_done(&h->wg);
}

static void *hammer_thread(void *arg) {
	hammer(arg);
	return NULL;
}

static void hammer_check(struct hammer *h) {
	go_wg_wait(&h->wg);
	CHECK_EQ(h->g.a, atomic_load(&h->visits));
	CHECK_EQ(h->g.b, h->g.a);
	CHECK(go_mutex_trylock(&h->g.m));
	go_mutex_unlock(&h->g.m);
}

/* TestMutex */
TEST(goroutines_hammer_a_mutex) {
	struct hammer h = {.loops = (int)support_scale(3000)};

	go_wg_add(&h.wg, 10);
	for (int i = 0; i < 10; i++)
		go_spawn(hammer, &h);
	hammer_check(&h);
}

TEST(threads_and_goroutines_hammer_a_mutex) {
	struct hammer h = {.loops = (int)support_scale(3000)};
	pthread_t threads[4];

	go_wg_add(&h.wg, 12);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer_thread, &h), 0);
	for (int i = 0; i < 8; i++)
		go_spawn(hammer, &h);
	hammer_check(&h);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void unlock_later(void *arg) {
	go_yield();
	go_mutex_unlock(arg);
}

TEST(another_goroutine_may_unlock) {
	go_mutex m = GO_MUTEX_INIT;

	for (int i = 0; i < (int)support_scale(1000); i++) {
		go_mutex_lock(&m);
		go_spawn(unlock_later, &m);
	}
	go_mutex_lock(&m);
	go_mutex_unlock(&m);
	wait_until(go_count() == 2);
}

/* Thousands of mutexes share the table of waiters: each wakes its own. */
struct field { go_mutex m[512]; int count[512]; };

static void walk_field(struct field *f, int start, go_waitgroup *wg) {
	for (int i = 0; i < 512; i++) {
		int k = (start + i * 7) % 512;

		go_mutex_lock(&f->m[k]);
		f->count[k]++;
		if (i % 4 == 0)
			go_yield();
		go_mutex_unlock(&f->m[k]);
	}
	go_wg_done(wg);
}
GO_TASK(walk_field, struct field *, int, go_waitgroup *);

TEST(many_mutexes_do_not_disturb_each_other) {
	static struct field f;
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = (int)support_scale(100);

	for (int i = 0; i < n; i++) {
		go_wg_add(&wg, 1);
		GO(walk_field, &f, i * 3 % 512, &wg);
	}
	go_wg_wait(&wg);
	for (int i = 0; i < 512; i++)
		CHECK_EQ(f.count[i], n);
}

static void hold_across(struct guarded *g, int how, go_waitgroup *wg) {
	for (int i = 0; i < (int)support_scale(100); i++) {
		go_mutex_lock(&g->m);
		CHECK_EQ(g->a, g->b);
		g->a++;
		if (how % 3 == 0)
			go_sleep(5 * GO_MICROSECOND);
		else if (how % 3 == 1)
			go_yield();
		else
			usleep(5);
		g->b++;
		go_mutex_unlock(&g->m);
	}
	go_wg_done(wg);
}
GO_TASK(hold_across, struct guarded *, int, go_waitgroup *);

TEST(it_may_be_held_while_sleeping_and_moving) {
	struct guarded g = {.a = 0};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 9);
	for (int i = 0; i < 9; i++)
		GO(hold_across, &g, i, &wg);
	go_wg_wait(&wg);
	CHECK_EQ(g.a, 9 * support_scale(100));
	CHECK_EQ(g.b, g.a);
}

/* ------------------------------------------------------------ fairness --- */

struct greed { go_mutex m; atomic_bool stop; atomic_int got; };

static void hold_nearly_always(void *arg) {
	struct greed *g = arg;

	while (!atomic_load(&g->stop)) {
		go_mutex_lock(&g->m);
		go_sleep(100 * GO_MICROSECOND);
		go_mutex_unlock(&g->m);
	}
}

static void want_it_ten_times(void *arg) {
	struct greed *g = arg;

	for (int i = 0; i < 10; i++) {
		go_sleep(100 * GO_MICROSECOND);
		go_mutex_lock(&g->m);
		go_mutex_unlock(&g->m);
		atomic_fetch_add(&g->got, 1);
	}
}

/* TestMutexFairness */
TEST(one_that_holds_it_nearly_always_starves_nobody) {
	struct greed g = {.got = 0};

	go_spawn(hold_nearly_always, &g);
	go_spawn(want_it_ten_times, &g);
	wait_until(atomic_load(&g.got) == 10);
	atomic_store(&g.stop, true);
	wait_until(go_count() == 2);
}

static void *grab_in_a_loop(void *arg) {
	struct greed *g = arg;

	while (!atomic_load(&g->stop)) {
		go_mutex_lock(&g->m);
		for (int64_t end = support_clock() + 50 * GO_MICROSECOND; support_clock() < end;)
			;
		go_mutex_unlock(&g->m);
	}
	return NULL;
}

static void grab_in_a_goroutine(void *arg) { grab_in_a_loop(arg); }

TEST(grabbing_threads_and_goroutines_starve_nobody) {
	struct greed g = {.got = 0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, grab_in_a_loop, &g), 0);
	go_spawn(grab_in_a_goroutine, &g);
	go_spawn(want_it_ten_times, &g);
	wait_until(atomic_load(&g.got) == 10);
	atomic_store(&g.stop, true);
	pthread_join(thread, NULL);
	wait_until(go_count() == 2);
}

/* ------------------------------------------------------------ time limits --- */

static void check_lock_until(go_mutex *m) {
	int64_t start = support_clock();

	CHECK_EQ(go_mutex_lock_until(m, GO_NOWAIT), -ETIMEDOUT);
	CHECK_EQ(go_mutex_lock_until(m, -1), -ETIMEDOUT);
	CHECK_EQ(go_mutex_lock_until(m, go_now() + 20 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(support_clock() - start >= 20 * GO_MILLISECOND);
	CHECK(!go_mutex_trylock(m));
}

static void *check_lock_until_in_a_thread(void *arg) {
	check_lock_until(arg);
	return NULL;
}

TEST(lock_until_gives_up_at_its_deadline) {
	go_mutex m = GO_MUTEX_INIT;
	pthread_t thread;

	go_mutex_lock(&m);
	check_lock_until(&m);
	assert_int_equal(pthread_create(&thread, NULL, check_lock_until_in_a_thread, &m), 0);
	pthread_join(thread, NULL);
	go_mutex_unlock(&m);
	CHECK(go_mutex_trylock(&m));
	go_mutex_unlock(&m);
}

TEST(lock_until_takes_a_free_mutex_even_past_its_deadline) {
	go_mutex m = GO_MUTEX_INIT;

	for (int64_t t = -1; t <= 1; t++) {
		CHECK_EQ(go_mutex_lock_until(&m, t), 0);
		CHECK(!go_mutex_trylock(&m));
		go_mutex_unlock(&m);
	}
	CHECK_EQ(go_mutex_lock_until(&m, GO_FOREVER), 0);
	go_mutex_unlock(&m);
}

static void lock_patiently(go_mutex *m, int64_t deadline, go_ch *got) {
	CHECK_EQ(go_mutex_lock_until(m, deadline), 0);
	go_chan_send(got, NULL);
	go_mutex_unlock(m);
}
GO_TASK(lock_patiently, go_mutex *, int64_t, go_ch *);

TEST(lock_until_gets_it_when_it_comes_free) {
	go_mutex m = GO_MUTEX_INIT;
	go_ch *got = go_chan_make(0, 2);

	go_mutex_lock(&m);
	GO(lock_patiently, &m, GO_FOREVER, got);
	GO(lock_patiently, &m, go_now() + 100 * GO_SECOND, got);
	support_settle();
	CHECK_EQ(go_chan_len(got), 0);
	go_mutex_unlock(&m);
	for (int i = 0; i < 2; i++)
		CHECK(go_chan_recv(got, NULL));
	wait_until(go_count() == 2);
	go_chan_unref(got);
}

static void give_up_soon(void *arg) {
	CHECK_EQ(go_mutex_lock_until(arg, go_now() + 5 * GO_MILLISECOND), -ETIMEDOUT);
}

/* Those who gave up in front, in the middle and at the end of the queue leave it whole. */
TEST(those_who_gave_up_are_not_given_the_mutex) {
	go_mutex m = GO_MUTEX_INIT;
	go_ch *got = go_chan_make(0, 8);

	go_mutex_lock(&m);
	for (int i = 0; i < 8; i++) {
		go_spawn(give_up_soon, &m);
		go_yield();
		GO(lock_patiently, &m, GO_FOREVER, got);
		go_yield();
	}
	go_spawn(give_up_soon, &m);
	wait_until(go_count() == 2 + 8);
	go_mutex_unlock(&m);
	for (int i = 0; i < 8; i++)
		go_chan_recv(got, NULL);
	wait_until(go_count() == 2);
	CHECK(go_mutex_trylock(&m));
	go_mutex_unlock(&m);
	go_chan_unref(got);
}

struct rush { struct guarded g; atomic_long in, out; go_waitgroup wg; };

static void rush(struct rush *r, uint64_t salt) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < (int)support_scale(400); i++) {
		int64_t limit = support_below(&rng, 50) * GO_MICROSECOND;

		if (go_mutex_lock_until(&r->g.m, go_now() + limit) != 0) {
			atomic_fetch_add(&r->out, 1);
			continue;
		}
		visit(&r->g, true);
		if (support_below(&rng, 4) == 0)
			go_sleep(support_below(&rng, 30) * GO_MICROSECOND);
		atomic_fetch_add(&r->in, 1);
		go_mutex_unlock(&r->g.m);
	}
	go_wg_done(&r->wg);
}
GO_TASK(rush, struct rush *, uint64_t);

struct rusher { struct rush *r; uint64_t salt; };

static void *rush_thread(void *arg) {
	struct rusher *r = arg;

	rush(r->r, r->salt);
	return NULL;
}

/* Time-outs race with hand-overs: nobody has it twice, and it is not lost. */
TEST(time_outs_race_with_unlocks) {
	struct rush r = {.in = 0};
	struct rusher threads[2] = {{&r, 100}, {&r, 101}};
	pthread_t t[2];

	go_wg_add(&r.wg, 14);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, rush_thread, &threads[i]), 0);
	for (uint64_t i = 0; i < 12; i++)
		GO(rush, &r, i);
	go_wg_wait(&r.wg);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(atomic_load(&r.in) + atomic_load(&r.out), 14 * support_scale(400));
	CHECK_EQ(r.g.a, atomic_load(&r.in));
	CHECK(go_mutex_trylock(&r.g.m));
	go_mutex_unlock(&r.g.m);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(trylock_says_whether_it_is_free),
	cmocka_unit_test(goroutines_hammer_a_mutex),
	cmocka_unit_test(threads_and_goroutines_hammer_a_mutex),
	cmocka_unit_test(another_goroutine_may_unlock),
	cmocka_unit_test(many_mutexes_do_not_disturb_each_other),
	cmocka_unit_test(it_may_be_held_while_sleeping_and_moving),
	cmocka_unit_test(one_that_holds_it_nearly_always_starves_nobody),
	cmocka_unit_test(grabbing_threads_and_goroutines_starve_nobody),
	cmocka_unit_test(lock_until_gives_up_at_its_deadline),
	cmocka_unit_test(lock_until_takes_a_free_mutex_even_past_its_deadline),
	cmocka_unit_test(lock_until_gets_it_when_it_comes_free),
	cmocka_unit_test(those_who_gave_up_are_not_given_the_mutex),
	cmocka_unit_test(time_outs_race_with_unlocks),
};

SUPPORT_MAIN(tests)
