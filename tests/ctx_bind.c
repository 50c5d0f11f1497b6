/* SPDX-License-Identifier: MIT */
/* Bound contexts: they end every wait that has an error to say so, and no other. */
#include "support.h"

/* ------------------------------------------------------------ binding --- */

TEST(a_goroutine_starts_unbound_and_binds_as_it_likes) {
	go_ctx *a = go_ctx_with_cancel(NULL), *b = go_ctx_with_cancel(a);
	const go_ctx *old;

	CHECK(go_ctx_current() == NULL);
	CHECK(go_ctx_bind(a) == NULL);
	CHECK(go_ctx_current() == a);
	old = go_ctx_bind(b);
	CHECK(old == a);
	go_ctx_unref(old);
	CHECK(go_ctx_current() == b);
	old = go_ctx_bind(b);
	CHECK(old == b);
	go_ctx_unref(old);
	go_ctx_end(b);
	CHECK_EQ(go_ctx_err(go_ctx_current()), -ECANCELED);     /* it holds a reference */
	go_ctx_unref(go_ctx_bind(NULL));
	CHECK(go_ctx_current() == NULL);
	CHECK(go_ctx_bind(NULL) == NULL);
	go_ctx_end(a);
}

static atomic_int destroyed;

static void count_destroyed(void *value) {
	(void)value;
	atomic_fetch_add(&destroyed, 1);
}

static const go_ctx *
with_counted_value(void)
{
	static char key;

	return go_ctx_with_value(NULL, &key, &destroyed, count_destroyed);
}

static void bind_and_end(void *arg) {
	const go_ctx *ctx = with_counted_value();

	CHECK(go_ctx_current() == NULL);
	go_ctx_unref(go_ctx_bind(ctx));
	go_ctx_unref(ctx);
	CHECK_EQ(destroyed, 0);
	CHECK(go_ctx_value(go_ctx_current(), &destroyed) == NULL);
	if (arg != NULL)
		go_exit();
}

static void *bind_in_thread(void *arg) {
	bind_and_end(NULL);
	return arg;
}

TEST(the_end_of_a_goroutine_or_thread_drops_the_binding) {
	pthread_t t;

	for (int i = 0; i < 2; i++) {
		destroyed = 0;
		go_spawn(bind_and_end, i == 0 ? NULL : &destroyed);
		wait_until(destroyed == 1);
	}
	destroyed = 0;
	CHECK_EQ(pthread_create(&t, NULL, bind_in_thread, NULL), 0);
	pthread_join(t, NULL);
	CHECK_EQ(destroyed, 1);
}

/* ------------------------------------------------------------ what waits --- */

struct things {
	go_chan(int) c;         /* nobody on the other side */
	go_mutex m;             /* locked */
	go_rwmutex w, r;        /* locked for writing, for reading */
	go_cond cond;           /* no signal comes */
	go_sema sema;           /* one unit is left */
	go_waitgroup wg;        /* one to go */
};

static void
prepare(struct things *t)
{
	*t = (struct things){.c = go_make(int, 0)};
	go_mutex_lock(&t->m);
	go_rwmutex_lock(&t->w);
	go_rwmutex_rlock(&t->r);
	go_sema_release(&t->sema, 1);
	go_wg_add(&t->wg, 1);
}

static void
clean_up(struct things *t)
{
	CHECK(!go_trysend(t->c, 1) && !go_tryrecv(t->c, NULL));  /* nobody was left in a queue */
	go_unref(t->c);
	go_mutex_unlock(&t->m);
	CHECK(go_mutex_trylock(&t->m));
	go_mutex_unlock(&t->m);
	CHECK(go_rwmutex_tryrlock(&t->r));       /* no writer is waiting */
	go_rwmutex_runlock(&t->r);
	go_rwmutex_runlock(&t->r);
	CHECK(go_rwmutex_trylock(&t->r));
	go_rwmutex_unlock(&t->r);
	go_rwmutex_unlock(&t->w);
	CHECK(go_rwmutex_trylock(&t->w));
	go_rwmutex_unlock(&t->w);
	CHECK(go_sema_try_acquire(&t->sema, 1));
	go_cond_broadcast(&t->cond);
	go_wg_done(&t->wg);
	go_wg_wait(&t->wg);
}

typedef int (*call_fn)(struct things *t, int64_t deadline);

static int send_until(struct things *t, int64_t d) { return go_send_until(t->c, 1, d); }

static int recv_until(struct things *t, int64_t d) {
	int v = 7, r = go_recv_until(t->c, &v, d);

	CHECK_EQ(v, 7);
	return r;
}

static int lock_until(struct things *t, int64_t d) { return go_mutex_lock_until(&t->m, d); }
static int wg_until(struct things *t, int64_t d) { return go_wg_wait_until(&t->wg, d); }

static int write_until(struct things *t, int64_t d) { return go_rwmutex_lock_until(&t->w, d); }
static int write_behind(struct things *t, int64_t d) { return go_rwmutex_lock_until(&t->r, d); }
static int read_until(struct things *t, int64_t d) { return go_rwmutex_rlock_until(&t->w, d); }
static int sema_until(struct things *t, int64_t d) { return go_sema_acquire_until(&t->sema, 2, d); }

static int cond_until(struct things *t, int64_t d) {
	go_mutex m = GO_MUTEX_INIT;
	int r;

	go_mutex_lock(&m);
	r = go_cond_wait_until(&t->cond, &m, d);
	CHECK(!go_mutex_trylock(&m));           /* it is ours again */
	go_mutex_unlock(&m);
	return r;
}

static int nil_send_until(struct things *t, int64_t d) {
	go_chan(int) nil = NULL;

	(void)t;
	return go_send_until(nil, 1, d);
}

static int nil_recv_until(struct things *t, int64_t d) {
	go_chan(int) nil = NULL;

	(void)t;
	return go_recv_until(nil, NULL, d);
}

static int select_one(struct things *t, int64_t d) {
	return go_select_until(d, GO_RECV(t->c, NULL));
}

static int select_both(struct things *t, int64_t d) {
	go_chan(int) other = go_make(int, 0), nil = NULL;
	int r = go_select_until(d, GO_SEND(t->c, 1), GO_RECV(other, NULL), GO_SEND(nil, 2),
				GO_AFTER(GO_HOUR));

	go_unref(other);
	return r;
}

static int select_twice(struct things *t, int64_t d) {
	go_chan(int) c = go_make(int, 0);       /* nobody receives from itself */
	int r = go_select_until(d, GO_SEND(c, 1), GO_RECV(c, NULL));

	(void)t;
	go_unref(c);
	return r;
}

static int select_none(struct things *t, int64_t d) {
	(void)t;
	return go_selectv(NULL, 0, d);
}

static int select_nil(struct things *t, int64_t d) {
	go_chan(int) nil = NULL;

	(void)t;
	return go_select_until(d, GO_RECV(nil, NULL), GO_UNTIL(GO_FOREVER));
}

static const struct { const char *name, *reason; call_fn fn; } calls[] = {
	{"send", "chan send", send_until},
	{"recv", "chan receive", recv_until},
	{"lock", "sync.Mutex.Lock", lock_until},
	{"write", "sync.RWMutex.Lock", write_until},
	{"write behind a reader", "sync.RWMutex.Lock", write_behind},
	{"read", "sync.RWMutex.RLock", read_until},
	{"sema", "semacquire", sema_until},
	{"cond", "sync.Cond.Wait", cond_until},
	{"wg", "sync.WaitGroup.Wait", wg_until},
	{"nil send", "chan send (nil chan)", nil_send_until},
	{"nil recv", "chan receive (nil chan)", nil_recv_until},
	{"select one", "select", select_one},
	{"select both", "select", select_both},
	{"select twice", "select", select_twice},
	{"select none", "select", select_none},
	{"select nil", "select", select_nil},
};
enum { CALLS = sizeof calls / sizeof *calls };

static const int64_t patience[] = {GO_FOREVER, GO_HOUR};        /* of the call itself */

static int64_t
until(int i)
{
	return patience[i] == GO_FOREVER ? GO_FOREVER : go_now() + patience[i];
}

TEST(a_done_context_ends_each_call_at_once) {
	struct things t;

	prepare(&t);
	for (int late = 0; late < 2; late++) {
		go_ctx *ctx = late ? go_ctx_with_timeout(NULL, 0) : go_ctx_with_cancel(NULL);

		go_ctx_cancel(ctx);
		go_ctx_bind(ctx);
		for (int i = 0; i < 2 * CALLS; i++)
			CHECK_MSG(calls[i / 2].fn(&t, until(i % 2)) ==
				  (late ? -ETIMEDOUT : -ECANCELED), "%s", calls[i / 2].name);
		go_ctx_unref(go_ctx_bind(NULL));
		go_ctx_unref(ctx);
	}
	clean_up(&t);
}

/* A past deadline means "do not wait": there is no wait to be ended. */
TEST(a_call_that_shall_not_wait_times_out) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	struct things t;

	prepare(&t);
	go_ctx_cancel(ctx);
	go_ctx_bind(ctx);
	for (int i = 0; i < CALLS; i++) {
		CHECK_MSG(calls[i].fn(&t, GO_NOWAIT) == -ETIMEDOUT, "%s", calls[i].name);
		CHECK_MSG(calls[i].fn(&t, go_now() - 1) == -ETIMEDOUT, "%s", calls[i].name);
	}
	CHECK_EQ(go_tryselect(GO_RECV(t.c, NULL)), -ETIMEDOUT);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(ctx);
	clean_up(&t);
}

TEST(the_deadline_of_the_call_counts_as_before) {
	go_ctx *ctx = go_ctx_with_timeout(NULL, GO_HOUR);
	struct things t;

	prepare(&t);
	go_ctx_bind(ctx);
	for (int i = 0; i < CALLS; i++) {
		int64_t d = go_now() + GO_MILLISECOND;

		CHECK_MSG(calls[i].fn(&t, d) == -ETIMEDOUT, "%s", calls[i].name);
		CHECK(go_now() >= d);
		CHECK_EQ(go_ctx_err(ctx), 0);
	}
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_end(ctx);
	clean_up(&t);
}

struct waiting {
	const go_ctx *ctx;
	struct things *t;
	int call, patience, expect, before;
	go_waitgroup *wg;
};

static void wait_bound(void *arg) {
	struct waiting *w = arg;

	go_set_name("waiting");
	go_ctx_unref(go_ctx_bind(w->ctx));
	CHECK_MSG(calls[w->call].fn(w->t, until(w->patience)) == w->expect, "%s",
		  calls[w->call].name);
	if (w->expect == -ECANCELED)
		CHECK_EQ(w->before, 1);         /* written before the cancellation */
	go_ctx_unref(go_ctx_bind(NULL));
	go_wg_done(w->wg);
}

static void *wait_in_thread(void *arg) {
	wait_bound(arg);
	return NULL;
}

/* A goroutine and a thread wait in each call; then ctx becomes done. */
static void
wait_in_each(go_ctx *ctx, int expect, bool settle)
{
	for (int i = 0; i < 2 * CALLS; i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		go_ctx *child = go_ctx_with_cancel(ctx);
		go_ctx *mine = expect == -ETIMEDOUT ? go_ctx_with_timeout(ctx, 2 * GO_MILLISECOND)
						    : go_ctx_with_cancel(child);
		struct things t;
		struct waiting w[2];
		pthread_t thread;

		prepare(&t);
		for (int k = 0; k < 2; k++)
			w[k] = (struct waiting){mine, &t, i / 2, i % 2, expect, 0, &wg};
		go_wg_add(&wg, 2);
		go_spawn(wait_bound, &w[0]);
		CHECK_EQ(pthread_create(&thread, NULL, wait_in_thread, &w[1]), 0);
		if (settle) {
			wait_until(support_parked("waiting", calls[i / 2].reason) == 1);
			support_settle();
		}
		w[0].before = w[1].before = 1;
		if (expect == -ECANCELED)
			go_ctx_cancel(child);
		go_wg_wait(&wg);
		pthread_join(thread, NULL);
		go_ctx_end(mine);
		go_ctx_end(child);
		clean_up(&t);
	}
}

TEST(cancelling_ends_the_calls_of_goroutines_and_threads) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);

	wait_in_each(ctx, -ECANCELED, true);
	for (int i = 0; i < (int)support_scale(20); i++)
		wait_in_each(ctx, -ECANCELED, false);
	CHECK_EQ(go_ctx_err(ctx), 0);
	go_ctx_unref(ctx);
}

TEST(the_deadline_of_the_context_ends_calls) {
	wait_in_each(NULL, -ETIMEDOUT, false);
}

/* ------------------------------------------------------------ what does not --- */

TEST(what_can_go_on_at_once_does) {
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	go_chan(int) c = go_make(int, 1);
	go_mutex m = GO_MUTEX_INIT;
	go_rwmutex rw = GO_RWMUTEX_INIT;
	go_sema sema = GO_SEMA_INIT(3);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int v = 0;

	go_ctx_cancel(ctx);
	go_ctx_bind(ctx);
	CHECK_EQ(go_send_until(c, 5, GO_FOREVER), 0);
	CHECK_EQ(go_recv_until(c, &v, GO_FOREVER), 0);
	CHECK_EQ(v, 5);
	CHECK_EQ(go_select_until(GO_FOREVER, GO_SEND(c, 6)), 0);
	CHECK_EQ(go_select_until(GO_FOREVER, GO_RECV(c, &v), GO_SEND(c, 6)), 0);
	CHECK_EQ(v, 6);
	CHECK_EQ(go_select_until(GO_FOREVER, GO_RECV(c, &v), GO_DEFAULT), 1);
	CHECK_EQ(go_select_until(GO_FOREVER, GO_RECV(c, &v), GO_AFTER(0)), 1);
	CHECK_EQ(go_select_until(GO_FOREVER, GO_RECV(c, &v), GO_DONE(ctx)), 1);
	CHECK_EQ(go_mutex_lock_until(&m, GO_FOREVER), 0);
	go_mutex_unlock(&m);
	CHECK_EQ(go_wg_wait_until(&wg, GO_FOREVER), 0);
	CHECK_EQ(go_rwmutex_lock_until(&rw, GO_FOREVER), 0);
	go_rwmutex_unlock(&rw);
	CHECK_EQ(go_rwmutex_rlock_until(&rw, GO_FOREVER), 0);
	CHECK_EQ(go_rwmutex_rlock_until(&rw, GO_FOREVER), 0);
	CHECK_EQ(go_sema_acquire_until(&sema, 3, GO_FOREVER), 0);
	go_close(c);
	CHECK_EQ(go_recv_until(c, &v, GO_FOREVER), -EPIPE);
	CHECK_EQ(go_send_until(c, v, GO_FOREVER), -EPIPE);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(ctx);
	go_unref(c);
}

struct plain {
	go_ctx *ctx;
	go_chan(int) in, out;
	go_mutex m;
	go_waitgroup wg, done;
	atomic_int at;
};

static void wait_plainly(void *arg) {
	struct plain *p = arg;
	go_chan(int) never = go_make(int, 0);
	int v = 0;

	go_set_name("plain");
	go_ctx_unref(go_ctx_bind(p->ctx));
	CHECK(go_recv(p->in, &v) && v == 1);
	p->at = 1;
	go_send(p->out, 2);
	p->at = 2;
	CHECK_EQ(go_select(GO_RECV(never, NULL), GO_RECV(p->in, &v)), 1);
	CHECK_EQ(v, 3);
	p->at = 3;
	CHECK_EQ(go_select(GO_RECV(never, NULL), GO_AFTER(GO_MILLISECOND)), 1);
	go_mutex_lock(&p->m);
	go_mutex_unlock(&p->m);
	p->at = 4;
	go_wg_wait(&p->wg);
	go_sleep(GO_MILLISECOND);
	p->at = 5;
	go_unref(never);
	go_wg_done(&p->done);
}

/* go_select, send, receive, lock and wait have no error for it: they wait for what they want. */
TEST(calls_that_cannot_fail_do_not_care) {
	struct plain p = {.ctx = go_ctx_with_cancel(NULL)};
	int v = 0;

	p.in = go_make(int, 0);
	p.out = go_make(int, 0);
	go_mutex_lock(&p.m);
	go_wg_add(&p.wg, 1);
	go_wg_add(&p.done, 1);
	go_spawn(wait_plainly, &p);
	wait_until(support_parked("plain", "chan receive") == 1);
	go_ctx_cancel(p.ctx);
	support_settle();
	CHECK_EQ(p.at, 0);
	go_send(p.in, 1);
	wait_until(support_parked("plain", "chan send") == 1);
	support_settle();
	CHECK(go_recv(p.out, &v) && v == 2);
	wait_until(support_parked("plain", "select") == 1);
	support_settle();
	CHECK_EQ(p.at, 2);
	go_send(p.in, 3);
	wait_until(support_parked("plain", "sync.Mutex.Lock") == 1);
	support_settle();
	CHECK_EQ(p.at, 3);
	go_mutex_unlock(&p.m);
	wait_until(support_parked("plain", "sync.WaitGroup.Wait") == 1);
	support_settle();
	CHECK_EQ(p.at, 4);
	go_wg_done(&p.wg);
	go_wg_wait(&p.done);
	CHECK_EQ(p.at, 5);
	go_unref(p.in);
	go_unref(p.out);
	go_ctx_unref(p.ctx);
}

/* ------------------------------------------------------------ many --- */

struct crowd { const go_ctx *ctx; go_chan(int) c; go_waitgroup wg; };

static void wait_in_crowd(void *arg) {
	struct crowd *w = arg;

	go_ctx_unref(go_ctx_bind(w->ctx));
	CHECK_EQ(go_recv_until(w->c, NULL, GO_FOREVER), -ECANCELED);
	go_wg_done(&w->wg);
}

TEST(thousands_are_ended_by_one_cancellation) {
	int n = support_goroutines(10000);
	go_ctx *ctx = go_ctx_with_cancel(NULL);
	struct crowd w = {.ctx = ctx, .c = go_make(int, 0)};

	go_wg_add(&w.wg, n);
	for (int i = 0; i < n; i++)
		go_spawn(wait_in_crowd, &w);
	support_settle();
	go_ctx_cancel(ctx);
	go_wg_wait(&w.wg);
	go_ctx_unref(ctx);
	CHECK(!go_trysend(w.c, 1));
	go_unref(w.c);
}

/* ------------------------------------------------------------ nobody will cancel --- */

CHILD(wait_for_nobody) {
	go_ctx *ctx = arg[0] == 'd' ? go_ctx_with_timeout(NULL, 50 * GO_MILLISECOND)
				    : go_ctx_with_cancel(NULL);
	go_ch *c = go_chan_make(0, 0);

	go_ctx_bind(ctx);
	return go_chan_recv_until(c, NULL, GO_FOREVER) == -ETIMEDOUT ? 5 : 6;
}

TEST(a_bound_wait_is_a_deadlock_unless_a_deadline_comes) {
	struct support_result r;

	support_child(wait_for_nobody, "", &r);
	CHECK_EQ(r.status, 2);
	CHECK(strstr(r.err, "all goroutines are asleep - deadlock!") != NULL);
	support_free(&r);
	support_child(wait_for_nobody, "deadline", &r);
	CHECK_EQ(r.status, 5);
	support_free(&r);
}

static go_local left;
static atomic_int left_destroyed;

static void destroy_left(void *value) {
	(void)value;
	left_destroyed++;
}

static void leave_more(void *value) {
	(void)value;
	left.destroy = destroy_left;
	go_local_set(&left, &left_destroyed);
	if (left_destroyed == 0) {
		static char key;

		go_ctx *ctx = go_ctx_with_value(NULL, &key, &key, leave_more);

		go_ctx_unref(go_ctx_bind(ctx));
		go_ctx_unref(ctx);
	}
}

static void
end_bound(go_waitgroup *wg)
{
	leave_more(NULL);
	go_wg_done(wg);
}
GO_TASK(end_bound, go_waitgroup *);

/* The context's last reference goes with the goroutine, and its value's end leaves something. */
TEST(what_is_left_while_a_goroutine_ends_goes_as_well) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	left_destroyed = 0;
	go_wg_add(&wg, 1);
	GO(end_bound, &wg);
	go_wg_wait(&wg);
	support_settle();
	CHECK_EQ(left_destroyed, 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_goroutine_starts_unbound_and_binds_as_it_likes),
	cmocka_unit_test(the_end_of_a_goroutine_or_thread_drops_the_binding),
	cmocka_unit_test(what_is_left_while_a_goroutine_ends_goes_as_well),
	cmocka_unit_test(a_done_context_ends_each_call_at_once),
	cmocka_unit_test(a_call_that_shall_not_wait_times_out),
	cmocka_unit_test(the_deadline_of_the_call_counts_as_before),
	cmocka_unit_test(cancelling_ends_the_calls_of_goroutines_and_threads),
	cmocka_unit_test(the_deadline_of_the_context_ends_calls),
	cmocka_unit_test(what_can_go_on_at_once_does),
	cmocka_unit_test(calls_that_cannot_fail_do_not_care),
	cmocka_unit_test(thousands_are_ended_by_one_cancellation),
	cmocka_unit_test(a_bound_wait_is_a_deadlock_unless_a_deadline_comes),
};

SUPPORT_MAIN(tests)
