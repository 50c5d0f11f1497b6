/* SPDX-License-Identifier: MIT */
/*
 * go_rwmutex.c - what Go's sync/rwmutex_test.go and runtime/rwmutex_test.go ask of an RWMutex.
 *
 * Not here: the RLocker interface, which C has no use for.
 */
#include "support.h"

/* ------------------------------------------------------------ parallel readers --- */

struct meeting { go_rwmutex rw; go_ch *here, *leave, *gone; };

static void attend(struct meeting *m) {
	go_rwmutex_rlock(&m->rw);
	go_chan_send(m->here, NULL);
	go_chan_recv(m->leave, NULL);
	go_rwmutex_runlock(&m->rw);
	go_chan_send(m->gone, NULL);
}
GO_TASK(attend, struct meeting *);

static void readers_meet(int readers, int procs) {
	struct meeting m = {.here = go_chan_make(0, 0), .leave = go_chan_make(0, 0),
		.gone = go_chan_make(0, 0)};
	int before = go_procs(procs);

	for (int i = 0; i < readers; i++)
		GO(attend, &m);
	for (int i = 0; i < readers; i++)       /* all are inside before the first leaves */
		go_chan_recv(m.here, NULL);
	for (int i = 0; i < readers; i++)
		go_chan_send(m.leave, NULL);
	for (int i = 0; i < readers; i++)
		go_chan_recv(m.gone, NULL);
	go_procs(before);
	wait_until(go_count() == 2);
	go_chan_unref(m.here);
	go_chan_unref(m.leave);
	go_chan_unref(m.gone);
}

/* Go: sync TestParallelReaders, runtime TestParallelRWMutexReaders */
TEST(readers_are_inside_at_the_same_time) {
	readers_meet(1, 4);
	readers_meet(3, 4);
	readers_meet(4, 2);
}

/* ------------------------------------------------------------ hammer --- */

enum { WRITER = 10000 };

struct hammer { go_rwmutex rw; atomic_int activity; int loops; go_waitgroup wg; };

static void linger(void) {
	for (volatile int i = 0; i < 100; i++)
		;
}

static void read_often(struct hammer *h) {
	for (int i = 0; i < h->loops; i++) {
		go_rwmutex_rlock(&h->rw);
		CHECK_IN(atomic_fetch_add(&h->activity, 1) + 1, 1, WRITER - 1);
		linger();
		atomic_fetch_sub(&h->activity, 1);
		go_rwmutex_runlock(&h->rw);
	}
	go_wg_done(&h->wg);
}
GO_TASK(read_often, struct hammer *);

static void write_often(struct hammer *h) {
	for (int i = 0; i < h->loops; i++) {
		go_rwmutex_lock(&h->rw);
		CHECK_EQ(atomic_fetch_add(&h->activity, WRITER), 0);
		linger();
		atomic_fetch_sub(&h->activity, WRITER);
		go_rwmutex_unlock(&h->rw);
	}
	go_wg_done(&h->wg);
}
GO_TASK(write_often, struct hammer *);

static void hammer(int procs, int readers, int loops) {
	struct hammer h = {.loops = loops};
	int before = go_procs(procs);

	go_wg_add(&h.wg, 2 + readers);
	GO(write_often, &h);
	for (int i = 0; i < readers; i++) {
		if (i == readers / 2)
			GO(write_often, &h);
		GO(read_often, &h);
	}
	go_wg_wait(&h.wg);
	CHECK_EQ(atomic_load(&h.activity), 0);
	go_procs(before);
}

/* Go: sync TestRWMutex (the hammer), runtime TestRWMutex */
TEST(readers_and_writers_hammer_it) {
	static const int readers[] = {1, 3, 5, 10};
	int loops = (int)support_scale(1000);

	for (int i = 0; i < 4; i++) {
		hammer(1, readers[i], loops);
		hammer(4, readers[i], loops);
		hammer(10, readers[i], loops);
	}
}

/* ------------------------------------------------------------ attempts --- */

static void lock_and_tell(go_rwmutex *rw, go_ch *c) {
	go_rwmutex_lock(rw);
	go_rwmutex_unlock(rw);
	go_chan_send(c, NULL);
}
GO_TASK(lock_and_tell, go_rwmutex *, go_ch *);

/* Go: sync TestRWMutex (the attempts) */
TEST(attempts_fail_and_succeed_as_they_must) {
	go_rwmutex rw = GO_RWMUTEX_INIT;
	go_ch *c = go_chan_make(0, 0);

	go_rwmutex_lock(&rw);
	CHECK(!go_rwmutex_trylock(&rw));
	CHECK(!go_rwmutex_tryrlock(&rw));
	go_rwmutex_unlock(&rw);
	CHECK(go_rwmutex_trylock(&rw));
	CHECK(!go_rwmutex_tryrlock(&rw));
	go_rwmutex_unlock(&rw);
	CHECK(go_rwmutex_tryrlock(&rw));
	CHECK(go_rwmutex_tryrlock(&rw));
	CHECK(!go_rwmutex_trylock(&rw));
	GO(lock_and_tell, &rw, c);
	wait_until(support_parked("", "sync.RWMutex.Lock") == 1);
	CHECK(!go_rwmutex_tryrlock(&rw));
	go_rwmutex_runlock(&rw);
	CHECK(!go_rwmutex_trylock(&rw));
	go_rwmutex_runlock(&rw);
	go_chan_recv(c, NULL);
	CHECK(go_rwmutex_trylock(&rw));
	go_rwmutex_unlock(&rw);
	wait_until(go_count() == 2);
	go_chan_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(readers_are_inside_at_the_same_time),
	cmocka_unit_test(readers_and_writers_hammer_it),
	cmocka_unit_test(attempts_fail_and_succeed_as_they_must),
};

SUPPORT_MAIN(tests)
