/* SPDX-License-Identifier: MIT */
/*
 * Random traffic through everything at once: a fixed set of tokens wanders between places, each of
 * which is guarded by other primitives; goroutines of a group and plain threads carry them, under
 * contexts that are cancelled and run out at any time.  In the end every token is found exactly
 * once, every object made has been destroyed, and nobody is left.
 *
 *   channel   a buffered channel, by send, select, try and until
 *   queue     a ring under a mutex, with two condition variables
 *   shelf     slots under a read-write mutex
 *   map       token to holder, by load_and_delete and load_or_store
 *   air       a token that a timer function will put into the channel
 *   parcel    inside an object of the pool
 *
 * A semaphore limits how many are carried; a value that is replaced all the time says where to go.
 */
#include "support.h"

enum { TOKENS = 96, WORKERS = 12, THREADS = 3, QUEUE = 16, SHELF = 24, PLACES = 5 };

struct plan { uint64_t weight[PLACES], sum; };	/* sum is that of weight: a torn plan shows */

struct world {
	go_chan(int) chan;
	go_mutex queue_mutex;			/* queue, n_queue */
	go_cond filled, room;
	int queue[QUEUE], n_queue;
	go_rwmutex shelf_lock;			/* shelf */
	int shelf[SHELF];			/* token plus 1; 0: free */
	go_map *map;
	go_waitgroup air;			/* timer functions to come */
	go_sema hands;
	go_value plan;
	go_once start;
	atomic_int started, plans, parcels, moves, cancelled, panics;
	atomic_bool stop;
};

static struct world w;

/* ------------------------------------------------------------ objects that are counted --- */

static void *
make_parcel(void *unused)
{
	(void)unused;
	atomic_fetch_add(&w.parcels, 1);
	return calloc(1, sizeof(int));
}

static void
drop_parcel(void *p)
{
	atomic_fetch_sub(&w.parcels, 1);
	free(p);
}

static go_pool parcels = GO_POOL_INIT(make_parcel, drop_parcel, NULL);

static void
drop_plan(void *p)
{
	atomic_fetch_sub(&w.plans, 1);
	free(p);
}

static void
new_plan(struct support_rng *rng)
{
	struct plan *p = calloc(1, sizeof *p);

	for (int i = 0; i < PLACES; i++)
		p->sum += p->weight[i] = (uint64_t)support_below(rng, 8) + 1;
	atomic_fetch_add(&w.plans, 1);
	go_value_store(&w.plan, p, drop_plan);
}

static int
next_place(struct support_rng *rng)
{
	struct plan *p = go_value_load(&w.plan);
	uint64_t sum = 0, at;
	int i;

	for (i = 0; i < PLACES; i++)
		sum += p->weight[i];
	CHECK(sum == p->sum);
	at = support_rand(rng) % sum;
	for (i = 0; at >= p->weight[i]; i++)
		at -= p->weight[i];
	go_value_release(&w.plan, p);
	return i;
}

/* ------------------------------------------------------------ putting --- */

/* Each returns whether the token is there now; if not, it is still in hand. */

static bool
put_chan(struct support_rng *rng, int token, int64_t limit)
{
	switch (support_below(rng, 3)) {
	case 0:  return go_send_until(w.chan, token, limit) == 0;
	case 1:  return go_trysend(w.chan, token);
	default: return go_select_until(limit, GO_SEND(w.chan, token)) == 0;
	}
}

static bool
put_queue(int token, int64_t limit)
{
	bool there = false;

	if (go_mutex_lock_until(&w.queue_mutex, limit) != 0)
		return false;
	while (w.n_queue == QUEUE)
		if (go_cond_wait_until(&w.room, &w.queue_mutex, limit) != 0)
			break;
	if (w.n_queue < QUEUE) {
		w.queue[w.n_queue++] = token;
		there = true;
		go_cond_signal(&w.filled);
	}
	go_mutex_unlock(&w.queue_mutex);
	return there;
}

static bool
put_shelf(int token)
{
	int i = 0;

	go_rwmutex_lock(&w.shelf_lock);
	while (i < SHELF && w.shelf[i] != 0)
		i++;
	if (i < SHELF)
		w.shelf[i] = token + 1;
	go_rwmutex_unlock(&w.shelf_lock);
	return i < SHELF;
}

static bool
put_map(int token)
{
	void *holder;

	return CHECK(!go_map_load_or_store(w.map, &token, sizeof token,
					   (void *)(uintptr_t)(token + 1), &holder));
}

/* The channel may be full for long, but everything else empties it. */
static void
land(void *arg)
{
	int token = *(int *)arg;

	go_pool_put(&parcels, arg);
	go_send(w.chan, token);
	go_wg_done(&w.air);
}

static bool
put_air(struct support_rng *rng, int token)
{
	int *parcel = go_pool_get(&parcels);
	bool stopped;
	go_timer *t;

	*parcel = token;
	go_wg_add(&w.air, 1);
	t = go_after_func(support_below(rng, 300) * GO_MICROSECOND, land, parcel);
	go_sleep(support_below(rng, 300) * GO_MICROSECOND);
	stopped = go_timer_stop(t);		/* then it never lands */
	if (stopped) {
		go_pool_put(&parcels, parcel);
		go_wg_done(&w.air);
	}
	go_timer_free(t);
	return !stopped;
}

static bool
put(struct support_rng *rng, int place, int token, int64_t limit)
{
	switch (place) {
	case 0:  return put_chan(rng, token, limit);
	case 1:  return put_queue(token, limit);
	case 2:  return put_shelf(token);
	case 3:  return put_map(token);
	default: return put_air(rng, token);
	}
}

/* ------------------------------------------------------------ taking --- */

/* Each returns a token that is in hand now, or -1. */

static int
take_chan(struct support_rng *rng, int64_t limit)
{
	int token = -1;

	switch (support_below(rng, 3)) {
	case 0:  return go_recv_until(w.chan, &token, limit) == 0 ? token : -1;
	case 1:  return go_tryrecv(w.chan, &token) ? token : -1;
	default: return go_select_until(limit, GO_RECV(w.chan, &token)) == 0 ? token : -1;
	}
}

static int
take_queue(int64_t limit)
{
	int token = -1;

	if (go_mutex_lock_until(&w.queue_mutex, limit) != 0)
		return -1;
	go_defer_unlock(&w.queue_mutex);
	while (w.n_queue == 0)
		if (go_cond_wait_until(&w.filled, &w.queue_mutex, limit) != 0)
			break;
	if (w.n_queue > 0) {
		token = w.queue[--w.n_queue];
		go_cond_signal(&w.room);
	}
	return token;
}

static int
take_shelf(struct support_rng *rng)
{
	int at = -1, from = support_below(rng, SHELF), token = -1;

	go_rwmutex_rlock(&w.shelf_lock);
	for (int i = 0; i < SHELF && at < 0; i++)
		if (w.shelf[(from + i) % SHELF] != 0)
			at = (from + i) % SHELF;
	go_rwmutex_runlock(&w.shelf_lock);
	if (at < 0)
		return -1;
	go_rwmutex_lock(&w.shelf_lock);		/* it may be gone by now */
	token = w.shelf[at] - 1;
	w.shelf[at] = 0;
	go_rwmutex_unlock(&w.shelf_lock);
	return token;
}

static int
take_map(struct support_rng *rng)
{
	for (int tries = 0; tries < TOKENS; tries++) {
		int token = support_below(rng, TOKENS);
		void *holder = NULL;

		if (go_map_load_and_delete(w.map, &token, sizeof token, &holder)) {
			CHECK_EQ((uintptr_t)holder, (uintptr_t)token + 1);
			return token;
		}
	}
	return -1;
}

static int
take(struct support_rng *rng, int place, int64_t limit)
{
	switch (place) {
	case 0:  return take_chan(rng, limit);
	case 1:  return take_queue(limit);
	case 2:  return take_shelf(rng);
	default: return take_map(rng);
	}
}

/* ------------------------------------------------------------ carriers --- */

struct trip { struct support_rng *rng; int token; bool arrived; };

/* A panic on the way: the deferred call sees to the token. */
static void
put_back(void *arg)
{
	struct trip *t = arg;

	while (!t->arrived)
		t->arrived = put_map(t->token);
}

static void
stumble(void *arg)
{
	struct trip *t = arg;

	go_defer(put_back, t);
	if (support_below(t->rng, 2))
		go_yield();
	go_panic("token %d dropped", t->token);
}

static void
carry(struct support_rng *rng, int token, int64_t limit)
{
	struct trip t = {rng, token, false};
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (support_below(rng, 16) == 0) {
		CHECK(!go_try(stumble, &t, &info));
		CHECK(info.message != NULL && strstr(info.message, "dropped") != NULL);
		atomic_fetch_add(&w.panics, 1);
		return;
	}
	for (int tries = 0; !put(rng, next_place(rng), token, limit); tries++)
		if (tries == 10) {
			put_map(token);
			break;
		}
}

static void
first(void *unused)
{
	(void)unused;
	atomic_fetch_add(&w.started, 1);
}

static void
one_move(struct support_rng *rng)
{
	int64_t limit = go_now() + support_below(rng, 2000) * GO_MICROSECOND;
	int token;

	go_once_do(&w.start, first, NULL);
	if (support_below(rng, 32) == 0)
		new_plan(rng);
	if (go_sema_acquire_until(&w.hands, 1, limit) != 0)
		return;
	token = take(rng, support_below(rng, 4), limit);
	if (token >= 0) {
		carry(rng, token, limit);
		atomic_fetch_add(&w.moves, 1);
	}
	go_sema_release(&w.hands, 1);
}

/* It has a reference of its own. */
static void
cancel(void *ctx)
{
	go_ctx_end(ctx);
}

/* Some moves under a context of their own that ends at any time: what is bound ends their waits. */
static void
moves_under_a_context(struct support_rng *rng)
{
	const go_ctx *parent = go_ctx_current();
	go_ctx *c = support_below(rng, 2) ? go_ctx_with_cancel(parent)
		: go_ctx_with_timeout(parent, support_below(rng, 500) * GO_MICROSECOND);
	const go_ctx *before = go_ctx_bind(c);
	go_timer *t;

	go_ctx_ref(c);
	t = go_after_func(support_below(rng, 500) * GO_MICROSECOND, cancel, c);
	for (int i = 0; i < 4; i++)
		one_move(rng);
	atomic_fetch_add(&w.cancelled, go_ctx_err(c) != 0);
	if (go_timer_stop(t))
		go_ctx_unref(c);
	else
		go_recv(go_ctx_done(c), NULL);
	go_timer_free(t);
	go_ctx_unref(go_ctx_bind(before));
	go_ctx_unref(before);
	go_ctx_end(c);
}

static int
work(void *arg)
{
	struct support_rng rng = support_rng((uintptr_t)arg);

	while (!atomic_load(&w.stop)) {
		if (support_below(&rng, 8) == 0)
			moves_under_a_context(&rng);
		else
			one_move(&rng);
		if (support_below(&rng, 4) == 0)
			go_yield();
	}
	return 0;
}

static void *
work_on_a_thread(void *arg)
{
	work(arg);
	return NULL;
}

static void *
join(void *thread)
{
	pthread_join(*(pthread_t *)thread, NULL);
	return NULL;
}

/* ------------------------------------------------------------ the end --- */

static void
count(unsigned char *seen, int token)
{
	if (CHECK(token >= 0 && token < TOKENS))
		seen[token]++;
}

static bool
count_mapped(const void *key, size_t len, void *value, void *seen)
{
	int token;

	CHECK_EQ(len, sizeof token);
	memcpy(&token, key, sizeof token);
	CHECK_EQ((uintptr_t)value, (uintptr_t)token + 1);
	count(seen, token);
	return true;
}

static void
find_all(void)
{
	unsigned char seen[TOKENS] = {0};
	int token;

	do				/* what is in the air wants room to land */
		while (go_tryrecv(w.chan, &token))
			count(seen, token);
	while (go_wg_wait_until(&w.air, go_now() + GO_MILLISECOND) != 0 || go_len(w.chan) > 0);
	for (int i = 0; i < w.n_queue; i++)
		count(seen, w.queue[i]);
	for (int i = 0; i < SHELF; i++)
		if (w.shelf[i] != 0)
			count(seen, w.shelf[i] - 1);
	go_map_range(w.map, count_mapped, seen);
	for (int i = 0; i < TOKENS; i++)
		CHECK_MSG(seen[i] == 1, "token %d is there %d times", i, seen[i]);
}

/* Everything is free again: it can be had at once, and by everybody. */
static void
nothing_is_held(void)
{
	assert_true(go_mutex_trylock(&w.queue_mutex));
	go_mutex_unlock(&w.queue_mutex);
	assert_true(go_rwmutex_trylock(&w.shelf_lock));
	go_rwmutex_unlock(&w.shelf_lock);
	assert_true(go_sema_try_acquire(&w.hands, WORKERS / 2));
	assert_false(go_sema_try_acquire(&w.hands, 1));
	go_sema_release(&w.hands, WORKERS / 2);
	go_pool_drain(&parcels);
	CHECK_EQ(atomic_load(&w.parcels), 0);
	go_value_clear(&w.plan);
	CHECK_EQ(atomic_load(&w.plans), 0);
}

static void
run(int n_threads, int64_t moves)
{
	go_group g = GO_GROUP_INIT;
	pthread_t thread[THREADS];
	struct support_rng rng = support_rng(1000);
	int alive = go_count();

	memset(&w, 0, sizeof w);
	w.chan = go_make(int, TOKENS / 4);
	w.map = go_map_new(NULL);
	w.hands = (go_sema)GO_SEMA_INIT(WORKERS / 2);
	new_plan(&rng);
	for (int i = 0; i < TOKENS; i++)
		put_map(i);
	go_group_ctx(&g, NULL);
	for (int i = 0; i < WORKERS; i++)
		go_group_spawn(&g, work, (void *)(uintptr_t)i);
	for (int i = 0; i < n_threads; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work_on_a_thread,
						(void *)(uintptr_t)(WORKERS + i)), 0);
	while (atomic_load(&w.moves) < moves)
		go_sleep(GO_MILLISECOND);
	atomic_store(&w.stop, true);
	CHECK_EQ(go_group_wait(&g), 0);
	for (int i = 0; i < n_threads; i++)
		go_blocking(join, &thread[i]);
	CHECK_EQ(atomic_load(&w.started), 1);
	find_all();
	nothing_is_held();
	go_map_free(w.map);
	go_unref(w.chan);
	wait_until(go_count() <= alive);	/* fewer: what an earlier test had left has ended */
}

TEST(tokens_wander_through_everything_and_none_is_lost)
{
	run(0, support_scale(20000));
}

TEST(nor_with_threads_among_the_carriers)
{
	run(THREADS, support_scale(20000));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tokens_wander_through_everything_and_none_is_lost),
	cmocka_unit_test(nor_with_threads_among_the_carriers),
};

SUPPORT_MAIN(tests)
