/* SPDX-License-Identifier: MIT */
/*
 * goro.h - Go-style concurrency for C and C++: goroutines, channels, select, contexts.
 *
 *	static void square(go_receiver(int) in, go_sender(int) out)
 *	{
 *		go_range(v, in)
 *			go_send(out, v * v);
 *		go_close(out);
 *	}
 *	GO_TASK(square, go_receiver(int), go_sender(int));
 *
 *	go(square, go_recv_only(a), go_send_only(b));
 *
 * What holds everywhere is said here once; the comments below give the exceptions.
 *
 * Names.    Public are go_x and GO_X, and the one word go(...), which GORO_NO_GO turns off.
 *           go__x and GO__X are plumbing and may change.  Every macro ends in a function of
 *           the library, so other languages can call it all.
 * Callers.  Any goroutine and any thread may call any function, at the same time as others,
 *           on the same object.  "Blocks" means that the goroutine waits and its thread runs
 *           another; a thread that is not running a goroutine waits as a thread.  What does
 *           not say "blocks" returns without waiting for anybody.
 * Errors.   0, or a count, on success; a negative errno value on failure.  errno itself is
 *           never set: a goroutine may resume on another thread, and compilers keep &errno.
 * Misuse.   "Panics" is a bug of the caller's that go_try can stop; "fatal" is one that it
 *           cannot.  Either prints what Go prints and exits with status 2, or aborts for a
 *           core dump under GORO_TRACEBACK=crash.  So does a lack of memory, unless -ENOMEM
 *           is listed.
 * Time.     int64_t nanoseconds.  A duration is relative.  A deadline is a go_now() value:
 *           GO_FOREVER is never, any past one means "do not wait"; what can be done at once
 *           is done even then.  Every _until function that blocks may also return -ECANCELED
 *           or -ETIMEDOUT because of a context that its caller is bound to (go_ctx_bind).
 * Memory.   What was written before a send, close, unlock, done or spawn is seen by whoever
 *           receives, locks, waits or starts after it (go.dev/ref/mem).
 * Origin.   "Go: x" names what a function is modelled on; see pkg.go.dev, or go.dev/ref/spec
 *           where it says spec.
 */
#ifndef GORO_H
#define GORO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined __GNUC__
#error "goro needs GCC or Clang"
#endif

#define GORO_VERSION_MAJOR 0
#define GORO_VERSION_MINOR 1
#define GORO_VERSION_PATCH 0

/* Called through the table of addresses at once, without a stub: a nanosecond for each call. */
#if defined __has_attribute
#if __has_attribute(__noplt__)
#define GO__NOPLT       , __noplt__
#endif
#endif
#if !defined GO__NOPLT
#define GO__NOPLT
#endif

#define GO_API          __attribute__((visibility("default") GO__NOPLT))
#define GO_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GO_NORETURN     __attribute__((noreturn))
#define GO_MUST_CHECK   __attribute__((warn_unused_result))

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*go_fn)(void *);

#define GO_NANOSECOND  INT64_C(1)
#define GO_MICROSECOND INT64_C(1000)
#define GO_MILLISECOND INT64_C(1000000)
#define GO_SECOND      INT64_C(1000000000)
#define GO_MINUTE      (60 * GO_SECOND)
#define GO_HOUR        (60 * GO_MINUTE)
#define GO_FOREVER     INT64_MAX
#define GO_NOWAIT      INT64_C(0)

/* --- Runtime --------------------------------------------------------------------------- */
/*
 * The runtime starts by itself at the first call that needs it, from whatever thread, and
 * lives until the process ends.  Up to go_procs() goroutines run at a time, each on a thread
 * of the runtime's.  After fork() the child may only exec or _exit.
 */

enum {
	GO_CFG_IGNORE_SIGPIPE = 1 << 2	/* writing to a closed pipe gives EPIPE; go_main sets it */
};

typedef struct go_config {
	size_t   size;		/* sizeof(go_config), so that the struct can grow */
	uint32_t flags;		/* GO_CFG_* */
	int32_t  procs;		/* 0: $GORO_PROCS, else $GOMAXPROCS, else go_cpus() */
	int32_t  max_threads;	/* 0: 10000 */
	int32_t  reserved;	/* 0 */
	size_t   stack_size;	/* bytes a goroutine can use; 0: 256 KiB less a guard */
} go_config;
#define GO_CONFIG_INIT {sizeof(go_config), 0, 0, 0, 0, 0}

/*
 * Configures the runtime; optional, and only before anything has started it.  Its flags add to
 * go_main's.  0, -EALREADY if the runtime runs, -EINVAL for a field out of range.
 */
GO_API int go_init(const go_config *cfg) GO_MUST_CHECK;

/*
 * Runs fn as goroutine 1 on a stack as large as main's, and ends the process with its result
 * when it returns, whatever else is running.  From the thread of main, once.  Go: func main.
 */
GO_API int go_main(int (*fn)(int, char **), int argc, char **argv);
#define GO_MAIN(fn) int main(int argc, char **argv) { return go_main(fn, argc, argv); }

/* Runs fn(arg) as a goroutine and blocks until it returns: its result.  What it started goes on. */
GO_API int go_run(int (*fn)(void *), void *arg);

/*
 * Sets how many goroutines may run at the same time, unless n <= 0; returns what it was.
 * Go: runtime.GOMAXPROCS.
 */
GO_API int go_procs(int n);

/* CPUs this process may use, by affinity mask and cgroup quota, at least 1.  Go: runtime.NumCPU. */
GO_API int go_cpus(void);

/*
 * Goroutines that have been started and have not ended.  One that was the last to call go_wg_done
 * may still be among them for a moment.  Go: runtime.NumGoroutine.
 */
GO_API int go_count(void);

/* "major.minor.patch" of the library, which may be newer than this header. */
GO_API const char *go_version(void);

/* Is the caller a goroutine, rather than a thread of its own? */
GO_API bool go_running(void);

/* --- Goroutines ------------------------------------------------------------------------ */
/*
 * A goroutine has an address-space reservation as its stack, of which only touched pages use
 * memory; running over its end is fatal and says so.  A call of goro may return on another
 * thread than it was made on: do not keep the address of a thread-local variable, such as
 * errno, across one.
 */

/* Starts fn(arg) in a goroutine.  A NULL fn is fatal.  Go: spec, Go statements. */
GO_API void go_spawn(go_fn fn, void *arg);

/* The same, but 0, -ENOMEM, or -EAGAIN when the kernel refuses a thread or a mapping. */
GO_API int go_try_spawn(go_fn fn, void *arg) GO_MUST_CHECK;

/* Starts fn in a goroutine with a copy of args, 16-byte aligned, which lives as long as fn runs. */
GO_API void go_spawn_copy(go_fn fn, const void *args, size_t size);

typedef struct go_attr {
	size_t      size;	/* sizeof(go_attr) */
	size_t      stack_size;	/* bytes that fn can use; 0: the default */
	const char *name;	/* copied; NULL: none */
} go_attr;
#define GO_ATTR_INIT {sizeof(go_attr), 0, NULL}

/* go_try_spawn with attributes, NULL for the defaults; -EINVAL for a field out of range. */
GO_API int go_spawn_with(const go_attr *attr, go_fn fn, void *arg) GO_MUST_CHECK;

/*
 * Runs the deferred calls and ends the goroutine; go_try does not stop it.  If it is main, the
 * others go on.  Panics on a thread that is not running a goroutine.  Go: runtime.Goexit.
 */
GO_API GO_NORETURN void go_exit(void);

/* Lets others run first.  Go: runtime.Gosched. */
GO_API void go_yield(void);

/* For long loops: yields if others have waited too long; otherwise costs about a nanosecond. */
GO_API void go_checkpoint(void);

/* Both block: for at least ns, until the deadline; not at all if that is past.  Go: time.Sleep. */
GO_API void go_sleep(int64_t ns);
GO_API void go_sleep_until(int64_t deadline);

/* Monotonic time in nanoseconds, always positive; its origin means nothing. */
GO_API int64_t go_now(void);

/* The goroutine's number: go_main's is 1, none is used again.  0 if the caller is no goroutine. */
GO_API uint64_t go_id(void);

/* The caller's name in dumps and reports, formatted as by printf; long ones are cut. */
GO_API void go_set_name(const char *fmt, ...) GO_PRINTF(1, 2);

/* The caller's name, "" if it has none; good until the caller sets another. */
GO_API const char *go_name(void);

/*
 * A variable of which each goroutine, and each other thread, has its own value.  Valid when
 * zeroed, must live for ever.  destroy, if any, is called for a value when another replaces
 * it and when its goroutine or thread ends.
 */
typedef struct go_local {
	uintptr_t go__key;
	void    (*destroy)(void *);
} go_local;
#define GO_LOCAL_INIT(destroy) {0, (destroy)}

/* The caller's value, NULL before the first go_local_set. */
GO_API void *go_local_get(const go_local *key);
GO_API void  go_local_set(go_local *key, void *value);

/*
 * Pins the goroutine to its thread, and the thread to it, until as many unlocks; a surplus
 * unlock does nothing.  For libraries with thread-local state.  Go: runtime.LockOSThread.
 */
GO_API void go_lock_thread(void);
GO_API void go_unlock_thread(void);

/*
 * Around code that may keep its thread waiting where goro cannot see it (getaddrinfo, flock, a
 * slow disk): others get their turn at once instead of when the monitor notices.  Nothing in
 * between may block in goro.  They do not nest.  go_block_end blocks until it is this
 * goroutine's turn.
 */
GO_API void go_block_begin(void);
GO_API void go_block_end(void);

/*
 * go_block_begin, fn(arg), go_block_end, and fn's result.  fn runs on the thread's own stack, so
 * it may need any depth; a call in it that would block in goro panics.
 */
GO_API void *go_blocking(void *(*fn)(void *), void *arg);

/*
 * GO_TASK(f, T1, T2); after a declaration of void f(T1, T2) lets GO(f, a, b) start it in a
 * goroutine.  a and b are checked and converted as in a call, then copied to the new stack:
 * nothing to allocate, free or keep alive.  A task that starts itself has its prototype,
 * GO_TASK and body in this order.  Up to six parameters, 512 bytes in all.  If the compiler
 * knows no go__entry_f, then GO_TASK(f, ...) is missing.  Go: spec, Go statements.
 */
#define GO(...) GO__CAT(GO__GO, GO__MANY(__VA_ARGS__))(__VA_ARGS__)
#define GO_TASK(...) GO__CAT(GO__TASK, GO__MANY(__VA_ARGS__))(__VA_ARGS__)

/* --- Untyped channels ------------------------------------------------------------------ */
/*
 * What the typed channels further down are made of, and what to call from other languages.
 * Elements are copied as bytes.  Channels are counted: whoever outlives the creator has its
 * own reference, and gives it back when it has returned from its last call.  But who receives
 * what another's last call sends, or learns by it that the channel is closed, may drop the last
 * one at once, whether or not that call has returned.  A NULL channel is Go's nil channel:
 * sending and receiving wait for ever.  Go: spec, Channel types.
 */

typedef struct go_ch go_ch;

/*
 * A channel with one reference and room for cap elements; 0: sender and receiver meet.  Panics
 * if they cannot fit into memory.  Go: make.
 */
GO_API go_ch *go_chan_make(size_t elem_size, size_t cap);

/* One more reference; returns c.  NULL is allowed. */
GO_API go_ch *go_chan_ref(go_ch *c);

/* One less; the last one frees it, and panics if somebody is waiting on it.  NULL is allowed. */
GO_API void go_chan_unref(go_ch *c);

/*
 * Blocks until *elem is received or has room.  Panics if c is closed, be it while waiting.  Go:
 * spec, Send statements.
 */
GO_API void go_chan_send(go_ch *c, const void *elem);

/*
 * Blocks until there is an element and moves it to *elem, or drops it if elem is NULL.  false:
 * closed and drained, *elem is zeroed.  Go: spec, Receive operator.
 */
GO_API bool go_chan_recv(go_ch *c, void *elem);

/*
 * Both block until the deadline at most.  0, -ETIMEDOUT, or -EPIPE if closed, for receivers and
 * drained; on failure *elem is not touched.
 */
GO_API int go_chan_send_until(go_ch *c, const void *elem, int64_t deadline) GO_MUST_CHECK;
GO_API int go_chan_recv_until(go_ch *c, void *elem, int64_t deadline) GO_MUST_CHECK;

/* Ends it: receivers get what is buffered, then false.  Panics if NULL or closed.  Go: close. */
GO_API void go_chan_close(go_ch *c);

/* go_chan_close and go_chan_unref, for the last sender's last act.  If the first panics, only that. */
GO_API void go_chan_close_unref(go_ch *c);

/* Elements in the buffer at some moment of the call, and its size; 0 for NULL.  Go: len, cap. */
GO_API size_t go_chan_len(const go_ch *c);
GO_API size_t go_chan_cap(const go_ch *c);

enum {
	GO_OP_RECV    = 1,
	GO_OP_SEND    = 2,
	GO_OP_DEFAULT = 3,
	GO_OP_AFTER   = 4,
	GO_OP_UNTIL   = 5
};

typedef struct go_case {
	go_ch  *chan;		/* RECV, SEND; NULL: never ready */
	void   *elem;		/* RECV: may be NULL; SEND */
	bool   *ok;		/* RECV: may be NULL; true: a value; false: closed and drained */
	int64_t arg;		/* AFTER: duration; UNTIL: deadline */
	int32_t op;		/* GO_OP_* */
	int32_t reserved;	/* 0 */
} go_case;

/*
 * Blocks until one of n cases can go on, does that one and returns its index; among several it
 * chooses at random, evenly.  Past the deadline: -ETIMEDOUT.  GO_OP_AFTER, GO_OP_UNTIL and
 * GO_OP_DEFAULT are chosen only when no channel is ready.  Panics if it chooses to send on a
 * closed channel.  The array is not changed; no case and no deadline wait for ever.  Go: spec,
 * Select statements.
 */
GO_API int go_selectv(go_case *cases, int n, int64_t deadline);
GO_API int go__select(go_case *cases, int n);	/* for ever, whatever the bound context says */

/* --- Synchronisation ------------------------------------------------------------------- */
/*
 * Plain words: valid when zeroed, nothing to destroy, waiters are kept elsewhere.  They must
 * not be moved or copied while in use, and work between goroutines and threads alike.
 *
 * GORO_DEBUG=locks=1 in the environment makes a mutex that its own holder locks again, which
 * would wait for ever, fatal, and tells on stderr what a goroutine or thread still held when it
 * ended.  Both say where it was locked.  Debug builds of the library warn of either by
 * themselves; locks=0 turns that off.
 */

typedef struct go_mutex     { uint32_t go__w[2]; } go_mutex;
typedef struct go_rwmutex   { uint32_t go__w[6]; } go_rwmutex;
typedef struct go_waitgroup { uint64_t go__w[2]; } go_waitgroup;
typedef struct go_once      { uint32_t go__w[4]; } go_once;
typedef struct go_cond      { uint32_t go__w[4]; } go_cond;
typedef struct go_sema      { int64_t  go__w[4]; } go_sema;
typedef struct go_value     { uint64_t go__w[4]; } go_value;
#define GO_MUTEX_INIT     {{0, 0}}
#define GO_RWMUTEX_INIT   {{0, 0, 0, 0, 0, 0}}
#define GO_WAITGROUP_INIT {{0, 0}}
#define GO_ONCE_INIT      {{0, 0, 0, 0}}
#define GO_COND_INIT      {{0, 0, 0, 0}}
#define GO_SEMA_INIT(n)   {{(n), 0, 0, 0}}
#define GO_VALUE_INIT     {{0, 0, 0, 0}}

/* Blocks until it is the caller's.  Not recursive; who waits is not starved.  Go: sync.Mutex. */
GO_API void go_mutex_lock(go_mutex *m);

/* true if it is the caller's now. */
GO_API bool go_mutex_trylock(go_mutex *m) GO_MUST_CHECK;

/* Blocks until the deadline at most: 0 or -ETIMEDOUT. */
GO_API int go_mutex_lock_until(go_mutex *m, int64_t deadline) GO_MUST_CHECK;

/* Any goroutine may unlock, not only the one that locked.  Fatal if it is not locked. */
GO_API void go_mutex_unlock(go_mutex *m);

/*
 * Both block: the first until the caller has it alone, the second until the caller has it together
 * with other readers.  A waiting writer keeps new readers out; they get in after it, before
 * the next writer.  So nobody is starved, and a reader must not ask again while it has it: with
 * a writer in between, it waits for ever.  Go: sync.RWMutex.
 */
GO_API void go_rwmutex_lock(go_rwmutex *rw);
GO_API void go_rwmutex_rlock(go_rwmutex *rw);

/* true if it is the caller's now.  Readers fail if a writer waits. */
GO_API bool go_rwmutex_trylock(go_rwmutex *rw) GO_MUST_CHECK;
GO_API bool go_rwmutex_tryrlock(go_rwmutex *rw) GO_MUST_CHECK;

/* Both block until the deadline at most: 0 or -ETIMEDOUT.  Who gives up is in nobody's way. */
GO_API int go_rwmutex_lock_until(go_rwmutex *rw, int64_t deadline) GO_MUST_CHECK;
GO_API int go_rwmutex_rlock_until(go_rwmutex *rw, int64_t deadline) GO_MUST_CHECK;

/* What lock and rlock have taken; any goroutine may do so.  Fatal if it is not locked thus. */
GO_API void go_rwmutex_unlock(go_rwmutex *rw);
GO_API void go_rwmutex_runlock(go_rwmutex *rw);

/*
 * Adds delta to the number of things to be done; call it before they are started.  Panics if the
 * number goes below 0 or above INT_MAX.  Go: sync.WaitGroup.
 */
GO_API void go_wg_add(go_waitgroup *wg, int delta);

/* go_wg_add(wg, -1).  *wg may be freed as soon as go_wg_wait has returned. */
GO_API void go_wg_done(go_waitgroup *wg);

/* Both block until nothing is left to be done; the second until the deadline: 0 or -ETIMEDOUT. */
GO_API void go_wg_wait(go_waitgroup *wg);
GO_API int  go_wg_wait_until(go_waitgroup *wg, int64_t deadline) GO_MUST_CHECK;

/* go_wg_add(wg, 1), go_spawn or go_spawn_copy, and go_wg_done at fn's end.  Go: WaitGroup.Go. */
GO_API void go_wg_spawn(go_waitgroup *wg, go_fn fn, void *arg);
GO_API void go_wg_spawn_copy(go_waitgroup *wg, go_fn fn, const void *args, size_t size);

/* GO_WG(wg, f, a, b): the same for a GO_TASK. */
#define GO_WG(wg, ...) GO__CAT(GO__WG, GO__MANY(__VA_ARGS__))(wg, __VA_ARGS__)

/*
 * Calls fn(arg) unless some call on *o has before.  Blocks until that one has returned, so fn
 * must not use *o.  An fn that panics has run, and so has one that a C++ exception leaves.  Go:
 * sync.Once.
 */
GO_API void go_once_do(go_once *o, go_fn fn, void *arg);

/* *slot = fn(arg), the first time; returns *slot.  Blocks as go_once_do.  Go: sync.OnceValue. */
GO_API void *go_once_value(go_once *o, void **slot, void *(*fn)(void *), void *arg);

/*
 * Unlocks *m, blocks until a signal or broadcast comes, and locks *m again: that blocks, too.  Look
 * at the condition in a loop, it may have changed meanwhile.  A *c that was copied after its first
 * use panics, here and below.  Go: sync.Cond.
 */
GO_API void go_cond_wait(go_cond *c, go_mutex *m);

/* The same until the deadline: 0, or -ETIMEDOUT and no signal is lost.  *m is locked either way. */
GO_API int go_cond_wait_until(go_cond *c, go_mutex *m, int64_t deadline) GO_MUST_CHECK;

/* Wakes who has waited longest, or all who wait.  *m may be locked or not. */
GO_API void go_cond_signal(go_cond *c);
GO_API void go_cond_broadcast(go_cond *c);

/*
 * A semaphore has a number of units: GO_SEMA_INIT(n), 0 when zeroed.  Blocks until n are the
 * caller's.  In order of arrival: who asks for much is not overtaken by those who ask for little.
 * n may be 0; a negative one panics, here and below.  Go: semaphore.Weighted (x/sync).
 */
GO_API void go_sema_acquire(go_sema *s, int64_t n);

/* true if n units are the caller's now: there are as many, and nobody waits. */
GO_API bool go_sema_try_acquire(go_sema *s, int64_t n) GO_MUST_CHECK;

/* Blocks until the deadline at most: 0 or -ETIMEDOUT.  Those behind the caller can go on then. */
GO_API int go_sema_acquire_until(go_sema *s, int64_t n, int64_t deadline) GO_MUST_CHECK;

/*
 * Gives n units, which need not have been acquired: any goroutine may.  Panics if there were more
 * than INT64_MAX.
 */
GO_API void go_sema_release(go_sema *s, int64_t n);

/*
 * A pointer that many read and few replace.  The object last stored, NULL if none: it stays valid
 * for the caller until he gives it back by go_value_release.  As cheap as a counter, whoever else
 * reads.  Go: atomic.Value.
 */
GO_API void *go_value_load(go_value *v);

/* Panics if obj is seen to be held by nobody.  NULL is allowed. */
GO_API void go_value_release(go_value *v, void *obj);

/*
 * Replaces the object by obj.  destroy, unless it is NULL, is called with obj once it has been
 * replaced and its last reader has released it, by whoever is the last.  Who stores an object
 * again before that has both calls come then.  Panics if obj is NULL, or wider than 48 bits.
 */
GO_API void go_value_store(go_value *v, void *obj, void (*destroy)(void *));

/* As go_value_store, but there is no object then.  *v may be freed when no reader holds any. */
GO_API void go_value_clear(go_value *v);

/* --- Timers ---------------------------------------------------------------------------- */
/*
 * For a mere time limit use an _until function or GO_AFTER, which need no object.  A timer's
 * channel carries int64_t, the go_now() of the event; it belongs to the timer and lives as long.
 * A value waits there until it is received, or stop or reset take it away, though go_chan_len and
 * go_chan_cap are 0.  Go: 1.23.
 */

typedef struct go_timer go_timer;

/* Sends once, after ns; at once if ns <= 0.  Go: time.NewTimer. */
GO_API go_timer *go_timer_new(int64_t ns);

/* Sends every ns; a slow receiver misses ticks.  Panics if ns <= 0.  Go: time.NewTicker. */
GO_API go_timer *go_ticker_new(int64_t ns);

/* Starts fn(arg) in a goroutine after ns.  Go: time.AfterFunc. */
GO_API go_timer *go_after_func(int64_t ns, go_fn fn, void *arg);

/* Its channel; NULL for one of go_after_func.  go_timer_c(t) is the typed form. */
GO_API go_ch *go_timer_chan(go_timer *t);

/*
 * Stops it; nothing sent before is received afterwards.  true if it was active: it had not fired,
 * or its value had not been received, or it is a ticker.  Go 1.23: Timer.Stop.
 */
GO_API bool go_timer_stop(go_timer *t);

/*
 * go_timer_stop and its result, and starts the timer again with ns, a ticker's new period.
 * Panics for a ticker if ns <= 0.  Go 1.23: Timer.Reset.
 */
GO_API bool go_timer_reset(go_timer *t, int64_t ns);

/*
 * Stops and frees it, when nobody else is in a call on it; the timer's own function may do so.  NULL
 * is allowed.
 */
GO_API void go_timer_free(go_timer *t);

/* --- Contexts -------------------------------------------------------------------------- */
/*
 * A context tells goroutines that what they do is not wanted any more, and carries values to
 * them.  Contexts form a tree: one is done when it is cancelled, when its deadline has passed,
 * or when its parent is done, and stays so.  const go_ctx * is for those who watch, go_ctx * for
 * those who may cancel.  NULL is the background, which is never done.
 *
 *	go_ctx *ctx = go_ctx_with_timeout(parent, GO_SECOND);
 *	go_defer_end(ctx);
 *	...
 *	switch (go_select(GO_RECV(c, &v), GO_DONE(ctx))) {
 *	case 1: return go_ctx_err(ctx);
 *
 * Contexts are counted, as channels are: each function with_x returns one with one reference,
 * which itself has one to the parent; who is inside a call on one needs a reference till its end.
 * What was written before a context was cancelled is seen by whoever has learned of that.  Go:
 * context.
 */

typedef struct go_ctx go_ctx;
#define GO_CTX_BACKGROUND ((const go_ctx *)0)
#define GO_CTX_TODO       ((const go_ctx *)0)	/* says that a better one is to come */

/* A child of parent, done at once if that is.  Go: context.WithCancel. */
GO_API go_ctx *go_ctx_with_cancel(const go_ctx *parent);

/*
 * The same, done with -ETIMEDOUT at the deadline, or after ns, if the parent's does not come
 * first; at once if it is past.  Go: context.WithDeadline, WithTimeout.
 */
GO_API go_ctx *go_ctx_with_deadline(const go_ctx *parent, int64_t deadline);
GO_API go_ctx *go_ctx_with_timeout(const go_ctx *parent, int64_t ns);

/*
 * The same, with a value for a key, the address of something; destroy, unless NULL, is called for
 * it with the last reference.  Panics if key is NULL.  Go: context.WithValue.
 */
GO_API go_ctx *go_ctx_with_value(const go_ctx *parent, const void *key, void *value,
				 void (*destroy)(void *));

/* Has the parent's values, but neither its end nor its deadline.  Go: context.WithoutCancel. */
GO_API go_ctx *go_ctx_without_cancel(const go_ctx *parent);

/*
 * Makes it done with -ECANCELED, unless it is, and everything below it, before it returns; what
 * somebody else is just cancelling may take until that call returns.  NULL is allowed.
 */
GO_API void go_ctx_cancel(go_ctx *ctx);

/*
 * The same, and says why: go_ctx_cause gives err, -ECANCELED if that is 0, and a copy of why,
 * which may be NULL.  Go: context.CancelCauseFunc.
 */
GO_API void go_ctx_cancel_cause(go_ctx *ctx, int err, const char *why);

/* One more reference, to keep it beyond the call that passed it; returns ctx.  NULL is allowed. */
GO_API const go_ctx *go_ctx_ref(const go_ctx *ctx);

/* One less; the last one frees it, done or not.  NULL is allowed. */
GO_API void go_ctx_unref(const go_ctx *ctx);

/* go_ctx_cancel and go_ctx_unref, for whoever made it; go_defer_end(ctx) defers it. */
GO_API void go_ctx_end(go_ctx *ctx);

/* 0, or -ECANCELED or -ETIMEDOUT once it is done.  Go: Context.Err. */
GO_API int go_ctx_err(const go_ctx *ctx);

/* The same in words: NULL, "context canceled" or "context deadline exceeded". */
GO_API const char *go_ctx_strerror(const go_ctx *ctx);

/*
 * 0 while it is not done; then the err of the go_ctx_cancel_cause, here or further up, that did
 * it, or what go_ctx_err gives if it was something else.  *why, unless why is NULL, is its text or NULL; it lives as long as ctx.
 * Go: context.Cause.
 */
GO_API int go_ctx_cause(const go_ctx *ctx, const char **why);

/* When it will be done at the latest; GO_FOREVER: who knows.  Go: Context.Deadline. */
GO_API int64_t go_ctx_deadline(const go_ctx *ctx);

/* The nearest value for key, here or further up, or NULL; it lives as long as ctx. */
GO_API void *go_ctx_value(const go_ctx *ctx, const void *key);

/*
 * A channel that is closed when it is done; lives as long as ctx.  NULL for the background.
 * go_ctx_done(ctx) is the typed form, GO_DONE(ctx) a select case.  Go: Context.Done.
 */
GO_API go_ch *go_ctx_done_chan(const go_ctx *ctx);

/*
 * Starts fn(arg) in a goroutine once ctx is done, which may be now; never, if the last reference
 * goes before.  Returns a token for go_ctx_stop_func, 0 if it has started.  Go:
 * context.AfterFunc.
 */
GO_API uint64_t go_ctx_after_func(const go_ctx *ctx, go_fn fn, void *arg);

/*
 * true: fn will not be called, thanks to this call; false: it has been started or stopped.  Always
 * true for the background.
 */
GO_API bool go_ctx_stop_func(const go_ctx *ctx, uint64_t token);

/*
 * Binds the caller, a goroutine or a thread, to ctx until it binds another or ends; NULL: to none,
 * as all begin.  Every _until call that has to wait, and go_selectv, then returns go_ctx_err(ctx)
 * once ctx is done; one that can go on, or is past its deadline, does not care.  Calls that
 * cannot fail are not affected, nor are go_select and go_sleep_until.  Takes a reference; that of the
 * context bound before, which it returns, is the caller's: bind it again and unref it, or only
 * unref it.
 */
GO_API const go_ctx *go_ctx_bind(const go_ctx *ctx);

/* The context that the caller is bound to, NULL if none; good until it binds another. */
GO_API const go_ctx *go_ctx_current(void);

/* --- Groups ---------------------------------------------------------------------------- */
/*
 * Goroutines that work on parts of one task: who waits gets the first result that is not 0, and
 * it can make the others stop.  Valid when zeroed; must not be moved or copied while in use.
 * Members may start others.  Go: errgroup (x/sync).
 */
typedef struct go_group {
	go_waitgroup go__wg;
	go_sema      go__sem;
	go_mutex     go__lock;
	go_ctx      *go__ctx;
	int64_t      go__limit;
	int          go__err;
	uint32_t     go__active;
} go_group;
#define GO_GROUP_INIT {GO_WAITGROUP_INIT, GO_SEMA_INIT(0), GO_MUTEX_INIT, NULL, 0, 0, 0}

/*
 * Gives the group a child of parent, to which members will be bound (go_ctx_bind): it is cancelled
 * with the first result that is not 0 as its cause, or when go_group_wait returns.  Before the
 * first member starts; panics if there is a context already.  The context belongs to the group
 * and goes when go_group_wait returns: go_ctx_ref keeps it.  Go: errgroup.WithContext.
 */
GO_API const go_ctx *go_group_ctx(go_group *g, const go_ctx *parent);

/*
 * At most n members at a time from now on; 0: none, negative: any number, as in the beginning.
 * Panics while there are members.  Go: Group.SetLimit.
 */
GO_API void go_group_limit(go_group *g, int n);

/*
 * Starts fn(arg) as a member.  Blocks while there are as many as the limit allows.  go_exit in a
 * member counts as the result 0.  Go: Group.Go.
 */
GO_API void go_group_spawn(go_group *g, int (*fn)(void *), void *arg);

/* The same, but false at the limit.  Go: Group.TryGo. */
GO_API bool go_group_try_spawn(go_group *g, int (*fn)(void *), void *arg) GO_MUST_CHECK;

/*
 * Blocks until there are no members: the first result that was not 0, or 0.  After that the group
 * can be used again, with its limit and without a context.  As in Go the first result stays that
 * even then; go_group_ctx begins anew.  Go: Group.Wait.
 */
GO_API int go_group_wait(go_group *g);

/* --- Pool ------------------------------------------------------------------------------ */
/*
 * Objects that are costly to make, kept for the next who needs one: put back what you got.
 * Valid when zeroed.  At most 64 are kept for each of go_procs(), and 64 for other threads;
 * what is put beyond that is destroyed at once.  make and destroy may be NULL: nothing is made,
 * what is not kept is forgotten.  Both run in the caller of get, put or drain, may use the pool,
 * and may block; if one panics, what the call had still to do is not done.  Go: sync.Pool.
 */
typedef struct go_pool {
	void   *(*make)(void *arg);
	void    (*destroy)(void *obj);
	void     *arg;
	uintptr_t go__w[5];
} go_pool;
#define GO_POOL_INIT(make, destroy, arg) {(make), (destroy), (arg), {0, 0, 0, 0, 0}}

/*
 * One that was put, preferably on this CPU a moment ago; a thread finds only what threads have put.
 * Else make(arg), or NULL without make.
 */
GO_API void *go_pool_get(go_pool *p);

/* Gives obj to whoever gets it next, or destroys it.  NULL is ignored. */
GO_API void go_pool_put(go_pool *p, void *obj);

/*
 * Destroys all that is kept and gives back the pool's own memory: after that a pool that nobody
 * uses may be freed, and one in use goes on.
 */
GO_API void go_pool_drain(go_pool *p);

/* --- Map ------------------------------------------------------------------------------- */
/*
 * A table from keys, which are bytes and copied, to values, which are pointers, for many users
 * at a time; loading takes no lock.  The table shrinks when keys go.  Go: sync.Map.
 *
 * A value belongs to the map once it is stored.  It is destroyed, by destroy_value unless that is
 * NULL or it is NULL itself, when another replaces it, when it is deleted, or by go_map_free; but
 * not as long as a go_map_with or go_map_range looks at it.  What go_map_load returns has no such
 * protection: it can be used as long as nobody deletes or replaces it.  Functions that hand a
 * value over make it the caller's, even if a go_map_with or go_map_range still looks at it.
 * Storing the value that is there already changes nothing and hands nothing over: it stays the
 * map's, even if *previous names it.
 *
 * destroy_value runs in the caller of whatever got rid of the value, may use the map and may
 * block; if it panics in go_map_free, the rest is not freed.
 */

typedef struct go_map go_map;
GO_API go_map *go_map_new(void (*destroy_value)(void *value));

/* Destroys the values and frees the map, which nobody may be using.  NULL is allowed. */
GO_API void go_map_free(go_map *m);

/* The value of a key, to *value unless value is NULL.  false: there is none, *value is NULL. */
GO_API bool go_map_load(go_map *m, const void *key, size_t len, void **value);

/* Calls fn(value, arg), which may do anything, while the value is protected.  false: no value. */
GO_API bool go_map_with(go_map *m, const void *key, size_t len, void (*fn)(void *value, void *arg),
			void *arg);

/* Sets the value of a key; one that it had is destroyed. */
GO_API void go_map_store(go_map *m, const void *key, size_t len, void *value);

/*
 * Sets the value of a key and hands over the one it had, NULL if none: true if it had one.  If
 * previous is NULL, it is destroyed.
 */
GO_API bool go_map_swap(go_map *m, const void *key, size_t len, void *value, void **previous);

/*
 * true: the key has a value, which goes to *actual; the other stays the caller's.  false: value
 * was stored, and goes to *actual.  actual may be NULL.
 */
GO_API bool go_map_load_or_store(go_map *m, const void *key, size_t len, void *value,
				 void **actual);

/* Deletes a key.  true: it was there; its value is destroyed. */
GO_API bool go_map_delete(go_map *m, const void *key, size_t len);

/* The same, but the value is handed over to *value, NULL if there is none; unless value is NULL. */
GO_API bool go_map_load_and_delete(go_map *m, const void *key, size_t len, void **value);

/* If the value of the key is old, sets it, or deletes the key: true, and old is the caller's. */
GO_API bool go_map_compare_and_swap(go_map *m, const void *key, size_t len, void *old, void *now);
GO_API bool go_map_compare_and_delete(go_map *m, const void *key, size_t len, void *old);

/*
 * Calls fn for one key after another until it returns false.  fn may do anything, change and
 * range over the map included.  A key that is there throughout comes exactly once, one that
 * comes or goes meanwhile at most once.  Key and value are good until fn returns.
 */
GO_API void go_map_range(go_map *m, bool (*fn)(const void *key, size_t len, void *value, void *arg),
			 void *arg);

/* Keys in it; while others change it, of about this moment. */
GO_API size_t go_map_len(go_map *m);

/* --- Defer and panic ------------------------------------------------------------------- */
/*
 * go_defer(fn, arg) calls fn(arg) when the enclosing block is left, in reverse order, by its
 * end, return, break or goto, by a panic or go_exit, or by a C++ exception, for which C has to be
 * compiled with -fexceptions; not by longjmp.  Both are evaluated now.  Deferred calls may block.
 * Go: spec, Defer statements, where the enclosing function counts instead.
 */
#define go_defer(fn, arg) GO__DEFER(GO__CAT(go__d, __COUNTER__), fn, arg)

/* Those wanted most, with their argument checked; for malloc's memory it is go_defer(free, p). */
#define go_defer_unlock(m)      go_defer(go__unlock, GO__PTR(go_mutex, m))
#define go_defer_rwunlock(rw)   go_defer(go__rwunlock, GO__PTR(go_rwmutex, rw))
#define go_defer_runlock(rw)    go_defer(go__runlock, GO__PTR(go_rwmutex, rw))
#define go_defer_done(wg)       go_defer(go__wg_done, GO__PTR(go_waitgroup, wg))
#define go_defer_close(c)       go_defer(go__close, GO__TX(c))
#define go_defer_unref(c)       go_defer(go__unref, GO__ANY(c))
#define go_defer_close_unref(c) go_defer(go__close_unref, GO__TX(c))
#define go_defer_timer_free(t)  go_defer(go__timer_free, GO__PTR(go_timer, t))
#define go_defer_end(ctx)       go_defer(go__ctx_end, GO__PTR(go_ctx, ctx))

/*
 * Runs the goroutine's deferred calls, innermost first, up to the nearest go_try.  Without one
 * it prints "panic: " and the formatted text, the goroutine and its stack, and ends the process
 * as said on top, which main's return does not prevent.  If a deferred call panics, that one
 * goes on in the place of this one and the report has both.  It ends a blocking section that
 * was begun since go_try.  C++ destructors between here and there are not run.  Go: panic.
 */
GO_API GO_NORETURN void go_panic(const char *fmt, ...) GO_PRINTF(1, 2);

typedef struct go_panic_info {
	size_t      size;	/* sizeof(go_panic_info), set by the caller */
	const char *message;	/* good until the next panic caught in this goroutine */
	uint64_t    id;		/* the goroutine's */
	void       *pc[16];	/* where: return addresses, innermost first */
	int         depth;	/* how many of them */
	const void *object;	/* what was misused, the channel say, if the library knows */
} go_panic_info;
#define GO_PANIC_INFO_INIT {sizeof(go_panic_info), NULL, 0, {NULL}, 0, NULL}

/*
 * Calls fn(arg).  true if that returned; false if it panicked, as *info then says unless info is
 * NULL.  Nests.  Blocks if fn does.  A go_exit in fn goes through: if a deferred call panics on
 * its way, go_try stops the panic, the exit goes on, and go_try does not return.  To raise what
 * was caught again: go_panic("%s", info.message).  Go: recover.
 */
GO_API bool go_try(go_fn fn, void *arg, go_panic_info *info);

typedef struct go_deferred {
	go_fn fn;
	void *arg;
	struct go_deferred *go__prev;
} go_deferred;
GO_API go_deferred *go__defer_push(go_deferred *d);	/* *d is the caller's next; returns d */
GO_API void         go__defer_pop(go_deferred *d);	/* takes it off and calls it */
GO_API void         go__unlock(void *mutex);
GO_API void         go__rwunlock(void *rwmutex);
GO_API void         go__runlock(void *rwmutex);
GO_API void         go__wg_done(void *wg);
GO_API void         go__ctx_end(void *ctx);
GO_API void         go__close(void *chan);
GO_API void         go__unref(void *chan);
GO_API void         go__close_unref(void *chan);
GO_API void         go__timer_free(void *timer);
#define GO__DEFER(d, f, a)									\
	go_deferred d __attribute__((__cleanup__(go__defer_pop))) = {(f), (a), NULL},		\
		*GO__CAT(go__at_, d) __attribute__((__unused__)) = go__defer_push(&d)

/* --- Diagnostics ----------------------------------------------------------------------- */

typedef struct go_stats {
	size_t   size;			/* sizeof(go_stats), set by the caller */
	uint64_t goroutines;		/* alive */
	uint64_t created;		/* started so far */
	uint64_t threads;		/* threads of the runtime's */
	uint64_t parked_threads;	/* those of them that sleep */
	uint64_t steals;		/* times that a thread took work from another's queue */
	uint64_t parks;			/* times that a goroutine waited */
	uint64_t handoffs;		/* times that a stuck thread's turn was given to another */
	uint64_t stack_bytes;		/* memory in use for stacks, cached ones included */
	uint64_t timers;		/* sleepers, timers and time limits pending */
} go_stats;
#define GO_STATS_INIT {sizeof(go_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0}

/*
 * Fills in s->size bytes, 0 for what the library does not know; the numbers are of about the same
 * moment.  0, or -EINVAL for a size that cannot be.
 */
GO_API int go_stats_read(go_stats *s);

/*
 * Writes one paragraph per goroutine to fd: number, name, state, what it waits for and since
 * when, who started it, its stack.  May wait for fd as write does.
 */
GO_API void go_dump(int fd);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* --- Typed channels -------------------------------------------------------------------- */
/*
 * go_chan(T) is a handle to a channel of T; go_sender(T) and go_receiver(T) are handles to the
 * same that can only send and close, or only receive.  A handle is one word, NULL being the nil
 * channel; element type and direction are checked by the compiler and cost nothing at run time.
 * Handles need no declaration per type and may be members, parameters, elements of channels.  T
 * is any type that can be copied as bytes, but no array or function.
 *
 *   go_make(T, cap)            go_chan(T) with room for cap        go_chan_make
 *   go_send(c, v)              v is converted to T                 go_chan_send
 *   go_recv(c, p)              bool; p: T *, NULL to drop          go_chan_recv
 *   go_trysend(c, v)           bool: could be done at once?        go_chan_send_until
 *   go_tryrecv(c, p)           bool: could be done at once?        go_chan_recv_until
 *   go_send_until(c, v, t)     0, -ETIMEDOUT, -EPIPE               go_chan_send_until
 *   go_recv_until(c, p, t)     0, -ETIMEDOUT, -EPIPE               go_chan_recv_until
 *   go_close(c)                                                    go_chan_close
 *   go_close_unref(c)                                              go_chan_close_unref
 *   go_len(c), go_cap(c)                                           go_chan_len, go_chan_cap
 *   go_ref(c), go_unref(c)     go_ref: the same handle             go_chan_ref, go_chan_unref
 *   go_send_only(c)            the same channel as go_sender(T)
 *   go_recv_only(c)            the same channel as go_receiver(T)
 *   go_range(v, c) statement   for each v of type T until c is closed and drained; break and
 *                              continue as in any loop
 *   go_timer_c(t)              go_receiver(int64_t)                go_timer_chan
 *   go_ctx_done(ctx)           go_receiver(char), closed when done go_ctx_done_chan
 *
 * Select takes its cases in order of index, and is made for switch:
 *
 *   switch (go_select(GO_RECV(a, &x), GO_SEND(b, y), GO_AFTER(GO_SECOND))) {
 *   case 0: ...
 *
 *   go_select(cases...)             blocks until a case can go on: its index     go_selectv
 *   go_select_until(t, cases...)    -ETIMEDOUT past the deadline t
 *   go_tryselect(cases...)          -ETIMEDOUT if none can go on now
 *   GO_RECV(c, p)                   receives to *p; p may be NULL
 *   GO_RECV_OK(c, p, ok)            and *ok, bool: was it a value, or c closed and drained?
 *   GO_SEND(c, v)                   sends v, converted to T
 *   GO_DONE(ctx)                    chosen when the context is done
 *   GO_DEFAULT                      chosen when no other can go on
 *   GO_AFTER(ns), GO_UNTIL(t)       chosen after a duration, at a deadline.  Go: time.After
 *
 * Every argument is evaluated once.  A value may be a compound literal with commas in it.  In
 * C a case is a go_case whose value lives as long as the enclosing block; in C++ a GO_SEND must
 * be named to outlive the select that it stands in.
 */

#define GO__CAT_(a, b) a##b
#define GO__CAT(a, b)  GO__CAT_(a, b)
#define GO__PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, x, ...) x
/* How many arguments, 1 to 16; and whether there is more than one: 0 or 1. */
#define GO__NARG(...)										\
	GO__PICK(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define GO__MANY(...)										\
	GO__PICK(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)

/* Two loops, so that the channel is evaluated once; the outer one goes round once, break or not. */
struct go__range {
	go_ch *go__chan;
	bool   go__more;
};
#define GO__RANGE(r, c, T, v)									\
	for (struct go__range r = {c, true}; r.go__more; r.go__more = false)			\
		for (T v; go_chan_recv(r.go__chan, &v);)

#ifndef __cplusplus
/*
 * The C handle is a pointer that is never followed, to a type that holds what we want to know:
 * an array, whose length is the direction, of functions that return T.  Operands are examined
 * inside __typeof__, which neither evaluates them nor warns that it does not.
 */

#define go_chan(T)     __typeof__(__typeof__(T) (*(*)[3])(void))
#define go_receiver(T) __typeof__(__typeof__(T) (*(*)[1])(void))
#define go_sender(T)   __typeof__(__typeof__(T) (*(*)[2])(void))

#define GO__ELEM(c)  __typeof__((**(c))())
#define GO__DIR(c)   (sizeof(__typeof__(*(c))) / sizeof(GO__ELEM(c) *))
#define GO__NEED(c, dir, msg)									\
	((void)sizeof(struct { _Static_assert(GO__DIR(c) & (dir), msg); char go__x; }),		\
	 (go_ch *)(c))
#define GO__RX(c)    GO__NEED(c, 1, "this channel handle cannot receive")
#define GO__TX(c)    GO__NEED(c, 2, "this channel handle cannot send")
#define GO__ANY(c)   GO__NEED(c, 3, "not a channel handle")
/*
 * The value as a T in memory.  The assignment is only checked: the initializer after it would
 * take a scalar for a struct.
 */
#define GO__IN(c, ...)										\
	((void)sizeof(__typeof__(*(GO__ELEM(c) *)0 = (__VA_ARGS__))), (GO__ELEM(c)[1]){__VA_ARGS__})
#define GO__PTR(T, p) (*(T *[1]){p})	/* p, checked to be a T * or NULL */
#define GO__OUT(c, p) GO__PTR(GO__ELEM(c), p)

#define go_make(T, cap)       ((go_chan(T))go_chan_make(sizeof(T), (cap)))
#define go_send(c, ...)       go_chan_send(GO__TX(c), GO__IN(c, __VA_ARGS__))
#define go_recv(c, p)         go_chan_recv(GO__RX(c), GO__OUT(c, p))
#define go_trysend(c, ...)    go__done(GO__SEND_UNTIL(c, GO_NOWAIT, __VA_ARGS__))
#define go_tryrecv(c, p)      go__done(go_recv_until(c, p, GO_NOWAIT))
#define go_send_until(c, ...) GO__CAT(GO__UNTIL, GO__NARG(__VA_ARGS__))(c, __VA_ARGS__)
#define go_recv_until(c, p, t) go_chan_recv_until(GO__RX(c), GO__OUT(c, p), (t))
#define go_close(c)           go_chan_close(GO__TX(c))
#define go_close_unref(c)     go_chan_close_unref(GO__TX(c))
#define go_len(c)             go_chan_len(GO__ANY(c))
#define go_cap(c)             go_chan_cap(GO__ANY(c))
#define go_ref(c)             ((__typeof__(&*(c)))go_chan_ref(GO__ANY(c)))
#define go_unref(c)           go_chan_unref(GO__ANY(c))
#define go_send_only(c)       ((go_sender(GO__ELEM(c)))GO__TX(c))
#define go_recv_only(c)       ((go_receiver(GO__ELEM(c)))GO__RX(c))
#define go_range(v, c)        GO__RANGE(GO__CAT(go__r_, v), GO__RX(c), GO__ELEM(c), v)
#define go_timer_c(t)         ((go_receiver(int64_t))go_timer_chan(t))
#define go_ctx_done(ctx)      ((go_receiver(char))go_ctx_done_chan(ctx))

/* A function, so that a try whose success does not matter can be a statement. */
static inline bool go__done(int result) { return result == 0; }

/* The last argument is the deadline; what is before it belongs to one value. */
#define GO__SEND_UNTIL(c, t, ...) go_chan_send_until(GO__TX(c), GO__IN(c, __VA_ARGS__), (t))
#define GO__UNTIL2(c, v, t)                       GO__SEND_UNTIL(c, t, v)
#define GO__UNTIL3(c, v, v2, t)                   GO__SEND_UNTIL(c, t, v, v2)
#define GO__UNTIL4(c, v, v2, v3, t)               GO__SEND_UNTIL(c, t, v, v2, v3)
#define GO__UNTIL5(c, v, v2, v3, v4, t)           GO__SEND_UNTIL(c, t, v, v2, v3, v4)
#define GO__UNTIL6(c, v, v2, v3, v4, v5, t)       GO__SEND_UNTIL(c, t, v, v2, v3, v4, v5)
#define GO__UNTIL7(c, v, v2, v3, v4, v5, v6, t)   GO__SEND_UNTIL(c, t, v, v2, v3, v4, v5, v6)

#define GO_RECV(c, p)         ((go_case){GO__RX(c), GO__OUT(c, p), NULL, 0, GO_OP_RECV, 0})
#define GO_RECV_OK(c, p, ok)  ((go_case){GO__RX(c), GO__OUT(c, p), (ok), 0, GO_OP_RECV, 0})
#define GO_SEND(c, ...)       ((go_case){GO__TX(c), GO__IN(c, __VA_ARGS__), NULL, 0, GO_OP_SEND, 0})
#define GO_DONE(ctx)          GO_RECV(go_ctx_done(ctx), NULL)
#define GO_DEFAULT            ((go_case){NULL, NULL, NULL, 0, GO_OP_DEFAULT, 0})
#define GO_AFTER(ns)          ((go_case){NULL, NULL, NULL, (ns), GO_OP_AFTER, 0})
#define GO_UNTIL(t)           ((go_case){NULL, NULL, NULL, (t), GO_OP_UNTIL, 0})

#define go_select_until(t, ...)									\
	go_selectv((go_case[]){__VA_ARGS__},							\
		(int)(sizeof(__typeof__((go_case[]){__VA_ARGS__})) / sizeof(go_case)), (t))
#define go_select(...)										\
	go__select((go_case[]){__VA_ARGS__},							\
		(int)(sizeof(__typeof__((go_case[]){__VA_ARGS__})) / sizeof(go_case)))
#define go_tryselect(...)     go_select_until(GO_NOWAIT, __VA_ARGS__)

/* GO_TASK makes a struct for the arguments and a function that takes them out of it. */
#define GO__FIELD1(a)                __typeof__(a) go__1;
#define GO__FIELD2(a, b)             GO__FIELD1(a) __typeof__(b) go__2;
#define GO__FIELD3(a, b, c)          GO__FIELD2(a, b) __typeof__(c) go__3;
#define GO__FIELD4(a, b, c, d)       GO__FIELD3(a, b, c) __typeof__(d) go__4;
#define GO__FIELD5(a, b, c, d, e)    GO__FIELD4(a, b, c, d) __typeof__(e) go__5;
#define GO__FIELD6(a, b, c, d, e, f) GO__FIELD5(a, b, c, d, e) __typeof__(f) go__6;
#define GO__ARG1 go__a->go__1
#define GO__ARG2 GO__ARG1, go__a->go__2
#define GO__ARG3 GO__ARG2, go__a->go__3
#define GO__ARG4 GO__ARG3, go__a->go__4
#define GO__ARG5 GO__ARG4, go__a->go__5
#define GO__ARG6 GO__ARG5, go__a->go__6
#define GO__TASK0(fn)										\
	__attribute__((__unused__)) static void go__entry_##fn(void *go__p)			\
	{											\
		(void)go__p;									\
		fn();										\
	}											\
	GO__SIGNATURE(fn, void)
#define GO__TASK1(fn, ...)									\
	GO__TASK(fn, GO__CAT(GO__FIELD, GO__NARG(__VA_ARGS__)),					\
		GO__CAT(GO__ARG, GO__NARG(__VA_ARGS__)), __VA_ARGS__)
#define GO__TASK(fn, fields, args, ...)								\
	struct go__args_##fn { fields(__VA_ARGS__) };						\
	__attribute__((__unused__)) static void go__entry_##fn(void *go__p)			\
	{											\
		struct go__args_##fn *go__a = (struct go__args_##fn *)go__p;			\
		fn(args);									\
	}											\
	_Static_assert(sizeof(struct go__args_##fn) <= 512,					\
		"GO_TASK(" #fn ", ...): more than 512 bytes of arguments; pass a pointer");	\
	_Static_assert(_Alignof(struct go__args_##fn) <= 16,					\
		"GO_TASK(" #fn ", ...): an argument wants to be aligned to more than 16 bytes");\
	GO__SIGNATURE(fn, __VA_ARGS__)
#define GO__SIGNATURE(fn, ...)									\
	_Static_assert(__builtin_types_compatible_p(__typeof__(&fn), void (*)(__VA_ARGS__)),	\
		"GO_TASK(" #fn ", ...): it is not declared as void " #fn "(" #__VA_ARGS__ ")")

/* fn(args) is compiled for its checks and not run. */
#define GO__CHECK(call)       ((void)sizeof(__typeof__(call) *))
#define GO__COPY(fn, ...)     &(struct go__args_##fn){__VA_ARGS__}, sizeof(struct go__args_##fn)
#define GO__GO0(fn)           (GO__CHECK(fn()), go_spawn(go__entry_##fn, NULL))
#define GO__GO1(fn, ...)									\
	(GO__CHECK(fn(__VA_ARGS__)), go_spawn_copy(go__entry_##fn, GO__COPY(fn, __VA_ARGS__)))
#define GO__WG0(wg, fn)       (GO__CHECK(fn()), go_wg_spawn((wg), go__entry_##fn, NULL))
#define GO__WG1(wg, fn, ...)									\
	(GO__CHECK(fn(__VA_ARGS__)),								\
	 go_wg_spawn_copy((wg), go__entry_##fn, GO__COPY(fn, __VA_ARGS__)))

#else /* __cplusplus */
/*
 * The same over templates, and goroutines from anything that can be called.  An exception must
 * be caught in the function that was handed to goro, be it a goroutine's, go_try's or a
 * deferred one that a panic calls; leaving it terminates the program.  It may leave go_once_do's.
 */

#include <type_traits>
#include <utility>

template <class T, int Dir> struct go__handle;		/* never defined */
template <class T> using go__chan     = go__handle<T, 3> *;
template <class T> using go__receiver = go__handle<T, 1> *;
template <class T> using go__sender   = go__handle<T, 2> *;
#define go_chan(...)     go__chan<__VA_ARGS__>
#define go_receiver(...) go__receiver<__VA_ARGS__>
#define go_sender(...)   go__sender<__VA_ARGS__>

/* T, but not deduced from there: the channel says what T is, and the value is converted. */
template <class T> struct go__as { using type = T; };
template <class T> using go__as_t = typename go__as<T>::type;

template <class C> struct go__elem;
template <class T, int D> struct go__elem<go__handle<T, D> *> { using type = T; };
template <class C> using go__elem_t = typename go__elem<typename std::decay<C>::type>::type;

template <class T, int D> inline go_ch *go__any(go__handle<T, D> *c)
{
	return reinterpret_cast<go_ch *>(c);
}
template <class T, int D> inline go_ch *go__rx(go__handle<T, D> *c)
{
	static_assert(D & 1, "this channel handle cannot receive");
	return go__any(c);
}
template <class T, int D> inline go_ch *go__tx(go__handle<T, D> *c)
{
	static_assert(D & 2, "this channel handle cannot send");
	return go__any(c);
}
template <class T> inline go__chan<T> go__make(size_t cap)
{
	static_assert(std::is_trivially_copyable<T>::value, "channel elements are copied as bytes");
	return reinterpret_cast<go__chan<T>>(go_chan_make(sizeof(T), cap));
}
template <class T> inline T *go__ptr(T *p) { return p; }
#define GO__PTR(T, p)  go__ptr<T>(p)
#define GO__TX(c)      go__tx(c)
#define GO__ANY(c)     go__any(c)

#define go_make(T, cap) go__make<T>(cap)
template <class T, int D> inline void go_send(go__handle<T, D> *c, go__as_t<T> v)
{
	go_chan_send(go__tx(c), &v);
}
template <class T, int D> inline bool go_recv(go__handle<T, D> *c, go__as_t<T> *p)
{
	return go_chan_recv(go__rx(c), p);
}
template <class T, int D> GO_MUST_CHECK
inline int go_send_until(go__handle<T, D> *c, go__as_t<T> v, int64_t t)
{
	return go_chan_send_until(go__tx(c), &v, t);
}
template <class T, int D> GO_MUST_CHECK
inline int go_recv_until(go__handle<T, D> *c, go__as_t<T> *p, int64_t t)
{
	return go_chan_recv_until(go__rx(c), p, t);
}
template <class T, int D> inline bool go_trysend(go__handle<T, D> *c, go__as_t<T> v)
{
	return go_chan_send_until(go__tx(c), &v, GO_NOWAIT) == 0;
}
template <class T, int D> inline bool go_tryrecv(go__handle<T, D> *c, go__as_t<T> *p)
{
	return go_chan_recv_until(go__rx(c), p, GO_NOWAIT) == 0;
}
template <class T, int D> inline void go_close(go__handle<T, D> *c) { go_chan_close(go__tx(c)); }
template <class T, int D> inline void go_close_unref(go__handle<T, D> *c)
{
	go_chan_close_unref(go__tx(c));
}
template <class T, int D> inline size_t go_len(go__handle<T, D> *c)
{
	return go_chan_len(go__any(c));
}
template <class T, int D> inline size_t go_cap(go__handle<T, D> *c)
{
	return go_chan_cap(go__any(c));
}
template <class T, int D> inline void go_unref(go__handle<T, D> *c) { go_chan_unref(go__any(c)); }
template <class T, int D> inline go__handle<T, D> *go_ref(go__handle<T, D> *c)
{
	return reinterpret_cast<go__handle<T, D> *>(go_chan_ref(go__any(c)));
}
template <class T, int D> inline go__sender<T> go_send_only(go__handle<T, D> *c)
{
	return reinterpret_cast<go__sender<T>>(go__tx(c));
}
template <class T, int D> inline go__receiver<T> go_recv_only(go__handle<T, D> *c)
{
	return reinterpret_cast<go__receiver<T>>(go__rx(c));
}
inline go__receiver<int64_t> go_timer_c(go_timer *t)
{
	return reinterpret_cast<go__receiver<int64_t>>(go_timer_chan(t));
}
inline go__receiver<char> go_ctx_done(const go_ctx *ctx)
{
	return reinterpret_cast<go__receiver<char>>(go_ctx_done_chan(ctx));
}
#define go_range(v, c) GO__RANGE(GO__CAT(go__r_, v), go__rx(c), go__elem_t<decltype(c)>, v)

/* A send case holds its value, so it becomes a go_case only where it has a name and stays. */
template <class T> struct go__send_case {
	go_ch *chan;
	T      value;
	operator go_case() & { return go_case{chan, &value, nullptr, 0, GO_OP_SEND, 0}; }
	operator go_case() && = delete;
};
template <class T, int D> inline go__send_case<T> GO_SEND(go__handle<T, D> *c, go__as_t<T> v)
{
	return go__send_case<T>{go__tx(c), v};
}
template <class T, int D>
inline go_case GO_RECV_OK(go__handle<T, D> *c, go__as_t<T> *p, bool *ok)
{
	return go_case{go__rx(c), p, ok, 0, GO_OP_RECV, 0};
}
template <class T, int D> inline go_case GO_RECV(go__handle<T, D> *c, go__as_t<T> *p)
{
	return GO_RECV_OK(c, p, nullptr);
}
inline go_case GO_DONE(const go_ctx *ctx) { return GO_RECV(go_ctx_done(ctx), nullptr); }
inline go_case GO_AFTER(int64_t ns)
{
	return go_case{nullptr, nullptr, nullptr, ns, GO_OP_AFTER, 0};
}
inline go_case GO_UNTIL(int64_t t)
{
	return go_case{nullptr, nullptr, nullptr, t, GO_OP_UNTIL, 0};
}
#define GO_DEFAULT (go_case{nullptr, nullptr, nullptr, 0, GO_OP_DEFAULT, 0})

template <class... C> inline int go_select_until(int64_t t, C &&...c)
{
	go_case cases[] = {c...};
	return go_selectv(cases, sizeof...(c), t);
}
template <class... C> inline int go_select(C &&...c)
{
	go_case cases[] = {c...};
	return go__select(cases, sizeof...(c));
}
template <class... C> inline int go_tryselect(C &&...c)
{
	return go_select_until(GO_NOWAIT, c...);
}

/*
 * GO(f, a, b), GO_WG(&wg, f, a, b), go_spawn(f), go_wg_spawn(&wg, f): a task is a callable and
 * its arguments, moved or copied in as by std::thread; for a plain function they are converted
 * to its parameters before GO returns.  A small task of trivially copyable parts travels as in
 * C; others are allocated, and deleted at their end, be it by go_exit or a panic.
 */
template <class... T> struct go__args;
template <> struct go__args<> {
	template <class F, class... A> void call(F &f, A &&...a) { f(std::forward<A>(a)...); }
};
template <class H, class... T> struct go__args<H, T...> {
	H head;
	go__args<T...> rest;
	template <class F, class... A> void call(F &f, A &&...a)
	{
		rest.call(f, std::forward<A>(a)..., std::move(head));
	}
};
template <class H> inline H go__convert(go__as_t<H> v) { return v; }
inline go__args<> go__pack(go__args<> *) { return {}; }
template <class H, class... T, class A, class... B>
inline go__args<H, T...> go__pack(go__args<H, T...> *, A &&a, B &&...b)
{
	return {go__convert<H>(std::forward<A>(a)),
		go__pack(static_cast<go__args<T...> *>(nullptr), std::forward<B>(b)...)};
}

/* What is kept of an argument A for a parameter P; a T & takes a std::ref, as with std::thread. */
template <class P, class A> struct go__kept { using type = typename std::decay<P>::type; };
template <class P, class A> struct go__kept<P &, A> { using type = typename std::decay<A>::type; };
template <class P, class A> struct go__kept<const P &, A> { using type = P; };

template <class F, class Args> struct go__task {
	F    fn;
	Args args;
	static void end(void *p) { delete static_cast<go__task *>(p); }
	static void copied(void *p) noexcept
	{
		go__task *t = static_cast<go__task *>(p);
		t->args.call(t->fn);
	}
	static void owned(void *p) noexcept
	{
		go_defer(end, p);
		copied(p);
	}
};

struct go__plain {};
inline void go__launch(go__plain, go_fn f, void *p) { go_spawn(f, p); }
inline void go__launch(go__plain, go_fn f, void *p, size_t n) { go_spawn_copy(f, p, n); }
inline void go__launch(go_waitgroup *wg, go_fn f, void *p) { go_wg_spawn(wg, f, p); }
inline void go__launch(go_waitgroup *wg, go_fn f, void *p, size_t n)
{
	go_wg_spawn_copy(wg, f, p, n);
}
template <class How, class Task> inline void go__start(How how, Task &t, std::true_type)
{
	go__launch(how, Task::copied, &t, sizeof t);
}
template <class How, class Task> inline void go__start(How how, Task &t, std::false_type)
{
	go__launch(how, Task::owned, new Task(std::move(t)));
}
template <class How, class F, class Args> inline void go__start(How how, go__task<F, Args> t)
{
	using Task = go__task<F, Args>;
	go__start(how, t, std::integral_constant<bool, std::is_trivially_copyable<Task>::value
		&& sizeof(Task) <= 512 && alignof(Task) <= 16>());
}
template <class How, class F, class... A> inline void go__go(How how, F &&f, A &&...a)
{
	using Args = go__args<typename std::decay<A>::type...>;
	go__start(how, go__task<typename std::decay<F>::type, Args>{std::forward<F>(f),
		go__pack(static_cast<Args *>(nullptr), std::forward<A>(a)...)});
}
template <class How, class R, class... P, class... A>
inline void go__go(How how, R (*f)(P...), A &&...a)
{
	static_assert(sizeof...(P) == sizeof...(A), "GO: wrong number of arguments");
	using Args = go__args<typename go__kept<P, A>::type...>;
	go__start(how, go__task<R (*)(P...), Args>{f,
		go__pack(static_cast<Args *>(nullptr), std::forward<A>(a)...)});
}
template <class F> inline void go_spawn(F &&f)
{
	go__go(go__plain(), std::forward<F>(f));
}
template <class F> inline void go_wg_spawn(go_waitgroup *wg, F &&f)
{
	go__go(wg, std::forward<F>(f));
}

#define GO__TASK0(fn)        static_assert(sizeof(static_cast<void (*)()>(fn)) != 0, "")
#define GO__TASK1(fn, ...)   static_assert(sizeof(static_cast<void (*)(__VA_ARGS__)>(fn)) != 0, "")
#define GO__GO0(fn)          go__go(go__plain(), fn)
#define GO__GO1(...)         go__go(go__plain(), __VA_ARGS__)
#define GO__WG0(wg, fn)      go__go(wg, fn)
#define GO__WG1(wg, ...)     go__go(wg, __VA_ARGS__)
#endif /* __cplusplus */

/* --- Short names ----------------------------------------------------------------------- */

#if !defined GORO_NO_GO
#define go(...)        GO(__VA_ARGS__)
#endif
#if defined GORO_SHORT_NAMES
#define chan(T)        go_chan(T)
#define defer(fn, arg) go_defer(fn, arg)
#endif

#endif /* GORO_H */
