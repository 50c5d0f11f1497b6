/* SPDX-License-Identifier: MIT */
/*
 * spec_panic.c - what goro.h says of defer, panic and try, sentence by sentence, where the tests of
 * each leave something out; above all panics and exits out of what the library calls back.
 */
#include "spec_places.h"

static void say(void *text) { go_panic("%s", (const char *)text); }
static void count(void *n) { atomic_fetch_add((atomic_int *)n, 1); }

/* ------------------------------------------------------------ everywhere --- */

static void use_panics(void *arg) {
	go_panic_info info = GO_PANIC_INFO_INIT;
	static char text[] = "text", other[] = "other";
	atomic_int n = 0;

	(void)arg;
	CHECK(go_try(count, &n, &info) && n == 1);
	CHECK(!go_try(say, text, &info));
	CHECK_STR(info.message, "text");
	CHECK_EQ(info.id, go_id());
	CHECK(info.depth > 0 && info.depth <= 16 && info.pc[0] != NULL && info.object == NULL);
	CHECK(go_try(count, &n, NULL) && n == 2);
	CHECK_STR(info.message, "text");         /* "good until the next panic caught" */
	CHECK(!go_try(say, other, NULL));
	{
		go_defer(count, &n);
		go_defer(count, &n);
	}
	CHECK_EQ(n, 4);
}

TEST(panics_are_caught_at_every_place) { at_every_place(use_panics, NULL); }

static void nest(void *arg) { at_every_place(use_panics, arg); }

TEST(panics_are_caught_at_every_place_within_every_place) { at_every_place(nest, NULL); }

/* ------------------------------------------------------------ defer --- */

static char trace[64];
static void note(void *text) { strncat(trace, text, sizeof trace - strlen(trace) - 1); }

static void
leave(int how)
{
	int rounds = 0;

	trace[0] = '\0';
again:
	for (int i = 0; i < 2; i++) {
		go_defer(note, "1");
		{
			go_defer(note, "2");
			switch (how) {
			case 0: break;
			case 1: continue;
			case 2: goto out;
			case 3: return;
			case 4: if (rounds++ == 0) goto again;
			}
			note("x");
		}
		if (how == 0)
			break;
	}
out:
	note("o");
}

/* "when the enclosing block is left, in reverse order, by its end, return, break or goto" */
TEST(deferred_calls_run_however_a_block_is_left) {
	static const char *const traces[] = {"x21o", "2121o", "21o", "21", "21x21x21o"};

	for (int i = 0; i < 5; i++) {
		leave(i);
		CHECK_STR(trace, traces[i]);
	}
}

struct helped {
	go_mutex m;
	go_rwmutex w, r;
	go_waitgroup wg;
	go_ctx *ctx;
	go_timer *t;
	go_chan(int) c;
};

static void help(void *arg) {
	struct helped *h = arg;
	go_timer *no_timer = NULL;
	go_ctx *no_ctx = NULL;
	go_chan(int) no_chan = NULL;

	go_defer_end(no_ctx);
	go_defer_timer_free(no_timer);
	go_defer_unref(no_chan);
	go_mutex_lock(&h->m);
	go_defer_unlock(&h->m);
	go_rwmutex_lock(&h->w);
	go_defer_rwunlock(&h->w);
	go_rwmutex_rlock(&h->r);
	go_defer_runlock(&h->r);
	go_defer_done(&h->wg);
	go_defer_end(h->ctx);
	go_defer_timer_free(h->t);
	go_defer_close_unref(h->c);
	go_panic("help");
}

/* "Those wanted most": each does what its function does, be it for a panic, and NULL included */
static void use_helpers(void *arg) {
	struct helped h = {.ctx = go_ctx_with_cancel(NULL), .c = go_make(int, 0)};

	(void)arg;
	h.t = go_ticker_new(GO_HOUR);
	go_ctx_ref(h.ctx);
	go_ref(h.c);
	go_wg_add(&h.wg, 1);
	CHECK(!go_try(help, &h, NULL));
	CHECK(go_mutex_trylock(&h.m) && go_rwmutex_trylock(&h.w) && go_rwmutex_trylock(&h.r));
	CHECK_EQ(go_wg_wait_until(&h.wg, GO_NOWAIT), 0);
	CHECK_EQ(go_ctx_err(h.ctx), -ECANCELED);
	CHECK_EQ(go_recv_until(h.c, NULL, GO_NOWAIT), -EPIPE);
	go_ctx_unref(h.ctx);
	go_unref(h.c);
}

TEST(helpers_work_at_every_place) { at_every_place(use_helpers, NULL); }

/* ------------------------------------------------------------ what is told --- */

/* "size: set by the caller": what an older program does not have room for is not written. */
TEST(no_more_than_size_bytes_are_told) {
	static const size_t sizes[] = {sizeof(size_t), offsetof(go_panic_info, id),
		offsetof(go_panic_info, pc), offsetof(go_panic_info, depth), sizeof(go_panic_info)};
	go_panic_info info;

	for (int i = 0; i < 5; i++) {
		memset(&info, 0x5a, sizeof info);
		info.size = sizes[i];
		CHECK(!go_try(say, "text", &info));
		CHECK_EQ(info.size, sizes[i]);
		if (i > 0)
			CHECK_STR(info.message, "text");
		if (i > 1)
			CHECK_EQ(info.id, go_id());
		for (size_t k = sizes[i]; k < sizeof info; k++)
			CHECK_EQ(((unsigned char *)&info)[k], 0x5a);
	}
}

/* "the formatted text": however long */
TEST(a_text_of_any_length_is_told) {
	static const int lengths[] = {0, 1, 100, 1000, 20000};
	char *text = calloc(1, 20001);
	go_panic_info info = GO_PANIC_INFO_INIT;

	assert_non_null(text);
	for (int i = 0; i < 5; i++) {
		memset(text, 'y', (size_t)lengths[i]);
		CHECK(!go_try(say, text, &info));
		CHECK_MSG(strcmp(info.message, text) == 0, "%zu of %d bytes", strlen(info.message),
			  lengths[i]);
	}
	free(text);
}

/* ------------------------------------------------------------ sections --- */

static void panic_in_section(void *arg) {
	(void)arg;
	go_block_begin();
	go_panic("section");
}

static void panic_within(void *arg) { (void)arg; go_panic("within"); }

/* "It ends a blocking section that was begun since go_try": and no other */
static void end_sections(void *arg) {
	go_waitgroup wg = GO_WAITGROUP_INIT;
	atomic_int n = 0;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		CHECK(!go_try(panic_in_section, NULL, NULL));
		go_wg_spawn(&wg, count, &n);
		go_wg_wait(&wg);                 /* may block: in no section */
		go_block_begin();
		CHECK(!go_try(panic_within, NULL, NULL));
		go_block_end();
		go_wg_spawn(&wg, count, &n);
		go_wg_wait(&wg);
	}
	CHECK_EQ(n, 6);
}

TEST(a_panic_ends_sections_begun_since_try_and_no_others) { at_every_place(end_sections, NULL); }

/* ------------------------------------------------------------ out of callbacks --- */

struct things {
	go_pool pool;
	go_value value;
	go_once once;
	go_map *map;
	atomic_int n;
	bool out_by_exit;
};

static struct things *at;
static void leave_now(void *arg) {
	(void)arg;
	atomic_fetch_add(&at->n, 1);
	if (at->out_by_exit)
		go_exit();
	go_panic("out");
}
static void *leave_make(void *arg) { leave_now(arg); return NULL; }
static bool leave_range(const void *k, size_t n, void *v, void *arg) {
	(void)k, (void)n, (void)v;
	leave_now(arg);
	return true;
}

static void leave_now_with(void *value, void *arg) { (void)value; leave_now(arg); }

static char obj[4];
static go_local leaving = GO_LOCAL_INIT(leave_now);

static void out_of_make(struct things *t) { CHECK(go_pool_get(&t->pool) == NULL); }
static void out_of_put(struct things *t) { for (;;) go_pool_put(&t->pool, &obj); }
static void out_of_store(struct things *t) { go_value_store(&t->value, &obj[1], leave_now); }
static void out_of_clear(struct things *t) { go_value_clear(&t->value); }
static void out_of_once(struct things *t) { go_once_do(&t->once, leave_now, NULL); }
static void out_of_delete(struct things *t) { go_map_delete(t->map, "k", 1); }
static void out_of_map_store(struct things *t) { go_map_store(t->map, "k", 1, &obj[1]); }
static void out_of_swap(struct things *t) { go_map_swap(t->map, "k", 1, &obj[1], NULL); }
static void out_of_with(struct things *t) { go_map_with(t->map, "k", 1, leave_now_with, NULL); }
static void out_of_range(struct things *t) { go_map_range(t->map, leave_range, NULL); }
static void out_of_local(struct things *t) { (void)t; go_local_set(&leaving, NULL); }

static const struct { const char *name; void (*fn)(struct things *); } ways[] = {
	{"make", out_of_make}, {"put", out_of_put}, {"store", out_of_store},
	{"clear", out_of_clear},
	{"once", out_of_once}, {"delete", out_of_delete}, {"map store", out_of_map_store},
	{"swap", out_of_swap}, {"with", out_of_with}, {"range", out_of_range},
	{"local", out_of_local},
};
enum { WAYS = sizeof ways / sizeof *ways };

struct way { struct things *t; int i; go_waitgroup wg; };
static void go_the_way(void *arg) {
	struct way *w = arg;

	ways[w->i].fn(w->t);
	CHECK_MSG(false, "%s: came back", ways[w->i].name);
}

static void quiet(void *arg) { (void)arg; }

/* Every object can still be used, by whoever comes. */
static void
use_things(struct things *t)
{
	int never = 0;
	void *v = NULL;

	t->pool.make = NULL;
	t->pool.destroy = NULL;
	go_pool_put(&t->pool, &obj[3]);
	CHECK(go_pool_get(&t->pool) != NULL);
	go_pool_drain(&t->pool);
	go_value_store(&t->value, &obj[2], quiet);
	v = go_value_load(&t->value);
	CHECK(v == &obj[2]);
	go_value_release(&t->value, v);
	go_value_clear(&t->value);
	go_once_do(&t->once, quiet, &never);
	go_map_load_and_delete(t->map, "k", 1, &v);
	CHECK(!go_map_load(t->map, "k", 1, NULL) && go_map_len(t->map) == 0);
	go_map_store(t->map, "l", 1, NULL);
	CHECK(go_map_load(t->map, "l", 1, &v));
}

/* "Panics is a bug that go_try can stop", "go_exit ends the goroutine": nothing stays locked. */
static void prepare_way(void *arg) {
	struct way *w = arg;
	struct things *t = w->t;

	go_local_set(&leaving, w->i == 10 ? &obj : NULL);
	if (t->out_by_exit)
		go_the_way(w);
	else
		check_panics(go_the_way, w, "out");
}

static void take_way(struct things *t, int i) {
	struct way w = {t, i, GO_WAITGROUP_INIT};
	void *v;

	t->pool = (go_pool)GO_POOL_INIT(leave_make, i == 1 ? leave_now : NULL, NULL);
	t->map = go_map_new(leave_now);
	go_map_store(t->map, "k", 1, &obj);
	if (i == 2 || i == 3)
		go_value_store(&t->value, &obj, leave_now);
	at = t;
	go_wg_spawn(&w.wg, prepare_way, &w);
	go_wg_wait(&w.wg);
	CHECK_MSG(t->n == 1, "%s: %d calls", ways[i].name, t->n);
	if (i == 2) {                           /* the new one's destroy is leave_now as well */
		v = go_value_load(&t->value);
		CHECK(v == &obj[1]);
		go_value_release(&t->value, v);
	}
}

static void clear_loudly(void *v) { go_value_clear(v); }

static void leave_each_way(bool by_exit) {
	for (int i = 0; i < WAYS; i++) {
		struct things t = {.out_by_exit = by_exit};
		int failures = atomic_load(&support.failures);

		take_way(&t, i);
		if (i == 2) {
			t.out_by_exit = false;
			check_panics(clear_loudly, &t.value, "out");
		}
		use_things(&t);
		go_map_free(t.map);
		CHECK_MSG(failures == atomic_load(&support.failures), "out of %s", ways[i].name);
	}
}

TEST(a_panic_out_of_any_callback_leaves_things_whole) { leave_each_way(false); }
TEST(an_exit_out_of_any_callback_leaves_things_whole) { leave_each_way(true); }

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(panics_are_caught_at_every_place),
	cmocka_unit_test(panics_are_caught_at_every_place_within_every_place),
	cmocka_unit_test(deferred_calls_run_however_a_block_is_left),
	cmocka_unit_test(helpers_work_at_every_place),
	cmocka_unit_test(no_more_than_size_bytes_are_told),
	cmocka_unit_test(a_text_of_any_length_is_told),
	cmocka_unit_test(a_panic_ends_sections_begun_since_try_and_no_others),
	cmocka_unit_test(a_panic_out_of_any_callback_leaves_things_whole),
	cmocka_unit_test(an_exit_out_of_any_callback_leaves_things_whole),
};

SUPPORT_MAIN(tests)
