/* SPDX-License-Identifier: MIT */
/*
 * value.c - go_value: who reads holds, the last one to let go destroys.
 *
 * go_value.c has what Go tests.
 */
#include "support.h"

/* What is stored; it says what happened to it. */
struct thing { atomic_int destroyed, readers; int a, b; };

static void destroy(void *arg) {
	struct thing *t = arg;

	CHECK_EQ(atomic_load(&t->readers), 0);
	CHECK_EQ(atomic_fetch_add(&t->destroyed, 1), 0);
	t->a = -1;
	t->b = -2;
}

static int destroyed(struct thing *t) { return atomic_load(&t->destroyed); }

/* ------------------------------------------------------------ one after the other --- */

TEST(it_is_null_before_the_first_store) {
	go_value v = GO_VALUE_INIT;

	CHECK(go_value_load(&v) == NULL);
	go_value_release(&v, NULL);
	go_value_clear(&v);
	CHECK(go_value_load(&v) == NULL);
}

TEST(what_nobody_reads_is_destroyed_when_replaced) {
	struct thing t[3] = {{.a = 0}};
	go_value v = GO_VALUE_INIT;

	for (int i = 0; i < 3; i++) {
		go_value_store(&v, &t[i], destroy);
		CHECK(go_value_load(&v) == &t[i]);
		go_value_release(&v, &t[i]);
		CHECK_EQ(destroyed(&t[i]), 0);
		CHECK(i == 0 || destroyed(&t[i - 1]) == 1);
	}
	go_value_clear(&v);
	CHECK_EQ(destroyed(&t[2]), 1);
	CHECK(go_value_load(&v) == NULL);
}

TEST(what_is_read_is_destroyed_by_the_last_reader) {
	struct thing a = {.a = 0}, b = {.a = 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &a, destroy);
	for (int i = 0; i < 3; i++)
		CHECK(go_value_load(&v) == &a);
	go_value_release(&v, &a);
	go_value_store(&v, &b, destroy);
	CHECK(go_value_load(&v) == &b);
	CHECK_EQ(destroyed(&a), 0);
	go_value_release(&v, &a);
	CHECK_EQ(destroyed(&a), 0);
	go_value_release(&v, &a);
	CHECK_EQ(destroyed(&a), 1);
	go_value_clear(&v);
	CHECK_EQ(destroyed(&b), 0);
	CHECK(go_value_load(&v) == NULL);
	go_value_release(&v, &b);
	CHECK_EQ(destroyed(&b), 1);
}

TEST(many_old_objects_may_be_held) {
	struct thing t[20] = {{.a = 0}};
	go_value v = GO_VALUE_INIT;

	for (int i = 0; i < 20; i++) {
		go_value_store(&v, &t[i], destroy);
		CHECK(go_value_load(&v) == &t[i]);
	}
	for (int i = 0; i < 20; i++) {
		int k = i * 7 % 20;

		go_value_release(&v, &t[k]);
		CHECK_EQ(destroyed(&t[k]), k != 19);    /* the last is still stored */
	}
	go_value_clear(&v);
	CHECK_EQ(destroyed(&t[19]), 1);
}

TEST(without_destroy_nothing_is_called) {
	go_value v = GO_VALUE_INIT;
	int a, b;

	go_value_store(&v, &a, NULL);
	CHECK(go_value_load(&v) == &a);
	go_value_store(&v, &b, NULL);
	go_value_release(&v, &a);
	go_value_clear(&v);
}

/* ------------------------------------------------------------ stored again --- */

static void drop(void *arg) { atomic_fetch_sub(&((struct thing *)arg)->readers, 1); }

TEST(an_object_stored_again_is_destroyed_as_often) {
	struct thing a = {.readers = 3}, b = {.readers = 1};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &a, drop);
	go_value_store(&v, &a, drop);           /* nobody reads: the first one is due */
	CHECK_EQ(atomic_load(&a.readers), 2);
	CHECK(go_value_load(&v) == &a);
	go_value_store(&v, &b, drop);           /* A, B, A: the reader is one of both times */
	CHECK_EQ(atomic_load(&a.readers), 2);
	go_value_store(&v, &a, drop);
	CHECK_EQ(atomic_load(&b.readers), 0);
	CHECK(go_value_load(&v) == &a);
	go_value_release(&v, &a);
	CHECK_EQ(atomic_load(&a.readers), 2);
	go_value_clear(&v);
	CHECK_EQ(atomic_load(&a.readers), 2);
	go_value_release(&v, &a);
	CHECK_EQ(atomic_load(&a.readers), 0);
}

TEST(a_reader_holds_an_object_through_its_second_time) {
	struct thing a = {.a = 0}, b = {.a = 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &a, NULL);
	CHECK(go_value_load(&v) == &a);
	go_value_store(&v, &b, NULL);
	go_value_store(&v, &a, destroy);
	CHECK(go_value_load(&v) == &a);
	go_value_release(&v, &a);
	go_value_store(&v, &b, NULL);
	CHECK_EQ(destroyed(&a), 0);
	go_value_release(&v, &a);
	CHECK_EQ(destroyed(&a), 1);
	go_value_clear(&v);
}

/* ------------------------------------------------------------ very many readers --- */

/* More than fit into the count: 65536, and 3 in the hostile build. */
TEST(readers_are_counted_beyond_sixteen_bits) {
	int most = 200000, n = 0;
	struct thing a = {.a = 0}, b = {.a = 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &a, destroy);
	for (int i = 0; i < most; i++)
		n += go_value_load(&v) == &a;
	CHECK_EQ(n, most);
	for (int i = 0; i < most / 2; i++)
		go_value_release(&v, &a);
	go_value_store(&v, &b, destroy);
	for (int i = most / 2; i < most; i++) {
		if (destroyed(&a) != 0)
			break;
		go_value_release(&v, &a);
		n--;
	}
	CHECK_EQ(n, most / 2);
	CHECK_EQ(destroyed(&a), 1);
	go_value_clear(&v);
	CHECK_EQ(destroyed(&b), 1);
}

TEST(readers_come_down_to_none_from_beyond_sixteen_bits) {
	struct thing a = {.a = 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &a, destroy);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 70000; i++)
			CHECK(go_value_load(&v) == &a);
		for (int i = 0; i < 70000; i++)
			go_value_release(&v, &a);
	}
	CHECK_EQ(destroyed(&a), 0);
	go_value_clear(&v);
	CHECK_EQ(destroyed(&a), 1);
}

/* ------------------------------------------------------------ at the same time --- */

struct board {
	go_value v;
	atomic_bool stop;
	atomic_long made, gone, reads;
	go_waitgroup wg;
};

static struct board board;

static void dispose(void *arg) {
	destroy(arg);
	atomic_fetch_add(&board.gone, 1);
	free(arg);
}

static struct thing *new_thing(int n) {
	struct thing *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->a = n;
	t->b = -n;
	atomic_fetch_add(&board.made, 1);
	return t;
}

static void look(struct support_rng *rng, bool slowly) {
	struct thing *t = go_value_load(&board.v);

	if (t == NULL)
		return;
	atomic_fetch_add(&t->readers, 1);
	if (slowly && support_below(rng, 8) == 0)
		go_yield();
	CHECK_EQ(t->a, -t->b);
	CHECK_EQ(destroyed(t), 0);
	atomic_fetch_sub(&t->readers, 1);
	go_value_release(&board.v, t);
	atomic_fetch_add(&board.reads, 1);
}

static void keep_looking(int salt) {
	struct support_rng rng = support_rng((uint64_t)salt);

	while (!atomic_load(&board.stop)) {
		for (int i = 0; i < 64; i++)
			look(&rng, salt % 2 == 0);
		go_yield();
	}
	go_wg_done(&board.wg);
}
GO_TASK(keep_looking, int);

static void *keep_looking_in_a_thread(void *arg) {
	keep_looking(*(int *)arg);
	return NULL;
}

static void keep_storing(int n, bool clears) {
	for (int i = 0; i < n; i++) {
		go_value_store(&board.v, new_thing(i), dispose);
		if (clears && i % 16 == 0)
			go_value_clear(&board.v);
		if (i % 4 == 0)
			go_yield();
	}
	go_wg_done(&board.wg);
}
GO_TASK(keep_storing, int, bool);

static bool is_clear(void) {
	void *obj = go_value_load(&board.v);

	go_value_release(&board.v, obj);
	return obj == NULL;
}

static void check_board(void) {
	go_waitgroup writers = GO_WAITGROUP_INIT;
	int n = (int)support_scale(3000), salts[2] = {100, 101};
	pthread_t threads[2];

	memset(&board, 0, sizeof board);
	go_wg_add(&board.wg, 6);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, keep_looking_in_a_thread, &salts[i]), 0);
	for (int i = 0; i < 4; i++)
		GO(keep_looking, i);
	go_wg_add(&board.wg, 2);
	GO_WG(&writers, keep_storing, n, true);
	GO_WG(&writers, keep_storing, n, false);
	go_wg_wait(&writers);
	wait_until(atomic_load(&board.reads) > 0 || is_clear());
	atomic_store(&board.stop, true);
	go_wg_wait(&board.wg);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

TEST(each_object_is_destroyed_once_and_read_by_nobody_then) {
	check_board();
	go_value_store(&board.v, new_thing(7), dispose);
	CHECK_EQ(atomic_load(&board.made) - atomic_load(&board.gone), 1);
	go_value_clear(&board.v);
	CHECK_EQ(atomic_load(&board.made), atomic_load(&board.gone));
}

/* The same few objects come round again and again, each time with a reference to be dropped. */
static struct thing ring[4];

static void ring_keep_storing(int n) {
	for (int i = 0; i < n; i++) {
		struct thing *t = &ring[i % 4];

		atomic_fetch_add(&t->readers, 1);
		go_value_store(&board.v, t, drop);
		if (i % 8 == 0)
			go_yield();
	}
	go_wg_done(&board.wg);
}
GO_TASK(ring_keep_storing, int);

static void ring_keep_looking(int n) {
	for (int i = 0; i < n; i++) {
		struct thing *t = go_value_load(&board.v);

		if (t == NULL)
			continue;
		CHECK(atomic_load(&t->readers) > 0);
		if (i % 4 == 0)
			go_yield();
		CHECK(atomic_load(&t->readers) > 0);
		go_value_release(&board.v, t);
	}
	go_wg_done(&board.wg);
}
GO_TASK(ring_keep_looking, int);

TEST(objects_that_come_round_again_are_held_all_the_same) {
	int n = (int)support_scale(5000);

	memset(&board, 0, sizeof board);
	memset(ring, 0, sizeof ring);
	go_wg_add(&board.wg, 6);
	for (int i = 0; i < 2; i++)
		GO(ring_keep_storing, n);
	for (int i = 0; i < 4; i++)
		GO(ring_keep_looking, n);
	go_wg_wait(&board.wg);
	go_value_clear(&board.v);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(atomic_load(&ring[i].readers), 0);
}

/* ------------------------------------------------------------ where destroy runs --- */

static go_value chained;

static void store_another(void *arg) {
	struct thing *t = arg;

	go_yield();                     /* it may block */
	atomic_fetch_add(&t->destroyed, 1);
	if (t->a > 0)
		go_value_store(&chained, t - 1, store_another);
}

TEST(destroy_may_block_and_use_the_value) {
	struct thing t[4] = {{.a = 0}, {.a = 1}, {.a = 2}, {.a = 3}};

	go_value_store(&chained, &t[3], store_another);
	for (int i = 3; i >= 0; i--) {
		go_value_clear(&chained);
		CHECK_EQ(destroyed(&t[i]), 1);
	}
	CHECK(go_value_load(&chained) == NULL);
}

/* ------------------------------------------------------------ misuse --- */

struct pair { go_value v; void *obj; };

static void release_pair(void *arg) {
	struct pair *p = arg;

	go_value_release(&p->v, p->obj);
}

static void store_pair(void *arg) {
	struct pair *p = arg;

	go_value_store(&p->v, p->obj, NULL);
}

static void check_panics(go_fn fn, struct pair *p, const char *text) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (CHECK(!go_try(fn, p, &info)))
		CHECK_MSG(strstr(info.message, text) != NULL, "\"%s\"", info.message);
}

TEST(releasing_what_nobody_loaded_is_a_panic) {
	struct thing a = {.a = 0}, b = {.a = 0};
	struct pair p = {.obj = &a};

	check_panics(release_pair, &p, "go_value_release of an object that nobody has loaded");
	go_value_store(&p.v, &a, destroy);
	check_panics(release_pair, &p, "go_value_release of an object that nobody has loaded");
	CHECK(go_value_load(&p.v) == &a);
	p.obj = &b;
	check_panics(release_pair, &p, "go_value_release of an object that nobody has loaded");
	go_value_release(&p.v, &a);
	go_value_clear(&p.v);
	CHECK_EQ(destroyed(&a), 1);
}

TEST(an_address_that_does_not_fit_is_a_panic) {
	struct pair p = {.obj = (void *)(uintptr_t)(UINT64_C(1) << 48)};

	check_panics(store_pair, &p, "needs more than 48 bits");
	CHECK(go_value_load(&p.v) == NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_is_null_before_the_first_store),
	cmocka_unit_test(what_nobody_reads_is_destroyed_when_replaced),
	cmocka_unit_test(what_is_read_is_destroyed_by_the_last_reader),
	cmocka_unit_test(many_old_objects_may_be_held),
	cmocka_unit_test(without_destroy_nothing_is_called),
	cmocka_unit_test(an_object_stored_again_is_destroyed_as_often),
	cmocka_unit_test(a_reader_holds_an_object_through_its_second_time),
	cmocka_unit_test(readers_are_counted_beyond_sixteen_bits),
	cmocka_unit_test(readers_come_down_to_none_from_beyond_sixteen_bits),
	cmocka_unit_test(each_object_is_destroyed_once_and_read_by_nobody_then),
	cmocka_unit_test(objects_that_come_round_again_are_held_all_the_same),
	cmocka_unit_test(destroy_may_block_and_use_the_value),
	cmocka_unit_test(releasing_what_nobody_loaded_is_a_panic),
	cmocka_unit_test(an_address_that_does_not_fit_is_a_panic),
};

SUPPORT_MAIN(tests)
