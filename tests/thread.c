/* SPDX-License-Identifier: MIT */
/*
 * thread.c - goroutines and their threads: pinning, blocking sections, and functions that run on
 * the thread's own stack.
 */
#include "support.h"

#include <sys/stat.h>
#include <sys/syscall.h>

/* A system call, so that no compiler keeps it across a switch of threads. */
static __attribute__((noinline)) long tid(void) {
	return syscall(SYS_gettid);
}

static bool thread_exists(long id) {
	char path[64];
	struct stat st;

	snprintf(path, sizeof path, "/proc/self/task/%ld", id);
	return stat(path, &st) == 0;
}

/* ------------------------------------------------------------ noise --- */

/* Goroutines that keep all threads busy and moving, and note whom they run on. */
struct noise {
	atomic_bool stop;
	atomic_long forbidden;          /* a thread they must not be on */
	go_waitgroup wg;
};

static void make_noise(void *arg) {
	struct noise *n = arg;

	while (!atomic_load(&n->stop)) {
		CHECK(tid() != atomic_load(&n->forbidden));
		go_yield();
		CHECK(tid() != atomic_load(&n->forbidden));
		go_sleep(20 * GO_MICROSECOND);
	}
}

static void noise_start(struct noise *n) {
	for (int i = 0; i < 12; i++)
		go_wg_spawn(&n->wg, make_noise, n);
}

static void noise_stop(struct noise *n) {
	atomic_store(&n->stop, true);
	go_wg_wait(&n->wg);
}

/* ------------------------------------------------------------ pinning --- */

struct pinned { struct noise *noise; go_chan(int) c; go_mutex m; };

static void switch_about(struct pinned *p, long here) {
	int v;

	for (int i = 0; i < (int)support_scale(40); i++) {
		go_yield();
		CHECK_EQ(tid(), here);
		go_sleep(30 * GO_MICROSECOND);
		CHECK_EQ(tid(), here);
		go_send(p->c, i);
		CHECK_EQ(tid(), here);
		go_recv(p->c, &v);
		CHECK_EQ(tid(), here);
		CHECK_EQ(v, i + 1);
		go_mutex_lock(&p->m);
		CHECK_EQ(tid(), here);
		go_mutex_unlock(&p->m);
		usleep(50);
		CHECK_EQ(tid(), here);
	}
}

static void pinned_body(struct pinned *p, go_ch *done) {
	go_unlock_thread();             /* surplus: nothing */
	go_lock_thread();
	long here = tid();

	atomic_store(&p->noise->forbidden, here);
	switch_about(p, here);
	go_lock_thread();
	go_lock_thread();
	go_unlock_thread();
	switch_about(p, here);          /* two left */
	go_unlock_thread();
	switch_about(p, here);          /* one left */
	atomic_store(&p->noise->forbidden, 0);
	go_unlock_thread();
	go_yield();
	go_unlock_thread();
	go_chan_send(done, NULL);
}
GO_TASK(pinned_body, struct pinned *, go_ch *);

static void pinned_partner(struct pinned *p) {
	go_range(v, p->c) {
		go_mutex_lock(&p->m);
		go_yield();
		go_mutex_unlock(&p->m);
		go_send(p->c, v + 1);
	}
}
GO_TASK(pinned_partner, struct pinned *);

TEST(a_pinned_goroutine_and_its_thread_keep_together) {
	go_ch *done = go_chan_make(0, 0);
	struct noise noise = {0};
	struct pinned p = {&noise, go_make(int, 0), GO_MUTEX_INIT};

	noise_start(&noise);
	GO(pinned_partner, &p);
	GO(pinned_body, &p, done);
	go_chan_recv(done, NULL);
	go_close(p.c);
	noise_stop(&noise);
	wait_until(go_count() == 2);
	go_unref(p.c);
	go_chan_unref(done);
}

static void pinned_counter(go_chan(int) in, go_chan(int) out) {
	go_lock_thread();
	long here = tid();

	go_range(v, in) {
		CHECK_EQ(tid(), here);
		go_send(out, v + 1);
		CHECK_EQ(tid(), here);
	}
	go_close(out);
	go_unlock_thread();
}
GO_TASK(pinned_counter, go_chan(int), go_chan(int));

TEST(pinned_goroutines_may_talk_to_each_other) {
	enum { N = 6 };
	go_chan(int) c[N + 1];
	int v = 0;

	for (int i = 0; i <= N; i++)
		c[i] = go_make(int, 0);
	for (int i = 0; i < N; i++)
		GO(pinned_counter, c[i], c[i + 1]);
	for (int i = 0; i < (int)support_scale(200); i++) {
		go_send(c[0], i);
		CHECK(go_recv(c[N], &v));
		CHECK_EQ(v, i + N);
	}
	go_close(c[0]);
	CHECK(!go_recv(c[N], &v));
	wait_until(go_count() == 2);
	for (int i = 0; i <= N; i++)
		go_unref(c[i]);
}

static void end_pinned(void *arg) {
	go_lock_thread();
	go_yield();
	atomic_store((atomic_long *)arg, tid());
	if (go_id() % 2 == 0)
		go_exit();
}

/* Nobody can know what it has done to its thread, so nobody else may get it.  As in Go. */
TEST(the_thread_of_a_goroutine_that_ends_pinned_ends_too) {
	struct noise noise = {0};
	atomic_long where;

	noise_start(&noise);
	for (int i = 0; i < 10; i++) {
		atomic_store(&where, 0);
		go_spawn(end_pinned, (void *)&where);
		wait_until(atomic_load(&where) != 0);
		if (atomic_load(&where) == getpid()) {
			atomic_store(&noise.forbidden, getpid());       /* it just stops */
			support_settle();
			atomic_store(&noise.forbidden, 0);
		} else {
			wait_until(!thread_exists(atomic_load(&where)));
		}
	}
	noise_stop(&noise);
}

struct brood { go_waitgroup wg; atomic_int born; };

static void hatch(void *arg) {
	go_yield();
	atomic_fetch_add(&((struct brood *)arg)->born, 1);
}

static void start_from_pinned(void *arg) {
	struct brood *b = arg;

	go_lock_thread();
	for (int i = 0; i < 20; i++)
		go_wg_spawn(&b->wg, hatch, b);
	wait_until(atomic_load(&b->born) == 20);
	go_unlock_thread();
}

TEST(a_pinned_goroutine_starts_others_on_one_p) {
	struct brood b = {.born = 0};
	int procs = go_procs(1);

	go_wg_spawn(&b.wg, start_from_pinned, &b);
	go_wg_wait(&b.wg);
	CHECK_EQ(atomic_load(&b.born), 20);
	go_procs(procs);
}

/* ------------------------------------------------------------ blocking sections --- */

struct meeting { atomic_bool here, there; };

static void arrive(void *arg) {
	struct meeting *m = arg;

	wait_until(atomic_load(&m->here));
	atomic_store(&m->there, true);
}

static void spin_until(atomic_bool *flag) {
	int64_t start = support_clock();

	while (!atomic_load(flag) && support_clock() - start < 30 * GO_SECOND)
		sched_yield();
	CHECK(atomic_load(flag));
}

TEST(others_run_while_a_section_blocks) {
	int procs = go_procs(1);

	for (int i = 0; i < (int)support_scale(100); i++) {
		struct meeting m = {false, false};

		go_spawn(arrive, &m);
		go_block_begin();
		atomic_store(&m.here, true);
		spin_until(&m.there);
		go_block_end();
		CHECK(go_running());
	}
	wait_until(go_count() == 2);
	go_procs(procs);
}

static void *meet(void *arg) {
	struct meeting *m = arg;

	atomic_store(&m->here, true);
	spin_until(&m->there);
	return m;
}

TEST(others_run_while_a_blocking_call_runs) {
	int procs = go_procs(1);

	for (int i = 0; i < (int)support_scale(100); i++) {
		struct meeting m = {false, false};

		go_spawn(arrive, &m);
		CHECK(go_blocking(meet, &m) == &m);
	}
	wait_until(go_count() == 2);
	go_procs(procs);
}

static void read_byte(int fd, atomic_int *sum) {
	char byte = 0;

	go_block_begin();
	CHECK_EQ(read(fd, &byte, 1), 1);
	go_block_end();
	atomic_fetch_add(sum, byte);
}
GO_TASK(read_byte, int, atomic_int *);

/* More of them than Ps, and all in the kernel at once: the byte for each is written afterwards. */
TEST(many_sections_block_at_once) {
	atomic_int sum = 0;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < 50; i++)
		GO(read_byte, fds[0], &sum);
	support_settle();
	CHECK_EQ(atomic_load(&sum), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(write(fds[1], "\1", 1), 1);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&sum), 50);
	close(fds[0]);
	close(fds[1]);
}

static void *a_mebibyte_deep(void *arg) {
	volatile unsigned char block[1 << 20];
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof block; i += 512)
		block[i] = (unsigned char)(uintptr_t)arg;
	for (size_t i = 0; i < sizeof block; i += 512)
		sum += block[i];
	return (void *)(uintptr_t)sum;
}

static void go_deep(void *arg) {
	for (uintptr_t i = 0; i < 5; i++) {
		CHECK_EQ((uintptr_t)go_blocking(a_mebibyte_deep, (void *)i), i * 2048);
		CHECK(go_running());
	}
	go_wg_done(arg);
}

TEST(a_blocking_call_has_a_mebibyte_of_stack) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < 20; i++) {
		go_wg_add(&wg, 1);
		go_spawn(go_deep, &wg);         /* on a stack of 256 KiB */
	}
	go_wg_wait(&wg);
}

static void *deep_on_a_thread(void *arg) {
	CHECK_EQ((uintptr_t)go_blocking(a_mebibyte_deep, arg), 3 * 2048);
	return NULL;
}

static void *end_and_sleep(void *arg) {
	go_block_end();
	go_sleep(GO_MILLISECOND);
	return arg;
}

static void end_in_a_blocking_call(void *arg) { go_blocking(end_and_sleep, arg); }

TEST(a_blocking_call_may_not_end_its_section) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	for (int i = 0; i < 5; i++) {
		CHECK(!go_try(end_in_a_blocking_call, NULL, &info));
		CHECK_STR(info.message, "goro: go_block_end inside go_blocking");
		go_sleep(GO_MILLISECOND);       /* we are in no section any more */
	}
}

TEST(a_plain_thread_may_use_blocking_calls) {
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, deep_on_a_thread, (void *)3), 0);
	pthread_join(thread, NULL);
}

static void *identity(void *arg) {
	*(uint64_t *)arg = go_id();
	return (void *)tid();
}

static void block_pinned(void *arg) {
	uint64_t id = 0;

	go_lock_thread();
	long here = tid();

	for (int i = 0; i < (int)support_scale(100); i++) {
		CHECK_EQ((intptr_t)go_blocking(identity, &id), here);
		CHECK_EQ(id, go_id());
		go_block_begin();
		CHECK_EQ(tid(), here);
		go_block_end();
		CHECK_EQ(tid(), here);
	}
	go_wg_done(arg);
}

TEST(a_pinned_goroutine_blocks_on_its_own_thread) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct noise noise = {0};

	noise_start(&noise);
	go_wg_add(&wg, 4);
	for (int i = 0; i < 4; i++)
		go_spawn(block_pinned, &wg);
	go_wg_wait(&wg);
	noise_stop(&noise);
}

static void *call_while_cancelled(void *done) {
	go_mutex m = GO_MUTEX_INIT;

	pthread_cancel(pthread_self());         /* takes effect at the next cancellation point */
	CHECK_EQ(go_count(), 0);
	go_yield();
	CHECK(go_mutex_trylock(&m));
	atomic_store((atomic_bool *)done, true);
	return NULL;
}

static int seven(void *unused) { (void)unused; return 7; }

/* Its first call starts the runtime, which is no cancellation point either. */
CHILD_PLAIN(a_cancelled_thread_comes_first) {
	atomic_bool done = false;
	pthread_t t;

	(void)arg;
	if (pthread_create(&t, NULL, call_while_cancelled, &done) != 0)
		return 3;
	pthread_join(t, NULL);
	return go_run(seven, NULL) == 7 && atomic_load(&done) ? 0 : 4;
}

TEST(a_cancelled_thread_may_start_the_runtime) {
	CHECK_LIVES(a_cancelled_thread_comes_first, "");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_pinned_goroutine_and_its_thread_keep_together),
	cmocka_unit_test(pinned_goroutines_may_talk_to_each_other),
	cmocka_unit_test(the_thread_of_a_goroutine_that_ends_pinned_ends_too),
	cmocka_unit_test(a_pinned_goroutine_starts_others_on_one_p),
	cmocka_unit_test(others_run_while_a_section_blocks),
	cmocka_unit_test(others_run_while_a_blocking_call_runs),
	cmocka_unit_test(many_sections_block_at_once),
	cmocka_unit_test(a_blocking_call_has_a_mebibyte_of_stack),
	cmocka_unit_test(a_blocking_call_may_not_end_its_section),
	cmocka_unit_test(a_plain_thread_may_use_blocking_calls),
	cmocka_unit_test(a_pinned_goroutine_blocks_on_its_own_thread),
	cmocka_unit_test(a_cancelled_thread_may_start_the_runtime),
};

SUPPORT_MAIN(tests)
