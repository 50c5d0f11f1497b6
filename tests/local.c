/* SPDX-License-Identifier: MIT */
/*
 * local.c - goroutine-local values: whose they are, and when they are destroyed.
 */
#include "support.h"

static void destroy_count(void *value) {
	atomic_fetch_add((atomic_int *)value, 1);
}

static void destroy_slowly(void *value) {
	uint64_t id = go_id();

	for (int i = 0; i < 10; i++)
		go_yield();
	go_sleep(GO_MILLISECOND);
	CHECK(id != 0 && go_id() == id);
	atomic_fetch_add((atomic_int *)value, 1);
}

static go_local plain_key, many_keys[64];
static go_local counted_key = GO_LOCAL_INIT(destroy_count);
static go_local slow_key = GO_LOCAL_INIT(destroy_slowly);

static void local_values_are_per_goroutine(void *arg) {
	int mine[64];

	CHECK(go_local_get(&plain_key) == NULL);
	for (int i = 0; i < 64; i++)
		go_local_set(&many_keys[i], &mine[i]);
	go_local_set(&plain_key, mine);
	for (int r = 0; r < 20; r++)
		go_yield();
	CHECK(go_local_get(&plain_key) == mine);
	for (int i = 0; i < 64; i++)
		CHECK(go_local_get(&many_keys[i]) == &mine[i]);
	go_local_set(&plain_key, NULL);
	CHECK(go_local_get(&plain_key) == NULL);
	go_wg_done(arg);
}

TEST(each_goroutine_has_its_own_locals) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = 0; i < 64; i++) {
		go_wg_add(&wg, 1);
		go_spawn(local_values_are_per_goroutine, &wg);
	}
	go_wg_wait(&wg);
	CHECK(go_local_get(&plain_key) == NULL);
}

struct locals { atomic_int a, b, c, deferred; };

static void read_local_late(void *arg) {
	struct locals *l = arg;

	CHECK(go_local_get(&counted_key) == &l->b);
	CHECK_EQ(atomic_load(&l->b), 0);
	atomic_fetch_add(&l->deferred, 1);
}

static void set_and_leave(void *arg) {
	struct locals *l = arg;

	go_defer(read_local_late, l);
	go_local_set(&counted_key, &l->a);
	CHECK_EQ(atomic_load(&l->a), 0);
	go_local_set(&counted_key, &l->b);
	CHECK_EQ(atomic_load(&l->a), 1);
	go_local_set(&slow_key, &l->c);
	if (go_id() % 2 == 0)
		go_exit();
}

TEST(locals_are_destroyed_on_overwrite_and_at_exit) {
	for (int i = 0; i < 8; i++) {
		struct locals l = {0};

		wait_until(go_count() == 2);
		go_spawn(set_and_leave, &l);
		wait_until(go_count() == 2);
		CHECK_EQ(atomic_load(&l.a), 1);
		CHECK_EQ(atomic_load(&l.b), 1);
		CHECK_EQ(atomic_load(&l.c), 1);
		CHECK_EQ(atomic_load(&l.deferred), 1);
	}
}

static void set_and_clear(void *arg) {
	go_local_set(&counted_key, arg);
	go_local_set(&counted_key, NULL);
	CHECK(go_local_get(&counted_key) == NULL);
	CHECK_EQ(atomic_load((atomic_int *)arg), 1);
}

TEST(a_cleared_local_is_not_destroyed_again) {
	atomic_int n = 0;

	wait_until(go_count() == 2);
	go_spawn(set_and_clear, &n);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&n), 1);
}

static void *locals_of_a_thread(void *arg) {
	struct locals *l = arg;

	CHECK(go_local_get(&counted_key) == NULL);
	go_local_set(&counted_key, &l->a);
	go_local_set(&counted_key, &l->b);
	CHECK_EQ(atomic_load(&l->a), 1);
	CHECK(go_local_get(&counted_key) == &l->b);
	return NULL;
}

TEST(a_threads_locals_end_with_it) {
	struct locals l = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, locals_of_a_thread, &l), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(atomic_load(&l.a), 1);
	CHECK_EQ(atomic_load(&l.b), 1);
}

static void nothing_to_do(void *args) { (void)args; }

static atomic_int left;

static void count_and_exit(void *value) {
	(void)value;
	atomic_fetch_add(&left, 1);
	go_exit();
}

static void set_three(void *wg) {
	static go_local three[3] = {GO_LOCAL_INIT(count_and_exit), GO_LOCAL_INIT(count_and_exit),
				    GO_LOCAL_INIT(count_and_exit)};

	go_defer_done(wg);
	for (int i = 0; i < 3; i++)
		go_local_set(&three[i], wg);
}

TEST(a_destructor_that_exits_leaves_the_others_their_turn) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	atomic_store(&left, 0);
	go_wg_add(&wg, 1);
	go_spawn(set_three, &wg);
	go_wg_wait(&wg);
	wait_until(atomic_load(&left) == 3);
}

TEST(no_arguments_may_be_copied_from_nowhere) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn_copy(&wg, nothing_to_do, NULL, 0);
	go_wg_wait(&wg);
	go_spawn_copy(nothing_to_do, NULL, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_goroutine_has_its_own_locals),
	cmocka_unit_test(locals_are_destroyed_on_overwrite_and_at_exit),
	cmocka_unit_test(a_cleared_local_is_not_destroyed_again),
	cmocka_unit_test(a_threads_locals_end_with_it),
	cmocka_unit_test(a_destructor_that_exits_leaves_the_others_their_turn),
	cmocka_unit_test(no_arguments_may_be_copied_from_nowhere),
};

SUPPORT_MAIN(tests)
