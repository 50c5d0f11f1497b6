/* SPDX-License-Identifier: MIT */
/*
 * cond.c - condition variables between goroutines and threads: order, time limits, lifetime.
 *
 * go_cond.c has what Go tests.
 */
#include "support.h"

struct line { go_mutex m; go_cond c; int turns, next; atomic_int woken; };

static void take_place(struct line *l, int place) {
	go_mutex_lock(&l->m);
	go_cond_wait(&l->c, &l->m);
	CHECK_EQ(l->next++, place);
	CHECK(!go_mutex_trylock(&l->m));
	go_mutex_unlock(&l->m);
	atomic_fetch_add(&l->woken, 1);
}
GO_TASK(take_place, struct line *, int);

static int waiting(void) { return support_parked("", "sync.Cond.Wait"); }

struct place { struct line *l; int place; atomic_bool here; };

static void *take_place_in_a_thread(void *arg) {
	struct place *p = arg;

	go_mutex_lock(&p->l->m);
	atomic_store(&p->here, true);
	go_cond_wait(&p->l->c, &p->l->m);
	CHECK_EQ(p->l->next++, p->place);
	go_mutex_unlock(&p->l->m);
	atomic_fetch_add(&p->l->woken, 1);
	return NULL;
}

/* A thread that has let go of the mutex is in the queue, if not yet asleep. */
static void start_in_a_thread(pthread_t *thread, struct place *p) {
	CHECK_EQ(pthread_create(thread, NULL, take_place_in_a_thread, p), 0);
	wait_until(atomic_load(&p->here));
	go_mutex_lock(&p->l->m);
	go_mutex_unlock(&p->l->m);
}

TEST(a_signal_wakes_the_one_who_has_waited_longest) {
	struct line l = {.next = 0};

	for (int i = 0; i < 10; i++) {
		GO(take_place, &l, i);
		wait_until(waiting() == i + 1);
	}
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(atomic_load(&l.woken), i);
		go_cond_signal(&l.c);
		wait_until(atomic_load(&l.woken) == i + 1);
	}
	go_cond_signal(&l.c);
	go_cond_broadcast(&l.c);
}

TEST(threads_wait_in_the_same_order) {
	struct line l = {.next = 0};
	struct place p[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		p[i] = (struct place){.l = &l, .place = 2 * i};
		start_in_a_thread(&threads[i], &p[i]);
		GO(take_place, &l, 2 * i + 1);
		wait_until(waiting() == i + 1);
	}
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(atomic_load(&l.woken), i);
		go_cond_signal(&l.c);
		wait_until(atomic_load(&l.woken) == i + 1);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

TEST(a_broadcast_wakes_threads_and_goroutines_alike) {
	struct line l = {.next = 0};
	struct place p[3];
	pthread_t threads[3];

	/* Who comes out in what order is up to the mutex. */
	for (int i = 0; i < 3; i++) {
		p[i] = (struct place){.l = &l, .place = i};
		start_in_a_thread(&threads[i], &p[i]);
		go_cond_broadcast(&l.c);
		wait_until(atomic_load(&l.woken) == i + 1);
		pthread_join(threads[i], NULL);
	}
	CHECK_EQ(l.next, 3);
}

TEST(a_signal_before_anybody_waits_is_nothing) {
	struct line l = {.next = 0};

	for (int i = 0; i < 5; i++)
		go_cond_signal(&l.c);
	go_cond_broadcast(&l.c);
	go_mutex_lock(&l.m);
	CHECK_EQ(go_cond_wait_until(&l.c, &l.m, go_now() + GO_MILLISECOND), -ETIMEDOUT);
	go_mutex_unlock(&l.m);
}

/* ------------------------------------------------------------ queue --- */

enum { ROOM = 4 };
struct queue {
	go_mutex m;
	go_cond not_empty, not_full;
	int item[ROOM], n, head;
	atomic_long sum, taken;
	go_waitgroup wg;
};

static void put_items(struct queue *q, int count, int first) {
	for (int i = 0; i < count; i++) {
		go_mutex_lock(&q->m);
		while (q->n == ROOM)
			go_cond_wait(&q->not_full, &q->m);
		q->item[(q->head + q->n++) % ROOM] = first + i;
		if (i % 2 == 0)
			go_cond_signal(&q->not_empty);
		go_mutex_unlock(&q->m);
		if (i % 2 != 0)
			go_cond_signal(&q->not_empty);
	}
	go_wg_done(&q->wg);
}
GO_TASK(put_items, struct queue *, int, int);

static void take_items(struct queue *q, int count, bool limited) {
	for (int i = 0; i < count; i++) {
		go_mutex_lock(&q->m);
		while (q->n == 0) {
			int64_t limit = go_now() + 50 * GO_MICROSECOND;

			if (limited && go_cond_wait_until(&q->not_empty, &q->m, limit) != 0)
				continue;
			if (!limited)
				go_cond_wait(&q->not_empty, &q->m);
		}
		atomic_fetch_add(&q->sum, q->item[q->head]);
		atomic_fetch_add(&q->taken, 1);
		q->head = (q->head + 1) % ROOM;
		q->n--;
		go_cond_signal(&q->not_full);
		go_mutex_unlock(&q->m);
	}
	go_wg_done(&q->wg);
}
GO_TASK(take_items, struct queue *, int, bool);

struct share { struct queue *q; int count; };

static void *put_in_a_thread(void *arg) {
	struct share *s = arg;

	put_items(s->q, s->count, 0);
	return NULL;
}

static void *take_in_a_thread(void *arg) {
	struct share *s = arg;

	take_items(s->q, s->count, true);
	return NULL;
}

/* A lost signal would leave somebody waiting for ever. */
TEST(a_bounded_queue_loses_nothing) {
	int count = (int)support_scale(3000);
	struct queue q = {.n = 0};
	struct share s = {&q, count};
	pthread_t threads[2];

	go_wg_add(&q.wg, 8);
	CHECK_EQ(pthread_create(&threads[0], NULL, put_in_a_thread, &s), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, take_in_a_thread, &s), 0);
	for (int i = 1; i < 4; i++) {
		GO(put_items, &q, count, 0);
		GO(take_items, &q, count, i == 1);
	}
	go_wg_wait(&q.wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(q.n, 0);
	CHECK_EQ(atomic_load(&q.taken), 4L * count);
	CHECK_EQ(atomic_load(&q.sum), 4 * ((long)count * (count - 1) / 2));
}

/* ------------------------------------------------------------ time limits --- */

static void check_wait_until(struct line *l) {
	int64_t start = support_clock();

	go_mutex_lock(&l->m);
	CHECK_EQ(go_cond_wait_until(&l->c, &l->m, GO_NOWAIT), -ETIMEDOUT);
	CHECK(!go_mutex_trylock(&l->m));
	CHECK_EQ(go_cond_wait_until(&l->c, &l->m, INT64_MIN), -ETIMEDOUT);
	CHECK_EQ(go_cond_wait_until(&l->c, &l->m, go_now() + 20 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(!go_mutex_trylock(&l->m));
	go_mutex_unlock(&l->m);
	CHECK(support_clock() - start >= 20 * GO_MILLISECOND);
}

static void *check_wait_until_in_a_thread(void *arg) {
	check_wait_until(arg);
	return NULL;
}

TEST(a_time_limit_is_kept_and_the_mutex_locked_again) {
	struct line l = {.next = 0};
	pthread_t thread;

	check_wait_until(&l);
	CHECK_EQ(pthread_create(&thread, NULL, check_wait_until_in_a_thread, &l), 0);
	pthread_join(thread, NULL);
	CHECK(go_mutex_trylock(&l.m));
	go_mutex_unlock(&l.m);
}

static void change_it(void *arg) {
	struct line *l = arg;

	go_mutex_lock(&l->m);
	l->turns = 1;
	go_mutex_unlock(&l->m);
}

/* Nobody signals: the mutex itself must come round. */
TEST(a_loop_of_past_limits_lets_others_change_the_condition) {
	struct line l = {.turns = 0};

	go_mutex_lock(&l.m);
	go_spawn(change_it, &l);
	while (l.turns == 0)
		CHECK_EQ(go_cond_wait_until(&l.c, &l.m, GO_NOWAIT), -ETIMEDOUT);
	go_mutex_unlock(&l.m);
}

struct tokens { go_mutex m; go_cond c; atomic_int in, got, left; go_waitgroup wg; };

static void wait_a_moment(struct tokens *t, int64_t limit) {
	int rc;

	go_mutex_lock(&t->m);
	atomic_fetch_add(&t->in, 1);
	rc = go_cond_wait_until(&t->c, &t->m, go_now() + limit);
	go_mutex_unlock(&t->m);
	CHECK(rc == 0 || rc == -ETIMEDOUT);
	atomic_fetch_add(rc == 0 ? &t->got : &t->left, 1);
	go_wg_done(&t->wg);
}
GO_TASK(wait_a_moment, struct tokens *, int64_t);

static void wait_for_token(struct tokens *t) {
	go_mutex_lock(&t->m);
	atomic_fetch_add(&t->in, 1);
	go_cond_wait(&t->c, &t->m);
	go_mutex_unlock(&t->m);
	atomic_fetch_add(&t->got, 1);
	go_wg_done(&t->wg);
}
GO_TASK(wait_for_token, struct tokens *);

/* Whoever times out, the one who does not gets the signal: one of the two returns 0. */
TEST(a_signal_is_not_lost_on_one_whose_time_is_over) {
	struct support_rng rng = support_rng(3);
	int rounds = (int)support_scale(1000);

	for (int i = 0; i < rounds; i++) {
		struct tokens t = {.got = 0};
		int64_t limit = (20 + support_below(&rng, 60)) * GO_MICROSECOND;

		go_wg_add(&t.wg, 3);
		GO(wait_a_moment, &t, limit);
		GO(wait_for_token, &t);
		GO(wait_for_token, &t);
		wait_until(atomic_load(&t.in) == 3);
		go_mutex_lock(&t.m);            /* all are in the queue, or have given up */
		go_mutex_unlock(&t.m);
		go_sleep(support_below(&rng, 60) * GO_MICROSECOND);
		go_cond_signal(&t.c);
		go_cond_signal(&t.c);
		wait_until(atomic_load(&t.got) >= 2);
		go_cond_broadcast(&t.c);
		go_wg_wait(&t.wg);
		CHECK_EQ(atomic_load(&t.got) + atomic_load(&t.left), 3);
	}
}

/* ------------------------------------------------------------ contexts --- */

static void wait_bound(struct tokens *t, go_ctx *ctx) {
	int rc;

	go_ctx_unref(go_ctx_bind(ctx));
	go_mutex_lock(&t->m);
	atomic_fetch_add(&t->in, 1);
	rc = go_cond_wait_until(&t->c, &t->m, GO_FOREVER);
	CHECK(!go_mutex_trylock(&t->m));
	go_mutex_unlock(&t->m);
	CHECK(rc == 0 || rc == -ECANCELED);
	atomic_fetch_add(rc == 0 ? &t->got : &t->left, 1);
	go_wg_done(&t->wg);
}
GO_TASK(wait_bound, struct tokens *, go_ctx *);

/* Either the one who is cancelled gets it, if he was not yet asleep, or the one behind. */
TEST(a_signal_is_not_lost_on_one_who_is_cancelled) {
	for (int i = 0; i < (int)support_scale(500); i++) {
		go_ctx *ctx = go_ctx_with_cancel(NULL);
		struct tokens t = {.got = 0};

		go_wg_add(&t.wg, 2);
		GO(wait_bound, &t, ctx);
		wait_until(atomic_load(&t.in) == 1);
		GO(wait_for_token, &t);
		wait_until(atomic_load(&t.in) == 2);
		go_mutex_lock(&t.m);
		go_mutex_unlock(&t.m);
		if (i % 4 != 0)
			go_ctx_cancel(ctx);
		go_cond_signal(&t.c);
		wait_until(atomic_load(&t.got) == 1);
		support_settle();
		CHECK_EQ(atomic_load(&t.got), 1);
		go_cond_broadcast(&t.c);
		go_wg_wait(&t.wg);
		CHECK_EQ(atomic_load(&t.got) + atomic_load(&t.left), 2);
		CHECK(atomic_load(&t.left) <= (i % 4 != 0));
		go_ctx_unref(ctx);
	}
}

static void wait_plain(struct line *l, go_ctx *ctx) {
	go_ctx_unref(go_ctx_bind(ctx));
	go_mutex_lock(&l->m);
	CHECK_EQ(go_cond_wait_until(&l->c, &l->m, GO_FOREVER), -ECANCELED);
	go_cond_wait(&l->c, &l->m);     /* not affected */
	go_mutex_unlock(&l->m);
	atomic_fetch_add(&l->woken, 1);
}
GO_TASK(wait_plain, struct line *, go_ctx *);

TEST(a_context_ends_only_waits_that_can_fail) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	struct line l = {.next = 0};

	go_ctx_cancel(ctx);
	GO(wait_plain, &l, ctx);
	wait_until(waiting() == 1);
	support_settle();
	CHECK_EQ(atomic_load(&l.woken), 0);
	go_cond_signal(&l.c);
	wait_until(atomic_load(&l.woken) == 1);
	go_ctx_unref(ctx);
}

/* ------------------------------------------------------------ lifetime --- */

struct brief { go_mutex m; go_cond c; bool ready; };

static void make_ready(void *arg) {
	struct brief *b = arg;

	go_mutex_lock(&b->m);
	b->ready = true;
	go_cond_broadcast(&b->c);
	go_mutex_unlock(&b->m);
}

static void *make_ready_in_a_thread(void *arg) {
	make_ready(arg);
	return NULL;
}

static void wait_and_free(struct brief *b) {
	go_mutex_lock(&b->m);
	while (!b->ready)
		go_cond_wait(&b->c, &b->m);
	go_mutex_unlock(&b->m);
	memset(b, 0xa5, sizeof *b);
	go_yield();
	for (size_t k = 0; k < sizeof *b; k++)
		CHECK_EQ(((unsigned char *)b)[k], 0xa5);
	free(b);
}

TEST(it_may_be_freed_by_who_was_woken) {
	for (int i = 0; i < (int)support_scale(3000); i++) {
		struct brief *b = calloc(1, sizeof *b);

		assert_non_null(b);
		go_spawn(make_ready, b);
		wait_and_free(b);
	}
	for (int i = 0; i < (int)support_scale(300); i++) {
		struct brief *b = calloc(1, sizeof *b);
		pthread_t thread;

		assert_non_null(b);
		CHECK_EQ(pthread_create(&thread, NULL, make_ready_in_a_thread, b), 0);
		wait_and_free(b);
		pthread_join(thread, NULL);
	}
}

/* ------------------------------------------------------------ misuse --- */

CHILD(wait_unlocked) {
	go_mutex m = GO_MUTEX_INIT;
	go_cond c = GO_COND_INIT;

	go_cond_wait(&c, &m);
	return 0;
}

CHILD(wait_for_ever) {
	go_mutex m = GO_MUTEX_INIT;
	go_cond c = GO_COND_INIT;

	go_mutex_lock(&m);
	go_cond_wait(&c, &m);
	return 0;
}

TEST(waiting_without_the_mutex_is_fatal) {
	CHECK_DIES(wait_unlocked, NULL, "fatal error: sync: unlock of unlocked mutex");
}

TEST(waiting_for_a_signal_of_nobody_is_a_deadlock) {
	CHECK_DIES(wait_for_ever, NULL, "fatal error: all goroutines are asleep - deadlock!");
	CHECK_DIES(wait_for_ever, NULL, "[sync.Cond.Wait");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_signal_wakes_the_one_who_has_waited_longest),
	cmocka_unit_test(threads_wait_in_the_same_order),
	cmocka_unit_test(a_broadcast_wakes_threads_and_goroutines_alike),
	cmocka_unit_test(a_signal_before_anybody_waits_is_nothing),
	cmocka_unit_test(a_bounded_queue_loses_nothing),
	cmocka_unit_test(a_time_limit_is_kept_and_the_mutex_locked_again),
	cmocka_unit_test(a_loop_of_past_limits_lets_others_change_the_condition),
	cmocka_unit_test(a_signal_is_not_lost_on_one_whose_time_is_over),
	cmocka_unit_test(a_signal_is_not_lost_on_one_who_is_cancelled),
	cmocka_unit_test(a_context_ends_only_waits_that_can_fail),
	cmocka_unit_test(it_may_be_freed_by_who_was_woken),
	cmocka_unit_test(waiting_without_the_mutex_is_fatal),
	cmocka_unit_test(waiting_for_a_signal_of_nobody_is_a_deadlock),
};

SUPPORT_MAIN(tests)
