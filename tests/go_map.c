/* SPDX-License-Identifier: MIT */
/*
 * go_map.c - what Go's sync/map_test.go expects of sync.Map, retold.  Each test names the one it
 * follows.
 */
#include "support.h"

static void *value_of(uintptr_t n) { return (void *)n; }

/* ------------------------------------------------------------ random sequences --- */

/* The map that it must be equal to: an array with a mutex.  0: no value. */
enum { KEYS = 16, OPS = 9 };
struct reference { go_mutex lock; uintptr_t value[KEYS]; };

struct answer { bool ok; uintptr_t value; };

static struct answer ask_map(go_map *m, int op, unsigned char key, uintptr_t a, uintptr_t b) {
	struct answer r = {false, 0};
	void *v = NULL;

	switch (op) {
	case 0: r.ok = go_map_load(m, &key, 1, &v); break;
	case 1: go_map_store(m, &key, 1, value_of(a)); break;
	case 2: r.ok = go_map_load_or_store(m, &key, 1, value_of(a), &v); break;
	case 3: r.ok = go_map_load_and_delete(m, &key, 1, &v); break;
	case 4: r.ok = go_map_delete(m, &key, 1); break;
	case 5: r.ok = go_map_swap(m, &key, 1, value_of(a), &v); break;
	case 6: r.ok = go_map_compare_and_swap(m, &key, 1, value_of(a), value_of(b)); break;
	case 7: r.ok = go_map_compare_and_delete(m, &key, 1, value_of(a)); break;
	default: r.value = go_map_len(m); return r;
	}
	r.value = (uintptr_t)v;
	return r;
}

static uintptr_t reference_len(const struct reference *m) {
	uintptr_t n = 0;

	for (int i = 0; i < KEYS; i++)
		n += m->value[i] != 0;
	return n;
}

static struct answer ask_reference(struct reference *m, int op, unsigned char key, uintptr_t a,
				   uintptr_t b) {
	uintptr_t *v = &m->value[key], old = *v;
	struct answer r = {old != 0, old};

	switch (op) {
	case 0: break;
	case 1: *v = a; return (struct answer){false, 0};
	case 2: *v = old != 0 ? old : a; r.value = *v; break;
	case 3: *v = 0; break;
	case 4: *v = 0; r.value = 0; break;
	case 5: *v = a; break;
	case 6: r = (struct answer){old == a, 0}; *v = r.ok ? b : old; break;
	case 7: r = (struct answer){old == a, 0}; *v = r.ok ? 0 : old; break;
	default: return (struct answer){false, reference_len(m)};
	}
	return r;
}

static bool compare_one(const void *key, size_t len, void *value, void *arg) {
	struct reference *m = arg;

	CHECK_EQ(len, 1);
	CHECK_EQ((uintptr_t)value, m->value[*(const unsigned char *)key]);
	m->value[*(const unsigned char *)key] = 0;
	return true;
}

/* Go: sync TestMapMatchesRWMutex, TestMapMatchesDeepCopy, TestMapMatchesHashTrieMap */
TEST(random_calls_have_the_results_of_a_plain_map) {
	struct support_rng r = support_rng(1);

	for (int round = 0; round < (int)support_scale(500); round++) {
		struct reference ref = {.value = {0}};
		go_map *m = go_map_new(NULL);

		for (int i = 0; i < 200; i++) {
			int op = support_below(&r, OPS);
			unsigned char key = (unsigned char)support_below(&r, KEYS);
			uintptr_t a = (uintptr_t)support_below(&r, 3) + 1, b = a % 3 + 1;
			struct answer got = ask_map(m, op, key, a, b), want = ask_reference(&ref, op, key, a, b);

			CHECK_MSG(got.ok == want.ok && got.value == want.value,
				  "operation %d: %d %ju instead of %d %ju", op, got.ok,
				  (uintmax_t)got.value, want.ok, (uintmax_t)want.value);
		}
		go_map_range(m, compare_one, &ref);
		CHECK_EQ(reference_len(&ref), 0);
		go_map_free(m);
	}
}

/* ------------------------------------------------------------ range --- */

struct seen { int64_t n; unsigned char *times; };

static bool see(const void *key, size_t len, void *value, void *arg) {
	struct seen *s = arg;
	int64_t k;

	CHECK_EQ(len, sizeof k);
	memcpy(&k, key, sizeof k);
	CHECK_EQ((int64_t)(uintptr_t)value % k, 0);
	CHECK_EQ(s->times[k]++, 0);
	s->n++;
	return true;
}

static void store_multiples(go_map *m, int64_t g, int64_t size, atomic_bool *done,
			    go_waitgroup *wg) {
	struct support_rng r = support_rng((uint64_t)g);

	for (int64_t i = 0; !atomic_load(done); i++) {
		for (int64_t n = 1; n < size && !atomic_load(done); n++) {
			void *v;

			if (support_below(&r, (int)size) == 0)
				go_map_store(m, &n, sizeof n, value_of((uintptr_t)(n * i * g)));
			else
				CHECK(go_map_load(m, &n, sizeof n, &v));
			if (n % 64 == 0)
				go_yield();
		}
	}
	go_wg_done(wg);
}
GO_TASK(store_multiples, go_map *, int64_t, int64_t, atomic_bool *, go_waitgroup *);

/* Go: sync TestConcurrentRange */
TEST(each_key_is_seen_once_while_others_store) {
	enum { SIZE = 1 << 10 };
	unsigned char times[SIZE];
	go_map *m = go_map_new(NULL);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_bool done = false;

	for (int64_t n = 1; n < SIZE; n++)
		go_map_store(m, &n, sizeof n, value_of((uintptr_t)n));
	go_wg_add(&wg, 4);
	for (int64_t g = 1; g <= 4; g++)
		GO(store_multiples, m, g, (int64_t)SIZE, &done, &wg);
	for (int i = 0; i < (int)support_scale(100); i++) {
		struct seen s = {0, times};

		memset(times, 0, sizeof times);
		go_map_range(m, see, &s);
		CHECK_EQ(s.n, SIZE - 1);
	}
	atomic_store(&done, true);
	go_wg_wait(&wg);
	go_map_free(m);
}

static bool delete_it(const void *key, size_t len, void *value, void *arg) {
	(void)value;
	CHECK(go_map_delete(arg, key, len));
	return true;
}

static bool nested(const void *key, size_t len, void *value, void *arg) {
	go_map *m = arg;
	int k = 42;

	(void)key, (void)len, (void)value;
	go_map_range(m, delete_it, m);
	go_map_store(m, &k, sizeof k, value_of(1));
	return true;
}

static bool count_one(const void *key, size_t len, void *value, void *arg) {
	(void)key, (void)len, (void)value;
	++*(int *)arg;
	return true;
}

/* Go: sync TestMapRangeNestedCall (issue 46399) */
TEST(ranges_nest_and_change_the_map) {
	static const char *const keys[] = {"hello", "world", "Go", "12345", "6"};
	go_map *m = go_map_new(NULL);
	int n = 0, k = 42;

	for (int i = 0; i < 5; i++)
		go_map_store(m, keys[i], strlen(keys[i]), value_of(1));
	go_map_range(m, nested, m);
	go_map_delete(m, &k, sizeof k);
	go_map_range(m, count_one, &n);
	CHECK_EQ(n, 0);
	CHECK_EQ(go_map_len(m), 0);
	go_map_free(m);
}

/* ------------------------------------------------------------ single calls --- */

/* Go: sync TestCompareAndSwap_NonExistingKey */
TEST(compare_and_swap_needs_a_key) {
	go_map *m = go_map_new(NULL);

	CHECK(!go_map_compare_and_swap(m, "k", 1, NULL, m));
	CHECK(!go_map_compare_and_swap(m, "k", 1, m, m));
	CHECK(!go_map_compare_and_delete(m, "k", 1, NULL));
	CHECK_EQ(go_map_len(m), 0);
	go_map_free(m);
}

static atomic_int destroyed;
static void count_destroyed(void *value) { (void)value; atomic_fetch_add(&destroyed, 1); }

/* Go: sync TestIssue40999: a value is destroyed though its key was never loaded */
TEST(what_is_deleted_is_destroyed_then) {
	go_map *m = go_map_new(count_destroyed);

	atomic_store(&destroyed, 0);
	go_map_store(m, "stays", 5, m);
	for (int i = 0; i < 100; i++) {
		go_map_store(m, &i, sizeof i, m);
		CHECK(go_map_delete(m, &i, sizeof i));
		CHECK_EQ(atomic_load(&destroyed), i + 1);
	}
	go_map_free(m);
	CHECK_EQ(atomic_load(&destroyed), 101);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_calls_have_the_results_of_a_plain_map),
	cmocka_unit_test(each_key_is_seen_once_while_others_store),
	cmocka_unit_test(ranges_nest_and_change_the_map),
	cmocka_unit_test(compare_and_swap_needs_a_key),
	cmocka_unit_test(what_is_deleted_is_destroyed_then),
};

SUPPORT_MAIN(tests)
