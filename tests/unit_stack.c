/* SPDX-License-Identifier: MIT */
/*
 * unit_stack.c - stacks: their layout, guards that guard, and memory that goes back.
 *
 * The program runs itself again with the kernel features turned off that have a fall-back.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../src/base/rand.h"
#include "../src/base/san.h"
#include "../src/stack/slab.h"
#include "../src/stack/stack.h"
#include "../src/stack/switch.h"

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)
#define GUARD	(16 * KIB)

/* Resident memory; a sanitizer's shadow is in it too, so what must be low is not asked there. */
static size_t rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t size = 0, resident = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &size, &resident), 2);
	fclose(f);
	return resident * os_page();
}

/* In a child cmocka's assertions would jump into the parent's runner. */
static void child_failed(int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
	_exit(1);
}

#define child_check(c)	((c) ? (void)0 : child_failed(__LINE__, #c))

static int in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(120);
		fn();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A stack of every kind; the last is huge. */
static struct stack *get_kind(int c)
{
	struct stack *s = stack_get((enum stack_class)c, 20 * MIB);

	assert_non_null(s);
	return s;
}

/* --- Classes and layout --- */

static void classes_hold_what_they_promise(void **state)
{
	int c;

	(void)state;
	assert_int_equal(stack_init(), 0);		/* again: harmless */
	assert_int_equal(stack_class(0), STACK_64K);
	assert_int_equal(stack_class(8 * MIB), STACK_HUGE);
	assert_int_equal(stack_class(SIZE_MAX), STACK_HUGE);
	assert_int_equal(stack_usable(STACK_HUGE), 0);
	for (c = STACK_64K; c < STACK_CLASSES; c++) {
		assert_int_equal(stack_class(stack_usable((enum stack_class)c)), c);
		assert_int_equal(stack_class(stack_usable((enum stack_class)c) + 1), c + 1);
	}
	if (os_page() == 4096) {
		assert_int_equal(stack_class(40 * KIB), STACK_64K);
		assert_int_equal(stack_class(64 * KIB), STACK_256K);
		assert_int_equal(stack_class(200 * KIB), STACK_256K);
		assert_int_equal(stack_class(256 * KIB), STACK_1M);
		assert_int_equal(stack_class(1000 * KIB), STACK_1M);
	}
}

static void the_head_describes_the_stack(void **state)
{
	struct stack *s;
	char *base, *lo, *hi;
	int c;

	(void)state;
	for (c = STACK_64K; c <= STACK_HUGE; c++) {
		s = get_kind(c);
		base = stack_base(s);
		assert_int_equal(s->class, c);
		assert_true(s->size >= stack_usable((enum stack_class)c));
		assert_true(c != STACK_HUGE || s->size >= 20 * MIB);
		assert_int_equal((uintptr_t)base % 64, 0);
		assert_true((char *)s >= base && (char *)s < base + 4096);
		assert_int_equal((uintptr_t)s->lo % os_page(), 0);
		assert_true(stack_contains(base - 1, &lo, &hi));
		assert_ptr_equal(lo, s->lo);
		assert_ptr_equal(hi, base);
		assert_true(stack_contains(s->lo, &lo, &hi));
		assert_false(stack_contains(base, &lo, &hi));
		assert_false(stack_contains(s->lo - 1, &lo, &hi));
		memset(s->lo, 0x5a, s->size);	/* all of it is there, and the head is not in it */
		assert_int_equal(s->class, c);
		stack_put(s);
	}
}

static void neighbours_have_different_colours(void **state)
{
	struct stack *v[16];
	unsigned seen = 0;
	int i;

	(void)state;
	assert_int_equal(stack_get_n(STACK_256K, v, 16), 16);
	for (i = 0; i < 16; i++) {
		assert_int_equal(v[i]->colour % 64, 0);
		seen |= 1u << (v[i]->colour / 64);
	}
	assert_int_equal(seen, 0xffff);
	stack_put_n(v, 16);
}

static void heads_are_fresh_after_reuse(void **state)
{
	struct stack *s = get_kind(STACK_64K), *again;

	(void)state;
	s->next = s;
	s->asan_fake = s->tsan_fiber = s;
	s->valgrind_id = 7;
	stack_put(s);
	again = get_kind(STACK_64K);
	assert_ptr_equal(again, s);		/* the warm one */
	assert_null(s->next);
	assert_null(s->asan_fake);
	assert_null(s->tsan_fiber);
	assert_int_equal(s->valgrind_id, 0);
	stack_put(s);
}

static void stacks_of_mixed_classes_go_back_together(void **state)
{
	enum { N = 300 };
	struct stack *v[N];
	size_t before = stack_committed();
	int i, round;

	(void)state;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < N; i++) {
			v[i] = get_kind(i % 100 == 99 ? STACK_HUGE : i / 7 % 3);
			*((char *)stack_base(v[i]) - 1) = (char)i;
		}
		if (round == 0)
			assert_true(stack_committed() > before);
		before = stack_committed();
		for (i = 0; i < N; i++)
			assert_int_equal(*((char *)stack_base(v[i]) - 1), (char)i);
		stack_put_n(v, N);
		assert_true(stack_committed() < before);	/* the huge ones are gone */
	}
}

static void code_runs_on_a_stack(void *arg)
{
	volatile char deep[30 * 1024];

	memset((void *)(uintptr_t)deep, 1, sizeof(deep));
	*(bool *)arg = deep[100] == 1;
}

static void every_class_can_be_run_on(void **state)
{
	struct stack *s;
	bool ran;
	int c;

	(void)state;
	for (c = STACK_64K; c <= STACK_HUGE; c++) {
		s = get_kind(c);
		ran = false;
		switch_call(stack_base(s), code_runs_on_a_stack, &ran);
		assert_true(ran);
		stack_put(s);
	}
}

/* --- Guards --- */

static sigjmp_buf after_fault;
static struct {
	char *addr, *lo, *hi;
	bool in_guard;
} fault;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	fault.addr = si->si_addr;
	fault.in_guard = stack_in_guard(si->si_addr, &fault.lo, &fault.hi);
	siglongjmp(after_fault, 1);
}

/* Does writing to p fault, and is the fault known as one of s? */
static bool guarded(const struct stack *s, char *p)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
	bool faults;

	memset(&fault, 0, sizeof(fault));
	sigaction(SIGSEGV, &sa, &old);
	faults = sigsetjmp(after_fault, 1) != 0;
	if (!faults)
		*(volatile char *)p = 1;
	sigaction(SIGSEGV, &old, NULL);
	return faults && fault.addr == p && fault.in_guard && fault.lo == s->lo &&
	       fault.hi == (char *)stack_base(s);
}

static bool all_guarded(const struct stack *s)
{
	return guarded(s, s->lo - 1) && guarded(s, s->lo - 4096) && guarded(s, s->lo - GUARD);
}

static void guards_fault_in_every_class(void **state)
{
	struct stack *s, *v[130];
	char *lo, *hi;
	int c, i;

	(void)state;
	for (c = STACK_64K; c <= STACK_HUGE; c++) {
		s = get_kind(c);
		assert_true(all_guarded(s));
		*s->lo = 1;			/* the first byte above does not */
		assert_false(stack_in_guard(s->lo, &lo, &hi));
		assert_false(stack_in_guard(s, &lo, &hi));
		stack_put(s);
	}
	assert_int_equal(stack_get_n(STACK_256K, v, 130), 130);
	for (i = 0; i < 130; i++)
		assert_true(guarded(v[i], v[i]->lo - 1));
	stack_put_n(v, 130);
	assert_false(stack_in_guard(&s, &lo, &hi));
	assert_false(stack_in_guard(NULL, &lo, &hi));
	assert_int_equal(stack_unguarded(), 0);
}

static void guards_survive_trimming(void **state)
{
	struct stack *v[80], *again[80];
	int i;

	(void)state;
	assert_int_equal(stack_get_n(STACK_64K, v, 80), 80);
	for (i = 0; i < 80; i += 3)
		stack_put(v[i]);
	stack_trim(0, SIZE_MAX);		/* runs of slots */
	for (i = 0; i < 80; i++)
		if (i % 3 != 0)
			stack_put(v[i]);
	stack_trim(0, SIZE_MAX);		/* whole arenas */
	assert_int_equal(stack_get_n(STACK_64K, again, 80), 80);
	for (i = 0; i < 80; i++)
		assert_true(guarded(again[i], again[i]->lo - 1));
	stack_put_n(again, 80);
}

/* --- Huge stacks --- */

static void hundreds_of_huge_stacks_are_told_apart(void **state)
{
	enum { N = 600 };			/* more than a block of the table */
	size_t before = stack_committed();
	struct stack *v[N];
	char *lo, *hi;
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		v[i] = stack_get(STACK_HUGE, 9 * MIB + (size_t)i * 4096);
		assert_non_null(v[i]);
		*((char *)stack_base(v[i]) - 1) = (char)i;
	}
	for (i = 0; i < N; i++) {
		assert_true(stack_in_guard(v[i]->lo - 1, &lo, &hi));
		assert_ptr_equal(lo, v[i]->lo);
		assert_ptr_equal(hi, stack_base(v[i]));
	}
	lo = v[N - 1]->lo;
	for (i = 0; i < N; i++)
		stack_put(v[i]);
	assert_int_equal(stack_committed(), before);
	assert_false(stack_in_guard(lo - 1, &lo, &hi));
	assert_null(stack_get(STACK_HUGE, SIZE_MAX));
	assert_null(stack_get(STACK_HUGE, SIZE_MAX / 8));
}

/* --- Memory goes back --- */

static void trimmed_stacks_cost_no_memory(void **state)
{
	enum { N = 2000 };
	static struct stack *v[N];
	size_t before, full;
	int i;

	(void)state;
	stack_trim(0, SIZE_MAX);
	before = rss();
	assert_int_equal(stack_get_n(STACK_256K, v, N), N);
	for (i = 0; i < N; i++)
		memset((char *)stack_base(v[i]) - 10000, 1, 10000);
	full = rss();
	assert_true(full - before > (size_t)N * 10000);
	stack_put_n(v, N);
	assert_int_equal(stack_trim(0, SIZE_MAX), N);
	assert_true(san_on || rss() < before + (full - before) / 4);
}

static void dropped_pages_are_those_below_the_stack_pointer(void **state)
{
	enum { N = 700 };			/* more than fit one call */
	static struct stack_drop d;
	static struct stack *v[N];
	size_t full, used = 3000;
	char *base;
	int i;

	(void)state;
	assert_int_equal(stack_get_n(STACK_64K, v, N), N);
	for (i = 0; i < N; i++)
		memset((char *)stack_base(v[i]) - 40000, 0x33, 40000);
	full = rss();
	for (i = 0; i < N; i++)
		stack_drop_add(&d, v[i], (char *)stack_base(v[i]) - used);
	stack_drop_flush(&d);
	assert_int_equal(d.n, 0);
	assert_true(rss() < full - (size_t)N * 30000);
	for (i = 0; i < N; i++) {
		base = stack_base(v[i]);
		assert_int_equal(base[-1], 0x33);
		assert_int_equal(*(base - used), 0x33);
		assert_int_equal(*(base - used - 128), 0x33);	/* the red zone */
		assert_int_equal(*(base - 40000 + 8000), 0);
		assert_int_equal(v[i]->class, STACK_64K);
		stack_drop_add(&d, v[i], v[i]->lo + 100);	/* nothing to drop */
	}
	assert_int_equal(d.n, 0);
	stack_put_n(v, N);
}

/* --- Exhaustion --- */

/* Lets the process have `more' bytes beyond what it has now; false: not here (emulators). */
static bool limit(int what, size_t more)
{
	size_t total = 0, data = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "r");
	struct rlimit r;

	child_check(f != NULL && fscanf(f, "%zu %zu %zu %zu %zu %zu", &total, &ignored, &ignored,
	    &ignored, &ignored, &data) == 6);
	fclose(f);
	r.rlim_cur = r.rlim_max = (what == RLIMIT_AS ? total : data) * os_page() + more;
	child_check(setrlimit(what, &r) == 0);
	return mmap(NULL, more + ((size_t)1 << 20), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static void exhaust(int what, enum stack_class c)
{
	static struct stack *v[20000];
	int n, i;

	if (!limit(what, 64 * MIB))
		return;
	for (n = 0; n < 20000 && (v[n] = stack_get(c, 9 * MIB)) != NULL; n++)
		*((char *)stack_base(v[n]) - 1) = 1;
	child_check(n > 1 && n < 20000);
	for (i = 0; i < 3; i++) {
		stack_put(v[n - 1]);
		child_check((v[n - 1] = stack_get(c, 9 * MIB)) != NULL);
		child_check(stack_get(c, 9 * MIB) == NULL);
	}
}

static void exhaust_address_space(void) { exhaust(RLIMIT_AS, STACK_256K); }
static void exhaust_data(void) { exhaust(RLIMIT_DATA, STACK_64K); }
static void exhaust_huge(void) { exhaust(RLIMIT_AS, STACK_HUGE); }

static void exhaustion_gives_null_and_is_not_final(void **state)
{
	(void)state;
	if (san_tsan)
		skip();				/* its own memory is what would run out */
	assert_int_equal(in_child(exhaust_address_space), 0);
	assert_int_equal(in_child(exhaust_data), 0);
	assert_int_equal(in_child(exhaust_huge), 0);
}

/* Memory that is locked cannot be given back, and guards cannot be installed cheaply. */
static void locked(void)
{
	struct stack *v[100];
	size_t n, i;

	if (mlockall(MCL_FUTURE) != 0)
		_exit(0);			/* not permitted here */
	for (n = 0; n < 100 && (v[n] = stack_get(STACK_64K, 0)) != NULL; n++)
		child_check(guarded(v[n], v[n]->lo - 1));
	for (i = 0; i < n; i++)
		stack_put(v[i]);
	stack_trim(0, SIZE_MAX);
	for (i = 0; i < n; i++)
		child_check((v[i] = stack_get(STACK_64K, 0)) != NULL);
}

static void locked_memory_is_survived(void **state)
{
	(void)state;
	assert_int_equal(in_child(locked), 0);
}

/* --- Threads --- */

static uint32_t stop;

static void *hammer(void *arg)
{
	struct stack *v[50];
	uintptr_t bad = 0;
	struct rand r;
	int round, i, n;

	rand_seed(&r, (uintptr_t)arg);
	for (round = 0; round < 1500; round++) {
		n = 1 + (int)rand_below(&r, 49);
		n = stack_get_n((enum stack_class)rand_below(&r, 2), v, n);
		for (i = 0; i < n; i++)
			*(void **)(void *)v[i]->lo = &v[i];
		for (i = 0; i < n; i++)
			bad += *(void **)(void *)v[i]->lo != &v[i];
		stack_put_n(v, n);
		if (round % 16 == 0) {
			v[0] = stack_get(STACK_HUGE, 9 * MIB);
			if (v[0] != NULL)
				stack_put(v[0]);
		}
	}
	return (void *)bad;
}

static void *trim_and_look(void *arg)
{
	uintptr_t trimmed = 0;
	char *lo, *hi;

	while (!load_acq(&stop)) {
		trimmed += stack_trim(5, 200);
		stack_in_guard(arg, &lo, &hi);
	}
	return (void *)trimmed;
}

static void threads_never_share_a_stack(void **state)
{
	pthread_t t[3], trimmer;
	void *bad, *trimmed;
	size_t i;

	(void)state;
	assert_int_equal(pthread_create(&trimmer, NULL, trim_and_look, &stop), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)(i + 1)), 0);
	for (i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	store_rel(&stop, 1);
	pthread_join(trimmer, &trimmed);
	assert_true((uintptr_t)trimmed > 0);
}

/* --- Without new kernel features --- */

#define AGAIN	"GORO_UNIT_STACK_AGAIN"

/* Guards that cost a mapping each stop before they take all the process may have. */
static void the_budget_for_guards_is_kept(void **state)
{
	static struct stack *v[200000];
	int n, i;

	(void)state;
	if (getenv(AGAIN) == NULL)
		skip();
	for (n = 0; n < 200000 && stack_unguarded() == 0; n++) {
		v[n] = stack_get(STACK_64K, 0);
		assert_non_null(v[n]);
	}
	assert_true(n < 200000);
	assert_true(guarded(v[0], v[0]->lo - 1));
	v[n] = get_kind(STACK_64K);
	memset(v[n]->lo, 1, v[n]->size);	/* usable all the same */
	stack_put(v[n]);
	free(malloc(64 * MIB));			/* maps: there are mappings left */
	for (i = 0; i < n; i++)
		stack_put(v[i]);
}

static const char *self;

static void all_of_this_holds_with_the_fall_backs(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (getenv(AGAIN) != NULL)
		skip();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setenv(AGAIN, "1", 1);
		setenv("GORO_DEBUG", "noguard=1,nopmadvise=1", 1);
		execl("/proc/self/exe", self, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		skip();				/* an emulator that cannot start programs */
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_hold_what_they_promise),
		cmocka_unit_test(the_head_describes_the_stack),
		cmocka_unit_test(neighbours_have_different_colours),
		cmocka_unit_test(heads_are_fresh_after_reuse),
		cmocka_unit_test(stacks_of_mixed_classes_go_back_together),
		cmocka_unit_test(every_class_can_be_run_on),
		cmocka_unit_test(guards_fault_in_every_class),
		cmocka_unit_test(guards_survive_trimming),
		cmocka_unit_test(hundreds_of_huge_stacks_are_told_apart),
		cmocka_unit_test(trimmed_stacks_cost_no_memory),
		cmocka_unit_test(dropped_pages_are_those_below_the_stack_pointer),
		cmocka_unit_test(exhaustion_gives_null_and_is_not_final),
		cmocka_unit_test(locked_memory_is_survived),
		cmocka_unit_test(threads_never_share_a_stack),
		cmocka_unit_test(the_budget_for_guards_is_kept),
		cmocka_unit_test(all_of_this_holds_with_the_fall_backs),
	};

	self = argc > 0 ? argv[0] : "unit_stack";
	san_init();
	if (stack_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
