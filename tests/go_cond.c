/* SPDX-License-Identifier: MIT */
/*
 * go_cond.c - what Go tests of its condition variable (sync/cond_test.go).
 */
#include "support.h"

struct party { go_mutex m; go_cond c; go_ch *running, *awake; bool over; };

static void party_begin(struct party *p, int n) {
	memset(p, 0, sizeof *p);
	p->running = go_chan_make(sizeof(int), (size_t)n);
	p->awake = go_chan_make(sizeof(int), (size_t)n);
}

static void party_end(struct party *p) {
	wait_until(go_count() == 2);
	go_chan_unref(p->running);
	go_chan_unref(p->awake);
}

static void signal_locked(struct party *p) {
	go_mutex_lock(&p->m);
	go_cond_signal(&p->c);
	go_mutex_unlock(&p->m);
}

static void wait_once(struct party *p, int i) {
	go_mutex_lock(&p->m);
	go_chan_send(p->running, &i);
	go_cond_wait(&p->c, &p->m);
	go_chan_send(p->awake, &i);
	go_mutex_unlock(&p->m);
}
GO_TASK(wait_once, struct party *, int);

/* Go: sync TestCondSignal */
TEST(a_signal_wakes_exactly_one) {
	struct party p;

	party_begin(&p, 2);
	for (int i = 0; i < 2; i++)
		GO(wait_once, &p, i);
	for (int i = 0; i < 2; i++)
		go_chan_recv(p.running, NULL);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(go_chan_len(p.awake), 0);
		signal_locked(&p);
		go_chan_recv(p.awake, NULL);
		CHECK_EQ(go_chan_len(p.awake), 0);
	}
	go_cond_signal(&p.c);
	party_end(&p);
}

/* Go: sync TestCondSignalGenerations */
TEST(each_signal_wakes_the_generation_before) {
	struct party p;
	int got;

	party_begin(&p, 100);
	for (int i = 0; i < 100; i++) {
		GO(wait_once, &p, i);
		if (i > 0) {
			go_chan_recv(p.awake, &got);
			CHECK_EQ(got, i - 1);
		}
		go_chan_recv(p.running, NULL);
		signal_locked(&p);
	}
	go_chan_recv(p.awake, &got);
	CHECK_EQ(got, 99);
	party_end(&p);
}

static void wait_until_over(struct party *p, int i) {
	go_mutex_lock(&p->m);
	while (!p->over) {
		go_chan_send(p->running, &i);
		go_cond_wait(&p->c, &p->m);
		go_chan_send(p->awake, &i);
	}
	go_mutex_unlock(&p->m);
}
GO_TASK(wait_until_over, struct party *, int);

enum { MOST = 200 };

static void broadcast_round(struct party *p, int n, bool last) {
	bool seen[MOST] = {false};
	int got = 0;

	for (int i = 0; i < n; i++)
		go_chan_recv(p->running, NULL);
	CHECK_EQ(go_chan_len(p->awake), 0);
	go_mutex_lock(&p->m);
	p->over = last;
	go_cond_broadcast(&p->c);
	go_mutex_unlock(&p->m);
	for (int i = 0; i < n; i++) {
		go_chan_recv(p->awake, &got);
		CHECK(!seen[got]);
		seen[got] = true;
	}
}

/* Go: sync TestCondBroadcast */
TEST(a_broadcast_wakes_all_exactly_once) {
	int n = support_slowness() > 1 ? 40 : MOST, rounds = support_slowness() > 1 ? 20 : MOST;
	struct party p;

	party_begin(&p, n);
	for (int i = 0; i < n; i++)
		GO(wait_until_over, &p, i);
	for (int i = 0; i < rounds; i++)
		broadcast_round(&p, n, i == rounds - 1);
	CHECK_EQ(go_chan_len(p.running), 0);
	go_cond_broadcast(&p.c);
	party_end(&p);
}

/* --- TestRace --- */

struct relay { go_mutex m; go_cond c; int x; go_waitgroup wg; };

static void relay_first(struct relay *r) {
	go_mutex_lock(&r->m);
	r->x = 1;
	go_cond_wait(&r->c, &r->m);
	CHECK_EQ(r->x, 2);
	r->x = 3;
	go_cond_signal(&r->c);
	go_mutex_unlock(&r->m);
}
GO_TASK(relay_first, struct relay *);

static void relay_second(struct relay *r) {
	go_mutex_lock(&r->m);
	while (r->x != 1) {
		go_mutex_unlock(&r->m);
		go_yield();
		go_mutex_lock(&r->m);
	}
	r->x = 2;
	go_cond_signal(&r->c);
	go_mutex_unlock(&r->m);
}
GO_TASK(relay_second, struct relay *);

static void relay_third(struct relay *r) {
	go_mutex_lock(&r->m);
	while (r->x != 3) {
		if (r->x == 2) {
			go_cond_wait(&r->c, &r->m);
			CHECK_EQ(r->x, 3);
			break;
		}
		go_mutex_unlock(&r->m);
		go_yield();
		go_mutex_lock(&r->m);
	}
	go_mutex_unlock(&r->m);
}
GO_TASK(relay_third, struct relay *);

/* Go: sync TestRace */
TEST(three_pass_a_number_on) {
	for (int i = 0; i < (int)support_scale(500); i++) {
		struct relay r = {.x = 0};

		GO_WG(&r.wg, relay_first, &r);
		GO_WG(&r.wg, relay_second, &r);
		GO_WG(&r.wg, relay_third, &r);
		go_wg_wait(&r.wg);
		CHECK_EQ(r.x, 3);
	}
}

/* --- TestCondSignalStealing --- */

struct steal { go_mutex m; go_cond c; bool done; go_waitgroup wg; go_ch *ch; };

static void first_waiter(struct steal *s) {
	go_mutex_lock(&s->m);
	go_chan_send(s->ch, NULL);
	go_cond_wait(&s->c, &s->m);
	go_mutex_unlock(&s->m);
	go_chan_send(s->ch, NULL);
}
GO_TASK(first_waiter, struct steal *);

static void second_waiter(struct steal *s) {
	go_mutex_lock(&s->m);
	while (!s->done)
		go_cond_wait(&s->c, &s->m);
	go_mutex_unlock(&s->m);
}
GO_TASK(second_waiter, struct steal *);

static void broadcast(struct steal *s) { go_cond_broadcast(&s->c); }
GO_TASK(broadcast, struct steal *);

/* Go: sync TestCondSignalStealing */
TEST(a_later_waiter_does_not_steal_the_broadcast) {
	go_ch *ch = go_chan_make(0, 0);

	for (int i = 0; i < (int)support_scale(1000); i++) {
		struct steal s = {.ch = ch};

		GO_WG(&s.wg, first_waiter, &s);
		go_chan_recv(ch, NULL);
		go_mutex_lock(&s.m);
		go_mutex_unlock(&s.m);
		GO_WG(&s.wg, broadcast, &s);
		GO_WG(&s.wg, second_waiter, &s);
		if (!CHECK_EQ(go_chan_recv_until(ch, NULL, go_now() + 30 * GO_SECOND), 0))
			break;
		go_mutex_lock(&s.m);
		s.done = true;
		go_mutex_unlock(&s.m);
		go_cond_broadcast(&s.c);
		go_wg_wait(&s.wg);
	}
	go_chan_unref(ch);
}

/* --- TestCondCopy --- */

static void signal_it(void *arg) { go_cond_signal(arg); }
static void broadcast_it(void *arg) { go_cond_broadcast(arg); }

static void wait_on_it(void *arg) {
	go_mutex m = GO_MUTEX_INIT;

	go_mutex_lock(&m);
	go_defer_unlock(&m);
	go_cond_wait(arg, &m);
}

static void wait_on_it_until(void *arg) {
	go_mutex m = GO_MUTEX_INIT;

	go_mutex_lock(&m);
	go_defer_unlock(&m);
	CHECK_EQ(go_cond_wait_until(arg, &m, GO_NOWAIT), 0);
}

/* Go: sync TestCondCopy */
TEST(a_copy_is_found_out) {
	static const go_fn uses[] = {signal_it, broadcast_it, wait_on_it, wait_on_it_until};
	static const char text[] = "sync.Cond is copied";
	go_cond c = GO_COND_INIT, unused = c;

	go_cond_signal(&unused);
	go_cond_signal(&c);
	for (int i = 0; i < 4; i++) {
		go_panic_info info = GO_PANIC_INFO_INIT;
		go_cond copy;

		memcpy(&copy, &c, sizeof copy);
		assert_true(!go_try(uses[i], &copy, &info));
		CHECK_STR(info.message, text);
	}
	go_cond_broadcast(&c);
}

/* --- The benchmark, as a test --- */

struct rounds { go_mutex m; go_cond c; int id, waiters, loops; go_waitgroup wg; };

static void go_round(struct rounds *r) {
	for (int i = 0; i < r->loops; i++) {
		go_mutex_lock(&r->m);
		if (r->id == -1) {
			go_mutex_unlock(&r->m);
			break;
		}
		if (++r->id == r->waiters + 1) {
			r->id = 0;
			go_cond_broadcast(&r->c);
		} else {
			go_cond_wait(&r->c, &r->m);
		}
		go_mutex_unlock(&r->m);
	}
	go_mutex_lock(&r->m);
	r->id = -1;
	go_cond_broadcast(&r->c);
	go_mutex_unlock(&r->m);
}
GO_TASK(go_round, struct rounds *);

/* Go: sync BenchmarkCond1 to BenchmarkCond32 */
TEST(the_last_to_come_wakes_the_others) {
	for (int waiters = 1; waiters <= 32; waiters *= 2) {
		struct rounds r = {.waiters = waiters, .loops = (int)support_scale(500)};

		for (int i = 0; i < waiters + 1; i++)
			GO_WG(&r.wg, go_round, &r);
		go_wg_wait(&r.wg);
		CHECK_EQ(r.id, -1);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_signal_wakes_exactly_one),
	cmocka_unit_test(each_signal_wakes_the_generation_before),
	cmocka_unit_test(a_broadcast_wakes_all_exactly_once),
	cmocka_unit_test(three_pass_a_number_on),
	cmocka_unit_test(a_later_waiter_does_not_steal_the_broadcast),
	cmocka_unit_test(a_copy_is_found_out),
	cmocka_unit_test(the_last_to_come_wakes_the_others),
};

SUPPORT_MAIN(tests)
