/* SPDX-License-Identifier: MIT */
/*
 * go_value.c - what Go tests of atomic.Value (sync/atomic/value_test.go), as far as ours has it:
 * no Swap, no CompareAndSwap, and a pointer has no type at run time.
 */
#include "support.h"

/* Go: sync/atomic TestValue */
TEST(load_gives_what_was_stored_last) {
	go_value v = GO_VALUE_INIT;
	int a = 42, b = 84, *got;

	CHECK(go_value_load(&v) == NULL);
	go_value_store(&v, &a, NULL);
	got = go_value_load(&v);
	CHECK(got == &a && *got == 42);
	go_value_release(&v, got);
	go_value_store(&v, &b, NULL);
	got = go_value_load(&v);
	CHECK(got == &b && *got == 84);
	go_value_release(&v, got);
	go_value_clear(&v);
}

/* Go: sync/atomic TestValueLarge */
TEST(objects_may_have_any_size) {
	go_value v = GO_VALUE_INIT;
	char *got;

	go_value_store(&v, strdup("foo"), free);
	got = go_value_load(&v);
	CHECK_STR(got, "foo");
	go_value_store(&v, strdup("barbaz"), free);
	CHECK_STR(got, "foo");          /* still ours */
	go_value_release(&v, got);
	got = go_value_load(&v);
	CHECK_STR(got, "barbaz");
	go_value_release(&v, got);
	go_value_clear(&v);
}

static void store_null(void *arg) { go_value_store(arg, NULL, NULL); }

static void check_refuses_null(go_value *v) {
	static const char text[] = "sync/atomic: store of nil value into Value";
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (CHECK(!go_try(store_null, v, &info)))
		CHECK_STR(info.message, text);
}

/* Go: sync/atomic TestValuePanic */
TEST(nobody_stores_null) {
	go_value v = GO_VALUE_INIT;
	int a;

	check_refuses_null(&v);
	CHECK(go_value_load(&v) == NULL);
	go_value_store(&v, &a, NULL);
	check_refuses_null(&v);
	CHECK(go_value_load(&v) == &a);
	go_value_release(&v, &a);
	go_value_clear(&v);
}

struct triple { unsigned a, b, sum; };
static const struct triple originals[4] = {{0, 0, 0}, {1, 2, 3}, {30, 40, 70}, {500, 600, 1100}};
static struct triple stored[4];

struct mix { go_value v; int loops; go_waitgroup wg; };

static void store_and_load(struct mix *m, int salt) {
	struct support_rng rng = support_rng((uint64_t)salt);

	for (int i = 0; i < m->loops; i++) {
		struct triple *t;

		go_value_store(&m->v, &stored[support_below(&rng, 4)], NULL);
		t = go_value_load(&m->v);
		if (!CHECK(t >= stored && t < stored + 4 && t->a + t->b == t->sum))
			return;
		go_value_release(&m->v, t);
	}
}
GO_TASK(store_and_load, struct mix *, int);

static void copy_and_load(struct mix *m, int salt) {
	struct support_rng rng = support_rng((uint64_t)salt);

	for (int i = 0; i < m->loops; i++) {
		struct triple *t = malloc(sizeof *t);

		assert_non_null(t);
		*t = originals[support_below(&rng, 4)];
		go_value_store(&m->v, t, free);
		t = go_value_load(&m->v);
		CHECK(t != NULL && t->a + t->b == t->sum);
		go_value_release(&m->v, t);
	}
}
GO_TASK(copy_and_load, struct mix *, int);

/* Go: sync/atomic TestValueConcurrent */
TEST(loads_and_stores_at_the_same_time_never_tear) {
	struct mix m = {.loops = (int)support_scale(3000)};

	memcpy(stored, originals, sizeof stored);
	for (int i = 0; i < 8; i++)
		GO_WG(&m.wg, store_and_load, &m, i);
	go_wg_wait(&m.wg);
	for (int i = 0; i < 8; i++)
		GO_WG(&m.wg, copy_and_load, &m, i);
	go_wg_wait(&m.wg);
	go_value_clear(&m.v);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(load_gives_what_was_stored_last),
	cmocka_unit_test(objects_may_have_any_size),
	cmocka_unit_test(nobody_stores_null),
	cmocka_unit_test(loads_and_stores_at_the_same_time_never_tear),
};

SUPPORT_MAIN(tests)
