/* SPDX-License-Identifier: MIT */
/*
 * map.c - maps: what keys and values may be, who destroys a value and when, ranges that change
 * what they range over.  (Many users at a time: stress_map.c.)
 */
#include "support.h"

static atomic_int destroyed;

static void destroy(void *value) {
	atomic_fetch_add(&destroyed, 1);
	atomic_fetch_add((atomic_int *)value, 1);
}

/* A map whose values count how often they were destroyed. */
static go_map *counting_map(void) {
	atomic_store(&destroyed, 0);
	return go_map_new(destroy);
}

/* ------------------------------------------------------------ keys and values --- */

TEST(keys_are_bytes) {
	static const char *const keys[] = {"", "a", "b", "a\0b", "a\0c", "\0\0\0",
					   "long, longer, longest"};
	static const size_t len[] = {0, 1, 1, 3, 3, 3, 21};
	go_map *m = go_map_new(NULL);
	void *v;

	for (uintptr_t i = 0; i < 7; i++)
		go_map_store(m, keys[i], len[i], (void *)(i + 1));
	CHECK_EQ(go_map_len(m), 7);
	for (uintptr_t i = 0; i < 7; i++)
		CHECK(go_map_load(m, keys[i], len[i], &v) && (uintptr_t)v == i + 1);
	CHECK(!go_map_load(m, "a\0b", 2, &v));
	CHECK(go_map_load(m, NULL, 0, NULL));
	go_map_free(m);
}

TEST(keys_are_copied) {
	go_map *m = go_map_new(NULL);
	char key[100];
	void *v = m;

	memset(key, 'x', sizeof key);
	go_map_store(m, key, sizeof key, key);
	memset(key, 'y', sizeof key);
	CHECK(!go_map_load(m, key, sizeof key, &v));
	CHECK(v == NULL);
	memset(key, 'x', sizeof key);
	CHECK(go_map_load(m, key, sizeof key, &v));
	CHECK(v == key);
	go_map_free(m);
}

TEST(a_null_value_is_a_value_and_not_destroyed) {
	go_map *m = counting_map();
	void *v = m;

	go_map_store(m, "k", 1, NULL);
	CHECK(go_map_load(m, "k", 1, &v));
	CHECK(v == NULL);
	CHECK(go_map_compare_and_swap(m, "k", 1, NULL, NULL));
	CHECK(go_map_delete(m, "k", 1));
	CHECK(!go_map_delete(m, "k", 1));
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 0);
	go_map_free(NULL);
}

TEST(it_holds_many_keys) {
	go_map *m = go_map_new(NULL);
	int n = (int)support_scale(100000);
	void *v;

	for (int i = 0; i < n; i++)
		go_map_store(m, &i, sizeof i, (void *)(uintptr_t)(i + 1));
	CHECK_EQ(go_map_len(m), n);
	for (int i = 0; i < n; i++)
		CHECK(go_map_load(m, &i, sizeof i, &v) && v == (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < n; i += 2)
		CHECK(go_map_delete(m, &i, sizeof i));
	for (int i = 0; i < n; i++)
		CHECK_EQ(go_map_load(m, &i, sizeof i, NULL), i % 2 != 0);
	CHECK_EQ(go_map_len(m), n / 2);
	go_map_free(m);
}

/* ------------------------------------------------------------ whose value it is --- */

TEST(what_the_map_lets_go_is_destroyed_once) {
	go_map *m = counting_map();
	atomic_int v[6] = {0};

	go_map_store(m, "a", 1, &v[0]);
	go_map_store(m, "a", 1, &v[1]);
	CHECK_EQ(atomic_load(&v[0]), 1);
	CHECK(go_map_swap(m, "a", 1, &v[2], NULL));
	CHECK_EQ(atomic_load(&v[1]), 1);
	CHECK(go_map_delete(m, "a", 1));
	CHECK_EQ(atomic_load(&v[2]), 1);
	go_map_store(m, "b", 1, &v[3]);
	CHECK(go_map_load_and_delete(m, "b", 1, NULL));
	CHECK_EQ(atomic_load(&v[3]), 1);
	go_map_store(m, "c", 1, &v[4]);
	CHECK(!go_map_load_or_store(m, "d", 1, &v[5], NULL));
	CHECK_EQ(atomic_load(&destroyed), 4);
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 6);
}

TEST(what_is_handed_over_is_not_destroyed) {
	go_map *m = counting_map();
	atomic_int v[6] = {0};
	void *got = NULL;

	go_map_store(m, "a", 1, &v[0]);
	CHECK(go_map_swap(m, "a", 1, &v[1], &got));
	CHECK(got == &v[0]);
	CHECK(go_map_compare_and_swap(m, "a", 1, &v[1], &v[2]));
	CHECK(!go_map_compare_and_swap(m, "a", 1, &v[1], &v[3]));
	CHECK(go_map_load_and_delete(m, "a", 1, &got));
	CHECK(got == &v[2]);
	CHECK(!go_map_load_and_delete(m, "a", 1, &got));
	CHECK(got == NULL);
	go_map_store(m, "b", 1, &v[3]);
	CHECK(go_map_load_or_store(m, "b", 1, &v[4], &got));
	CHECK(got == &v[3]);
	CHECK(!go_map_compare_and_delete(m, "b", 1, &v[4]));
	CHECK(go_map_compare_and_delete(m, "b", 1, &v[3]));
	CHECK(!go_map_swap(m, "b", 1, &v[5], &got));
	CHECK(got == NULL);
	CHECK_EQ(atomic_load(&destroyed), 0);
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 1);
	CHECK_EQ(atomic_load(&v[5]), 1);
}

TEST(storing_what_is_there_changes_nothing) {
	go_map *m = counting_map();
	atomic_int v = 0;

	go_map_store(m, "a", 1, &v);
	go_map_store(m, "a", 1, &v);
	CHECK(go_map_compare_and_swap(m, "a", 1, &v, &v));
	CHECK_EQ(atomic_load(&v), 0);
	go_map_free(m);
	CHECK_EQ(atomic_load(&v), 1);
}

static go_map *user_of;
static void destroy_and_use(void *value) {
	go_yield();
	go_map_delete(user_of, value, 1);
	go_map_store(user_of, "z", 1, NULL);
	atomic_fetch_add(&destroyed, 1);
}

/* Each value is the name of the next key. */
TEST(destroying_may_use_the_map) {
	static char a[] = "a", b[] = "b", c[] = "c";
	go_map *m = user_of = go_map_new(destroy_and_use);

	atomic_store(&destroyed, 0);
	go_map_store(m, "a", 1, b);
	go_map_store(m, "b", 1, c);
	go_map_store(m, "c", 1, a);
	go_map_delete(m, "a", 1);
	CHECK_EQ(atomic_load(&destroyed), 3);
	CHECK_EQ(go_map_len(m), 1);
	go_map_free(m);
}

/* ------------------------------------------------------------ with --- */

struct visit { go_map *m; int how; atomic_int *value; int calls; };

static void change_while_looking(void *value, void *arg) {
	static atomic_int others[3];
	struct visit *v = arg;

	v->calls++;
	CHECK(value == v->value);
	if (v->how == 0)
		go_map_delete(v->m, "k", 1);
	else
		go_map_store(v->m, "k", 1, &others[v->how - 1]);
	if (v->how == 2)
		go_map_store(v->m, "k", 1, &others[2]);
	CHECK_EQ(atomic_load((atomic_int *)value), 0);
	if (v->how == 3)
		go_panic("how now");
}

static void look(void *arg) {
	struct visit *v = arg;

	CHECK(go_map_with(v->m, "k", 1, change_while_looking, v));
}

TEST(a_value_stays_while_it_is_looked_at) {
	for (int how = 0; how < 4; how++) {
		go_map *m = counting_map();
		atomic_int value = 0;
		struct visit v = {m, how, &value, 0};

		go_map_store(m, "k", 1, &value);
		CHECK_EQ(go_try(look, &v, NULL), how != 3);
		CHECK_EQ(v.calls, 1);
		CHECK_EQ(atomic_load(&value), 1);
		CHECK_EQ(go_map_len(m), how != 0);
		go_map_free(m);
		CHECK_EQ(atomic_load(&value), 1);
	}
}

static void never(void *value, void *arg) {
	(void)value, (void)arg;
	CHECK(false);
}

TEST(with_says_that_there_is_no_key) {
	go_map *m = go_map_new(NULL);

	CHECK(!go_map_with(m, "k", 1, never, NULL));
	go_map_store(m, "l", 1, m);
	CHECK(!go_map_with(m, "k", 1, never, NULL));
	go_map_free(m);
}

static void exit_while_looking(void *value, void *arg) {
	(void)value;
	go_map_delete(arg, "k", 1);
	go_exit();
}

static void look_and_exit(void *arg) {
	go_map_with(arg, "k", 1, exit_while_looking, arg);
}

TEST(who_exits_while_looking_lets_go) {
	go_map *m = counting_map();
	atomic_int value = 0;

	go_map_store(m, "k", 1, &value);
	go_spawn(look_and_exit, m);
	wait_until(atomic_load(&value) == 1);
	wait_until(go_count() == 2);
	go_map_free(m);
	CHECK_EQ(atomic_load(&value), 1);
}

/* What was handed over while somebody looks is not destroyed by him. */
static void take_away(void *value, void *arg) {
	void *got = NULL;

	CHECK(go_map_load_and_delete(arg, "k", 1, &got));
	CHECK(got == value);
}

TEST(what_is_handed_over_meanwhile_is_not_destroyed) {
	go_map *m = counting_map();
	atomic_int value = 0;

	go_map_store(m, "k", 1, &value);
	CHECK(go_map_with(m, "k", 1, take_away, m));
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 0);
}

/* ------------------------------------------------------------ range --- */

struct tour { go_map *m; int seen, stop; atomic_int *values; };

static bool count_to_stop(const void *key, size_t len, void *value, void *arg) {
	struct tour *t = arg;

	(void)key, (void)len, (void)value;
	return ++t->seen != t->stop;
}

TEST(a_range_ends_when_told) {
	go_map *m = go_map_new(NULL);
	struct tour t = {.m = m, .stop = 3};

	go_map_range(m, count_to_stop, &t);
	CHECK_EQ(t.seen, 0);
	for (int i = 0; i < 10; i++)
		go_map_store(m, &i, sizeof i, NULL);
	go_map_range(m, count_to_stop, &t);
	CHECK_EQ(t.seen, 3);
	t = (struct tour){.stop = -1};
	go_map_range(m, count_to_stop, &t);
	CHECK_EQ(t.seen, 10);
	go_map_free(m);
}

/* Replaces its value and deletes the neighbour: a deleted one does not come. */
static bool eat_neighbour(const void *key, size_t len, void *value, void *arg) {
	struct tour *t = arg;
	int i, next;

	CHECK_EQ(len, sizeof i);
	memcpy(&i, key, sizeof i);
	CHECK_EQ(atomic_load((atomic_int *)value), 0);
	next = i ^ 1;
	go_map_store(t->m, &i, sizeof i, &t->values[2000 + i]);
	CHECK(go_map_delete(t->m, &next, sizeof next));
	CHECK_EQ(atomic_load((atomic_int *)value), 0);
	t->seen++;
	return true;
}

TEST(a_range_may_delete_and_store) {
	static atomic_int values[4000];
	go_map *m = counting_map();
	struct tour t = {m, 0, 0, values};

	for (int i = 0; i < 2000; i++)
		go_map_store(m, &i, sizeof i, &values[i]);
	go_map_range(m, eat_neighbour, &t);
	CHECK_EQ(t.seen, 1000);
	CHECK_EQ(go_map_len(m), 1000);
	CHECK_EQ(atomic_load(&destroyed), 2000);
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 3000);
	for (int i = 0; i < 2000; i++)
		CHECK_EQ(atomic_load(&values[i]), 1);
}

static bool grow(const void *key, size_t len, void *value, void *arg) {
	struct tour *t = arg;
	char more[64];

	t->seen += value == t->m;
	CHECK(t->seen < 10000);
	memcpy(more, key, len);
	for (int i = 0; i < 20; i++) {
		memcpy(more + len, &i, sizeof i);
		if (value == t->m)
			go_map_store(t->m, more, len + sizeof i, NULL);
	}
	return true;
}

TEST(a_range_may_grow_the_map_and_sees_each_key_once) {
	go_map *m = go_map_new(NULL);
	struct tour t = {.m = m};

	for (int i = 0; i < 500; i++)
		go_map_store(m, &i, sizeof i, m);
	go_map_range(m, grow, &t);
	CHECK_EQ(t.seen, 500);
	CHECK_EQ(go_map_len(m), 500 * 21);
	go_map_free(m);
}

static bool give_up(const void *key, size_t len, void *value, void *arg) {
	(void)value;
	go_map_delete(arg, key, len);
	go_panic("enough");
	return true;
}

static void range_and_panic(void *arg) { go_map_range(arg, give_up, arg); }

TEST(a_panic_in_a_range_lets_everything_go) {
	static atomic_int values[100];
	go_map *m = counting_map();

	for (int i = 0; i < 100; i++)
		go_map_store(m, &i, sizeof i, &values[i]);
	CHECK(!go_try(range_and_panic, m, NULL));
	CHECK_EQ(atomic_load(&destroyed), 1);
	for (int i = 0; i < 100; i++)
		go_map_delete(m, &i, sizeof i);
	CHECK_EQ(atomic_load(&destroyed), 100);
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 100);
}

/* ------------------------------------------------------------ odd callers --- */

static void *use_in_section(void *arg) {
	struct { void *who; uintptr_t i; } key = {&key, 0};
	go_map *m = arg;

	for (key.i = 0; key.i < 1000; key.i++) {
		go_map_store(m, &key, sizeof key, m);
		CHECK(go_map_load(m, &key, sizeof key, NULL));
		CHECK(go_map_delete(m, &key, sizeof key));
	}
	return m;
}

static void use_blocking(void *arg) { CHECK(go_blocking(use_in_section, arg) == arg); }

TEST(it_can_be_used_in_blocking_code) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_map *m = go_map_new(NULL);

	for (int i = 0; i < 4; i++)
		go_wg_spawn(&wg, use_blocking, m);
	use_in_section(m);
	go_wg_wait(&wg);
	CHECK_EQ(go_map_len(m), 0);
	go_map_free(m);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keys_are_bytes),
	cmocka_unit_test(keys_are_copied),
	cmocka_unit_test(a_null_value_is_a_value_and_not_destroyed),
	cmocka_unit_test(it_holds_many_keys),
	cmocka_unit_test(what_the_map_lets_go_is_destroyed_once),
	cmocka_unit_test(what_is_handed_over_is_not_destroyed),
	cmocka_unit_test(storing_what_is_there_changes_nothing),
	cmocka_unit_test(destroying_may_use_the_map),
	cmocka_unit_test(a_value_stays_while_it_is_looked_at),
	cmocka_unit_test(with_says_that_there_is_no_key),
	cmocka_unit_test(who_exits_while_looking_lets_go),
	cmocka_unit_test(what_is_handed_over_meanwhile_is_not_destroyed),
	cmocka_unit_test(a_range_ends_when_told),
	cmocka_unit_test(a_range_may_delete_and_store),
	cmocka_unit_test(a_range_may_grow_the_map_and_sees_each_key_once),
	cmocka_unit_test(a_panic_in_a_range_lets_everything_go),
	cmocka_unit_test(it_can_be_used_in_blocking_code),
};

SUPPORT_MAIN(tests)
