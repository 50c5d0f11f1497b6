/* SPDX-License-Identifier: MIT */
/*
 * locks_debug.c - GORO_DEBUG=locks=1: locks that their holder locks again, locks left behind.
 *
 * Each case is a child.  It says on stdout what it expects to read on stderr.
 */
#include "support.h"

static go_mutex mutex;
static go_rwmutex rwmutex;

static void expect(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void expect(const char *fmt, ...) {
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* How often text is in s. */
static int count(const char *s, const char *text) {
	int n = 0;

	while ((s = strstr(s, text)) != NULL) {
		s += strlen(text);
		n++;
	}
	return n;
}

/* As support_child, with this said to the library besides what it has been told already. */
static void child(int (*fn)(const char *), const char *arg, const char *locks,
		  struct support_result *r) {
	const char *debug = getenv("GORO_DEBUG");
	char var[256];
	const char *const env[] = {var, NULL};

	snprintf(var, sizeof var, "GORO_DEBUG=%s,%s", locks, debug != NULL ? debug : "");
	support_child_env(fn, arg, env, r);
}

/* Each line of stdout once on stderr, in this order. */
static bool all_expected(const struct support_result *r) {
	const char *from = r->err;
	char line[512];

	for (const char *p = r->out; *p != '\0'; p += strcspn(p, "\n") + 1) {
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		from = strstr(from, line);
		if (from == NULL || count(r->err, line) != 1)
			return false;
		from += strlen(line);
	}
	return true;
}

static void check_child(int (*fn)(const char *), const char *arg, int status) {
	struct support_result r;

	child(fn, arg, "locks=1", &r);
	CHECK_MSG(r.status == status && all_expected(&r) && (r.nout > 0 || r.nerr == 0),
		  "%s: status %d, signal %d, stdout:\n%s\nstderr:\n%s", arg, r.status, r.signal,
		  r.out, r.err);
	support_free(&r);
}

/* ------------------------------------------------------------ recursive --- */

enum { MUTEX, WRITE, READ };

static void take(int how) {
	if (how == MUTEX)
		go_mutex_lock(&mutex);
	else if (how == WRITE)
		go_rwmutex_lock(&rwmutex);
	else
		go_rwmutex_rlock(&rwmutex);
}

static const struct recursion { const char *name; int first, second; } recursions[] = {
	{"mutex", MUTEX, MUTEX},
	{"write write", WRITE, WRITE},
	{"write read", WRITE, READ},
	{"read write", READ, WRITE},
};

static void lock_twice(const char *name, const char *who) {
	for (int i = 0; i < 4; i++) {
		const struct recursion *r = &recursions[i];

		if (strcmp(r->name, name) != 0)
			continue;
		expect("fatal error: goro: recursive lock of %s %p by %s, which holds it%s since "
		       "it was locked at", r->first == MUTEX ? "mutex" : "rwmutex",
		       r->first == MUTEX ? (void *)&mutex : (void *)&rwmutex, who,
		       r->first == READ ? " for reading" : "");
		take(r->first);
		take(r->second);
	}
}

static void lock_twice_in_try(void *arg) {
	char who[64];

	snprintf(who, sizeof who, "goroutine %" PRIu64 " (the culprit)", go_id());
	lock_twice(arg, who);
}

static void lock_twice_named(void *arg) {
	go_set_name("the culprit");
	go_try(lock_twice_in_try, arg, NULL);
	_exit(7);
}

CHILD(recursive_in_a_goroutine) {
	char name[32];

	snprintf(name, sizeof name, "%s", arg);
	go_spawn(lock_twice_named, name);
	go_sleep(60 * GO_SECOND);
	return 7;
}

CHILD_PLAIN(recursive_in_a_thread) {
	char who[64];

	snprintf(who, sizeof who, "thread %d", (int)getpid());
	lock_twice(arg, who);
	return 7;
}

TEST(a_recursive_lock_is_fatal) {
	for (int i = 0; i < 4; i++) {
		check_child(recursive_in_a_goroutine, recursions[i].name, 2);
		check_child(recursive_in_a_thread, recursions[i].name, 2);
	}
}

/* The place is printed as in a dump: in a module, here the program. */
TEST(the_report_says_where_it_was_locked) {
	struct support_result r;
	const char *at;

	child(recursive_in_a_goroutine, "mutex", "locks=1", &r);
	at = strstr(r.err, "locked at\n\t");
	CHECK_MSG(at != NULL && strstr(at, support.program) != NULL, "stderr:\n%s", r.err);
	support_free(&r);
}

static void unlock_it(void *arg) { go_mutex_unlock(arg); }

static go_cond cond;
static bool told;

static void tell(void *arg) {
	(void)arg;
	go_mutex_lock(&mutex);
	told = true;
	go_cond_signal(&cond);
	go_mutex_unlock(&mutex);
}

static void wait_for_it(void) {
	go_mutex_lock(&mutex);
	go_spawn(tell, NULL);
	while (!told)
		go_cond_wait(&cond, &mutex);
	go_mutex_unlock(&mutex);
}

/* What looks like it and is not. */
static void innocent(const char *what) {
	if (strcmp(what, "limit") == 0) {
		go_mutex_lock(&mutex);
		CHECK_EQ(go_mutex_lock_until(&mutex, go_now() + GO_MILLISECOND), -ETIMEDOUT);
		CHECK(!go_mutex_trylock(&mutex));
		go_mutex_unlock(&mutex);
		go_rwmutex_rlock(&rwmutex);
		CHECK_EQ(go_rwmutex_lock_until(&rwmutex, go_now() + GO_MILLISECOND), -ETIMEDOUT);
		go_rwmutex_runlock(&rwmutex);
	} else if (strcmp(what, "readers") == 0) {
		go_rwmutex_rlock(&rwmutex);
		go_rwmutex_rlock(&rwmutex);
		go_rwmutex_runlock(&rwmutex);
		go_rwmutex_runlock(&rwmutex);
		go_rwmutex_lock(&rwmutex);
		go_rwmutex_unlock(&rwmutex);
	} else if (strcmp(what, "other") == 0) {
		for (int i = 0; i < 100; i++) {
			go_mutex_lock(&mutex);
			go_spawn(unlock_it, &mutex);
			wait_until(go_mutex_trylock(&mutex));
			go_mutex_unlock(&mutex);
		}
	} else if (strcmp(what, "cond") == 0) {
		wait_for_it();
	} else if (strcmp(what, "reused") == 0) {
		go_mutex_lock(&mutex);
		mutex = (go_mutex)GO_MUTEX_INIT;
		go_mutex_lock(&mutex);
		go_mutex_unlock(&mutex);
		CHECK(go_mutex_trylock(&mutex));
		go_mutex_unlock(&mutex);
	}
}

static void innocent_in_a_goroutine(const char *what, go_ch *done) {
	innocent(what);
	go_chan_close(done);
}
GO_TASK(innocent_in_a_goroutine, const char *, go_ch *);

CHILD(nothing_to_tell) {
	go_ch *done = go_chan_make(0, 0);

	GO(innocent_in_a_goroutine, arg, done);
	go_chan_recv(done, NULL);
	wait_until(go_count() == 1);
	return atomic_load(&support.failures);
}

CHILD_PLAIN(nothing_to_tell_of_a_thread) {
	innocent(arg);
	return atomic_load(&support.failures);
}

TEST(what_is_allowed_is_not_reported) {
	static const char *const what[] = {"limit", "readers", "other", "cond", "reused"};

	for (int i = 0; i < 5; i++) {
		check_child(nothing_to_tell, what[i], 0);
		check_child(nothing_to_tell_of_a_thread, what[i], 0);
	}
}

/* ------------------------------------------------------------ left behind --- */

static go_mutex many[12];

static void unlock_late(void *arg) { go_mutex_unlock(arg); }
static go_local unlocker = GO_LOCAL_INIT(unlock_late);

static void end_holding(void *arg) {
	const char *what = arg;

	if (strcmp(what, "two") == 0) {
		expect("goro: warning: goroutine %" PRIu64 " (careless) has ended and still holds",
		       go_id());
		expect("mutex %p, locked at", (void *)&mutex);
		expect("rwmutex %p for reading, locked at", (void *)&rwmutex);
		go_set_name("careless");
		go_mutex_lock(&mutex);
		go_rwmutex_rlock(&rwmutex);
	} else if (strcmp(what, "exit") == 0) {
		expect("goro: warning: goroutine %" PRIu64 " has ended and still holds\n"
		       "rwmutex %p, locked at", go_id(), (void *)&rwmutex);
		go_rwmutex_lock(&rwmutex);
		go_exit();
	} else if (strcmp(what, "many") == 0) {
		expect("has ended and still holds\n... and 4 more");
		for (int i = 0; i < 12; i++)
			go_mutex_lock(&many[i]);
	} else if (strcmp(what, "local") == 0) {
		go_mutex_lock(&mutex);
		go_local_set(&unlocker, &mutex);
	} else if (strcmp(what, "deferred") == 0) {
		go_mutex_lock(&mutex);
		go_defer_unlock(&mutex);
		go_rwmutex_rlock(&rwmutex);
		go_defer_runlock(&rwmutex);
		go_exit();
	}
}

CHILD(left_by_a_goroutine) {
	char what[32];

	snprintf(what, sizeof what, "%s", arg);
	go_spawn(end_holding, what);
	wait_until(go_count() == 1);
	if (strcmp(arg, "two") == 0) {          /* and the program goes on */
		go_mutex_unlock(&mutex);
		go_mutex_lock(&mutex);
		go_mutex_unlock(&mutex);
		go_rwmutex_runlock(&rwmutex);
	}
	return atomic_load(&support.failures);
}

TEST(what_a_goroutine_leaves_locked_is_told_once) {
	static const char *const what[] = {"two", "exit", "many", "local", "deferred"};

	for (int i = 0; i < 5; i++)
		check_child(left_by_a_goroutine, what[i], 0);
}

static void *end_thread_holding(void *arg) {
	expect("has ended and still holds\nmutex %p, locked at", arg);
	go_mutex_lock(arg);
	return NULL;
}

CHILD(left_by_a_thread) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_thread_holding, &mutex) != 0)
		return 7;
	pthread_join(thread, NULL);
	go_mutex_unlock(&mutex);
	return 0;
}

TEST(what_a_thread_leaves_locked_is_told) {
	check_child(left_by_a_thread, "", 0);
}

/* ------------------------------------------------------------ on and off --- */

CHILD(lock_twice_in_main) {
	go_mutex_lock(&mutex);
	go_mutex_lock(&mutex);
	return 7;
}

TEST(when_off_nothing_is_told) {
	struct support_result r;

	child(left_by_a_goroutine, "many", "locks=0", &r);
	CHECK_EQ(r.status, 0);
	CHECK_EQ(r.nerr, 0);
	support_free(&r);
	child(lock_twice_in_main, "", "locks=0", &r);
	CHECK_EQ(r.status, 2);
	CHECK_MSG(strstr(r.err, "fatal error: all goroutines are asleep - deadlock!") == r.err,
		  "stderr:\n%s", r.err);
	support_free(&r);
}

/* Many take and leave, and unlock for each other, while the table is looked at. */
struct field { go_mutex m[16]; go_rwmutex rw[16]; go_waitgroup wg; };

static void walk(struct field *f, uint64_t salt) {
	struct support_rng rng = support_rng(salt);

	for (int i = 0; i < (int)support_scale(1000); i++) {
		int k = support_below(&rng, 16);

		if (support_below(&rng, 2) == 0) {
			go_mutex_lock(&f->m[k]);
			go_rwmutex_lock(&f->rw[k]);
			go_yield();
			go_rwmutex_unlock(&f->rw[k]);
			go_mutex_unlock(&f->m[k]);
		} else {
			go_rwmutex_rlock(&f->rw[k]);
			go_yield();
			go_rwmutex_runlock(&f->rw[k]);
		}
	}
	go_wg_done(&f->wg);
}
GO_TASK(walk, struct field *, uint64_t);

static void *walk_thread(void *arg) {
	walk(arg, 99);
	return NULL;
}

CHILD(many_walk) {
	static struct field f;
	pthread_t thread;

	go_wg_add(&f.wg, 9);
	if (pthread_create(&thread, NULL, walk_thread, &f) != 0)
		return 7;
	for (uint64_t i = 0; i < 8; i++)
		GO(walk, &f, i);
	go_wg_wait(&f.wg);
	pthread_join(thread, NULL);
	wait_until(go_count() == 1);
	return atomic_load(&support.failures);
}

TEST(many_lock_at_once_and_nothing_is_told) {
	check_child(many_walk, "", 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_recursive_lock_is_fatal),
	cmocka_unit_test(the_report_says_where_it_was_locked),
	cmocka_unit_test(what_is_allowed_is_not_reported),
	cmocka_unit_test(what_a_goroutine_leaves_locked_is_told_once),
	cmocka_unit_test(what_a_thread_leaves_locked_is_told),
	cmocka_unit_test(when_off_nothing_is_told),
	cmocka_unit_test(many_lock_at_once_and_nothing_is_told),
};

SUPPORT_MAIN(tests)
