/* SPDX-License-Identifier: MIT */
/*
 * sched.c - goroutines as the public header promises them: birth, arguments, identity, number,
 * exit, yielding, stack sizes.
 */
#include "support.h"

/* ------------------------------------------------------------ birth --- */

enum { MARKS = 2000 };

struct tally { atomic_int total; atomic_int seen[MARKS]; };

struct mark { struct tally *t; int i; };

static void mark(struct tally *t, int i) {
	atomic_fetch_add(&t->seen[i], 1);
	atomic_fetch_add(&t->total, 1);
}
GO_TASK(mark, struct tally *, int);

static void mark_arg(void *arg) {
	struct mark *m = arg;

	mark(m->t, m->i);
}

static void spawn_marks(struct tally *t, struct mark *marks) {
	int n = support_scale(MARKS) < MARKS ? (int)support_scale(MARKS) : MARKS;

	for (int i = 0; i < n; i++) {
		marks[i] = (struct mark){t, i};
		switch (i % 4) {
		case 0: go_spawn(mark_arg, &marks[i]); break;
		case 1: CHECK_EQ(go_try_spawn(mark_arg, &marks[i]), 0); break;
		case 2: go_spawn_copy(mark_arg, &marks[i], sizeof marks[i]); break;
		default: GO(mark, t, i);
		}
		if (i % 256 == 255)
			wait_until(atomic_load(&t->total) == i + 1);
	}
	wait_until(atomic_load(&t->total) == n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(atomic_load(&t->seen[i]), 1);
}

TEST(every_spawned_function_runs_once) {
	static struct tally t;
	static struct mark marks[MARKS];

	spawn_marks(&t, marks);
}

static void *spawning_thread(void *arg) {
	static struct mark marks[MARKS];

	CHECK(!go_running());
	spawn_marks(arg, marks);
	return NULL;
}

TEST(a_plain_thread_may_spawn) {
	static struct tally t;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, spawning_thread, &t), 0);
	pthread_join(thread, NULL);
}

struct copied { go_waitgroup *wg; size_t size; unsigned char bytes[]; };

static void check_copy(void *arg) {
	struct copied *c = arg;

	CHECK_EQ((uintptr_t)arg % 16, 0);
	for (size_t i = 0; i < c->size - sizeof *c; i++)
		if (!CHECK_EQ(c->bytes[i], (unsigned char)(i * 7 + c->size)))
			break;
	memset(c->bytes, 0, c->size - sizeof *c);       /* it is ours */
	go_wg_done(c->wg);
}

TEST(spawn_copy_gives_an_aligned_private_copy) {
	_Alignas(16) unsigned char buf[4096];
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct copied *c = (struct copied *)buf;

	for (size_t size = sizeof *c; size <= 512; size++) {
		c->wg = &wg;
		c->size = size;
		for (size_t i = 0; i < size - sizeof *c; i++)
			c->bytes[i] = (unsigned char)(i * 7 + size);
		go_wg_add(&wg, 1);
		go_spawn_copy(check_copy, c, size);
		memset(buf, 0xee, sizeof buf);
		if (size % 64 == 0)
			go_wg_wait(&wg);
	}
	go_wg_wait(&wg);
}

/* With the 8 of the other parameter, just the 512 bytes that GO_TASK allows. */
struct big { unsigned char bytes[504]; };

static go_waitgroup big_wg;

static void take_big(struct big b, uint64_t salt) {
	for (size_t i = 0; i < sizeof b.bytes; i++)
		if (!CHECK_EQ(b.bytes[i], (unsigned char)(i ^ salt)))
			break;
	go_wg_done(&big_wg);
}
GO_TASK(take_big, struct big, uint64_t);

TEST(go_carries_512_bytes_of_arguments) {
	struct big b;

	for (uint64_t salt = 0; salt < 100; salt++) {
		for (size_t i = 0; i < sizeof b.bytes; i++)
			b.bytes[i] = (unsigned char)(i ^ salt);
		go_wg_add(&big_wg, 1);
		GO(take_big, b, salt);
		memset(&b, 0xee, sizeof b);
	}
	go_wg_wait(&big_wg);
}

struct six { go_ch *done; char c; short s; int i; double d; float f; };

static void take_six(struct six *out, char c, short s, int i, double d, float f) {
	*out = (struct six){out->done, c, s, i, d, f};
	go_chan_send(out->done, NULL);
}
GO_TASK(take_six, struct six *, char, short, int, double, float);

TEST(arguments_are_converted_to_the_parameters) {
	struct six got = {.done = go_chan_make(0, 0)};
	double three = 3.9;

	GO(take_six, &got, 65L, 1000000 - 999999, three, 4, 5);
	go_chan_recv(got.done, NULL);
	CHECK_EQ(got.c, 65);
	CHECK_EQ(got.s, 1);
	CHECK_EQ(got.i, 3);
	CHECK(got.d > 3.99 && got.d < 4.01);
	CHECK(got.f > 4.99f && got.f < 5.01f);
	go_chan_unref(got.done);
}

static atomic_int bare_runs;

static void take_nothing(void) { atomic_fetch_add(&bare_runs, 1); }
GO_TASK(take_nothing);

TEST(arguments_are_evaluated_once) {
	static struct tally t;
	int i = 0;

	GO(mark, &t, i++);
	GO(mark, &t, i++);
	GO(take_nothing);
	CHECK_EQ(i, 2);
	wait_until(atomic_load(&t.total) == 2 && atomic_load(&bare_runs) == 1);
	CHECK_EQ(atomic_load(&t.seen[0]), 1);
	CHECK_EQ(atomic_load(&t.seen[1]), 1);
}

/* A task that starts itself: prototype, GO_TASK, body. */
static atomic_int countdown_runs;
static void countdown(int n);
GO_TASK(countdown, int);
static void countdown(int n) {
	atomic_fetch_add(&countdown_runs, 1);
	if (n > 0)
		GO(countdown, n - 1);
}

TEST(a_task_may_start_itself) {
	GO(countdown, 99);
	wait_until(atomic_load(&countdown_runs) == 100);
}

/* ------------------------------------------------------------ identity --- */

enum { IDS = 500 };

static void put_id(go_ch *c) {
	uint64_t id = go_id();

	go_yield();
	CHECK_EQ(go_id(), id);
	CHECK(go_running());
	go_chan_send(c, &id);
}
GO_TASK(put_id, go_ch *);

static int compare_ids(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

TEST(ids_are_never_reused) {
	static uint64_t ids[4 * IDS];
	go_ch *c = go_chan_make(sizeof(uint64_t), 0);

	for (int i = 0; i < 4 * IDS; i++) {
		GO(put_id, c);
		go_chan_recv(c, &ids[i]);
		CHECK(ids[i] != 0 && ids[i] != go_id());
	}
	qsort(ids, 4 * IDS, sizeof ids[0], compare_ids);
	for (int i = 1; i < 4 * IDS; i++)
		CHECK(ids[i - 1] != ids[i]);
	go_chan_unref(c);
}

static void *identity_of_a_thread(void *arg) {
	(void)arg;
	CHECK_EQ(go_id(), 0);
	CHECK(!go_running());
	CHECK(go_name() != NULL);
	go_yield();
	go_checkpoint();
	go_lock_thread();
	go_unlock_thread();
	go_block_begin();
	go_block_end();
	go_sleep(1);
	CHECK_EQ(go_id(), 0);
	return NULL;
}

TEST(a_plain_thread_has_no_id) {
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, identity_of_a_thread, NULL), 0);
	pthread_join(thread, NULL);
}

CHILD(main_goroutine) {
	return go_running() && go_id() == 1 && go_count() == 1 ? 0 : 1;
}

TEST(main_is_goroutine_1) {
	CHECK_LIVES(main_goroutine, NULL);
}

static void block_for_ever(void *arg) {
	go_chan_recv(arg, NULL);
}

static void spin_for_ever(void *arg) {
	(void)arg;
	for (;;)
		go_checkpoint();
}

CHILD(main_returns_seven) {
	go_spawn(block_for_ever, NULL);
	go_spawn(spin_for_ever, NULL);
	go_yield();
	return 7;
}

TEST(the_process_ends_with_the_result_of_main) {
	struct support_result r;

	support_child(main_returns_seven, NULL, &r);
	CHECK_EQ(r.status, 7);
	CHECK_STR(r.err, "");
	support_free(&r);
}

struct name_check { go_ch *done; const char *expected; };

static void name_as_spawned(void *arg) {
	struct name_check *n = arg;

	CHECK_STR(go_name(), n->expected);
	go_set_name("worker %d of %s", 3, "ten");
	go_yield();
	CHECK_STR(go_name(), "worker 3 of ten");
	go_set_name("%s", "");
	CHECK_STR(go_name(), "");
	go_set_name("%0200d", 7);       /* may be cut, not overrun */
	CHECK(strlen(go_name()) >= 8 && strspn(go_name(), "07") == strlen(go_name()));
	go_chan_send(n->done, NULL);
}

TEST(names_come_from_the_attribute_or_set_name) {
	struct name_check n = {go_chan_make(0, 0), ""};
	go_attr attr = GO_ATTR_INIT;
	char name[] = "reader";

	go_spawn(name_as_spawned, &n);
	go_chan_recv(n.done, NULL);
	attr.name = name;
	n.expected = "reader";
	CHECK_EQ(go_spawn_with(&attr, name_as_spawned, &n), 0);
	memset(name, 'x', sizeof name - 1);     /* the goroutine has its own copy */
	go_chan_recv(n.done, NULL);
	CHECK_STR(go_name(), "names_come_from_the_attribute_or_set_name");
	go_chan_unref(n.done);
}

TEST(the_version_is_that_of_the_header) {
	char expected[64];

	snprintf(expected, sizeof expected, "%d.%d.%d", GORO_VERSION_MAJOR, GORO_VERSION_MINOR,
		 GORO_VERSION_PATCH);
	CHECK_STR(go_version(), expected);
}

/* ------------------------------------------------------------ counting --- */

static void *count_from_a_thread(void *arg) {
	CHECK_EQ(go_count(), *(int *)arg);
	return NULL;
}

TEST(count_is_of_the_living_from_birth) {
	go_ch *gate = go_chan_make(0, 0);
	pthread_t thread;
	int base;

	wait_until(go_count() == 2);
	base = go_count();
	for (int i = 1; i <= 100; i++) {
		go_spawn(block_for_ever, gate);
		CHECK_EQ(go_count(), base + i);
	}
	base += 100;
	if (CHECK_EQ(pthread_create(&thread, NULL, count_from_a_thread, &base), 0))
		pthread_join(thread, NULL);
	go_chan_close(gate);
	wait_until(go_count() == 2);
	go_chan_unref(gate);
}

TEST(stats_count_goroutines) {
	go_stats before = GO_STATS_INIT, after = GO_STATS_INIT;
	go_ch *gate = go_chan_make(0, 0);

	wait_until(go_count() == 2);
	CHECK_EQ(go_stats_read(&before), 0);
	for (int i = 0; i < 50; i++)
		go_spawn(block_for_ever, gate);
	CHECK_EQ(go_stats_read(&after), 0);
	CHECK_EQ(before.goroutines, 2);
	CHECK_EQ(after.goroutines, 52);
	CHECK_EQ(after.created - before.created, 50);
	CHECK(after.threads >= 1 && after.parked_threads <= after.threads);
	go_chan_close(gate);
	wait_until(go_count() == 2);
	go_chan_unref(gate);
}

/* ------------------------------------------------------------ exit --- */

/* Called through this, or the compiler warns of a recursion that only go_exit ends. */
static void three_deep(go_ch *c, int depth);
static void (*volatile go_deeper)(go_ch *c, int depth) = three_deep;

static void three_deep(go_ch *c, int depth) {
	if (depth == 0)
		go_exit();
	go_deeper(c, depth - 1);
	go_chan_send(c, NULL);          /* never reached */
}

static void exit_in_the_depth(void *arg) {
	three_deep(arg, 3);
	go_chan_send(arg, NULL);
}

TEST(exit_ends_the_goroutine_from_any_depth) {
	go_ch *c = go_chan_make(0, 1);

	wait_until(go_count() == 2);
	for (int i = 0; i < 100; i++)
		go_spawn(exit_in_the_depth, c);
	wait_until(go_count() == 2);
	CHECK_EQ(go_chan_len(c), 0);
	go_chan_unref(c);
}

static void finish_the_program(void *arg) {
	go_sleep(5 * GO_MILLISECOND);
	exit(*(const char *)arg == 'x' ? 5 : 6);
}

CHILD(main_exits_others_go_on) {
	static char how[] = "x";

	go_spawn(finish_the_program, how);
	go_exit();
}

TEST(exit_in_main_leaves_the_others_running) {
	struct support_result r;

	support_child(main_exits_others_go_on, NULL, &r);
	CHECK_EQ(r.status, 5);
	support_free(&r);
}

/* ------------------------------------------------------------ yielding --- */

enum { YIELDERS = 16, ROUNDS = 2000 };

struct fair { atomic_bool start; atomic_int count[YIELDERS]; atomic_int least, ended; };

static void yielder(struct fair *f, int i) {
	int unset = -1, least = ROUNDS;

	while (!atomic_load(&f->start))
		go_yield();
	for (int n = 0; n < ROUNDS; n++) {
		atomic_fetch_add(&f->count[i], 1);
		go_yield();
	}
	for (int j = 0; j < YIELDERS; j++)
		if (atomic_load(&f->count[j]) < least)
			least = atomic_load(&f->count[j]);
	atomic_compare_exchange_strong(&f->least, &unset, least);
	atomic_fetch_add(&f->ended, 1);
}
GO_TASK(yielder, struct fair *, int);

/*
 * On one P nobody is far behind when the first has finished.  The kernel may stop a thread and the
 * monitor then run the others without it, so the best of five attempts counts.
 */
TEST(yield_is_fair_on_one_p) {
	int procs = go_procs(1), best = 0;

	for (int try = 0; try < 5 && best < ROUNDS / 2; try++) {
		struct fair f = {.least = -1};

		for (int i = 0; i < YIELDERS; i++)
			GO(yielder, &f, i);
		atomic_store(&f.start, true);
		wait_until(atomic_load(&f.ended) == YIELDERS);
		if (atomic_load(&f.least) > best)
			best = atomic_load(&f.least);
		wait_until(go_count() == 2);
	}
	CHECK_MSG(best >= ROUNDS / 2, "the first had yielded %d times, the last %d", ROUNDS, best);
	go_procs(procs);
}

static void set_flag(void *arg) { atomic_store((atomic_bool *)arg, true); }

TEST(checkpoint_lets_others_run) {
	int procs = go_procs(1);

	for (int i = 0; i < 5; i++) {
		atomic_bool flag = false;

		go_spawn(set_flag, &flag);
		while (!atomic_load(&flag))
			go_checkpoint();
		wait_until(go_count() == 2);
	}
	go_procs(procs);
}

/* ------------------------------------------------------------ stack sizes --- */

struct stack_use { size_t bytes; go_waitgroup *wg; };

/*
 * Goes down until it is `bytes` below base, two pages for its own frame left over, and finds what
 * it wrote unchanged on the way back.
 */
static __attribute__((noinline)) unsigned fill(uintptr_t base, size_t bytes, unsigned seed) {
	volatile unsigned char block[2048];
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (unsigned char)(i + seed);
	if (base - (uintptr_t)__builtin_frame_address(0) + 8192 < bytes)
		wrong = fill(base, bytes, seed + 1);
	else
		go_yield();
	for (size_t i = 0; i < sizeof block; i++)
		wrong += block[i] != (unsigned char)(i + seed);
	return wrong;
}

static void use_stack(struct stack_use u) {
	CHECK_EQ(fill((uintptr_t)__builtin_frame_address(0), u.bytes, 3), 0);
	go_wg_done(u.wg);
}

static void use_stack_arg(void *arg) { use_stack(*(struct stack_use *)arg); }

TEST(a_stack_is_as_large_as_asked_for) {
	static const size_t kib[] = {64, 100, 200, 256, 300, 1024, 3072, 8192, 32768};
	go_attr attr = GO_ATTR_INIT;

	for (size_t i = 0; i < sizeof kib / sizeof *kib; i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		struct stack_use u = {kib[i] * 1024, &wg};

		attr.stack_size = kib[i] * 1024;
		go_wg_add(&wg, 8);
		for (int k = 0; k < 8; k++)
			CHECK_EQ(go_spawn_with(&attr, use_stack_arg, &u), 0);
		go_wg_wait(&wg);
	}
}

TEST(bad_attributes_are_refused) {
	go_attr attr = GO_ATTR_INIT;

	wait_until(go_count() == 2);
	attr.stack_size = SIZE_MAX / 2;
	CHECK(go_spawn_with(&attr, use_stack_arg, NULL) < 0);
	attr = (go_attr)GO_ATTR_INIT;
	attr.size = 1;
	CHECK_EQ(go_spawn_with(&attr, use_stack_arg, NULL), -EINVAL);
	CHECK_EQ(go_count(), 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_spawned_function_runs_once),
	cmocka_unit_test(a_plain_thread_may_spawn),
	cmocka_unit_test(spawn_copy_gives_an_aligned_private_copy),
	cmocka_unit_test(go_carries_512_bytes_of_arguments),
	cmocka_unit_test(arguments_are_converted_to_the_parameters),
	cmocka_unit_test(arguments_are_evaluated_once),
	cmocka_unit_test(a_task_may_start_itself),
	cmocka_unit_test(ids_are_never_reused),
	cmocka_unit_test(a_plain_thread_has_no_id),
	cmocka_unit_test(main_is_goroutine_1),
	cmocka_unit_test(the_process_ends_with_the_result_of_main),
	cmocka_unit_test(names_come_from_the_attribute_or_set_name),
	cmocka_unit_test(the_version_is_that_of_the_header),
	cmocka_unit_test(count_is_of_the_living_from_birth),
	cmocka_unit_test(stats_count_goroutines),
	cmocka_unit_test(exit_ends_the_goroutine_from_any_depth),
	cmocka_unit_test(exit_in_main_leaves_the_others_running),
	cmocka_unit_test(yield_is_fair_on_one_p),
	cmocka_unit_test(checkpoint_lets_others_run),
	cmocka_unit_test(a_stack_is_as_large_as_asked_for),
	cmocka_unit_test(bad_attributes_are_refused),
};

SUPPORT_MAIN(tests)
