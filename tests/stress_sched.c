/* SPDX-License-Identifier: MIT */
/*
 * stress_sched.c - random programs: trees of goroutines that yield, sleep, lock, meet, block,
 * panic, exit and start others, while the number of Ps changes under them; also with 64 Ps from
 * the start.
 *
 * The seed is printed; GORO_TEST_SEED repeats the random choices, though not the interleaving.
 */
#include "support.h"

/* ------------------------------------------------------------ a forest --- */

struct forest {
	go_waitgroup wg;
	atomic_int budget;              /* goroutines that may still be started */
	atomic_int started, ended;
	go_mutex m;
	long guarded, locked;           /* equal, under m */
	go_chan(int) meet, store;
	atomic_long sent, received, put, taken;
	atomic_bool over;
};

struct life { struct forest *f; struct support_rng rng; int depth; };

static void nothing(void *arg) { (void)arg; }

static void act_yield(struct life *l) {
	for (int i = support_below(&l->rng, 5); i >= 0; i--)
		go_yield();
}

static void act_sleep(struct life *l) {
	go_sleep(support_below(&l->rng, 50) * GO_MICROSECOND);
}

static bool lock_somehow(struct life *l) {
	go_mutex *m = &l->f->m;

	switch (support_below(&l->rng, 3)) {
	case 0: return go_mutex_trylock(m);
	case 1: return go_mutex_lock_until(m, go_now() + 20 * GO_MICROSECOND) == 0;
	default: go_mutex_lock(m); return true;
	}
}

static void act_lock(struct life *l) {
	if (!lock_somehow(l))
		return;
	CHECK_EQ(l->f->guarded, l->f->locked);
	l->f->guarded++;
	if (support_below(&l->rng, 4) == 0)
		go_yield();
	l->f->locked++;
	go_mutex_unlock(&l->f->m);
}

static void act_meet(struct life *l) {
	struct forest *f = l->f;
	int got = 0, mine = 1 + support_below(&l->rng, 1000);

	switch (go_select(GO_SEND(f->meet, mine), GO_RECV(f->meet, &got),
			  GO_AFTER(30 * GO_MICROSECOND))) {
	case 0: atomic_fetch_add(&f->sent, mine); break;
	case 1: atomic_fetch_add(&f->received, got); break;
	default: CHECK_EQ(got, 0);
	}
}

static void act_store(struct life *l) {
	struct forest *f = l->f;
	int got, mine = 1 + support_below(&l->rng, 1000);

	if (support_below(&l->rng, 2) == 0) {
		if (go_trysend(f->store, mine))
			atomic_fetch_add(&f->put, mine);
	} else if (go_tryrecv(f->store, &got)) {
		atomic_fetch_add(&f->taken, got);
	}
}

static void *usleep_shortly(void *arg) {
	usleep(20);
	return arg;
}

static void act_block(struct life *l) {
	switch (support_below(&l->rng, 8)) {
	case 0:
		CHECK(go_blocking(usleep_shortly, l) == l);
		break;
	case 1:
		go_block_begin();
		usleep(20);
		go_block_end();
		break;
	case 2:
		usleep(100);
		break;
	default:
		go_checkpoint();
	}
}

static void panic_or_not(void *arg) {
	struct life *l = arg;
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 1);
	{
		go_defer_done(&wg);
		go_yield();
	}
	go_wg_wait(&wg);
	if (support_below(&l->rng, 2) == 0)
		go_panic("at depth %d", l->depth);
}

static void act_panic(struct life *l) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	char expected[32];

	snprintf(expected, sizeof expected, "at depth %d", l->depth);
	if (!go_try(panic_or_not, l, &info))
		CHECK_STR(info.message, expected);
}

static void act_timer(struct life *l) {
	go_timer *t = go_timer_new(support_below(&l->rng, 50) * GO_MICROSECOND);

	if (support_below(&l->rng, 2) == 0)
		go_recv(go_timer_c(t), NULL);
	else if (!go_timer_stop(t))
		CHECK(false);           /* nobody received, so it was active */
	go_timer_free(t);
}

static void act_pin(struct life *l) {
	if (support_below(&l->rng, 10) != 0)
		return;
	go_lock_thread();
	act_yield(l);
	act_sleep(l);
	if (support_below(&l->rng, 4) != 0)
		go_unlock_thread();     /* otherwise the thread ends with it */
}

static void act_family(struct life *l) {
	go_waitgroup wg = GO_WAITGROUP_INIT;

	for (int i = support_below(&l->rng, 4); i > 0; i--)
		go_wg_spawn(&wg, nothing, NULL);
	go_wg_wait(&wg);
}

/* ------------------------------------------------------------ a life --- */

static void live(struct forest *f, uint64_t seed, int depth);
GO_TASK(live, struct forest *, uint64_t, int);

struct birth { struct forest *f; uint64_t seed; int depth; };

static void live_with_attributes(void *arg) {
	struct birth b = *(struct birth *)arg;

	free(arg);
	{
		go_defer_done(&b.f->wg);
		live(b.f, b.seed, b.depth);
	}
}

static void start_one(struct life *l) {
	uint64_t seed = support_rand(&l->rng);
	go_attr attr = GO_ATTR_INIT;
	struct birth *b;

	if (atomic_fetch_sub(&l->f->budget, 1) <= 0)
		return;
	atomic_fetch_add(&l->f->started, 1);
	if (support_below(&l->rng, 8) != 0) {
		GO_WG(&l->f->wg, live, l->f, seed, l->depth + 1);
		return;
	}
	b = malloc(sizeof *b);
	*b = (struct birth){l->f, seed, l->depth + 1};
	attr.name = "odd one";
	attr.stack_size = (size_t)1 << (16 + support_below(&l->rng, 6));
	go_wg_add(&l->f->wg, 1);
	if (!CHECK_EQ(go_spawn_with(&attr, live_with_attributes, b), 0)) {
		go_wg_done(&l->f->wg);
		free(b);
	}
}

static void act(struct life *l) {
	static void (*const acts[])(struct life *) = {
		act_yield, act_sleep, act_lock, act_meet, act_store, act_block, act_panic,
		act_timer, act_pin, act_family, start_one, start_one,
	};

	acts[support_below(&l->rng, sizeof acts / sizeof *acts)](l);
}

static void count_end(void *arg) {
	atomic_fetch_add(&((struct forest *)arg)->ended, 1);
}

static void live(struct forest *f, uint64_t seed, int depth) {
	struct life l = {f, support_rng(seed), depth};

	go_defer(count_end, f);
	for (int i = 3 + support_below(&l.rng, 8); i > 0; i--)
		act(&l);
	if (depth < 3)
		for (int i = 0; i < 4; i++)
			start_one(&l);
	if (support_below(&l.rng, 10) == 0 && go_running())
		go_exit();
}

/* ------------------------------------------------------------ the weather --- */

static void change_procs(void *arg) {
	struct support_rng rng = support_rng(99);
	struct forest *f = arg;

	while (!atomic_load(&f->over)) {
		go_procs(1 + support_below(&rng, support_below(&rng, 8) == 0 ? 64 : 6));
		go_sleep(support_below(&rng, 3) * GO_MILLISECOND);
	}
}

struct visitor { struct forest *f; uint64_t seed; };

static void *visit(void *arg) {
	struct visitor *v = arg;

	atomic_fetch_add(&v->f->started, 1);
	live(v->f, v->seed, 1);
	return NULL;
}

static void forest_check(struct forest *f) {
	long left = 0;
	int v;

	CHECK_EQ(atomic_load(&f->started), atomic_load(&f->ended));
	CHECK_EQ(f->guarded, f->locked);
	CHECK_EQ(atomic_load(&f->sent), atomic_load(&f->received));
	while (go_tryrecv(f->store, &v))
		left += v;
	CHECK_EQ(atomic_load(&f->put), atomic_load(&f->taken) + left);
	CHECK(go_mutex_trylock(&f->m));
	go_mutex_unlock(&f->m);
	go_unref(f->meet);
	go_unref(f->store);
}

static void grow_forest(uint64_t seed, int size, bool weather) {
	struct forest f = {.meet = go_make(int, 0), .store = go_make(int, 16)};
	struct visitor v[2] = {{&f, seed + 1}, {&f, seed + 2}};
	go_waitgroup sky = GO_WAITGROUP_INIT;
	int procs = go_procs(0);
	pthread_t threads[2];

	atomic_store(&f.budget, size);
	if (weather)
		go_wg_spawn(&sky, change_procs, &f);
	go_wg_add(&f.wg, 1);            /* so that the threads may add to it */
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, visit, &v[i]), 0);
	atomic_fetch_add(&f.started, 1);
	GO_WG(&f.wg, live, &f, seed, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	go_wg_done(&f.wg);
	go_wg_wait(&f.wg);
	atomic_store(&f.over, true);
	go_wg_wait(&sky);
	go_procs(procs);
	forest_check(&f);
}

static void grow_many(int forests, bool weather) {
	int size = SUPPORT_TSAN ? 100 : (int)support_scale(2000) + 50;

	for (int i = 0; i < forests; i++) {
		grow_forest((uint64_t)i * 1000, size, weather);
		wait_until(go_count() <= 2);
	}
}

TEST(random_programs_end_with_everything_in_balance) {
	grow_many(3, false);
}

TEST(random_programs_while_procs_change) {
	grow_many(3, true);
}

CHILD(a_forest) {
	support.seed = strtoull(arg, NULL, 0);
	grow_many(2, false);
	return atomic_load(&support.failures) == 0 ? 0 : 1;
}

TEST(random_programs_with_other_numbers_of_ps) {
	static const char *const procs[] = {"GORO_PROCS=64", "GORO_PROCS=1", "GORO_PROCS=3"};
	char seed[32];

	snprintf(seed, sizeof seed, "%" PRIu64, support_seed());
	for (int i = 0; i < 3; i++) {
		const char *const env[] = {procs[i], NULL};
		struct support_result r;

		support_child_env(a_forest, seed, env, &r);
		CHECK_MSG(r.status == 0, "%s, seed %s: status %d, signal %d%s, stderr:\n%s",
			  procs[i], seed, r.status, r.signal, r.timed_out ? ", timed out" : "",
			  r.err);
		support_free(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_programs_end_with_everything_in_balance),
	cmocka_unit_test(random_programs_while_procs_change),
	cmocka_unit_test(random_programs_with_other_numbers_of_ps),
};

SUPPORT_MAIN(tests)
