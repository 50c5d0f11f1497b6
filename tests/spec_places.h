/* SPDX-License-Identifier: MIT */
/*
 * spec_places.h - the places from which the header lets a caller call anything.
 *
 * at_every_place(fn, arg) calls fn(arg) in each, one after the other: goroutines of all origins, a
 * thread, deferred calls, and whatever else goro calls back.
 */
#ifndef SPEC_PLACES_H
#define SPEC_PLACES_H

#include "support.h"

#include <limits.h>

struct place_call { go_fn fn; void *arg; go_waitgroup wg; int calls; };

static void place_now(void *p) {
	struct place_call *c = p;

	c->calls++;
	c->fn(c->arg);
	go_wg_done(&c->wg);
}

static void *place_made(void *c) { place_now(c); return NULL; }
static int place_result(void *c) { place_now(c); return 0; }
static void place_look(void *value, void *arg) { CHECK(value == arg); place_now(arg); }

static bool place_range(const void *key, size_t len, void *value, void *arg) {
	CHECK(len == 1 && *(const char *)key == 'k' && value == arg);
	place_now(arg);
	return true;
}

static inline void
on_a_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, fn, arg), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static go_local place_key = GO_LOCAL_INIT(place_now);

static void in_goroutine(void *c) { go_spawn(place_now, c); }
static void in_thread(void *c) { on_a_thread(place_made, c); }
static void in_run(void *c) { CHECK_EQ(go_run(place_result, c), 0); }
static void in_try(void *c) { CHECK(go_try(place_now, c, NULL)); }
static void in_deferred(void *c) { go_defer(place_now, c); }
static void in_panic_body(void *c) { go_defer(place_now, c); go_panic("on the way"); }
static void in_panic(void *c) { CHECK(!go_try(in_panic_body, c, NULL)); }
static void in_exit_body(void *c) { go_defer(place_now, c); go_exit(); }
static void in_exit(void *c) { go_spawn(in_exit_body, c); }

static void set_local(void *c) { go_local_set(&place_key, c); }
static void *set_local_of_thread(void *c) { set_local(c); return NULL; }
static void in_local(void *c) { go_spawn(set_local, c); }
static void in_local_of_thread(void *c) { on_a_thread(set_local_of_thread, c); }

static void
in_timer(void *p)
{
	struct place_call *c = p;
	go_timer *t = go_after_func(0, place_now, c);

	go_wg_wait(&c->wg);
	go_timer_free(t);
}

static void
in_after_func(void *p)
{
	struct place_call *c = p;
	go_ctx *ctx = go_ctx_with_cancel(NULL);

	CHECK(go_ctx_after_func(ctx, place_now, c) != 0);
	go_ctx_cancel(ctx);
	go_wg_wait(&c->wg);
	go_ctx_unref(ctx);
}

static void in_ctx_destroy(void *c) {
	go_ctx_end(go_ctx_with_value(NULL, &place_key, c, place_now));
}

static void
in_once(void *c)
{
	go_once o = GO_ONCE_INIT;

	go_once_do(&o, place_now, c);
}

static void
in_pool_make(void *c)
{
	go_pool p = GO_POOL_INIT(place_made, NULL, c);

	CHECK(go_pool_get(&p) == NULL);
	go_pool_drain(&p);
}

static void
in_pool_drain(void *c)
{
	go_pool p = GO_POOL_INIT(NULL, place_now, NULL);

	go_pool_put(&p, c);
	go_pool_drain(&p);
}

static void
in_value_destroy(void *c)
{
	go_value v = GO_VALUE_INIT;

	go_value_store(&v, c, place_now);
	go_value_clear(&v);
}

static void
in_map_destroy(void *c)
{
	go_map *m = go_map_new(place_now);

	go_map_store(m, "k", 1, c);
	CHECK(go_map_delete(m, "k", 1));
	go_map_free(m);
}

static void
in_map_free(void *c)
{
	go_map *m = go_map_new(place_now);

	go_map_store(m, "k", 1, c);
	go_map_free(m);
}

static void
in_map_with(void *c)
{
	go_map *m = go_map_new(NULL);

	go_map_store(m, "k", 1, c);
	CHECK(go_map_with(m, "k", 1, place_look, c));
	go_map_free(m);
}

static void
in_map_range(void *c)
{
	go_map *m = go_map_new(NULL);

	go_map_store(m, "k", 1, c);
	go_map_range(m, place_range, c);
	go_map_free(m);
}

static void
in_member(void *c)
{
	go_group g = GO_GROUP_INIT;

	go_group_spawn(&g, place_result, c);
	CHECK_EQ(go_group_wait(&g), 0);
}

static const struct { const char *name; go_fn call; } places[] = {
	{"here", place_now}, {"goroutine", in_goroutine}, {"thread", in_thread}, {"go_run", in_run},
	{"go_try", in_try}, {"deferred call", in_deferred}, {"panic", in_panic},
	{"go_exit", in_exit},
	{"go_local's destroy", in_local}, {"go_local's destroy in a thread", in_local_of_thread},
	{"timer's function", in_timer}, {"context's function", in_after_func},
	{"context's destroy", in_ctx_destroy}, {"once", in_once}, {"pool's make", in_pool_make},
	{"pool's destroy", in_pool_drain}, {"value's destroy", in_value_destroy},
	{"map's destroy", in_map_destroy}, {"go_map_free", in_map_free},
	{"go_map_with", in_map_with}, {"go_map_range", in_map_range}, {"group's member", in_member},
};
enum { PLACES = sizeof places / sizeof *places };

static inline void
at_every_place(go_fn fn, void *arg)
{
	for (int i = 0; i < PLACES; i++) {
		struct place_call c = {fn, arg, GO_WAITGROUP_INIT, 0};
		int failures = atomic_load(&support.failures);

		go_wg_add(&c.wg, 1);
		places[i].call(&c);
		go_wg_wait(&c.wg);
		CHECK_MSG(c.calls == 1, "%s: called %d times", places[i].name, c.calls);
		CHECK_MSG(failures == atomic_load(&support.failures), "in %s", places[i].name);
	}
}

/* It panics with this text. */
static inline void
check_panics(go_fn fn, void *arg, const char *text)
{
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (CHECK_MSG(!go_try(fn, arg, &info), "no panic: %s", text))
		CHECK_STR(info.message, text);
}

#endif /* SPEC_PLACES_H */
