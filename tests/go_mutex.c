/* SPDX-License-Identifier: MIT */
/*
 * go_mutex.c - what Go's sync/mutex_test.go asks of a Mutex, and of how misuse ends.
 *
 * Not here: TestSemaphore, which is about the runtime's own semaphore.
 */
#include "support.h"

/* ------------------------------------------------------------ hammer --- */

struct hammer { go_mutex m; int loops; long inside, visits; go_waitgroup wg; };

static void hammer_often(struct hammer *h) {
	for (int i = 0; i < h->loops; i++) {
		if (i % 3 == 0) {
			if (go_mutex_trylock(&h->m))
				go_mutex_unlock(&h->m);
			continue;
		}
		go_mutex_lock(&h->m);
		CHECK_EQ(h->inside++, 0);
		h->visits++;
		CHECK_EQ(--h->inside, 0);
		go_mutex_unlock(&h->m);
	}
	go_wg_done(&h->wg);
}
GO_TASK(hammer_often, struct hammer *);

/* Go: sync TestMutex */
TEST(ten_goroutines_hammer_a_mutex) {
	struct hammer h = {.loops = (int)support_scale(3000)};

	CHECK(go_mutex_trylock(&h.m));
	CHECK(!go_mutex_trylock(&h.m));
	go_mutex_unlock(&h.m);
	CHECK(go_mutex_trylock(&h.m));
	go_mutex_unlock(&h.m);
	go_wg_add(&h.wg, 10);
	for (int i = 0; i < 10; i++)
		GO(hammer_often, &h);
	go_wg_wait(&h.wg);
	CHECK_EQ(h.visits, 10L * (h.loops - (h.loops + 2) / 3));
}

/* ------------------------------------------------------------ fairness --- */

struct greed { go_mutex m; atomic_bool stop; go_ch *done; };

static void hold_nearly_always(struct greed *g) {
	while (!atomic_load(&g->stop)) {
		go_mutex_lock(&g->m);
		go_sleep(100 * GO_MICROSECOND);
		go_mutex_unlock(&g->m);
	}
	go_chan_send(g->done, NULL);
}
GO_TASK(hold_nearly_always, struct greed *);

static void want_it_now_and_then(struct greed *g) {
	for (int i = 0; i < 10; i++) {
		go_sleep(100 * GO_MICROSECOND);
		go_mutex_lock(&g->m);
		go_mutex_unlock(&g->m);
	}
	go_chan_send(g->done, NULL);
}
GO_TASK(want_it_now_and_then, struct greed *);

/* Go: sync TestMutexFairness */
TEST(one_gets_it_ten_times_from_another_that_nearly_always_holds_it) {
	struct greed g = {.done = go_chan_make(0, 0)};

	GO(hold_nearly_always, &g);
	GO(want_it_now_and_then, &g);
	CHECK_EQ(go_chan_recv_until(g.done, NULL, go_now() + 60 * GO_SECOND), 0);
	atomic_store(&g.stop, true);
	go_chan_recv(g.done, NULL);
	wait_until(go_count() == 2);
	go_chan_unref(g.done);
}

static void lock_and_count(go_mutex *m, atomic_int *got) {
	go_mutex_lock(m);
	atomic_fetch_add(got, 1);
	go_mutex_unlock(m);
}
GO_TASK(lock_and_count, go_mutex *, atomic_int *);

/* Who has waited for a millisecond is given it: the one that unlocks does not get it back first. */
TEST(who_has_waited_for_long_comes_before_a_newcomer) {
	go_mutex m = GO_MUTEX_INIT;
	atomic_int got = 0;

	for (int i = 1; i <= 20; i++) {
		go_mutex_lock(&m);
		GO(lock_and_count, &m, &got);
		wait_until(support_parked("", "sync.Mutex.Lock") == 1);
		go_sleep(2 * GO_MILLISECOND);
		go_mutex_unlock(&m);
		go_mutex_lock(&m);
		CHECK_EQ(atomic_load(&got), i);
		go_mutex_unlock(&m);
	}
	wait_until(go_count() == 2);
}

/* ------------------------------------------------------------ misuse --- */

static go_mutex mutex;
static go_rwmutex rwmutex;

static void mutex_unlock(void) { go_mutex_unlock(&mutex); }

static void mutex_unlock2(void) {
	go_mutex_lock(&mutex);
	go_mutex_unlock(&mutex);
	go_mutex_unlock(&mutex);
}

static void rwmutex_unlock(void) { go_rwmutex_unlock(&rwmutex); }

static void rwmutex_unlock2(void) {
	go_rwmutex_rlock(&rwmutex);
	go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_unlock3(void) {
	go_rwmutex_lock(&rwmutex);
	go_rwmutex_unlock(&rwmutex);
	go_rwmutex_unlock(&rwmutex);
}

static void rwmutex_runlock(void) { go_rwmutex_runlock(&rwmutex); }

static void rwmutex_runlock2(void) {
	go_rwmutex_lock(&rwmutex);
	go_rwmutex_runlock(&rwmutex);
}

static void rwmutex_runlock3(void) {
	go_rwmutex_rlock(&rwmutex);
	go_rwmutex_runlock(&rwmutex);
	go_rwmutex_runlock(&rwmutex);
}

static const char unlock_text[] = "fatal error: sync: unlock of unlocked mutex\n";
static const char rw_text[] = "fatal error: sync: Unlock of unlocked RWMutex\n";
static const char r_text[] = "fatal error: sync: RUnlock of unlocked RWMutex\n";

static const struct misuse { const char *name, *text; void (*fn)(void); } misuses[] = {
	{"Mutex.Unlock", unlock_text, mutex_unlock},
	{"Mutex.Unlock2", unlock_text, mutex_unlock2},
	{"RWMutex.Unlock", rw_text, rwmutex_unlock},
	{"RWMutex.Unlock2", rw_text, rwmutex_unlock2},
	{"RWMutex.Unlock3", rw_text, rwmutex_unlock3},
	{"RWMutex.RUnlock", r_text, rwmutex_runlock},
	{"RWMutex.RUnlock2", r_text, rwmutex_runlock2},
	{"RWMutex.RUnlock3", r_text, rwmutex_runlock3},
};
enum { MISUSES = sizeof misuses / sizeof *misuses };

static void do_misuse(void *arg) {
	for (int i = 0; i < MISUSES; i++)
		if (strcmp(misuses[i].name, arg) == 0)
			misuses[i].fn();
}

/* Says where the object is, and tries to catch what cannot be caught. */
CHILD(misused) {
	char name[32];

	snprintf(name, sizeof name, "%s", arg);
	printf("\t%s %p\n", arg[0] == 'M' ? "mutex" : "rwmutex",
	       arg[0] == 'M' ? (void *)&mutex : (void *)&rwmutex);
	fflush(stdout);
	return go_try(do_misuse, name, NULL) ? 0 : 7;
}

/* Go: sync TestMutexMisuse */
TEST(misuse_is_fatal_and_names_the_object) {
	for (int i = 0; i < MISUSES; i++) {
		const struct misuse *m = &misuses[i];
		struct support_result r;

		support_child(misused, m->name, &r);
		CHECK_MSG(r.status == 2 && strstr(r.err, m->text) == r.err &&
			  strstr(r.err, r.out) == r.err + strlen(m->text) &&
			  strstr(r.err, "\ngoroutine 1 [running]") != NULL,
			  "%s: status %d, signal %d, stdout %s, stderr:\n%s", m->name, r.status,
			  r.signal, r.out, r.err);
		support_free(&r);
	}
}

CHILD_PLAIN(misused_by_a_thread) {
	char name[32];

	snprintf(name, sizeof name, "%s", arg);
	do_misuse(name);
	return 7;
}

TEST(misuse_by_a_thread_is_fatal_as_well) {
	for (int i = 0; i < MISUSES; i++)
		CHECK_DIES(misused_by_a_thread, misuses[i].name, misuses[i].text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ten_goroutines_hammer_a_mutex),
	cmocka_unit_test(one_gets_it_ten_times_from_another_that_nearly_always_holds_it),
	cmocka_unit_test(who_has_waited_for_long_comes_before_a_newcomer),
	cmocka_unit_test(misuse_is_fatal_and_names_the_object),
	cmocka_unit_test(misuse_by_a_thread_is_fatal_as_well),
};

SUPPORT_MAIN(tests)
