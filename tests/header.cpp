/* SPDX-License-Identifier: MIT */
/*
 * header.cpp - the public header as C++: first alone, then beside the standard library's headers
 * that use words like its own.  Must compile without a warning from C++11 on (see reject.sh).
 */
#include "goro.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct one { int only; };
struct pair { int x, y; };
using ints = go_chan(int);
struct service {
	go_sender(pair) requests;
	go_receiver(go_sender(int)) replies[2];
};

static void leaf();
static void node(int depth, pair at, one *out, ints to, void (*then)(int, int));
GO_TASK(leaf);
GO_TASK(node, int, pair, one *, go_chan(int), void (*)(int, int));

static void leaf()
{
}

static void node(int depth, pair at, one *out, ints to, void (*then)(int, int))
{
	go_defer(go__unlock, NULL); go_defer(go__wg_done, nullptr);
	if (depth == 0) {
		go_send(to, at.x + out->only);
		then(at.x, at.y);
		return;
	}
	GO(node, depth - 1, pair{at.x, at.y + 1}, out, to, then);
	GO(node, depth - 1, at, nullptr, to, nullptr);
	GO(leaf);
}

static int select_all(ints a, go_chan(pair) b, go_receiver(int) in, go_sender(one) out,
		      go_chan(long) longs, go_chan(int *) pointers)
{
	int x;
	bool ok;
	const ints fixed = a;
	auto named = GO_SEND(a, 5);
	go_case cases[] = {named, GO_RECV(in, &x), GO_DEFAULT, GO_AFTER(1), GO_UNTIL(1)};

	switch (go_select(GO_RECV(fixed, &x), GO_SEND(b, pair{1, 2}), GO_RECV(in, nullptr),
			  GO_RECV_OK(in, &x, &ok), GO_SEND(out, one{1}), GO_SEND(a, 'c'),
			  GO_SEND(longs, 1), GO_SEND(pointers, nullptr), GO_SEND(pointers, NULL))) {
	case 0:
		return go_tryselect(GO_SEND(a, 1), GO_DEFAULT);
	case 1:
		return go_select(GO_AFTER(GO_SECOND), GO_UNTIL(go_now()), GO_DEFAULT);
	case 2:
		return go_selectv(cases, 5, GO_NOWAIT) + go_select(named, cases[1]);
	default:
		return go_select_until(go_now() + GO_MINUTE, GO_RECV(go_timer_c(nullptr), NULL),
				       GO_DONE(nullptr), GO_DONE(GO_CTX_TODO));
	}
}

static int use_channels(service *s)
{
	go_chan(int) a = go_make(int, 1), b = go_ref(a);
	go_chan(pair) pairs = go_make(pair, 0);
	go_chan(std::array<int, 2>) arrays = nullptr;
	go_chan(go_sender(int)) senders = go_make(go_sender(int), 3);
	go_chan(int *) pointers = go_make(int *, 1);
	go_chan(long) longs = go_make(long, 1);
	int got = 0;

	s->requests = go_send_only(pairs);
	s->replies[0] = go_recv_only(senders);
	go_send(s->requests, pair{1, 2});
	go_send(pairs, {1, 2});
	go_send(arrays, {{1, 2}});
	go_send(pointers, NULL);
	go_send(pointers, nullptr);
	go_send(longs, 1);
	go_send(senders, go_send_only(a));
	if (go_trysend(pairs, {1, 2}) || go_tryrecv(a, &got) || go_recv(b, NULL))
		got += go_send_until(pairs, pair{1, 2}, go_now() + GO_MILLISECOND);
	got += go_recv_until(a, &got, GO_FOREVER);
	go_range(i, a)
		go_range(j, s->replies[0])
			go_send(j, i);
	go_close(a);
	go_unref(b);
	return got + int(go_len(a) + go_cap(s->requests)) +
		select_all(a, pairs, go_recv_only(a), nullptr, longs, pointers);
}

static void by_reference(int &n, const std::string &s, std::unique_ptr<int> &&p)
{
	n = int(s.size()) + *p;
}

static int use_rest()
{
	static go_mutex m = GO_MUTEX_INIT;
	static go_rwmutex rw = GO_RWMUTEX_INIT;
	static go_local l = GO_LOCAL_INIT(nullptr);
	static go_once o = GO_ONCE_INIT;
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_config config = GO_CONFIG_INIT;
	go_attr attr = GO_ATTR_INIT;
	go_stats stats = GO_STATS_INIT;
	go_panic_info info = GO_PANIC_INFO_INIT;
	go_chan(int) c = nullptr;
	int n = 0;

	go_defer_unlock(&m);
	go_defer_rwunlock(&rw);
	go_defer_runlock(&rw);
	go_defer_done(&wg);
	go_defer_close(go_send_only(c));
	go_defer_unref(go_recv_only(c));
	go_defer_close_unref(c);
	go_defer_timer_free(nullptr);
	go_defer_end(nullptr);
	go_defer([](void *x) { ++*static_cast<int *>(x); }, &n);
	GO_WG(&wg, leaf);
	GO_WG(&wg, node, 1, pair{1, 2}, nullptr, nullptr, nullptr);
	GO(by_reference, std::ref(n), "text", std::unique_ptr<int>(new int(1)));
	GO_WG(&wg, [](std::unique_ptr<int> x) { *x = 1; }, std::unique_ptr<int>(new int(1)));
	go_spawn([&n] { n++; });
	go_wg_spawn(&wg, [&n] { n++; });
	go_once_do(&o, [](void *) {}, nullptr);
	config.flags = GO_CFG_IGNORE_SIGPIPE;
	return int(config.size + attr.size + stats.size + info.size + l.go__key + o.go__w[0]);
}

static void *made(void *arg)
{
	return arg;
}

static void destroyed(void *)
{
}

/* Objects of static storage and others, in a struct and alone. */
static struct objects {
	go_mutex m;
	go_rwmutex rw;
	go_waitgroup wg;
	go_once o;
	go_cond c;
	go_sema s;
	go_value v;
	go_group g;
	go_pool p;
	go_local l;
} objects = {
	GO_MUTEX_INIT, GO_RWMUTEX_INIT, GO_WAITGROUP_INIT, GO_ONCE_INIT, GO_COND_INIT, GO_SEMA_INIT(3),
	GO_VALUE_INIT, GO_GROUP_INIT, GO_POOL_INIT(made, destroyed, &objects), GO_LOCAL_INIT(destroyed)
};
static go_cond static_cond = GO_COND_INIT;
static go_sema static_sema = GO_SEMA_INIT(INT64_MAX);
static go_value static_value = GO_VALUE_INIT;
static go_group static_group = GO_GROUP_INIT;
static go_pool static_pool = GO_POOL_INIT(nullptr, nullptr, nullptr);

struct members {
	go_mutex m = GO_MUTEX_INIT;
	go_sema s = GO_SEMA_INIT(1);
	go_group g = GO_GROUP_INIT;
	go_pool p = GO_POOL_INIT([](void *arg) { return arg; }, [](void *) {}, this);
};

static int use_objects(int n, go_ctx *ctx)
{
	go_sema sema = GO_SEMA_INIT(n);
	go_group group = GO_GROUP_INIT;
	go_pool pool = GO_POOL_INIT(made, NULL, &n);
	go_cond cond = GO_COND_INIT;
	go_value value = GO_VALUE_INIT;
	go_receiver(char) done = go_ctx_done(ctx);
	const go_ctx *background = GO_CTX_BACKGROUND;
	members all;

	go_defer_end(ctx);
	go_cond_signal(&cond);
	go_cond_signal(&static_cond);
	if (!go_sema_try_acquire(&sema, n) || !go_sema_try_acquire(&static_sema, n))
		return go_select(GO_RECV(done, nullptr),
				 GO_RECV_OK(go_ctx_done(background), nullptr, nullptr), GO_DONE(ctx),
				 GO_AFTER(GO_MICROSECOND));
	go_pool_put(&pool, go_value_load(&value));
	go_pool_put(&static_pool, go_value_load(&static_value));
	go_pool_put(&all.p, nullptr);
	go_close_unref(go_make(char, 1));
	return go_group_wait(&group) + go_group_wait(&static_group) + go_group_wait(&all.g) +
		go_wg_wait_until(&objects.wg, GO_FOREVER);
}

#if defined GORO_NO_GO
static int go(int go)
{
	return go;
}

static int use_go()
{
	return go(1);
}
#else
static int use_go()
{
	int x = 1, y = 2;

	go(leaf);
	go([x, y] { (void)(x + y); });
	return 0;
}
#endif

#if defined GORO_SHORT_NAMES
static chan(int) shortened()
{
	defer(go__unlock, nullptr);
	return go_make(int, 1);
}
#else
static ints shortened()
{
	int chan = 0, defer = chan;

	return go_make(int, size_t(defer));
}
#endif

int main(int argc, char **)
{
	service s;

	if (argc > 1000)	/* compiled, not run */
		return use_channels(&s) + use_rest() + int(go_len(shortened())) + use_go() +
			use_objects(argc, nullptr);
	return 0;
}
