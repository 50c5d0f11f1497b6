/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c - the readers-writer mutex: who gets in, in which order, time limits, lifetime.
 *
 * What Go's own tests ask of it is in go_rwmutex.c.
 */
#include "support.h"

/* How many goroutines wait to write, and to read. */
static int writers_wait(void) { return support_parked("", "sync.RWMutex.Lock"); }
static int readers_wait(void) { return support_parked("", "sync.RWMutex.RLock"); }

static void check_free(go_rwmutex *rw) {
	CHECK(go_rwmutex_trylock(rw));
	go_rwmutex_unlock(rw);
	CHECK_EQ(rw->go__w[0], 0);
}

/* ------------------------------------------------------------ order --- */

struct queue { go_rwmutex rw; atomic_int readers, writers; go_ch *leave, *turn; };

static void read_once(struct queue *q) {
	go_rwmutex_rlock(&q->rw);
	atomic_fetch_add(&q->readers, 1);
	go_chan_recv(q->leave, NULL);
	atomic_fetch_sub(&q->readers, 1);
	go_rwmutex_runlock(&q->rw);
}
GO_TASK(read_once, struct queue *);

static void write_once(struct queue *q, int number) {
	go_rwmutex_lock(&q->rw);
	atomic_fetch_add(&q->writers, 1);
	go_chan_send(q->turn, &number);
	go_chan_recv(q->leave, NULL);
	atomic_fetch_sub(&q->writers, 1);
	go_rwmutex_unlock(&q->rw);
}
GO_TASK(write_once, struct queue *, int);

static struct queue queue_new(void) {
	return (struct queue){.leave = go_chan_make(0, 0), .turn = go_chan_make(sizeof(int), 64)};
}

static void queue_end(struct queue *q) {
	wait_until(go_count() == 2);
	check_free(&q->rw);
	go_chan_unref(q->leave);
	go_chan_unref(q->turn);
}

static void let_go(struct queue *q, int n) {
	while (n-- > 0)
		go_chan_send(q->leave, NULL);
}

TEST(readers_are_inside_together_and_writers_alone) {
	struct queue q = queue_new();

	for (int i = 0; i < 20; i++)
		GO(read_once, &q);
	wait_until(atomic_load(&q.readers) == 20);
	for (int i = 0; i < 5; i++)
		GO(write_once, &q, i);
	wait_until(writers_wait() == 5);
	let_go(&q, 19);
	support_settle();
	CHECK_EQ(atomic_load(&q.writers), 0);
	let_go(&q, 1);
	for (int i = 0; i < 5; i++) {
		go_chan_recv(q.turn, NULL);     /* the next one is inside */
		support_settle();
		CHECK_EQ(atomic_load(&q.writers), 1);
		CHECK_EQ(writers_wait(), 4 - i);
		let_go(&q, 1);
	}
	queue_end(&q);
}

TEST(writers_come_in_the_order_of_waiting) {
	struct queue q = queue_new();
	int who = -1;

	go_rwmutex_lock(&q.rw);
	for (int i = 0; i < 10; i++) {
		GO(write_once, &q, i);
		wait_until(writers_wait() == i + 1);
	}
	go_rwmutex_unlock(&q.rw);
	for (int i = 0; i < 10; i++) {
		go_chan_recv(q.turn, &who);
		CHECK_EQ(who, i);
		let_go(&q, 1);
	}
	queue_end(&q);
}

TEST(a_waiting_writer_keeps_new_readers_out) {
	struct queue q = queue_new();

	go_rwmutex_rlock(&q.rw);
	CHECK(go_rwmutex_tryrlock(&q.rw));
	go_rwmutex_runlock(&q.rw);
	GO(write_once, &q, 0);
	wait_until(writers_wait() == 1);
	CHECK(!go_rwmutex_tryrlock(&q.rw));
	CHECK(!go_rwmutex_trylock(&q.rw));
	CHECK_EQ(go_rwmutex_rlock_until(&q.rw, GO_NOWAIT), -ETIMEDOUT);
	CHECK_EQ(go_rwmutex_rlock_until(&q.rw, go_now() + GO_MILLISECOND), -ETIMEDOUT);
	GO(read_once, &q);
	wait_until(readers_wait() == 1);
	support_settle();
	CHECK_EQ(atomic_load(&q.readers), 0);
	go_rwmutex_runlock(&q.rw);
	wait_until(atomic_load(&q.writers) == 1);
	CHECK_EQ(atomic_load(&q.readers), 0);
	let_go(&q, 1);
	wait_until(atomic_load(&q.readers) == 1);
	let_go(&q, 1);
	queue_end(&q);
}

/* As in Go, all of them, also those that came behind the next writer. */
TEST(readers_that_waited_come_after_a_writer_and_before_the_next) {
	struct queue q = queue_new();

	go_rwmutex_lock(&q.rw);
	for (int i = 0; i < 3; i++) {
		GO(write_once, &q, i);
		wait_until(writers_wait() == i + 1);
		GO(read_once, &q);
		GO(read_once, &q);
		wait_until(readers_wait() == 2 * (i + 1));
	}
	go_rwmutex_unlock(&q.rw);
	wait_until(atomic_load(&q.readers) == 6);
	support_settle();
	CHECK_EQ(atomic_load(&q.writers), 0);
	let_go(&q, 6);
	for (int i = 0; i < 3; i++) {
		wait_until(atomic_load(&q.writers) == 1);
		let_go(&q, 1);
	}
	queue_end(&q);
}

struct crowd { go_rwmutex rw; atomic_bool stop; atomic_int got; };

static void read_nearly_always(void *arg) {
	struct crowd *c = arg;

	while (!atomic_load(&c->stop)) {
		go_rwmutex_rlock(&c->rw);
		go_sleep(50 * GO_MICROSECOND);
		go_rwmutex_runlock(&c->rw);
	}
}

static void write_nearly_always(void *arg) {
	struct crowd *c = arg;

	while (!atomic_load(&c->stop)) {
		go_rwmutex_lock(&c->rw);
		go_sleep(50 * GO_MICROSECOND);
		go_rwmutex_unlock(&c->rw);
	}
}

static void write_ten_times(void *arg) {
	struct crowd *c = arg;

	for (int i = 0; i < 10; i++) {
		go_rwmutex_lock(&c->rw);
		go_rwmutex_unlock(&c->rw);
		atomic_fetch_add(&c->got, 1);
	}
}

static void read_ten_times(void *arg) {
	struct crowd *c = arg;

	for (int i = 0; i < 10; i++) {
		go_rwmutex_rlock(&c->rw);
		go_rwmutex_runlock(&c->rw);
		atomic_fetch_add(&c->got, 1);
	}
}

static void crowd_out(go_fn many, go_fn one) {
	struct crowd c = {.got = 0};

	for (int i = 0; i < 8; i++)
		go_spawn(many, &c);
	go_spawn(one, &c);
	wait_until(atomic_load(&c.got) == 10);
	atomic_store(&c.stop, true);
	wait_until(go_count() == 2);
	check_free(&c.rw);
}

TEST(many_readers_do_not_starve_a_writer) { crowd_out(read_nearly_always, write_ten_times); }
TEST(many_writers_do_not_starve_a_reader) { crowd_out(write_nearly_always, read_ten_times); }
TEST(many_writers_do_not_starve_a_writer) { crowd_out(write_nearly_always, write_ten_times); }

/* ------------------------------------------------------------ time limits --- */

static void *check_limits(void *arg) {
	go_rwmutex *rw = arg;           /* held by a writer */
	int64_t start = support_clock();

	CHECK_EQ(go_rwmutex_lock_until(rw, GO_NOWAIT), -ETIMEDOUT);
	CHECK_EQ(go_rwmutex_rlock_until(rw, -1), -ETIMEDOUT);
	CHECK_EQ(go_rwmutex_lock_until(rw, go_now() + 5 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK_EQ(go_rwmutex_rlock_until(rw, go_now() + 5 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(support_clock() - start >= 10 * GO_MILLISECOND);
	return NULL;
}

TEST(both_give_up_at_the_deadline) {
	go_rwmutex rw = GO_RWMUTEX_INIT;
	pthread_t thread;

	go_rwmutex_lock(&rw);
	check_limits(&rw);
	assert_int_equal(pthread_create(&thread, NULL, check_limits, &rw), 0);
	pthread_join(thread, NULL);
	go_rwmutex_unlock(&rw);
	check_free(&rw);
}

TEST(a_free_one_is_taken_even_past_the_deadline) {
	go_rwmutex rw = GO_RWMUTEX_INIT;

	for (int64_t t = -1; t <= 1; t++) {
		CHECK_EQ(go_rwmutex_lock_until(&rw, t), 0);
		CHECK(!go_rwmutex_tryrlock(&rw));
		go_rwmutex_unlock(&rw);
		CHECK_EQ(go_rwmutex_rlock_until(&rw, t), 0);
		CHECK_EQ(go_rwmutex_rlock_until(&rw, t), 0);
		go_rwmutex_runlock(&rw);
		go_rwmutex_runlock(&rw);
	}
	CHECK_EQ(go_rwmutex_lock_until(&rw, GO_FOREVER), 0);
	go_rwmutex_unlock(&rw);
	check_free(&rw);
}

static void write_until(struct queue *q, int64_t limit) {
	CHECK_EQ(go_rwmutex_lock_until(&q->rw, go_now() + limit), -ETIMEDOUT);
}
GO_TASK(write_until, struct queue *, int64_t);

TEST(a_writer_that_gives_up_lets_the_readers_behind_it_in) {
	struct queue q = queue_new();

	go_rwmutex_rlock(&q.rw);
	GO(write_until, &q, 50 * GO_MILLISECOND);
	wait_until(writers_wait() == 1 || go_count() == 2);
	for (int i = 0; i < 4; i++)
		GO(read_once, &q);
	wait_until(atomic_load(&q.readers) == 4);       /* and we are inside still */
	let_go(&q, 4);
	wait_until(go_count() == 2);
	go_rwmutex_runlock(&q.rw);
	queue_end(&q);
}

TEST(those_who_gave_up_leave_the_queues_whole) {
	struct queue q = queue_new();

	go_rwmutex_lock(&q.rw);
	for (int i = 0; i < 4; i++) {
		GO(write_until, &q, 5 * GO_MILLISECOND);
		go_yield();
		GO(write_once, &q, i);
		GO(read_once, &q);
		go_yield();
	}
	GO(write_until, &q, 5 * GO_MILLISECOND);
	wait_until(go_count() == 2 + 8);
	wait_until(writers_wait() == 4 && readers_wait() == 4);
	go_rwmutex_unlock(&q.rw);
	wait_until(atomic_load(&q.readers) == 4);
	let_go(&q, 4 + 4);
	queue_end(&q);
}

/* ------------------------------------------------------------ conservation --- */

enum { WRITER_INSIDE = 10000 };

struct rush {
	go_rwmutex rw;
	atomic_int inside;
	long writes, seen;
	atomic_long in, out;
	go_waitgroup wg;
};

static void visit_as_writer(struct rush *r, struct support_rng *rng) {
	CHECK_EQ(atomic_fetch_add(&r->inside, WRITER_INSIDE), 0);
	r->writes++;                    /* plain: a race if it were not exclusive */
	if (support_below(rng, 8) == 0)
		go_sleep(support_below(rng, 30) * GO_MICROSECOND);
	else if (support_below(rng, 2) == 0)
		go_yield();
	r->seen++;
	CHECK_EQ(atomic_fetch_sub(&r->inside, WRITER_INSIDE), WRITER_INSIDE);
	go_rwmutex_unlock(&r->rw);
}

static void visit_as_reader(struct rush *r, struct support_rng *rng) {
	CHECK(atomic_fetch_add(&r->inside, 1) < WRITER_INSIDE);
	CHECK_EQ(r->writes, r->seen);
	if (support_below(rng, 8) == 0)
		go_sleep(support_below(rng, 30) * GO_MICROSECOND);
	else if (support_below(rng, 2) == 0)
		go_yield();
	CHECK_EQ(r->writes, r->seen);
	CHECK(atomic_fetch_sub(&r->inside, 1) < WRITER_INSIDE);
	go_rwmutex_runlock(&r->rw);
}

/* 0 to 2: how; wait for ever, for a moment, not at all. */
static bool get_in(struct rush *r, bool as_writer, int how, int64_t limit) {
	if (how == 0 && as_writer)
		go_rwmutex_lock(&r->rw);
	else if (how == 0)
		go_rwmutex_rlock(&r->rw);
	else if (how == 1 && as_writer)
		return go_rwmutex_lock_until(&r->rw, go_now() + limit) == 0;
	else if (how == 1)
		return go_rwmutex_rlock_until(&r->rw, go_now() + limit) == 0;
	else if (as_writer)
		return go_rwmutex_trylock(&r->rw);
	else
		return go_rwmutex_tryrlock(&r->rw);
	return true;
}

static void rush(struct rush *r, uint64_t salt, int kinds) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < (int)support_scale(500); i++) {
		bool as_writer = support_below(&rng, 3) == 0;
		int64_t limit = support_below(&rng, 50) * GO_MICROSECOND;

		if (!get_in(r, as_writer, support_below(&rng, kinds), limit)) {
			atomic_fetch_add(&r->out, 1);
			continue;
		}
		atomic_fetch_add(&r->in, 1);
		if (as_writer)
			visit_as_writer(r, &rng);
		else
			visit_as_reader(r, &rng);
	}
	go_wg_done(&r->wg);
}
GO_TASK(rush, struct rush *, uint64_t, int);

struct rusher { struct rush *r; uint64_t salt; int kinds; };

static void *rush_thread(void *arg) {
	struct rusher *r = arg;

	rush(r->r, r->salt, r->kinds);
	return NULL;
}

static void rush_all(int kinds) {
	struct rush r = {.in = 0};
	struct rusher threads[3] = {{&r, 100, kinds}, {&r, 101, kinds}, {&r, 102, kinds}};
	pthread_t t[3];

	go_wg_add(&r.wg, 15);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, rush_thread, &threads[i]), 0);
	for (uint64_t i = 0; i < 12; i++)
		GO(rush, &r, i, kinds);
	go_wg_wait(&r.wg);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(atomic_load(&r.in) + atomic_load(&r.out), 15 * support_scale(500));
	CHECK_EQ(atomic_load(&r.inside), 0);
	CHECK_EQ(r.writes, r.seen);
	if (kinds == 1)
		CHECK_EQ(atomic_load(&r.out), 0);
	check_free(&r.rw);
}

TEST(goroutines_and_threads_read_and_write) { rush_all(1); }
TEST(time_outs_race_with_hand_overs) { rush_all(2); }
TEST(attempts_race_with_those_who_wait) { rush_all(3); }

/* A deadline that passes at about the moment of the hand-over: once in, or once out. */
static void at_the_deadline(struct rush *r, bool as_writer, int64_t t) {
	int rc = as_writer ? go_rwmutex_lock_until(&r->rw, t) : go_rwmutex_rlock_until(&r->rw, t);

	CHECK(rc == 0 || rc == -ETIMEDOUT);
	atomic_fetch_add(rc == 0 ? &r->in : &r->out, 1);
	if (rc == 0 && as_writer)
		go_rwmutex_unlock(&r->rw);
	else if (rc == 0)
		go_rwmutex_runlock(&r->rw);
}
GO_TASK(at_the_deadline, struct rush *, bool, int64_t);

TEST(deadline_and_hand_over_at_the_same_time) {
	struct support_rng rng = support_rng(7);
	int rounds = (int)support_scale(500);
	struct rush r = {.in = 0};

	for (int i = 0; i < rounds; i++) {
		int64_t t = go_now() + support_below(&rng, 150) * GO_MICROSECOND;

		if (i % 2 == 0)
			go_rwmutex_lock(&r.rw);
		else
			go_rwmutex_rlock(&r.rw);
		for (int k = 0; k < 4; k++)
			GO(at_the_deadline, &r, (i + k) % 3 == 0, t);
		go_sleep_until(t);
		if (i % 2 == 0)
			go_rwmutex_unlock(&r.rw);
		else
			go_rwmutex_runlock(&r.rw);
		wait_until(atomic_load(&r.in) + atomic_load(&r.out) == 4 * (i + 1));
	}
	wait_until(go_count() == 2);
	check_free(&r.rw);
}

/* ------------------------------------------------------------ lifetime, misuse --- */

struct last { go_rwmutex rw; int refs; };

static void drop(void *arg) {
	struct last *l = arg;
	bool last;

	go_rwmutex_rlock(&l->rw);
	go_rwmutex_runlock(&l->rw);
	go_rwmutex_lock(&l->rw);
	last = --l->refs == 0;
	go_rwmutex_unlock(&l->rw);
	if (last) {
		memset(l, 0xa5, sizeof *l);
		free(l);
	}
}

static void *drop_in_a_thread(void *arg) {
	drop(arg);
	return NULL;
}

TEST(the_last_one_to_get_it_may_free_it) {
	for (int i = 0; i < (int)support_scale(2000); i++) {
		struct last *l = calloc(1, sizeof *l);
		pthread_t thread;

		assert_non_null(l);
		l->refs = 5 + (i % 16 == 0);
		if (i % 16 == 0) {
			assert_int_equal(pthread_create(&thread, NULL, drop_in_a_thread, l), 0);
		}
		for (int k = 0; k < 5; k++)
			go_spawn(drop, l);
		if (i % 16 == 0)
			pthread_join(thread, NULL);
	}
	wait_until(go_count() == 2);
}

static void lock_in_a_section(void *arg) {
	go_block_begin();
	go_rwmutex_lock(arg);
}

static void rlock_in_a_section(void *arg) {
	go_block_begin();
	go_rwmutex_rlock(arg);
}

TEST(one_that_must_not_wait_leaves_no_trace) {
	static const go_fn wrong[] = {lock_in_a_section, rlock_in_a_section};
	go_rwmutex rw = GO_RWMUTEX_INIT;

	go_rwmutex_lock(&rw);
	for (int i = 0; i < 2; i++)
		CHECK(!go_try(wrong[i], &rw, NULL));
	go_rwmutex_unlock(&rw);
	check_free(&rw);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(readers_are_inside_together_and_writers_alone),
	cmocka_unit_test(writers_come_in_the_order_of_waiting),
	cmocka_unit_test(a_waiting_writer_keeps_new_readers_out),
	cmocka_unit_test(readers_that_waited_come_after_a_writer_and_before_the_next),
	cmocka_unit_test(many_readers_do_not_starve_a_writer),
	cmocka_unit_test(many_writers_do_not_starve_a_reader),
	cmocka_unit_test(many_writers_do_not_starve_a_writer),
	cmocka_unit_test(both_give_up_at_the_deadline),
	cmocka_unit_test(a_free_one_is_taken_even_past_the_deadline),
	cmocka_unit_test(a_writer_that_gives_up_lets_the_readers_behind_it_in),
	cmocka_unit_test(those_who_gave_up_leave_the_queues_whole),
	cmocka_unit_test(goroutines_and_threads_read_and_write),
	cmocka_unit_test(time_outs_race_with_hand_overs),
	cmocka_unit_test(attempts_race_with_those_who_wait),
	cmocka_unit_test(deadline_and_hand_over_at_the_same_time),
	cmocka_unit_test(the_last_one_to_get_it_may_free_it),
	cmocka_unit_test(one_that_must_not_wait_leaves_no_trace),
};

SUPPORT_MAIN(tests)
