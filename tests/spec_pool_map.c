/* SPDX-License-Identifier: MIT */
/*
 * spec_pool_map.c - what goro.h says of pools and maps, sentence by sentence, where the tests of
 * each leave something out.
 */
#include "spec_places.h"

struct object { atomic_int destroyed; uint64_t by; };

static void destroy(void *arg) {
	struct object *o = arg;

	o->by = go_id();
	atomic_fetch_add(&o->destroyed, 1);
}

/* ------------------------------------------------------------ pools --- */

static uint64_t maker;
static void *make_one(void *arg) {
	maker = go_id();
	return arg;
}

/* "Both run in the caller of get, put or drain"; "NULL is ignored"; at every place */
static void use_pool(void *arg) {
	go_pool *p = calloc(1, sizeof *p);
	struct object o[200], extra;
	int destroyed = 0;

	(void)arg;
	assert_non_null(p);
	memset(o, 0, sizeof o);
	CHECK(go_pool_get(p) == NULL);
	go_pool_put(p, NULL);
	go_pool_drain(p);
	CHECK(go_pool_get(p) == NULL);
	p->make = make_one;
	p->destroy = destroy;
	p->arg = &extra;
	maker = 0;
	CHECK(go_pool_get(p) == &extra && maker == go_id());
	p->make = NULL;
	for (int i = 0; i < 200; i++)
		go_pool_put(p, &o[i]);
	go_pool_drain(p);
	for (int i = 0; i < 200; i++)
		destroyed += o[i].destroyed == 1 && (go_running() ? o[i].by != 0 : o[i].by == 0);
	CHECK_EQ(destroyed, 200);
	CHECK(go_pool_get(p) == NULL);
	go_pool_drain(p);
	free(p);
}

TEST(pools_work_at_every_place) { at_every_place(use_pool, NULL); }

struct pair_of_pools { go_pool p; struct object o[200]; void *got; };

static void *put_many(void *arg) {
	struct pair_of_pools *s = arg;

	for (int i = 0; i < 200; i++)
		go_pool_put(&s->p, &s->o[i]);
	return NULL;
}

/* "At most 64 are kept ... for other threads; what is put beyond that is destroyed at once." */
TEST(of_what_a_thread_puts_at_most_64_are_kept) {
	struct pair_of_pools s = {.p = GO_POOL_INIT(NULL, destroy, NULL)};
	int kept = 0;

	on_a_thread(put_many, &s);
	for (int i = 0; i < 200; i++)
		kept += s.o[i].destroyed == 0;
	CHECK_MSG(kept > 0 && kept <= 64, "%d are kept", kept);
	go_pool_drain(&s.p);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(s.o[i].destroyed, 1);
}

static void *put_first(void *arg) {
	struct pair_of_pools *s = arg;

	go_pool_put(&s->p, &s->o[0]);
	return NULL;
}

static void *get_there(void *arg) {
	struct pair_of_pools *s = arg;

	s->got = go_pool_get(&s->p);
	return NULL;
}

/* "One that was put, preferably on this CPU": else on another, by a thread or a goroutine. */
TEST(what_was_put_anywhere_is_got_before_one_is_made) {
	static const char *const names[] = {"thread", "goroutine"};

	/* Not what is put by a goroutine and got by a thread. */
	for (int i = 0; i < 40; i += i % 4 == 0 ? 2 : 1) {
		struct pair_of_pools s = {.p = GO_POOL_INIT(make_one, NULL, NULL)};

		s.p.arg = &s;
		i % 2 == 0 ? on_a_thread(put_first, &s) : (void)put_first(&s);
		go_yield();
		i % 4 < 2 ? on_a_thread(get_there, &s) : (void)get_there(&s);
		CHECK_MSG(s.got == &s.o[0], "put by a %s, got by a %s", names[i % 2],
			  names[i % 4 / 2]);
		CHECK(go_pool_get(&s.p) == &s);
		go_pool_drain(&s.p);
	}
}

struct refill { go_pool p; struct object o[3]; int calls; };

static struct refill *refilled;
static void put_another(void *arg) {
	struct object *o = arg;

	destroy(o);
	if (refilled->calls++ < 1)
		go_pool_put(&refilled->p, &refilled->o[2]);
}

/* "Both ... may use the pool": what destroy puts while all is destroyed is not lost. */
TEST(what_destroy_puts_into_a_drained_pool_is_not_lost) {
	struct refill r = {.p = GO_POOL_INIT(NULL, put_another, NULL)};

	refilled = &r;
	go_pool_put(&r.p, &r.o[0]);
	go_pool_put(&r.p, &r.o[1]);
	go_pool_drain(&r.p);
	go_pool_drain(&r.p);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(r.o[i].destroyed, 1);
	CHECK(go_pool_get(&r.p) == NULL);
}

/* ------------------------------------------------------------ maps --- */

static bool stop_at_once(const void *k, size_t n, void *v, void *arg) {
	(void)k, (void)n, (void)v;
	++*(int *)arg;
	return false;
}

static bool delete_it(const void *k, size_t n, void *v, void *m) {
	char copy[8];

	assert_true(n <= sizeof copy);
	memcpy(copy, k, n);
	CHECK(go_map_delete(m, k, n));
	CHECK(memcmp(k, copy, n) == 0);         /* "Key and value are good until fn returns" */
	CHECK(v == NULL || atomic_load(&((struct object *)v)->destroyed) == 0);
	return true;
}

static void check_with(void *value, void *arg) {
	CHECK(value == arg);
}

/* Each function's results in words of the header; at every place. */
static void use_map(void *arg) {
	struct object o[8], *seen = &o[7];
	void *v = &seen;
	int n = 0;
	go_map *m = go_map_new(destroy);

	(void)arg;
	memset(o, 0, sizeof o);
	go_map_range(m, stop_at_once, &n);
	CHECK(n == 0 && go_map_len(m) == 0);
	CHECK(!go_map_load(m, "a", 1, &v) && v == NULL);
	CHECK(!go_map_load(m, "a", 1, NULL) && !go_map_with(m, "a", 1, check_with, m));
	CHECK(!go_map_delete(m, "a", 1));
	CHECK(!go_map_load_and_delete(m, "a", 1, (v = m, &v)) && v == NULL);
	CHECK(!go_map_compare_and_swap(m, "a", 1, NULL, &o[0]));
	CHECK(!go_map_compare_and_delete(m, "a", 1, NULL));
	CHECK(!go_map_swap(m, "a", 1, NULL, (v = m, &v)) && v == NULL);
	CHECK(go_map_load(m, "a", 1, (v = m, &v)) && v == NULL);      /* it has a value: NULL */
	CHECK(go_map_with(m, "a", 1, check_with, NULL) && go_map_len(m) == 1);
	CHECK(go_map_load_or_store(m, "a", 1, &o[0], (v = m, &v)) && v == NULL);
	CHECK(go_map_compare_and_swap(m, "a", 1, NULL, &o[0]));
	CHECK(go_map_load_or_store(m, "a", 1, &o[1], NULL));
	CHECK(go_map_load_or_store(m, "a", 1, &o[1], &v) && v == &o[0]);
	CHECK(!go_map_compare_and_swap(m, "a", 1, &o[1], &o[2]));
	CHECK(!go_map_compare_and_delete(m, "a", 1, &o[1]));
	CHECK(go_map_swap(m, "a", 1, &o[1], NULL) && o[0].destroyed == 1);
	CHECK(go_map_swap(m, "a", 1, &o[2], &v) && v == &o[1]);
	CHECK(go_map_compare_and_swap(m, "a", 1, &o[2], &o[3]));
	CHECK(go_map_compare_and_delete(m, "a", 1, &o[3]) && go_map_len(m) == 0);
	CHECK(!go_map_load_or_store(m, "a", 1, &o[4], &v) && v == &o[4]);
	CHECK(!go_map_load_or_store(m, "", 0, NULL, NULL));
	CHECK(go_map_load(m, NULL, 0, &v) && v == NULL);
	go_map_range(m, stop_at_once, &n);
	CHECK(n == 1 && go_map_len(m) == 2);
	go_map_range(m, delete_it, m);
	CHECK(go_map_len(m) == 0 && o[4].destroyed == 1);
	go_map_store(m, "b", 1, &o[5]);
	go_map_store(m, "b", 1, &o[5]);
	CHECK(go_map_load_and_delete(m, "b", 1, &v) && v == &o[5]);
	go_map_store(m, "c", 1, &o[6]);
	go_map_store(m, "d", 1, NULL);
	go_map_free(m);
	go_map_free(NULL);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(o[i].destroyed, i == 0 || i == 4 || i == 6);
}

TEST(maps_work_at_every_place) { at_every_place(use_map, NULL); }

/* "Storing the value that is there already changes nothing": by any function */
TEST(a_value_set_again_is_not_destroyed) {
	go_map *m = go_map_new(destroy);
	struct object o = {0, 0};
	void *v = NULL;

	go_map_store(m, "k", 1, &o);
	go_map_store(m, "k", 1, &o);
	CHECK(go_map_swap(m, "k", 1, &o, NULL));
	CHECK(go_map_load_or_store(m, "k", 1, &o, &v) && v == &o);
	CHECK(go_map_load(m, "k", 1, &v) && v == &o);
	CHECK_EQ(o.destroyed, 0);
	go_map_free(m);
	CHECK_EQ(o.destroyed, 1);
}

/* "keys, which are bytes and copied": a large one, and ones that differ in their last byte only */
TEST(keys_may_be_large) {
	enum { LARGE = 1 << 20 };
	char *k = calloc(1, LARGE);
	struct object o[3];
	go_map *m = go_map_new(destroy);
	void *v;

	assert_non_null(k);
	memset(o, 0, sizeof o);
	for (int i = 0; i < 3; i++) {
		k[LARGE - 1] = (char)i;
		go_map_store(m, k, LARGE, &o[i]);
	}
	for (int i = 0; i < 3; i++) {
		k[LARGE - 1] = (char)i;
		CHECK(go_map_load(m, k, LARGE, &v) && v == &o[i]);
		CHECK(!go_map_load(m, k, LARGE - 1, &v) && v == NULL);
	}
	go_map_free(m);
	free(k);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(o[i].destroyed, 1);
}

struct look { go_map *m; struct object o, next; int what; bool nested; };

static void get_rid(void *value, void *arg) {
	struct look *l = arg;
	void *v = NULL;

	CHECK(value == &l->o);
	if (!l->nested) {
		l->nested = true;
		CHECK(go_map_with(l->m, "k", 1, get_rid, l));
		CHECK_EQ(l->o.destroyed, 0);    /* one look is left */
		return;
	}
	switch (l->what) {
	case 0: go_map_store(l->m, "k", 1, &l->next); break;
	case 1: CHECK(go_map_delete(l->m, "k", 1)); break;
	case 2: CHECK(go_map_swap(l->m, "k", 1, &l->next, NULL)); break;
	case 3: CHECK(go_map_swap(l->m, "k", 1, &l->next, &v) && v == value); break;
	case 4: CHECK(go_map_load_and_delete(l->m, "k", 1, &v) && v == value); break;
	case 5: CHECK(go_map_compare_and_swap(l->m, "k", 1, value, NULL)); break;
	case 6: CHECK(go_map_compare_and_delete(l->m, "k", 1, value)); break;
	}
	CHECK_EQ(l->o.destroyed, 0);
}

/* "but not as long as a go_map_with or go_map_range looks at it"; "which may do anything" */
TEST(who_looks_at_a_value_may_get_rid_of_it) {
	for (int i = 0; i < 7; i++) {
		struct look l = {.m = go_map_new(destroy), .what = i};

		go_map_store(l.m, "k", 1, &l.o);
		CHECK(go_map_with(l.m, "k", 1, get_rid, &l));
		CHECK_EQ(l.o.destroyed, i < 3);
		CHECK(i >= 3 || l.o.by == go_id());
		go_map_free(l.m);
		CHECK_EQ(l.o.destroyed, i < 3);
		CHECK_EQ(l.next.destroyed, i == 0 || i == 2 || i == 3);
	}
}

struct meanwhile {
	go_map *m;
	struct object o;
	go_sema looking, deleted;
	go_waitgroup wg;
	uint64_t id;
};

static void look_long(void *value, void *arg) {
	struct meanwhile *w = arg;

	go_sema_release(&w->looking, 1);
	go_sema_acquire(&w->deleted, 1);
	CHECK(atomic_load(&((struct object *)value)->destroyed) == 0);
}

static void look_there(void *arg) {
	struct meanwhile *w = arg;

	w->id = go_id();
	CHECK(go_map_with(w->m, "k", 1, look_long, w));
}

/* "What does not say blocks returns without waiting": who looks destroys what was deleted. */
TEST(deleting_what_another_looks_at_leaves_it_to_him) {
	struct meanwhile w = {.m = go_map_new(destroy)};

	go_map_store(w.m, "k", 1, &w.o);
	go_wg_spawn(&w.wg, look_there, &w);
	go_sema_acquire(&w.looking, 1);
	CHECK(go_map_delete(w.m, "k", 1));
	CHECK(w.o.destroyed == 0 && !go_map_load(w.m, "k", 1, NULL));
	go_sema_release(&w.deleted, 1);
	go_wg_wait(&w.wg);
	CHECK_EQ(w.o.destroyed, 1);
	CHECK_EQ(w.o.by, w.id);
	go_map_free(w.m);
	CHECK_EQ(w.o.destroyed, 1);
}

struct plain { int n; };
struct handed { go_map *m; struct plain p; };

static void *store_there(void *arg) {
	struct handed *h = arg;

	h->p.n = 5;
	go_map_store(h->m, "k", 1, &h->p);
	return NULL;
}

static bool see_plain(const void *k, size_t n, void *v, void *arg) {
	(void)k, (void)n;
	*(int *)arg = ((struct plain *)v)->n;
	return true;
}

/* What was written before a store is seen by whoever loads, looks or ranges. */
TEST(what_was_written_before_a_store_is_seen) {
	for (int i = 0; i < 20; i++) {
		struct handed h = {go_map_new(NULL), {0}};
		pthread_t t;
		void *v = NULL;
		int n = 0;

		CHECK_EQ(pthread_create(&t, NULL, store_there, &h), 0);
		if (i % 2 == 0) {
			wait_until(go_map_load(h.m, "k", 1, &v));
			n = ((struct plain *)v)->n;
		} else {
			wait_until((go_map_range(h.m, see_plain, &n), n != 0));
		}
		CHECK_EQ(n, 5);
		pthread_join(t, NULL);
		go_map_free(h.m);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pools_work_at_every_place),
	cmocka_unit_test(of_what_a_thread_puts_at_most_64_are_kept),
	cmocka_unit_test(what_was_put_anywhere_is_got_before_one_is_made),
	cmocka_unit_test(what_destroy_puts_into_a_drained_pool_is_not_lost),
	cmocka_unit_test(maps_work_at_every_place),
	cmocka_unit_test(a_value_set_again_is_not_destroyed),
	cmocka_unit_test(keys_may_be_large),
	cmocka_unit_test(who_looks_at_a_value_may_get_rid_of_it),
	cmocka_unit_test(deleting_what_another_looks_at_leaves_it_to_him),
	cmocka_unit_test(what_was_written_before_a_store_is_seen),
};

SUPPORT_MAIN(tests)
