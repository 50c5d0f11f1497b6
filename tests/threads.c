/* SPDX-License-Identifier: MIT */
/*
 * Threads that the runtime did not make are full citizens: they send, receive, select, wait with a
 * deadline and close, with goroutines and among themselves.
 */
#include "support.h"

enum { MAX_THREADS = 16 };

static void
start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	if (pthread_create(t, NULL, fn, arg) != 0)
		abort();
}

/* ------------------------------------------------------------ many to many --- */

enum form { PLAIN, TIMED, SELECT, FORMS };

struct traffic {
	go_chan(int64_t) c, other;      /* nobody uses the other one: selects have it as well */
	int n;                          /* values of each sender */
	atomic_int ids;
	atomic_int_least64_t sent, received, sum_sent, sum_received;
};

static void
send_some(struct traffic *t, bool thread)
{
	int id = atomic_fetch_add(&t->ids, 1);

	CHECK_EQ(go_running(), !thread);
	CHECK_EQ(go_id() == 0, thread);
	for (int i = 0; i < t->n; i++) {
		int64_t v = (int64_t)id * 1000000 + i;

		switch ((id + i) % FORMS) {
		case PLAIN:
			go_send(t->c, v);
			break;
		case TIMED:
			CHECK_EQ(go_send_until(t->c, v, go_now() + GO_HOUR), 0);
			break;
		default:
			CHECK_EQ(go_select(GO_RECV(t->other, NULL), GO_SEND(t->c, v)), 1);
			break;
		}
		atomic_fetch_add(&t->sum_sent, v);
		atomic_fetch_add(&t->sent, 1);
	}
}

static void
recv_some(struct traffic *t)
{
	int64_t v = -1;
	bool ok = true;
	int i = 0, rc;

	for (;;) {
		switch (i++ % FORMS) {
		case PLAIN:
			ok = go_recv(t->c, &v);
			break;
		case TIMED:
			rc = go_recv_until(t->c, &v, go_now() + (i % 2 ? GO_HOUR : 20000));
			if (rc == -ETIMEDOUT)
				continue;
			ok = rc == 0;
			break;
		default:
			CHECK_EQ(go_select(GO_RECV_OK(t->c, &v, &ok), GO_RECV(t->other, NULL)), 0);
			break;
		}
		if (!ok)
			return;
		atomic_fetch_add(&t->sum_received, v);
		atomic_fetch_add(&t->received, 1);
	}
}

static void *
thread_send(void *t)
{
	send_some(t, true);
	return NULL;
}

static void *
thread_recv(void *t)
{
	CHECK(!go_running());
	recv_some(t);
	return NULL;
}

static void
goroutine_send(void *t)
{
	send_some(t, false);
}

static void
goroutine_recv(void *t)
{
	recv_some(t);
}

/* How many of each kind send and receive. */
static void
run_traffic(size_t cap, int st, int rt, int sg, int rg, int n)
{
	struct traffic t = {.c = go_make(int64_t, cap), .other = go_make(int64_t, 0), .n = n};
	go_waitgroup senders = GO_WAITGROUP_INIT, receivers = GO_WAITGROUP_INIT;
	pthread_t threads[MAX_THREADS];

	for (int i = 0; i < st + rt; i++)
		start(&threads[i], i < st ? thread_send : thread_recv, &t);
	for (int i = 0; i < sg; i++)
		go_wg_spawn(&senders, goroutine_send, &t);
	for (int i = 0; i < rg; i++)
		go_wg_spawn(&receivers, goroutine_recv, &t);
	for (int i = 0; i < st; i++)
		pthread_join(threads[i], NULL);
	go_wg_wait(&senders);
	go_close(t.c);
	for (int i = st; i < st + rt; i++)
		pthread_join(threads[i], NULL);
	go_wg_wait(&receivers);
	CHECK_EQ(t.sent, (int64_t)n * (st + sg));
	CHECK_EQ(t.sent, t.received);
	CHECK_EQ(t.sum_sent, t.sum_received);
	go_unref(t.c);
	go_unref(t.other);
}

TEST(threads_send_to_goroutines)
{
	for (size_t cap = 0; cap < 3; cap++)
		run_traffic(cap * cap * 5, 4, 0, 0, 4, (int)support_scale(3000));
}

TEST(goroutines_send_to_threads)
{
	for (size_t cap = 0; cap < 3; cap++)
		run_traffic(cap * cap * 5, 0, 4, 4, 0, (int)support_scale(3000));
}

TEST(threads_send_to_threads)
{
	for (size_t cap = 0; cap < 3; cap++)
		run_traffic(cap * cap * 5, 4, 4, 0, 0, (int)support_scale(3000));
}

TEST(threads_and_goroutines_mix)
{
	for (size_t cap = 0; cap < 3; cap++)
		run_traffic(cap * cap * 5, 3, 3, 3, 3, (int)support_scale(3000));
}

TEST(one_thread_and_one_goroutine_alternate)
{
	run_traffic(0, 1, 0, 0, 1, (int)support_scale(5000));
	run_traffic(0, 0, 1, 1, 0, (int)support_scale(5000));
	run_traffic(1, 1, 0, 0, 1, (int)support_scale(5000));
}

/* ------------------------------------------------------------ single operations --- */

static void *
try_everything(__attribute__((unused)) void *arg)
{
	go_chan(int) c = go_make(int, 1), nil = NULL;
	int64_t deadline = go_now() + 5 * GO_MILLISECOND;
	int v = 0;
	bool ok = true;

	CHECK(!go_tryrecv(c, &v) && go_trysend(c, 1) && !go_trysend(c, 2) && go_tryrecv(c, &v));
	CHECK_EQ(v, 1);
	CHECK(!go_trysend(nil, 1) && !go_tryrecv(nil, &v));
	CHECK_EQ(go_recv_until(c, &v, deadline), -ETIMEDOUT);
	CHECK(go_now() >= deadline);
	CHECK_EQ(go_recv_until(nil, &v, go_now() + 1000), -ETIMEDOUT);
	CHECK_EQ(go_select(GO_RECV(c, &v), GO_AFTER(GO_MILLISECOND)), 1);
	CHECK_EQ(go_select_until(go_now() + 1000, GO_RECV(c, &v)), -ETIMEDOUT);
	CHECK_EQ(go_select(GO_RECV(c, &v), GO_DEFAULT), 1);
	CHECK_EQ(go_selectv(NULL, 0, go_now() + GO_MILLISECOND), -ETIMEDOUT);
	go_close(c);
	CHECK_EQ(go_send_until(c, 1, GO_FOREVER), -EPIPE);
	CHECK_EQ(go_recv_until(c, &v, GO_FOREVER), -EPIPE);
	CHECK_EQ(go_select(GO_RECV_OK(c, &v, &ok)), 0);
	CHECK(!ok && v == 0);
	go_unref(c);
	return NULL;
}

TEST(every_operation_works_on_a_thread)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], try_everything, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

struct blocked { go_chan(int) c; enum form form; bool sends; atomic_int state; int rc; };

static void *
block(void *arg)
{
	struct blocked *b = arg;
	bool ok = true;
	int v = 7, k;

	atomic_store(&b->state, 1);
	if (b->form == PLAIN)
		b->rc = go_recv(b->c, &v) ? 0 : -EPIPE;
	else if (b->form == TIMED)
		b->rc = b->sends ? go_send_until(b->c, 5, GO_FOREVER)
				 : go_recv_until(b->c, &v, GO_FOREVER);
	else {
		k = go_select(GO_AFTER(GO_HOUR), GO_RECV_OK(b->c, &v, &ok));
		CHECK_EQ(k, 1);
		b->rc = ok ? 0 : -EPIPE;
	}
	atomic_store(&b->state, 2);
	return NULL;
}

TEST(close_wakes_blocked_threads)
{
	for (int i = 0; i < 8; i++) {
		struct blocked b = {.c = go_make(int, 0), .form = i % FORMS};
		pthread_t t;

		b.sends = b.form == TIMED && i % 2;
		start(&t, block, &b);
		wait_until(atomic_load(&b.state) == 1);
		support_settle();
		CHECK_EQ(atomic_load(&b.state), 1);
		go_close(b.c);
		pthread_join(t, NULL);
		CHECK_EQ(b.rc, -EPIPE);
		go_unref(b.c);
	}
}

static void *
ask(void *arg)
{
	go_chan(int) c = (go_chan(int))arg;
	int v = 0;

	go_send(c, 1);
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, 2);
	return NULL;
}

/* Threads come and go; what the library keeps for each goes with it. */
TEST(many_short_lived_threads)
{
	go_chan(int) c = go_make(int, 0);
	int v;

	for (int i = 0; i < support_scale(500); i++) {
		pthread_t t;

		start(&t, ask, (void *)c);
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, 1);
		go_send(c, 2);
		pthread_join(t, NULL);
	}
	go_unref(c);
}

static void *
selects_among_many(void *arg)
{
	go_chan(int) *c = arg;
	go_case cases[40];
	int v[40], sum = 0;
	bool ok = true;

	for (int i = 0; i < 40; i++)
		cases[i] = GO_RECV_OK(c[i], &v[i], &ok);
	for (;;) {
		int k = go_selectv(cases, 40, GO_FOREVER);

		if (!CHECK_IN(k, 0, 39) || !ok)
			break;
		sum += v[k];
	}
	return (void *)(intptr_t)sum;
}

TEST(thread_selects_among_many_channels)
{
	go_chan(int) c[40];
	int expected = 0;
	void *sum;
	pthread_t t;

	for (int i = 0; i < 40; i++)
		c[i] = go_make(int, 0);
	start(&t, selects_among_many, c);
	for (int i = 0; i < support_scale(4000); i++) {
		go_send(c[i * 7 % 40], i);
		expected += i;
	}
	go_close(c[39]);
	pthread_join(t, &sum);
	CHECK_EQ((intptr_t)sum, expected);
	for (int i = 0; i < 40; i++)
		go_unref(c[i]);
}

/* ------------------------------------------------------------ plain programs --- */

static void *
ping_pong(void *arg)
{
	go_chan(int) *c = arg;
	int v = 0;

	while (v < 1000 && go_recv(c[0], &v))
		go_send(c[1], v + 1);
	return NULL;
}

static int
play(void)
{
	go_chan(int) c[2] = {go_make(int, 0), go_make(int, 0)};
	pthread_t t;
	int v = 0;

	start(&t, ping_pong, c);
	while (v < 1000) {
		go_send(c[0], v + 1);
		if (!go_recv(c[1], &v))
			return 1;
	}
	go_send(c[0], v + 1);
	go_recv(c[1], NULL);
	pthread_join(t, NULL);
	go_unref(c[0]);
	go_unref(c[1]);
	return v == 1000 ? 0 : 2;
}

CHILD_PLAIN(threads_alone)
{
	return go_running() ? 3 : play();
}

TEST(program_without_any_goroutine_works)
{
	CHECK_LIVES(threads_alone, NULL);
}

static void
square(go_receiver(int) in, go_sender(int) out)
{
	go_range(v, in)
		go_send(out, v * v);
	go_close(out);
}
GO_TASK(square, go_receiver(int), go_sender(int));

CHILD_PLAIN(plain_main)
{
	go_chan(int) in = go_make(int, 0), out = go_make(int, 3), idle = go_make(int, 0);
	int sum = 0, v;

	GO(square, go_recv_only(in), go_send_only(out));
	GO(square, go_recv_only(idle), go_send_only(out));      /* still waits when main returns */
	for (int i = 1; i <= 100; i++) {
		go_send(in, i);
		if (!go_recv(out, &v))
			return 1;
		sum += v;
	}
	go_close(in);
	return sum == 338350 && !go_recv(out, &v) ? 0 : 2;
}

TEST(plain_main_talks_to_goroutines)
{
	CHECK_LIVES(plain_main, NULL);
}

static void *
come_late(void *arg)
{
	go_chan(int) c = (go_chan(int))arg;

	nanosleep(&(struct timespec){0, 300 * 1000 * 1000}, NULL);
	go_send(c, 1);
	return NULL;
}

static void *
come_late_by_deadline(void *arg)
{
	go_chan(int) c = (go_chan(int))arg, nobody = go_make(int, 0);

	if (go_recv_until(nobody, NULL, go_now() + 300 * GO_MILLISECOND) == -ETIMEDOUT)
		go_send(c, 1);
	go_unref(nobody);
	return NULL;
}

CHILD(waits_for_a_thread)
{
	go_chan(int) c = go_make(int, 0);
	int v = 0;
	pthread_t t;

	(void)arg;
	start(&t, come_late, (void *)c);
	go_recv(c, &v);
	pthread_join(t, NULL);
	go_unref(c);
	return v == 1 ? 0 : 1;
}

TEST(thread_that_may_still_come_is_no_deadlock)
{
	CHECK_LIVES(waits_for_a_thread, NULL);
}

static void *
wait_a_while(void *arg)
{
	int64_t deadline = go_now() + 300 * GO_MILLISECOND;
	go_chan(int) c = (go_chan(int))arg;
	bool early = go_select(GO_RECV(c, NULL), GO_UNTIL(deadline)) != 1;

	return early || go_recv_until(c, NULL, go_now() + 300 * GO_MILLISECOND) != -ETIMEDOUT
		? arg : NULL;
}

CHILD_PLAIN(plain_main_waits_a_while)
{
	static go_chan(int) c;

	c = go_make(int, 0);
	return wait_a_while((void *)c) == NULL ? 0 : 1;
}

CHILD(main_waits_for_a_timed_thread)
{
	go_chan(int) c = go_make(int, 0);
	pthread_t t;
	void *failed;

	start(&t, wait_a_while, (void *)c);
	pthread_join(t, &failed);
	go_unref(c);
	return failed == NULL ? 0 : 1;
}

CHILD(goroutine_waits_for_a_timed_thread)
{
	go_chan(int) c = go_make(int, 0);
	pthread_t t;

	(void)arg;
	start(&t, come_late_by_deadline, (void *)c);
	if (!go_recv(c, NULL))
		return 1;
	pthread_join(t, NULL);
	go_unref(c);
	return 0;
}

/* A thread whose wait ends by itself may still come. */
TEST(time_limit_of_a_thread_is_no_deadlock)
{
	CHECK_LIVES(plain_main_waits_a_while, NULL);
	CHECK_LIVES(main_waits_for_a_timed_thread, NULL);
	CHECK_LIVES(goroutine_waits_for_a_timed_thread, NULL);
}

static void *
wait_for_ever(void *arg)
{
	go_chan_recv(arg, NULL);
	return NULL;
}

CHILD_PLAIN(everybody_waits)
{
	go_chan(int) c = go_make(int, 0);
	pthread_t t;

	if (strcmp(arg, "thread") == 0)
		start(&t, wait_for_ever, (void *)c);
	go_recv(c, NULL);
	return 0;
}

TEST(deadlock_of_threads_is_reported)
{
	if (SUPPORT_TSAN)
		skip();                 /* its own thread might come */
	CHECK_DIES(everybody_waits, "main", "fatal error: all goroutines are asleep - deadlock!");
	CHECK_DIES(everybody_waits, "thread", "fatal error: all goroutines are asleep - deadlock!");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(threads_send_to_goroutines),
	cmocka_unit_test(goroutines_send_to_threads),
	cmocka_unit_test(threads_send_to_threads),
	cmocka_unit_test(threads_and_goroutines_mix),
	cmocka_unit_test(one_thread_and_one_goroutine_alternate),
	cmocka_unit_test(every_operation_works_on_a_thread),
	cmocka_unit_test(close_wakes_blocked_threads),
	cmocka_unit_test(many_short_lived_threads),
	cmocka_unit_test(thread_selects_among_many_channels),
	cmocka_unit_test(program_without_any_goroutine_works),
	cmocka_unit_test(plain_main_talks_to_goroutines),
	cmocka_unit_test(thread_that_may_still_come_is_no_deadlock),
	cmocka_unit_test(time_limit_of_a_thread_is_no_deadlock),
	cmocka_unit_test(deadlock_of_threads_is_reported),
};

SUPPORT_MAIN(tests)
