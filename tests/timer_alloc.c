/* SPDX-License-Identifier: MIT */
/*
 * timer_alloc.c - time limits take no memory from malloc, and timers that come and go take none
 * again and again.
 *
 * The program has its own malloc, which counts; not where a sanitizer has one.
 */
#include "support.h"

#if defined __GLIBC__ && !SUPPORT_ASAN && !SUPPORT_TSAN

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static atomic_long allocations;

#define COUNTED(call) (atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed), call)

void *malloc(size_t size) { return COUNTED(__libc_malloc(size)); }
void *calloc(size_t n, size_t size) { return COUNTED(__libc_calloc(n, size)); }
void *realloc(void *p, size_t size) { return COUNTED(__libc_realloc(p, size)); }
void *aligned_alloc(size_t align, size_t size) { return COUNTED(__libc_memalign(align, size)); }

int posix_memalign(void **p, size_t align, size_t size) {
	*p = COUNTED(__libc_memalign(align, size));
	return *p != NULL ? 0 : ENOMEM;
}

/* Besides what is looked for there are threads, and the first timers of other Ps, up to 64. */
enum { N = 1000 };

static long count(void (*fn)(int), int n) {
	long before;

	fn(1);                          /* what is made once: heaps, caches */
	before = atomic_load(&allocations);
	fn(n);
	return atomic_load(&allocations) - before;
}

/* Does the library call ours?  Not under Valgrind, say. */
static bool counting(void) {
	long before = atomic_load(&allocations);
	go_ch *c = go_chan_make(8, 8);

	go_chan_unref(c);
	return atomic_load(&allocations) > before;
}

static void limit(int n) {
	go_chan(int) c = go_make(int, 0);
	int v;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(go_select(GO_RECV(c, &v), GO_AFTER(i % 4 * GO_MICROSECOND)), 1);
		CHECK_EQ(go_select(GO_UNTIL(go_now() + 1), GO_RECV(c, &v), GO_SEND(c, 1)), 0);
		CHECK_EQ(go_select_until(go_now() + 1, GO_RECV(c, &v)), -ETIMEDOUT);
		CHECK_EQ(go_recv_until(c, &v, go_now() + 1), -ETIMEDOUT);
		CHECK_EQ(go_send_until(c, v, go_now() + 1), -ETIMEDOUT);
		go_sleep(1);
	}
	go_unref(c);
}

TEST(time_limits_and_sleeps_allocate_nothing) {
	if (!counting())
		skip();
	CHECK_IN((uintmax_t)count(limit, N), 1, N / 4);
}

static void come_and_go(int n) {
	for (int i = 0; i < n; i++) {
		go_timer *t = go_timer_new(GO_HOUR);

		CHECK(go_timer_reset(t, 2 * GO_HOUR));
		CHECK(go_timer_stop(t));
		go_timer_free(t);
	}
}

TEST(stopped_timers_are_used_again) {
	if (!counting())
		skip();
	CHECK_IN((uintmax_t)count(come_and_go, N), 0, N / 4);
}

static void nothing(void *arg) { (void)arg; }

static void functions(int n) {
	for (int i = 0; i < n; i++) {
		go_timer *t = go_after_func(0, nothing, NULL);

		wait_until(go_count() == 2);
		go_timer_free(t);
	}
}

/* A thief may free it into another P's cache. */
TEST(timers_that_called_their_function_are_used_again) {
	if (!counting())
		skip();
	CHECK_IN((uintmax_t)count(functions, N), 0, N / 2);
}

#else

TEST(allocations_are_not_counted_here) {
	skip();
}

#endif

static const struct CMUnitTest tests[] = {
#if defined __GLIBC__ && !SUPPORT_ASAN && !SUPPORT_TSAN
	cmocka_unit_test(time_limits_and_sleeps_allocate_nothing),
	cmocka_unit_test(stopped_timers_are_used_again),
	cmocka_unit_test(timers_that_called_their_function_are_used_again),
#else
	cmocka_unit_test(allocations_are_not_counted_here),
#endif
};

SUPPORT_MAIN(tests)
