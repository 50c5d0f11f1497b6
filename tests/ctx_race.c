/* SPDX-License-Identifier: MIT */
/*
 * Cancelling a bound context races with what the call waits for: what was handed over is never
 * lost, and who failed has nothing.
 */
#include "support.h"

static void
begin_call(const go_ctx *ctx)
{
	go_ctx_unref(go_ctx_bind(ctx));
}

static void
end_call(void)
{
	go_ctx_unref(go_ctx_bind(NULL));
}

/* ------------------------------------------------------------ channels --- */

enum { SIDES = 3 };
static atomic_int_least64_t sent_sum, recv_sum, sent_n, recv_n;

static void
send_some(const go_ctx *ctx, go_chan(int64_t) a, go_chan(int64_t) b, int id)
{
	for (int i = 0; i < 4; i++) {
		int64_t v = id * 1000 + i;
		int r;

		begin_call(ctx);
		if (i % 2)
			r = go_select_until(GO_FOREVER, GO_SEND(a, v), GO_SEND(b, v));
		else
			r = go_send_until(a, v, id % 2 ? GO_FOREVER : go_now() + GO_HOUR);
		end_call();
		CHECK(r >= 0 || r == -ECANCELED);
		if (r >= 0) {
			atomic_fetch_add(&sent_sum, v);
			atomic_fetch_add(&sent_n, 1);
		}
	}
}
GO_TASK(send_some, const go_ctx *, go_chan(int64_t), go_chan(int64_t), int);

static void
recv_some(const go_ctx *ctx, go_chan(int64_t) a, go_chan(int64_t) b, int id)
{
	for (int i = 0; i < 4; i++) {
		int64_t va = -1, vb = -1;
		int r;

		begin_call(ctx);
		if (i % 2)
			r = go_select_until(GO_FOREVER, GO_RECV(a, &va), GO_RECV(b, &vb));
		else
			r = go_recv_until(a, &va, id % 2 ? GO_FOREVER : go_now() + GO_HOUR);
		end_call();
		CHECK(r >= 0 || r == -ECANCELED);
		CHECK((va != -1) == (r == 0) && (vb != -1) == (r == 1));
		if (r >= 0) {
			atomic_fetch_add(&recv_sum, r == 0 ? va : vb);
			atomic_fetch_add(&recv_n, 1);
		}
	}
}
GO_TASK(recv_some, const go_ctx *, go_chan(int64_t), go_chan(int64_t), int);

TEST(nothing_sent_is_lost_and_nothing_lost_is_sent)
{
	for (int round = 0; round < (int)support_scale(2000) + 10; round++) {
		go_chan(int64_t) a = go_make(int64_t, 0), b = go_make(int64_t, (size_t)round % 2);
		go_ctx *in = go_ctx_with_cancel(NULL), *out = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		int64_t v;

		sent_sum = recv_sum = sent_n = recv_n = 0;
		for (int i = 0; i < SIDES; i++) {
			GO_WG(&wg, send_some, in, a, b, i);
			GO_WG(&wg, recv_some, out, a, b, i);
		}
		for (int i = round % 7; i > 0; i--)
			go_yield();
		go_ctx_cancel(round % 3 ? in : out);
		go_ctx_cancel(round % 3 ? out : in);
		go_wg_wait(&wg);
		while (go_tryrecv(b, &v)) {             /* left in the buffer */
			recv_sum += v;
			recv_n++;
		}
		CHECK_EQ(sent_n, recv_n);
		CHECK_EQ(sent_sum, recv_sum);
		go_unref(a);                            /* nobody is left in a queue */
		go_unref(b);
		go_ctx_unref(in);
		go_ctx_unref(out);
	}
}

/* The context and the call's own limit, close together. */
static void
wait_twice_limited(const go_ctx *ctx, go_chan(int64_t) c, int64_t ns)
{
	int r;

	begin_call(ctx);
	r = go_recv_until(c, NULL, go_now() + ns);
	CHECK(r == -ECANCELED || r == -ETIMEDOUT);
	r = go_select_until(go_now() + ns, GO_SEND(c, 1), GO_AFTER(ns));
	CHECK(r == -ECANCELED || r == -ETIMEDOUT || r == 1);
	r = go_selectv(NULL, 0, go_now() + ns);
	CHECK(r == -ECANCELED || r == -ETIMEDOUT);
	end_call();
}
GO_TASK(wait_twice_limited, const go_ctx *, go_chan(int64_t), int64_t);

TEST(a_limit_and_a_cancellation_may_come_together)
{
	struct support_rng rng = support_rng(0);
	go_chan(int64_t) mute[3];       /* one each: senders and receivers shall not meet */

	for (int i = 0; i < 3; i++)
		mute[i] = go_make(int64_t, 0);
	for (int round = 0; round < (int)support_scale(500) + 5; round++) {
		go_ctx *ctx = round % 2 ? go_ctx_with_cancel(NULL)
					: go_ctx_with_timeout(NULL, support_below(&rng, 60000));
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 3; i++)
			GO_WG(&wg, wait_twice_limited, ctx, mute[i],
			      1 + support_below(&rng, 60000));
		if (round % 2)
			go_sleep(support_below(&rng, 60000));
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		go_ctx_unref(ctx);
	}
	for (int i = 0; i < 3; i++)
		go_unref(mute[i]);
}

/* ------------------------------------------------------------ mutex, waitgroup --- */

struct locked { go_mutex m; int inside, count; atomic_int got, failed; };

static void
lock_some(const go_ctx *ctx, struct locked *l)
{
	for (int i = 0; i < 5; i++) {
		int r;

		begin_call(ctx);
		r = go_mutex_lock_until(&l->m, i % 2 ? GO_FOREVER : go_now() + GO_HOUR);
		end_call();
		if (r != 0) {
			CHECK_EQ(r, -ECANCELED);
			l->failed++;
			continue;
		}
		CHECK_EQ(l->inside++, 0);
		l->count++;
		if (i % 3 == 0)
			go_yield();
		l->inside--;
		go_mutex_unlock(&l->m);
		l->got++;
	}
}
GO_TASK(lock_some, const go_ctx *, struct locked *);

static void
lock_plainly(struct locked *l)
{
	for (int i = 0; i < 5; i++) {
		go_mutex_lock(&l->m);
		CHECK_EQ(l->inside++, 0);
		go_yield();
		l->inside--;
		go_mutex_unlock(&l->m);
	}
}
GO_TASK(lock_plainly, struct locked *);

TEST(a_mutex_is_not_lost_with_one_who_gave_up)
{
	for (int round = 0; round < (int)support_scale(1000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct locked l = {.inside = 0};
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 4; i++)
			GO_WG(&wg, lock_some, ctx, &l);
		for (int i = 0; i < 2; i++)
			GO_WG(&wg, lock_plainly, &l);
		for (int i = round % 9; i > 0; i--)
			go_yield();
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		CHECK_EQ(l.got + l.failed, 4 * 5);
		CHECK_EQ(l.count, l.got);
		CHECK(go_mutex_trylock(&l.m));
		go_ctx_unref(ctx);
	}
}

static void
wait_for_group(const go_ctx *ctx, go_waitgroup *what, atomic_bool *over)
{
	int r;

	begin_call(ctx);
	r = go_wg_wait_until(what, GO_FOREVER);
	end_call();
	CHECK(r == -ECANCELED || (r == 0 && *over));
}
GO_TASK(wait_for_group, const go_ctx *, go_waitgroup *, atomic_bool *);

TEST(a_waitgroup_may_end_while_waiters_are_cancelled)
{
	for (int round = 0; round < (int)support_scale(2000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		go_waitgroup wg = GO_WAITGROUP_INIT, what = GO_WAITGROUP_INIT;
		atomic_bool over = false;

		go_wg_add(&what, 1);
		for (int i = 0; i < 4; i++)
			GO_WG(&wg, wait_for_group, ctx, &what, &over);
		for (int i = round % 5; i > 0; i--)
			go_yield();
		if (round % 2)
			go_ctx_cancel(ctx);
		over = true;
		go_wg_done(&what);
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		go_ctx_unref(ctx);
	}
}

/* ------------------------------------------------------------ rwmutex, sema, cond --- */

struct shared { go_rwmutex m; atomic_int readers, writers, got, failed; };

static void
share_some(const go_ctx *ctx, struct shared *s, int id)
{
	for (int i = 0; i < 6; i++) {
		bool write = (i + id) % 3 == 0;
		int64_t d = i % 2 ? GO_FOREVER : go_now() + GO_HOUR;
		int r;

		begin_call(id % 4 != 0 ? ctx : NULL);   /* some are not to be cancelled */
		r = write ? go_rwmutex_lock_until(&s->m, d) : go_rwmutex_rlock_until(&s->m, d);
		end_call();
		if (r != 0) {
			CHECK(r == -ECANCELED && id % 4 != 0);
			s->failed++;
			continue;
		}
		s->got++;
		if (write) {
			CHECK_EQ(s->writers++, 0);
			CHECK_EQ(s->readers, 0);
			go_yield();
			s->writers--;
			go_rwmutex_unlock(&s->m);
		} else {
			s->readers++;
			CHECK_EQ(s->writers, 0);
			go_yield();
			s->readers--;
			go_rwmutex_runlock(&s->m);
		}
	}
}
GO_TASK(share_some, const go_ctx *, struct shared *, int);

TEST(an_rwmutex_goes_on_when_waiters_are_cancelled)
{
	for (int round = 0; round < (int)support_scale(1000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct shared s = {.got = 0};
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 8; i++)
			GO_WG(&wg, share_some, ctx, &s, i);
		for (int i = round % 9; i > 0; i--)
			go_yield();
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		CHECK_EQ(s.got + s.failed, 8 * 6);
		CHECK(go_rwmutex_trylock(&s.m));
		go_ctx_unref(ctx);
	}
}

struct units { go_sema s; atomic_int out, failed; };

static void
acquire_some(const go_ctx *ctx, struct units *u, int id)
{
	for (int i = 0; i < 5; i++) {
		int n = 1 + (id + i) % 3;
		int r;

		begin_call(id % 4 != 0 ? ctx : NULL);
		r = go_sema_acquire_until(&u->s, n, GO_FOREVER);
		end_call();
		if (r != 0) {
			CHECK(r == -ECANCELED && id % 4 != 0);
			u->failed++;
			continue;
		}
		CHECK(atomic_fetch_add(&u->out, n) + n <= 3);
		go_yield();
		u->out -= n;
		go_sema_release(&u->s, n);
	}
}
GO_TASK(acquire_some, const go_ctx *, struct units *, int);

TEST(no_unit_is_lost_with_one_who_gave_up)
{
	for (int round = 0; round < (int)support_scale(1000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct units u = {.s = GO_SEMA_INIT(3)};
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (int i = 0; i < 8; i++)
			GO_WG(&wg, acquire_some, ctx, &u, i);
		for (int i = round % 9; i > 0; i--)
			go_yield();
		go_ctx_cancel(ctx);
		go_wg_wait(&wg);
		CHECK(go_sema_try_acquire(&u.s, 3));
		CHECK(!go_sema_try_acquire(&u.s, 1));
		go_ctx_unref(ctx);
	}
}

struct tokens { go_mutex m; go_cond c; int n, taken; };

/* Waits for a token; who is cancelled leaves the signal to somebody else. */
static void
take_token(const go_ctx *ctx, struct tokens *t)
{
	int r = 0;

	go_mutex_lock(&t->m);
	begin_call(ctx);
	while (t->n == 0 && r == 0)
		r = go_cond_wait_until(&t->c, &t->m, GO_FOREVER);
	end_call();
	if (r == 0) {
		t->n--;
		t->taken++;
	} else {
		CHECK_EQ(r, -ECANCELED);
	}
	go_mutex_unlock(&t->m);
}
GO_TASK(take_token, const go_ctx *, struct tokens *);

TEST(no_signal_is_lost_with_one_who_gave_up)
{
	enum { KEPT = 4 };

	for (int round = 0; round < (int)support_scale(1000) + 5; round++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct tokens t = {.n = 0};
		go_waitgroup wg = GO_WAITGROUP_INIT, kept = GO_WAITGROUP_INIT;

		for (int i = 0; i < KEPT; i++) {
			GO_WG(&wg, take_token, ctx, &t);
			GO_WG(&kept, take_token, NULL, &t);
		}
		for (int i = round % 9; i > 0; i--)
			go_yield();
		for (int i = 0; i < 2 * KEPT; i++) {    /* enough for all, one signal each */
			if (i == round % (2 * KEPT))
				go_ctx_cancel(ctx);
			go_mutex_lock(&t.m);
			t.n++;
			go_mutex_unlock(&t.m);
			go_cond_signal(&t.c);
		}
		go_wg_wait(&kept);
		go_wg_wait(&wg);
		CHECK_EQ(t.n + t.taken, 2 * KEPT);
		go_ctx_unref(ctx);
	}
}

/* ------------------------------------------------------------ threads --- */

struct thread_args { go_ctx *ctx; go_chan(int64_t) c; };

static void *recv_in_thread(void *arg)
{
	struct thread_args *t = arg;
	int64_t v = -1;
	int r;

	begin_call(t->ctx);
	while ((r = go_recv_until(t->c, &v, GO_FOREVER)) == 0) {
		atomic_fetch_add(&recv_sum, v);
		atomic_fetch_add(&recv_n, 1);
	}
	CHECK_EQ(r, -ECANCELED);
	return NULL;            /* its end drops the binding */
}

TEST(threads_lose_nothing_either)
{
	for (int round = 0; round < (int)support_scale(100) + 3; round++) {
		struct thread_args t = {go_ctx_with_cancel(NULL), go_make(int64_t, 0)};
		pthread_t thread[2];
		int sent = 0;

		recv_n = recv_sum = 0;
		for (int i = 0; i < 2; i++)
			CHECK_EQ(pthread_create(&thread[i], NULL, recv_in_thread, &t), 0);
		for (int i = 0; i < round % 20; i++)
			sent += go_send_until(t.c, 1, go_now() + 50000) == 0;
		go_ctx_cancel(t.ctx);
		for (int i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
		CHECK_EQ(recv_n, sent);
		CHECK_EQ(recv_sum, sent);
		go_ctx_unref(t.ctx);
		go_unref(t.c);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_sent_is_lost_and_nothing_lost_is_sent),
	cmocka_unit_test(a_limit_and_a_cancellation_may_come_together),
	cmocka_unit_test(a_mutex_is_not_lost_with_one_who_gave_up),
	cmocka_unit_test(a_waitgroup_may_end_while_waiters_are_cancelled),
	cmocka_unit_test(an_rwmutex_goes_on_when_waiters_are_cancelled),
	cmocka_unit_test(no_unit_is_lost_with_one_who_gave_up),
	cmocka_unit_test(no_signal_is_lost_with_one_who_gave_up),
	cmocka_unit_test(threads_lose_nothing_either),
};

SUPPORT_MAIN(tests)
