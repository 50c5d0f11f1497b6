/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - what a goroutine finds again when it goes on, perhaps on another thread: its errno,
 * read through a function that is not inlined, its registers, its identity.  Thread-local
 * variables are the thread's, and only their addresses are not to be kept.
 *
 * Goes with Go's runtime/proc_test.go: TestGetgThreadSwitch.
 */
#include "support.h"

#include <sys/syscall.h>

/*
 * The assembly keeps the compiler from treating these as functions without effects, whose result
 * it may keep across a switch of threads.
 */
static __attribute__((noinline)) int get_errno(void) {
	__asm__ volatile("" ::: "memory");
	return errno;
}

static __attribute__((noinline)) void set_errno(int e) {
	__asm__ volatile("" ::: "memory");
	errno = e;
}

static __attribute__((noinline)) long tid(void) {
	int saved = get_errno();
	long id = syscall(SYS_gettid);

	set_errno(saved);
	return id;
}

/* ------------------------------------------------------------ ways to be switched --- */

struct place {
	go_chan(int) to, from, silent;
	go_chan(char) stop;
	go_mutex m;
	atomic_long moves;
	go_waitgroup wg;
};

static void nothing(void *arg) { (void)arg; }

static void lock_and_yield(struct place *p) {
	go_mutex_lock(&p->m);
	go_yield();
	go_mutex_unlock(&p->m);
}

static void wait_for_another(void) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn(&wg, nothing, NULL);
	go_wg_wait(&wg);
}

static void block_a_moment(void) {
	go_block_begin();
	sched_yield();
	go_block_end();
}

enum { WAYS = 14 };

static void switch_by(struct place *p, int way) {
	const int64_t soon = go_now() + 10 * GO_MICROSECOND;
	int v = way;

	switch (way) {
	case 0: go_yield(); break;
	case 1: go_sleep(10 * GO_MICROSECOND); break;
	case 2: go_sleep_until(soon); break;
	case 3: go_send(p->to, v); break;
	case 4: go_recv(p->from, &v); break;
	case 5: lock_and_yield(p); break;
	case 6: CHECK_EQ(go_recv_until(p->silent, NULL, soon), -ETIMEDOUT); break;
	case 7: CHECK_EQ(go_select(GO_RECV(p->silent, NULL), GO_UNTIL(soon)), 1); break;
	case 8: go_select(GO_RECV(p->from, &v), GO_SEND(p->to, v)); break;
	case 9: CHECK_EQ(go_tryselect(GO_RECV(p->silent, NULL)), -ETIMEDOUT); break;
	case 10: go_checkpoint(); break;
	case 11: block_a_moment(); break;
	case 12: CHECK(go_try(nothing, NULL, NULL)); break;
	default: wait_for_another();
	}
}

static void drain(struct place *p) {
	go_range(v, p->to)
		CHECK(v >= 0);
}
GO_TASK(drain, struct place *);

static void fill(struct place *p) {
	while (go_select(GO_SEND(p->from, 1), GO_RECV(p->stop, NULL)) == 0)
		;
}
GO_TASK(fill, struct place *);

static void place_open(struct place *p) {
	memset(p, 0, sizeof *p);
	p->to = go_make(int, 0);
	p->from = go_make(int, 0);
	p->silent = go_make(int, 0);
	p->stop = go_make(char, 0);
	GO_WG(&p->wg, drain, p);
	GO_WG(&p->wg, fill, p);
}

static void place_close(struct place *p) {
	go_close(p->stop);
	go_close(p->to);
	go_wg_wait(&p->wg);
	go_unref(p->to);
	go_unref(p->from);
	go_unref(p->silent);
	go_unref(p->stop);
}

/* ------------------------------------------------------------ errno --- */

static void keep_errno(struct place *p, uint64_t salt, int rounds) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < rounds; i++) {
		int e = 1 + support_below(&rng, 130), way = support_below(&rng, WAYS);
		long here = tid();

		set_errno(e);
		switch_by(p, way);
		CHECK_MSG(get_errno() == e, "errno %d became %d by way %d", e, get_errno(), way);
		if (tid() != here)
			atomic_fetch_add(&p->moves, 1);
	}
}

static void keep_errno_task(struct place *p, uint64_t salt, go_waitgroup *wg) {
	keep_errno(p, salt, (int)support_scale(400));
	go_wg_done(wg);
}
GO_TASK(keep_errno_task, struct place *, uint64_t, go_waitgroup *);

/* Again until somebody has moved, which may take a while on one core. */
static void in_a_crowd(int procs, void (*main_too)(struct place *)) {
	struct place p;
	int before = go_procs(procs);

	place_open(&p);
	for (int round = 0; round < 20 && (round == 0 || atomic_load(&p.moves) == 0); round++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;

		for (uint64_t i = 0; i < 64; i++) {
			go_wg_add(&wg, 1);
			GO(keep_errno_task, &p, i, &wg);
		}
		if (main_too != NULL)
			main_too(&p);
		go_wg_wait(&wg);
	}
	CHECK_MSG(procs == 1 || atomic_load(&p.moves) > 0, "nobody moved to another thread");
	place_close(&p);
	go_procs(before);
}

TEST(errno_is_kept_across_threads) {
	in_a_crowd(8, NULL);
}

TEST(errno_is_kept_on_one_p) {
	in_a_crowd(1, NULL);
}

static void main_keeps_errno(struct place *p) {
	keep_errno(p, 4711, (int)support_scale(1000));
}

CHILD(main_in_a_crowd) {
	in_a_crowd(8, main_keeps_errno);
	return atomic_load(&support.failures) == 0 ? 0 : 1;
}

TEST(errno_of_main_is_kept) {
	CHECK_LIVES(main_in_a_crowd, NULL);
}

static void *keep_errno_in_a_thread(void *arg) {
	struct place *p = arg;

	for (int i = 0; i < (int)support_scale(200); i++) {
		set_errno(1 + i % 130);
		switch_by(p, i % WAYS);
		CHECK_EQ(get_errno(), 1 + i % 130);
	}
	return NULL;
}

TEST(errno_of_a_plain_thread_is_kept) {
	struct place p;
	pthread_t thread;

	place_open(&p);
	assert_int_equal(pthread_create(&thread, NULL, keep_errno_in_a_thread, &p), 0);
	pthread_join(thread, NULL);
	place_close(&p);
}

TEST(failing_calls_leave_errno_alone) {
	go_chan(int) c = go_make(int, 0);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_mutex m = GO_MUTEX_INIT;
	go_config cfg = GO_CONFIG_INIT;
	go_stats s = {.size = 1};
	go_attr attr = {.size = 1};

	go_mutex_lock(&m);
	go_wg_add(&wg, 1);
	set_errno(EXDEV);
	CHECK_EQ(go_recv_until(c, NULL, go_now() + 1000), -ETIMEDOUT);
	CHECK_EQ(go_mutex_lock_until(&m, go_now() + 1000), -ETIMEDOUT);
	CHECK_EQ(go_wg_wait_until(&wg, go_now() + 1000), -ETIMEDOUT);
	CHECK(!go_mutex_trylock(&m));
	CHECK_EQ(go_init(&cfg), -EALREADY);
	CHECK_EQ(go_stats_read(&s), -EINVAL);
	CHECK_EQ(go_spawn_with(&attr, nothing, NULL), -EINVAL);
	CHECK_EQ(get_errno(), EXDEV);
	go_close(c);
	CHECK_EQ(go_send_until(c, 1, go_now() + 1000), -EPIPE);
	CHECK_EQ(get_errno(), EXDEV);
	go_mutex_unlock(&m);
	go_wg_done(&wg);
	go_unref(c);
}

/* ------------------------------------------------------------ thread-local and identity --- */

static _Thread_local long mine;         /* the number of the thread, once it has been asked for */

static __attribute__((noinline)) long *tls_address(void) {
	__asm__ volatile("" ::: "memory");
	return &mine;
}

static void watch_thread(struct place *p, uint64_t salt, go_waitgroup *wg) {
	struct support_rng rng = support_rng(salt);
	uint64_t id = go_id();

	for (int i = 0; i < (int)support_scale(400); i++) {
		long here = tid(), *address = tls_address();

		if (*address == 0)
			*address = here;
		CHECK_EQ(*address, here);
		switch_by(p, support_below(&rng, WAYS));
		CHECK_EQ(go_id(), id);
		CHECK(go_running());
		CHECK(*tls_address() == 0 || *tls_address() == tid());
	}
	go_wg_done(wg);
}
GO_TASK(watch_thread, struct place *, uint64_t, go_waitgroup *);

/* TestGetgThreadSwitch */
TEST(identity_follows_the_goroutine_and_tls_the_thread) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int procs = go_procs(8);
	struct place p;

	if (SUPPORT_TSAN)
		skip();         /* goroutines share a variable of their thread, unordered: a race */
	place_open(&p);
	for (uint64_t i = 0; i < 64; i++) {
		go_wg_add(&wg, 1);
		GO(watch_thread, &p, i, &wg);
	}
	go_wg_wait(&wg);
	place_close(&p);
	go_procs(procs);
}

/* Enough values live across the switch that some are in every callee-saved register. */
static __attribute__((noinline)) double
mix(struct place *p, int way, const long *a, const double *d) {
	long a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], a4 = a[4], a5 = a[5], a6 = a[6], a7 = a[7];
	double d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
	double d4 = d[4], d5 = d[5], d6 = d[6], d7 = d[7];

	switch_by(p, way);
	return (double)(a0 + 2 * a1 + 3 * a2 + 4 * a3 + 5 * a4 + 6 * a5 + 7 * a6 + 8 * a7) +
		d0 + 2 * d1 + 3 * d2 + 4 * d3 + 5 * d4 + 6 * d5 + 7 * d6 + 8 * d7;
}

static void mix_often(struct place *p, int salt, go_waitgroup *wg) {
	long a[8];
	double d[8], expected = 0;

	for (int i = 0; i < 8; i++) {
		a[i] = salt + i;
		d[i] = 0.5 * salt + i;
		expected += (i + 1) * ((double)a[i] + d[i]);
	}
	for (int i = 0; i < (int)support_scale(100); i++) {
		double sum = mix(p, i % WAYS, a, d);

		CHECK_MSG(sum > expected - 0.01 && sum < expected + 0.01, "%f, not %f", sum,
			  expected);
	}
	go_wg_done(wg);
}
GO_TASK(mix_often, struct place *, int, go_waitgroup *);

TEST(registers_are_kept) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct place p;

	place_open(&p);
	for (int i = 0; i < 16; i++) {
		go_wg_add(&wg, 1);
		GO(mix_often, &p, i, &wg);
	}
	go_wg_wait(&wg);
	place_close(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(errno_is_kept_across_threads),
	cmocka_unit_test(errno_is_kept_on_one_p),
	cmocka_unit_test(errno_of_main_is_kept),
	cmocka_unit_test(errno_of_a_plain_thread_is_kept),
	cmocka_unit_test(failing_calls_leave_errno_alone),
	cmocka_unit_test(identity_follows_the_goroutine_and_tls_the_thread),
	cmocka_unit_test(registers_are_kept),
};

SUPPORT_MAIN(tests)
