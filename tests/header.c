/* SPDX-License-Identifier: MIT */
/*
 * header.c - the public header alone, as C.
 *
 * It is included first and without company, must compile without a warning under every standard
 * from C11 on (reject.sh tries them all, with each switch), and what it declares must be there to
 * link with.
 */
#include "goro.h"

_Static_assert(GORO_VERSION_MAJOR >= 0 && GORO_VERSION_MINOR >= 0 && GORO_VERSION_PATCH >= 0,
	       "a version has three numbers");
_Static_assert(GO_HOUR == INT64_C(3600000000000), "times are in nanoseconds");
_Static_assert(GO_NOWAIT < GO_NANOSECOND && GO_FOREVER > GO_HOUR, "deadlines are ordered");

/* Names that a program may well use for itself, and of which no macro may therefore speak. */
#define N 100
#define T int
#define c d
#define p q
#define v w
#define fn function
#define chan_ chan

struct one { int only; };
struct pair { int x, y; };
typedef go_chan(int) ints;
struct service {
	go_sender(struct pair) requests;
	go_receiver(go_sender(int)) replies[2];
};

static void leaf(void);
static void node(int depth, struct pair at, struct one *out, ints to, void (*then)(int, int));
GO_TASK(leaf);
GO_TASK(node, int, struct pair, struct one *, go_chan(int), void (*)(int, int));

static void leaf(void)
{
}

static void node(int depth, struct pair at, struct one *out, ints to, void (*then)(int, int))
{
	go_defer(go__unlock, NULL); go_defer(go__wg_done, NULL);
	if (depth == 0) {
		go_send(to, at.x + out->only);
		then(at.x, at.y);
		return;
	}
	GO(node, depth - 1, (struct pair){at.x, at.y + 1}, out, to, then);
	GO(node, depth - 1, at, NULL, to, NULL);
	GO(leaf);
}

static int select_all(ints a, go_chan(struct pair) b, go_receiver(int) in,
		      go_sender(struct one) out)
{
	int x;
	bool ok;
	struct one single = {1};
	const ints fixed = a;

	switch (go_select(GO_RECV(fixed, &x), GO_SEND(b, (struct pair){1, 2}), GO_RECV(in, NULL),
			  GO_RECV_OK(in, &x, &ok), GO_SEND(out, single), GO_SEND(a, 'c'))) {
	case 0:
		return go_tryselect(GO_SEND(a, 1), GO_DEFAULT);
	case 1:
		return go_select(GO_AFTER(GO_SECOND), GO_UNTIL(go_now()), GO_DEFAULT);
	default:
		return go_select_until(go_now() + GO_MINUTE, GO_RECV(go_timer_c(NULL), NULL),
				       GO_DONE(NULL), GO_DONE(GO_CTX_TODO));
	}
}

static int use_channels(struct service *s)
{
	ints a = go_make(int, 1), b = go_ref(a);
	go_chan(struct pair) pairs = go_make(struct pair, 0);
	go_chan(go_sender(int)) senders = go_make(go_sender(int), 3);
	int got = 0;

	s->requests = go_send_only(pairs);
	s->replies[0] = go_recv_only(senders);
	go_send(s->requests, (struct pair){1, 2});
	go_send(senders, go_send_only(a));
	if (go_trysend(pairs, (struct pair){1, 2}) || go_tryrecv(a, &got) || go_recv(b, NULL))
		got += go_send_until(pairs, (struct pair){1, 2}, go_now() + GO_MILLISECOND);
	got += go_recv_until(a, &got, GO_FOREVER);
	go_range(i, a)
		go_range(j, s->replies[0])
			go_send(j, i);
	go_close(a);
	go_unref(b);
	return got + (int)(go_len(a) + go_cap(s->requests)) +
		select_all(a, pairs, go_recv_only(a), NULL);
}

static int use_rest(void)
{
	static go_mutex m = GO_MUTEX_INIT;
	static go_rwmutex rw = GO_RWMUTEX_INIT;
	static go_local l = GO_LOCAL_INIT(NULL);
	static go_once o = GO_ONCE_INIT;
	go_waitgroup wg = GO_WAITGROUP_INIT;
	go_config config = GO_CONFIG_INIT;
	go_attr attr = GO_ATTR_INIT;
	go_stats stats = GO_STATS_INIT;
	go_panic_info info = GO_PANIC_INFO_INIT;
	go_chan(int) c = NULL;

	go_defer_unlock(&m);
	go_defer_rwunlock(&rw);
	go_defer_runlock(&rw);
	go_defer_done(&wg);
	go_defer_close(go_send_only(c));
	go_defer_unref(go_recv_only(c));
	go_defer_close_unref(c);
	go_defer_timer_free(NULL);
	go_defer_end(NULL);
	GO_WG(&wg, leaf);
	GO_WG(&wg, node, 1, (struct pair){1, 2}, NULL, NULL, NULL);
	config.flags = GO_CFG_IGNORE_SIGPIPE;
	return (int)(config.size + attr.size + stats.size + info.size + l.go__key + o.go__w[0]);
}

static void *made(void *arg)
{
	return arg;
}

static void destroyed(void *value)
{
	(void)value;
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
static go_pool static_pool = GO_POOL_INIT(NULL, NULL, NULL);

static int use_objects(int n, go_ctx *ctx)
{
	go_sema sema = GO_SEMA_INIT(n);
	go_group group = GO_GROUP_INIT;
	go_pool pool = GO_POOL_INIT(made, NULL, &n);
	go_cond cond = GO_COND_INIT;
	go_value value = GO_VALUE_INIT;
	go_receiver(char) done = go_ctx_done(ctx);
	const go_ctx *background = GO_CTX_BACKGROUND;

	go_defer_end(ctx);
	go_cond_signal(&cond);
	go_cond_signal(&static_cond);
	if (!go_sema_try_acquire(&sema, n) || !go_sema_try_acquire(&static_sema, n))
		return go_select(GO_RECV(done, NULL), GO_RECV_OK(go_ctx_done(background), NULL, NULL),
				 GO_DONE(ctx), GO_AFTER(GO_MICROSECOND));
	go_pool_put(&pool, go_value_load(&value));
	go_pool_put(&static_pool, go_value_load(&static_value));
	go_close_unref(go_make(char, 1));
	return go_group_wait(&group) + go_group_wait(&static_group) +
		go_wg_wait_until(&objects.wg, GO_FOREVER);
}

#if defined GORO_NO_GO
static int go(int go)
{
	return go;
}

static int use_go(void)
{
	return go(1);
}
#else
static int use_go(void)
{
	go(leaf);
	go(node, 1, (struct pair){1, 2}, NULL, NULL, NULL);
	return 0;
}
#endif

#if defined GORO_SHORT_NAMES
static chan(int) shortened(void)
{
	defer(go__unlock, NULL);
	return go_make(int, 1);
}
#else
static ints shortened(void)
{
	int chan = 0, defer = chan;

	return go_make(int, (size_t)defer);
}
#endif

typedef void function_type(void);
static function_type *const exported[] = {
	(function_type *)go_init, (function_type *)go_main, (function_type *)go_run,
	(function_type *)go_procs, (function_type *)go_cpus, (function_type *)go_count,
	(function_type *)go_version, (function_type *)go_running,
	(function_type *)go_spawn, (function_type *)go_try_spawn, (function_type *)go_spawn_copy,
	(function_type *)go_spawn_with, (function_type *)go_exit, (function_type *)go_yield,
	(function_type *)go_checkpoint, (function_type *)go_sleep, (function_type *)go_sleep_until,
	(function_type *)go_now, (function_type *)go_id, (function_type *)go_set_name,
	(function_type *)go_name, (function_type *)go_local_get, (function_type *)go_local_set,
	(function_type *)go_lock_thread, (function_type *)go_unlock_thread,
	(function_type *)go_block_begin, (function_type *)go_block_end,
	(function_type *)go_blocking,
	(function_type *)go_chan_make, (function_type *)go_chan_ref, (function_type *)go_chan_unref,
	(function_type *)go_chan_send, (function_type *)go_chan_recv,
	(function_type *)go_chan_send_until, (function_type *)go_chan_recv_until,
	(function_type *)go_chan_close, (function_type *)go_chan_close_unref, (function_type *)go_chan_len, (function_type *)go_chan_cap,
	(function_type *)go_selectv,
	(function_type *)go_mutex_lock, (function_type *)go_mutex_trylock,
	(function_type *)go_mutex_lock_until, (function_type *)go_mutex_unlock,
	(function_type *)go_rwmutex_lock, (function_type *)go_rwmutex_rlock,
	(function_type *)go_rwmutex_trylock, (function_type *)go_rwmutex_tryrlock,
	(function_type *)go_rwmutex_lock_until, (function_type *)go_rwmutex_rlock_until,
	(function_type *)go_rwmutex_unlock, (function_type *)go_rwmutex_runlock,
	(function_type *)go_wg_add, (function_type *)go_wg_done, (function_type *)go_wg_wait,
	(function_type *)go_wg_wait_until, (function_type *)go_wg_spawn,
	(function_type *)go_wg_spawn_copy, (function_type *)go_once_do,
	(function_type *)go_once_value,
	(function_type *)go_cond_wait, (function_type *)go_cond_wait_until,
	(function_type *)go_cond_signal, (function_type *)go_cond_broadcast,
	(function_type *)go_sema_acquire, (function_type *)go_sema_try_acquire,
	(function_type *)go_sema_acquire_until, (function_type *)go_sema_release,
	(function_type *)go_value_load, (function_type *)go_value_release,
	(function_type *)go_value_store, (function_type *)go_value_clear,
	(function_type *)go_timer_new, (function_type *)go_ticker_new,
	(function_type *)go_after_func, (function_type *)go_timer_chan,
	(function_type *)go_timer_stop, (function_type *)go_timer_reset,
	(function_type *)go_timer_free,
	(function_type *)go_ctx_with_cancel, (function_type *)go_ctx_with_deadline,
	(function_type *)go_ctx_with_timeout, (function_type *)go_ctx_with_value,
	(function_type *)go_ctx_without_cancel, (function_type *)go_ctx_cancel,
	(function_type *)go_ctx_cancel_cause, (function_type *)go_ctx_ref,
	(function_type *)go_ctx_unref, (function_type *)go_ctx_end, (function_type *)go_ctx_err,
	(function_type *)go_ctx_strerror, (function_type *)go_ctx_cause,
	(function_type *)go_ctx_deadline, (function_type *)go_ctx_value,
	(function_type *)go_ctx_done_chan, (function_type *)go_ctx_after_func,
	(function_type *)go_ctx_stop_func, (function_type *)go_ctx_bind,
	(function_type *)go_ctx_current,
	(function_type *)go_group_ctx, (function_type *)go_group_limit,
	(function_type *)go_group_spawn, (function_type *)go_group_try_spawn,
	(function_type *)go_group_wait,
	(function_type *)go_pool_get, (function_type *)go_pool_put, (function_type *)go_pool_drain,
	(function_type *)go_map_new, (function_type *)go_map_free, (function_type *)go_map_load,
	(function_type *)go_map_with, (function_type *)go_map_store, (function_type *)go_map_swap,
	(function_type *)go_map_load_or_store, (function_type *)go_map_delete,
	(function_type *)go_map_load_and_delete, (function_type *)go_map_compare_and_swap,
	(function_type *)go_map_compare_and_delete, (function_type *)go_map_range,
	(function_type *)go_map_len,
	(function_type *)go_panic, (function_type *)go_try, (function_type *)go__select,
	(function_type *)go__defer_push, (function_type *)go__defer_pop, (function_type *)go__unlock,
	(function_type *)go__rwunlock, (function_type *)go__runlock, (function_type *)go__wg_done,
	(function_type *)go__ctx_end, (function_type *)go__close, (function_type *)go__unref,
	(function_type *)go__close_unref, (function_type *)go__timer_free,
	(function_type *)go_stats_read, (function_type *)go_dump,
};

int main(int argc, char **argv)
{
	struct service s;

	(void)argv;
	for (size_t i = 0; i < sizeof exported / sizeof exported[0]; i++)
		if (exported[i] == NULL)
			return 1;
	if (argc > 1000)	/* compiled, not run */
		return use_channels(&s) + use_rest() + (int)go_len(shortened()) + use_go() +
			use_objects(argc, NULL);
	return 0;
}
