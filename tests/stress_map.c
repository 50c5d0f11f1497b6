/* SPDX-License-Identifier: MIT */
/*
 * stress_map.c - a map with many users, goroutines and threads: nothing is lost, nothing comes
 * twice, each value is destroyed once and never under somebody's eyes.
 */
#include "support.h"

enum { KEYS = 64, GOROUTINES = 8, THREADS = 3, LIVE = 0x11fe };

/* A value: what it was stored under, and that it is alive. */
struct item { atomic_int state; int key; };

static atomic_long made, ended;

static struct item *item(int key) {
	struct item *it = malloc(sizeof *it);

	if (it == NULL)
		abort();
	atomic_init(&it->state, LIVE);
	it->key = key;
	atomic_fetch_add(&made, 1);
	return it;
}

static void end_item(void *value) {
	struct item *it = value;

	CHECK_EQ(atomic_exchange(&it->state, 0), LIVE);
	atomic_fetch_add(&ended, 1);
	free(it);
}

static void check_item(void *value, void *arg) {
	struct item *it = value;

	CHECK_EQ(atomic_load(&it->state), LIVE);
	CHECK_EQ(it->key, *(int *)arg);
	if (it->key % 8 == 0)
		go_yield();
	CHECK_EQ(atomic_load(&it->state), LIVE);
}

static bool check_one(const void *key, size_t len, void *value, void *arg) {
	int k;

	CHECK_EQ(len, sizeof k);
	memcpy(&k, key, sizeof k);
	check_item(value, &k);
	++*(int *)arg;
	return true;
}

struct crowd { go_map *m; int loops; atomic_int users; atomic_bool stop; go_waitgroup wg; };

/* Only calls that hand nothing over: somebody may be looking. */
static void change(struct crowd *c, struct support_rng *r, int k) {
	struct item *mine;

	switch (support_below(r, 4)) {
	case 0:
		go_map_store(c->m, &k, sizeof k, item(k));
		break;
	case 1:
		mine = item(k);
		if (go_map_load_or_store(c->m, &k, sizeof k, mine, NULL))
			end_item(mine);
		break;
	case 2:
		go_map_delete(c->m, &k, sizeof k);
		break;
	default:
		go_map_swap(c->m, &k, sizeof k, item(k), NULL);
	}
}

static void look_and_change(void *arg) {
	struct crowd *c = arg;
	struct support_rng r = support_rng((uint64_t)atomic_fetch_add(&c->users, 1));

	for (int i = 0; i < c->loops; i++) {
		int k = support_below(&r, KEYS), n = 0, what = support_below(&r, 64);

		if (what == 0) {
			go_map_range(c->m, check_one, &n);
			CHECK_IN(n, 0, KEYS);
		} else if (what < 24) {
			go_map_load(c->m, &k, sizeof k, NULL);
			go_map_with(c->m, &k, sizeof k, check_item, &k);
		} else {
			change(c, &r, k);
		}
	}
	go_wg_done(&c->wg);
}

static void *look_and_change_thread(void *arg) {
	look_and_change(arg);
	return NULL;
}

static void change_procs(void *arg) {
	struct crowd *c = arg;
	int procs = go_procs(0), n = 0;

	while (!atomic_load(&c->stop)) {
		go_procs(1 + n++ % 9);
		go_sleep(300 * GO_MICROSECOND);
	}
	go_procs(procs);
}

/* Goroutines and threads run fn on c; go_procs changes meanwhile. */
static void run_crowd(struct crowd *c, go_fn fn, void *(*thread_fn)(void *)) {
	pthread_t threads[THREADS];

	go_wg_add(&c->wg, GOROUTINES + THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_fn, c), 0);
	for (int i = 0; i < GOROUTINES; i++)
		go_spawn(fn, c);
	go_spawn(change_procs, c);
	go_wg_wait(&c->wg);
	atomic_store(&c->stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	wait_until(go_count() == 2);
}

TEST(values_live_while_looked_at_and_are_destroyed_once) {
	struct crowd c = {.m = go_map_new(end_item), .loops = (int)support_scale(10000)};
	int n = 0;

	atomic_store(&made, 0);
	atomic_store(&ended, 0);
	run_crowd(&c, look_and_change, look_and_change_thread);
	go_map_range(c.m, check_one, &n);
	CHECK_EQ(n, go_map_len(c.m));
	CHECK_EQ(atomic_load(&made) - atomic_load(&ended), n);
	go_map_free(c.m);
	CHECK_EQ(atomic_load(&made), atomic_load(&ended));
}

/* ------------------------------------------------------------ handing over --- */

/* Items go in and come out; each comes out once, whoever takes it. */
static void pass_on(void *arg) {
	struct crowd *c = arg;
	struct support_rng r = support_rng((uint64_t)atomic_fetch_add(&c->users, 1));
	void *got;

	for (int i = 0; i < c->loops; i++) {
		int k = support_below(&r, KEYS);
		struct item *mine = item(k);

		got = NULL;
		switch (support_below(&r, 3)) {
		case 0:
			go_map_swap(c->m, &k, sizeof k, mine, &got);
			break;
		case 1:
			if (go_map_load_and_delete(c->m, &k, sizeof k, &got))
				CHECK_EQ(((struct item *)got)->key, k);
			end_item(mine);
			break;
		default:
			/* Not read: the expected value may be gone by now. */
			if (!go_map_load(c->m, &k, sizeof k, &got) ||
			    !go_map_compare_and_swap(c->m, &k, sizeof k, got, mine)) {
				end_item(mine);
				got = NULL;
			}
		}
		if (got != NULL)
			end_item(got);
	}
	go_wg_done(&c->wg);
}

static void *pass_on_thread(void *arg) {
	pass_on(arg);
	return NULL;
}

TEST(what_is_handed_over_is_handed_to_one) {
	struct crowd c = {.m = go_map_new(end_item), .loops = (int)support_scale(10000)};

	atomic_store(&made, 0);
	atomic_store(&ended, 0);
	run_crowd(&c, pass_on, pass_on_thread);
	CHECK_EQ(atomic_load(&made) - atomic_load(&ended), go_map_len(c.m));
	go_map_free(c.m);
	CHECK_EQ(atomic_load(&made), atomic_load(&ended));
}

/* ------------------------------------------------------------ loads --- */

static const char name_of_staying[] = "stays";

static int staying_key(char *key, int i) {
	return snprintf(key, 32, "%s %d", name_of_staying, i);
}

/* Tables grow and shrink all the time; those that stay are always found. */
static void come_and_go(void *arg) {
	struct crowd *c = arg;
	int me = atomic_fetch_add(&c->users, 1);
	char key[32];

	for (int i = 0; i < c->loops; i++) {
		for (int k = 0; k < 400; k++) {
			int my[2] = {me, k};

			go_map_store(c->m, my, sizeof my, c);
		}
		for (int k = 0; k < 400; k++) {
			int my[2] = {me, k}, len = staying_key(key, k % 20);
			void *v = NULL;

			CHECK(go_map_load(c->m, my, sizeof my, &v) && v == c);
			CHECK(go_map_delete(c->m, my, sizeof my));
			CHECK(!go_map_load(c->m, my, sizeof my, &v));
			CHECK(go_map_load(c->m, key, (size_t)len, &v));
			CHECK(v == name_of_staying);
		}
	}
	go_wg_done(&c->wg);
}

static void *come_and_go_thread(void *arg) {
	come_and_go(arg);
	return NULL;
}

static bool count_staying(const void *key, size_t len, void *value, void *arg) {
	(void)key, (void)len;
	*(int *)arg += value == name_of_staying;
	return true;
}

static void count_often(void *arg) {
	struct crowd *c = arg;

	while (!atomic_load(&c->stop)) {
		int n = 0;

		go_map_range(c->m, count_staying, &n);
		CHECK_EQ(n, 20);
	}
}

TEST(keys_that_stay_are_always_found) {
	struct crowd c = {.m = go_map_new(NULL), .loops = (int)support_scale(60)};
	char key[32];

	for (int i = 0; i < 20; i++)
		go_map_store(c.m, key, (size_t)staying_key(key, i), (void *)(uintptr_t)name_of_staying);
	go_spawn(count_often, &c);
	run_crowd(&c, come_and_go, come_and_go_thread);
	CHECK_EQ(go_map_len(c.m), 20);
	go_map_free(c.m);
}

/* One writer per key counts up, by whatever call; nobody sees it going down. */
static void count_up(struct crowd *c, int key) {
	for (uintptr_t n = 1; n <= (uintptr_t)c->loops; n++) {
		void *now = (void *)n, *before = (void *)(n - 1);

		if (n % 3 == 0)
			CHECK(go_map_compare_and_swap(c->m, &key, sizeof key, before, now));
		else if (n % 3 == 1)
			go_map_store(c->m, &key, sizeof key, now);
		else
			CHECK(go_map_swap(c->m, &key, sizeof key, now, &before));
		CHECK((uintptr_t)before == n - 1);
	}
	go_wg_done(&c->wg);
}
GO_TASK(count_up, struct crowd *, int);

static void stay_a_moment(void *value, void *arg) {
	(void)value, (void)arg;
	go_yield();
}

static void watch(struct crowd *c, int key) {
	uintptr_t last = 0, n = 0;

	while (n < (uintptr_t)c->loops) {
		void *v = NULL;

		if (go_map_load(c->m, &key, sizeof key, &v))
			n = (uintptr_t)v;
		CHECK_MSG(n >= last, "%ju after %ju", (uintmax_t)n, (uintmax_t)last);
		last = n;
		go_map_with(c->m, &key, sizeof key, stay_a_moment, NULL);
	}
	go_wg_done(&c->wg);
}
GO_TASK(watch, struct crowd *, int);

TEST(loads_never_go_back_in_time) {
	struct crowd c = {.m = go_map_new(NULL), .loops = (int)support_scale(20000)};

	go_wg_add(&c.wg, 12);
	for (int i = 0; i < 4; i++) {
		GO(count_up, &c, i);
		GO(watch, &c, i);
		GO(watch, &c, i);
	}
	go_wg_wait(&c.wg);
	go_map_free(c.m);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(values_live_while_looked_at_and_are_destroyed_once),
	cmocka_unit_test(what_is_handed_over_is_handed_to_one),
	cmocka_unit_test(keys_that_stay_are_always_found),
	cmocka_unit_test(loads_never_go_back_in_time),
};

SUPPORT_MAIN(tests)
