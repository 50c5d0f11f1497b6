/* SPDX-License-Identifier: MIT */
/*
 * spec_first.c - "The runtime starts by itself at the first call that needs it, from whatever
 * thread": each function as the first one that a process calls, and all of them under a plain main.
 */
#include "spec_places.h"

static char key, object;
static void nothing(void *arg) { (void)arg; }
static void *give(void *p) { return p; }
static int zero(void *arg) { (void)arg; return 0; }
static void fall(void *arg) { (void)arg; go_panic("first"); }
static go_local local = GO_LOCAL_INIT(nothing);
static go_mutex m;
static go_rwmutex rw;
static go_waitgroup wg;
static go_once o;
static go_cond c;
static go_sema s;
static go_value v;
static go_group g;
static go_pool p;

static void call_config(void) {
	go_config cfg = GO_CONFIG_INIT;

	CHECK_EQ(go_init(&cfg), 0);
}
static void call_procs(void) { CHECK(go_procs(0) >= 1); }
static void call_set_procs(void) { CHECK(go_procs(3) >= 1 && go_procs(0) == 3); }
static void call_cpus(void) { CHECK(go_cpus() >= 1); }
static void call_count(void) { CHECK_EQ(go_count(), 0); }
static void call_version(void) { CHECK(go_version()[0] != '\0'); }
static void call_running(void) { CHECK(!go_running()); }
static void call_run(void) { CHECK_EQ(go_run(zero, NULL), 0); }
static void call_spawn(void) { go_spawn(nothing, NULL); }
static void call_try_spawn(void) { CHECK_EQ(go_try_spawn(nothing, NULL), 0); }
static void call_spawn_copy(void) { go_spawn_copy(nothing, &key, 1); }
static void call_spawn_with(void) { CHECK_EQ(go_spawn_with(NULL, nothing, NULL), 0); }
static void call_sleep(void) { go_sleep(1); }
static void call_sleep_until(void) { go_sleep_until(go_now() + 1); }
static void call_now(void) { CHECK(go_now() > 0); }
static void call_id(void) { CHECK_EQ(go_id(), 0); }
static void call_set_name(void) { go_set_name("first"); }
static void call_name(void) { CHECK_STR(go_name(), ""); }
static void call_local_get(void) { CHECK(go_local_get(&local) == NULL); }
static void call_local_set(void) { go_local_set(&local, &key); }
static void call_lock_thread(void) { go_lock_thread(); }
static void call_block_begin(void) { go_block_begin(); go_block_end(); }
static void call_blocking(void) { CHECK(go_blocking(give, &key) == &key); }
static void call_make(void) { go_chan_unref(go_chan_make(1, 0)); }
static void call_ref(void) { CHECK(go_chan_ref(NULL) == NULL); }
static void call_unref(void) { go_chan_unref(NULL); }
static void call_len(void) { CHECK(go_chan_len(NULL) == 0 && go_chan_cap(NULL) == 0); }
static void call_recv_until(void) { CHECK_EQ(go_chan_recv_until(NULL, NULL, 1), -ETIMEDOUT); }
static void call_send_until(void) { CHECK_EQ(go_chan_send_until(NULL, NULL, 0), -ETIMEDOUT); }
static void call_selectv(void) { CHECK_EQ(go_selectv(NULL, 0, 0), -ETIMEDOUT); }
static void call_select(void) { CHECK_EQ(go_select(GO_AFTER(1)), 0); }
static void call_default(void) { CHECK_EQ(go_select(GO_DEFAULT), 0); }
static void call_lock(void) { go_mutex_lock(&m); go_mutex_unlock(&m); }
static void call_trylock(void) { CHECK(go_mutex_trylock(&m)); }
static void call_lock_until(void) { CHECK_EQ(go_mutex_lock_until(&m, GO_FOREVER), 0); }
static void call_rlock(void) { go_rwmutex_rlock(&rw); go_rwmutex_runlock(&rw); }
static void call_wlock(void) { go_rwmutex_lock(&rw); go_rwmutex_unlock(&rw); }
static void call_tryrlock(void) { CHECK(go_rwmutex_tryrlock(&rw)); }
static void call_add(void) { go_wg_add(&wg, 1); go_wg_done(&wg); go_wg_wait(&wg); }
static void call_wg_wait(void) { CHECK_EQ(go_wg_wait_until(&wg, 0), 0); }
static void call_wg_spawn(void) { go_wg_spawn(&wg, nothing, NULL); go_wg_wait(&wg); }
static void call_once(void) { go_once_do(&o, nothing, NULL); }
static void call_once_value(void) {
	static void *slot;

	CHECK(go_once_value(&o, &slot, give, &key) == &key);
}
static void call_signal(void) { go_cond_signal(&c); }
static void call_broadcast(void) { go_cond_broadcast(&c); }
static void call_acquire(void) { go_sema_acquire(&s, 0); CHECK(!go_sema_try_acquire(&s, 1)); }
static void call_acquire_until(void) { CHECK_EQ(go_sema_acquire_until(&s, 1, 0), -ETIMEDOUT); }
static void call_release(void) { go_sema_release(&s, 1); }
static void call_load(void) { CHECK(go_value_load(&v) == NULL); go_value_release(&v, NULL); }
static void call_store(void) { go_value_store(&v, &object, nothing); go_value_clear(&v); }
static void call_clear(void) { go_value_clear(&v); }
static void call_timer(void) { go_timer_free(go_timer_new(0)); }
static void call_ticker(void) { go_timer_free(go_ticker_new(1)); }
static void call_after(void) { go_timer_free(go_after_func(0, nothing, NULL)); }
static void call_timer_free(void) { go_timer_free(NULL); }
static void call_cancel(void) { go_ctx_end(go_ctx_with_cancel(NULL)); }
static void call_timeout(void) { go_ctx_end(go_ctx_with_timeout(NULL, GO_HOUR)); }
static void call_deadline(void) { go_ctx_end(go_ctx_with_deadline(NULL, 0)); }
static void call_value(void) { go_ctx_end(go_ctx_with_value(NULL, &key, &key, nothing)); }
static void call_without(void) { go_ctx_end(go_ctx_without_cancel(NULL)); }
static void call_err(void) { CHECK(go_ctx_err(NULL) == 0 && go_ctx_value(NULL, &key) == NULL); }
static void call_after_func(void) { CHECK(go_ctx_after_func(NULL, nothing, NULL) != 0); }
static void call_bind(void) { CHECK(go_ctx_bind(NULL) == NULL); }
static void call_current(void) { CHECK(go_ctx_current() == NULL); }
static void call_group_ctx(void) {
	CHECK(go_group_ctx(&g, NULL) != NULL && go_group_wait(&g) == 0);
}
static void call_limit(void) { go_group_limit(&g, 1); }
static void call_group(void) { go_group_spawn(&g, zero, NULL); CHECK_EQ(go_group_wait(&g), 0); }
static void call_try_group(void) { CHECK(go_group_try_spawn(&g, zero, NULL)); }
static void call_group_wait(void) { CHECK_EQ(go_group_wait(&g), 0); }
static void call_get(void) { CHECK(go_pool_get(&p) == NULL); }
static void call_put(void) { go_pool_put(&p, &object); go_pool_drain(&p); }
static void call_drain(void) { go_pool_drain(&p); }
static void call_map(void) {
	go_map *map = go_map_new(nothing);

	go_map_store(map, &key, 1, &object);
	CHECK(go_map_load(map, &key, 1, NULL) && go_map_len(map) == 1);
	go_map_free(map);
}
static void call_defer(void) { go_defer(nothing, NULL); }
static void call_try(void) { CHECK(go_try(nothing, NULL, NULL)); }
static void call_panic(void) { CHECK(!go_try(fall, NULL, NULL)); }
static void call_stats(void) {
	go_stats stats = GO_STATS_INIT;

	CHECK_EQ(go_stats_read(&stats), 0);
	CHECK_EQ(stats.goroutines, 0);
}
static void call_dump(void) { go_dump(open("/dev/null", O_WRONLY | O_CLOEXEC)); }

#define CALL(name) {#name, call_##name}
static const struct { const char *name; void (*fn)(void); } calls[] = {
	CALL(config), CALL(procs), CALL(set_procs), CALL(cpus), CALL(count), CALL(version),
	CALL(running), CALL(run), CALL(spawn), CALL(try_spawn), CALL(spawn_copy), CALL(spawn_with),
	CALL(sleep), CALL(sleep_until), CALL(now), CALL(id), CALL(set_name), CALL(name),
	CALL(local_get), CALL(local_set), CALL(lock_thread), CALL(block_begin), CALL(blocking),
	CALL(make), CALL(ref), CALL(unref), CALL(len), CALL(recv_until), CALL(send_until),
	CALL(selectv), CALL(select), CALL(default), CALL(lock), CALL(trylock), CALL(lock_until),
	CALL(rlock), CALL(wlock), CALL(tryrlock), CALL(add), CALL(wg_wait), CALL(wg_spawn),
	CALL(once), CALL(once_value), CALL(signal), CALL(broadcast), CALL(acquire),
	CALL(acquire_until),
	CALL(release), CALL(load), CALL(store), CALL(clear), CALL(timer), CALL(ticker), CALL(after),
	CALL(timer_free), CALL(cancel), CALL(timeout), CALL(deadline), CALL(value), CALL(without),
	CALL(err), CALL(after_func), CALL(bind), CALL(current), CALL(group_ctx), CALL(limit),
	CALL(group), CALL(try_group), CALL(group_wait), CALL(get), CALL(put), CALL(drain),
	CALL(map), CALL(defer), CALL(try), CALL(panic), CALL(stats), CALL(dump),
	{"yield", go_yield}, {"checkpoint", go_checkpoint}, {"unlock_thread", go_unlock_thread},
};
enum { CALLS = sizeof calls / sizeof *calls };

static void *call_there(void *arg) {
	calls[*(int *)arg].fn();
	return NULL;
}

CHILD_PLAIN(call_first) {
	int i = atoi(arg);

	call_there(&i);
	return atomic_load(&support.failures) == 0 ? 0 : 1;
}

CHILD_PLAIN(call_first_in_thread) {
	int i = atoi(arg);

	on_a_thread(call_there, &i);             /* which ends at once */
	return atomic_load(&support.failures) == 0 ? 0 : 1;
}

static void call_each(int (*child)(const char *)) {
	char number[16];

	for (int i = 0; i < CALLS; i++) {
		snprintf(number, sizeof number, "%d", i);
		CHECK_MSG(CHECK_LIVES(child, number), "first call: %s", calls[i].name);
	}
}

TEST(any_function_may_be_the_first_to_be_called) { call_each(call_first); }
TEST(any_function_may_be_the_first_called_by_a_thread) { call_each(call_first_in_thread); }

static int use_in_goroutine(void *arg) {
	go_mutex_lock(arg);
	go_mutex_unlock(arg);
	return 7;
}

/* All of it under a plain main, none of whose threads is a goroutine. */
static void use_some(void *arg) {
	(void)arg;
	for (int i = 0; i < CALLS; i++) {
		void (*fn)(void) = calls[i].fn;

		if (fn == call_config || fn == call_count || fn == call_running || fn == call_id ||
		    fn == call_name || fn == call_local_get || fn == call_once_value ||
		    fn == call_lock_thread || fn == call_trylock || fn == call_lock_until ||
		    fn == call_tryrlock || fn == call_release || fn == call_acquire_until ||
		    fn == call_acquire || fn == call_bind || fn == call_current ||
		    fn == call_stats || fn == call_limit || fn == call_dump)
			continue;                /* true only of the first call, or not undone */
		fn();
	}
}

CHILD_PLAIN(plain_main) {
	at_every_place(use_some, NULL);
	CHECK_EQ(go_run(use_in_goroutine, &m), 7);
	return atomic_load(&support.failures) == 0 ? 0 : 1;
}

TEST(all_of_it_works_at_every_place_under_a_plain_main) { CHECK_LIVES(plain_main, NULL); }

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(any_function_may_be_the_first_to_be_called),
	cmocka_unit_test(any_function_may_be_the_first_called_by_a_thread),
	cmocka_unit_test(all_of_it_works_at_every_place_under_a_plain_main),
};

SUPPORT_MAIN(tests)
