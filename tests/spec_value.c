/* SPDX-License-Identifier: MIT */
/*
 * spec_value.c - what goro.h says of semaphores and values, sentence by sentence, where the tests
 * of each leave something out.
 */
#include "spec_places.h"

/* ------------------------------------------------------------ semaphores --- */

static void acquire_two(void *s) { go_sema_acquire(s, 2); }
static void acquire_less_than_none(void *s) { go_sema_acquire(s, -1); }
static void *panic_there(void *s) {
	check_panics(acquire_less_than_none, s, "semaphore: negative number of units");
	return NULL;
}

/* "In order of arrival ... n may be 0; a negative one panics" */
TEST(who_wants_none_waits_for_those_before) {
	go_sema s = GO_SEMA_INIT(1);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_spawn(&wg, acquire_two, &s);
	wait_until(!go_sema_try_acquire(&s, 0));
	CHECK_EQ(go_sema_acquire_until(&s, 0, go_now() + GO_MILLISECOND), -ETIMEDOUT);
	on_a_thread(panic_there, &s);
	go_sema_release(&s, 0);
	CHECK(!go_sema_try_acquire(&s, 0));
	go_sema_release(&s, 1);
	CHECK_EQ(go_sema_acquire_until(&s, 0, GO_FOREVER), 0);
	go_wg_wait(&wg);
}

/* ------------------------------------------------------------ values --- */

struct object { int ones; uint64_t destroyer; };
static void destroy_object(void *arg) {
	struct object *o = arg;

	o->ones++;
	o->destroyer = go_id();
}
static void destroy_ten(void *arg) { ((struct object *)arg)->ones += 10; }

struct reader { go_value v; struct object o; go_waitgroup wg; uint64_t id; };

static void release_it(void *arg) {
	struct reader *r = arg;

	r->id = go_id();
	go_value_release(&r->v, &r->o);
	go_wg_done(&r->wg);
}

/* "called ... by whoever is the last"; "the caller until he gives it back": anybody may for him */
TEST(the_last_reader_destroys_whoever_loaded) {
	struct reader r = {.o = {0, 99}};

	go_value_release(&r.v, NULL);
	go_value_clear(&r.v);
	go_value_store(&r.v, &r.o, destroy_object);
	CHECK(go_value_load(&r.v) == &r.o && go_value_load(&r.v) == &r.o);
	go_value_clear(&r.v);
	go_value_clear(&r.v);
	CHECK(go_value_load(&r.v) == NULL);
	go_value_release(&r.v, &r.o);
	CHECK_EQ(r.o.ones, 0);
	go_wg_add(&r.wg, 1);
	go_spawn(release_it, &r);
	go_wg_wait(&r.wg);
	CHECK_EQ(r.o.ones, 1);
	CHECK(r.o.destroyer == r.id && r.id != go_id());
	go_value_store(&r.v, &r.o, NULL);
	go_value_clear(&r.v);
	CHECK_EQ(r.o.ones, 1);
}

/* "Who stores an object again before that has both calls come then." */
TEST(an_object_stored_twice_has_the_calls_of_both) {
	struct object o = {0, 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &o, destroy_object);
	CHECK(go_value_load(&v) == &o);
	go_value_store(&v, &o, destroy_ten);
	CHECK(o.ones == 0);
	go_value_clear(&v);
	CHECK(o.ones == 0);
	go_value_release(&v, &o);
	CHECK_EQ(o.ones, 11);
}

static void *take_and_give(void *arg) {
	struct reader *r = arg;
	struct object *o = go_value_load(&r->v);

	if (CHECK(o != NULL))
		go_value_release(&r->v, o);
	return NULL;
}

/* "Any goroutine and any thread may"; "*v may be freed when no reader holds any" */
static void use_value(void *arg) {
	struct reader *r = calloc(1, sizeof *r);
	struct object o[3] = {{0, 0}, {0, 0}, {0, 0}};

	(void)arg;
	assert_non_null(r);
	for (int i = 0; i < 3; i++) {
		go_value_store(&r->v, &o[i], i == 2 ? NULL : destroy_object);
		CHECK(i == 0 || (o[i - 1].ones == 1 && o[i - 1].destroyer == go_id()));
		take_and_give(r);
		on_a_thread(take_and_give, r);
	}
	go_value_clear(&r->v);
	CHECK_EQ(o[2].ones, 0);
	free(r);
}

TEST(values_work_at_every_place) { at_every_place(use_value, NULL); }

static void store_null(void *v) { go_value_store(v, NULL, destroy_object); }
static void store_high(void *v) { go_value_store(v, (void *)(uintptr_t)(UINT64_C(1) << 48), NULL); }

/* "Panics if obj is NULL, or wider than 48 bits": what was there stays. */
TEST(a_refused_object_leaves_the_one_before) {
	struct object o = {0, 0};
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, &o, destroy_object);
	CHECK(!go_try(store_null, &v, NULL) && !go_try(store_high, &v, NULL));
	CHECK(go_value_load(&v) == &o && o.ones == 0);
	go_value_release(&v, &o);
	go_value_clear(&v);
	CHECK_EQ(o.ones, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_wants_none_waits_for_those_before),
	cmocka_unit_test(the_last_reader_destroys_whoever_loaded),
	cmocka_unit_test(an_object_stored_twice_has_the_calls_of_both),
	cmocka_unit_test(values_work_at_every_place),
	cmocka_unit_test(a_refused_object_leaves_the_one_before),
};

SUPPORT_MAIN(tests)
