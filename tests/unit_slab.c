/* SPDX-License-Identifier: MIT */
/* unit_slab.c - slabs: no slot is lost or handed out twice, and memory goes back. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
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

#define SMALL	96		/* not made of pages */
#define MAX	4096

static struct slab slabs[16];
static int nslabs;

/* A new slab for every test: slabs never die. */
static struct slab *new_slab(size_t slot, size_t guard, size_t arena_slots, size_t reserve)
{
	struct slab_class c = {.name = "test", .slot_size = slot, .guard = guard,
	    .arena_slots = arena_slots, .reserve = reserve};
	struct slab *s = &slabs[nslabs++];

	assert_true(nslabs <= (int)countof(slabs));
	assert_int_equal(slab_init(s, &c), 0);
	return s;
}

static struct slab_stats stats(struct slab *s)
{
	struct slab_stats st;

	slab_stats(s, &st);
	return st;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(void *const *)a, y = (uintptr_t)*(void *const *)b;

	return x < y ? -1 : x > y;
}

/* The slots in v are apart from each other, writable behind their guards, and found. */
static void check_slots(struct slab *s, void *const *v, int n)
{
	size_t size = s->class.slot_size, guard = s->class.guard;
	void *sorted[MAX];
	int i;

	memcpy(sorted, v, (size_t)n * sizeof(*v));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_address);
	for (i = 0; i < n; i++) {
		assert_true(i == 0 || (char *)sorted[i] - (char *)sorted[i - 1] >= (ptrdiff_t)size);
		assert_ptr_equal(slab_find(s, sorted[i]), sorted[i]);
		assert_ptr_equal(slab_find(s, (char *)sorted[i] + size - 1), sorted[i]);
		memset((char *)sorted[i] + guard, 0x11 + i % 7, 32);
		memset((char *)sorted[i] + size - 32, 0x11 + i % 7, 32);
	}
	for (i = 0; i < n; i++)
		assert_int_equal(*((char *)sorted[i] + guard), 0x11 + i % 7);
}

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

/* Runs fn in a child; returns its wait status. */
static int in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		fn();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* In a child cmocka's assertions would jump into the parent's runner. */
static void child_failed(int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
	_exit(1);
}

#define child_check(c)	((c) ? (void)0 : child_failed(__LINE__, #c))

/* --- Getting and putting --- */

static void fill_and_empty(struct slab *s, int total, int batch)
{
	static void *v[MAX];
	int n = 0, want, i;

	while (n < total) {
		want = total - n < batch ? total - n : batch;
		assert_int_equal(slab_get(s, v + n, want), want);
		n += want;
	}
	check_slots(s, v, n);
	assert_true(stats(s).slots - stats(s).free_warm - stats(s).free_cold == (size_t)n);
	for (i = 0; i < n; i += want) {
		want = n - i < batch ? n - i : batch;
		slab_put(s, v + i, want);
	}
	assert_true(stats(s).slots == stats(s).free_warm + stats(s).free_cold);
}

static void slots_are_apart_at_every_fill_level(void **state)
{
	static const int level[] = {1, 2, 63, 64, 65, 127, 200, 256, 257, 1000, 3000};
	static const int batch[] = {1, 7, 64, 300, 3000};
	struct slab *s[] = {
		new_slab(SMALL, 0, 256, 1 << 20),
		new_slab(os_page(), 0, 64, 16 << 20),
		new_slab(4 * os_page(), os_page(), 48, 64 << 20),
		new_slab(32, 0, 1, 1 << 20),
	};
	size_t i, j, k;

	(void)state;
	for (k = 0; k < countof(s); k++)
		for (i = 0; i < countof(level); i++)
			for (j = 0; j < countof(batch); j++)
				fill_and_empty(s[k], level[i], batch[j]);
}

static void warm_slots_come_first_and_low_ones_before_high_ones(void **state)
{
	struct slab *s = new_slab(os_page(), 0, 64, 1 << 20);
	void *v[40], *w[40];
	int i;

	(void)state;
	assert_int_equal(slab_get(s, v, 40), 40);
	for (i = 1; i < 40; i++)
		assert_true(v[i - 1] < v[i]);
	slab_put(s, &v[30], 1);			/* in an odd order */
	slab_put(s, &v[10], 1);
	slab_put(s, &v[20], 2);
	assert_int_equal(stats(s).free_warm, 4);
	assert_int_equal(slab_get(s, w, 5), 5);
	assert_ptr_equal(w[0], v[10]);
	assert_ptr_equal(w[1], v[20]);
	assert_ptr_equal(w[2], v[21]);
	assert_ptr_equal(w[3], v[30]);
	assert_true(w[4] > v[39]);		/* no warm ones left: a cold one */
	assert_int_equal(stats(s).free_warm, 0);
}

static void more_regions_are_reserved_when_one_is_full(void **state)
{
	struct slab *s = new_slab(os_page(), 0, 4, 4 * os_page());
	void *v[MAX], *slot;
	size_t n = 0;

	(void)state;
	assert_int_equal(slab_get(s, v, 1000), 1000);
	assert_true(s->nregions > 4 && s->nregions < SLAB_REGIONS);	/* they grow */
	check_slots(s, v, 1000);
	for (slot = NULL; (slot = slab_next(s, slot)) != NULL; n++)
		;
	assert_int_equal(n, stats(s).slots);
	slab_put(s, v, 1000);
	assert_int_equal(slab_trim(s, 0, MAX), 1000);
}

static int carved;
static struct slab *carving;

static void count_slot(void *slot, size_t size)
{
	struct slab_stats st;

	slab_stats(carving, &st);		/* would never return if the lock were held */
	assert_int_equal(size, os_page());
	assert_null(slab_find(carving, slot));	/* not published before it is carved */
	carved++;
}

static void every_slot_is_carved_once(void **state)
{
	void *v[200];

	(void)state;
	carving = new_slab(os_page(), 0, 32, 1 << 20);
	carving->class.carve = count_slot;
	assert_int_equal(slab_get(carving, v, 200), 200);
	assert_int_equal(carved, stats(carving).slots);
	slab_put(carving, v, 200);
	slab_trim(carving, 0, MAX);
	assert_int_equal(slab_get(carving, v, 200), 200);
	assert_int_equal(carved, stats(carving).slots);
}

/* --- Looking --- */

static void find_knows_its_own_addresses_only(void **state)
{
	struct slab *s = new_slab(SMALL, 0, 42, 1 << 20);	/* 4032 bytes and a gap */
	struct slab *never_used = new_slab(SMALL, 0, 42, 1 << 20);
	void *v[50];
	char *arena;
	int local;

	(void)state;
	assert_null(slab_find(never_used, &local));
	assert_null(slab_next(never_used, NULL));
	assert_int_equal(slab_get(s, v, 50), 50);
	arena = v[0];
	assert_ptr_equal(slab_find(s, arena + SMALL - 1), arena);
	assert_ptr_equal(slab_find(s, arena + SMALL), arena + SMALL);
	if (os_page() == 4096)
		assert_null(slab_find(s, arena + 42 * SMALL));	/* the gap */
	assert_null(slab_find(s, arena - 1));
	assert_null(slab_find(s, arena + 2 * s->arena_size));	/* not committed */
	assert_null(slab_find(s, &local));
	assert_null(slab_find(s, NULL));
}

static void next_visits_every_slot_in_use_in_address_order(void **state)
{
	struct slab *s = new_slab(SMALL, 0, 42, 1 << 16);
	void *v[MAX], *slot = NULL, *last = NULL;
	size_t n = 0;
	int i, used = 0;

	(void)state;
	assert_int_equal(slab_get(s, v, 1500), 1500);
	slab_put(s, v, 700);			/* whole arenas of 42 become free, and are left out */
	while ((slot = slab_next(s, slot)) != NULL) {
		assert_true(last == NULL || slot > last);
		assert_ptr_equal(slab_find(s, slot), slot);
		for (i = 700; i < 1500; i++)
			used += v[i] == slot;
		last = slot;
		n++;
	}
	assert_true(n < stats(s).slots && n < 800 + 2 * 42);
	assert_int_equal(used, 800);
}

/* --- Trimming --- */

static void trim_gives_memory_back_and_slots_read_as_zero(void **state)
{
	struct slab *s = new_slab(8 * os_page(), os_page(), 64, 1 << 28);
	size_t size = s->class.slot_size, before, full, i;
	void *v[1024];

	(void)state;
	before = rss();
	assert_int_equal(slab_get(s, v, 1024), 1024);
	for (i = 0; i < 1024; i++)
		memset((char *)v[i] + size - 2 * os_page(), 0x5a, 2 * os_page());
	full = rss();
	assert_true(full - before > 1024 * 2 * os_page() * 9 / 10);
	slab_put(s, v, 1024);
	assert_int_equal(stats(s).free_warm, 1024);
	assert_int_equal(slab_trim(s, 0, SIZE_MAX), 1024);
	assert_int_equal(stats(s).free_warm, 0);
	assert_int_equal(stats(s).free_cold, stats(s).slots);
	assert_true(san_on || rss() < before + (full - before) / 4);
	assert_int_equal(slab_trim(s, 0, SIZE_MAX), 0);
	assert_int_equal(slab_get(s, v, 1024), 1024);
	for (i = 0; i < 1024; i++)
		assert_int_equal(*((char *)v[i] + size - 1), 0);
}

static void trim_leaves_what_is_in_use_alone(void **state)
{
	struct slab *s = new_slab(os_page(), 0, 64, 1 << 24);
	void *v[2000], *used[1000];
	size_t i;

	(void)state;
	assert_int_equal(slab_get(s, v, 2000), 2000);
	for (i = 0; i < 2000; i++)
		memset(v[i], (int)(i % 100) + 1, os_page());
	for (i = 0; i < 2000; i += 2) {
		used[i / 2] = v[i];
		slab_put(s, &v[i + 1], 1);	/* 1000 ranges: more than one batch */
	}
	assert_int_equal(slab_trim(s, 0, SIZE_MAX), 1000);
	for (i = 0; i < 2000; i += 2)
		assert_int_equal(*((char *)v[i] + i % os_page()), i % 100 + 1);
	assert_int_equal(slab_get(s, v, 1000), 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(*((char *)v[i] + 17), 0);
	check_slots(s, v, 1000);
	slab_put(s, used, 1000);
	slab_put(s, v, 1000);
}

static void trim_keeps_the_lowest_and_no_more_than_it_may(void **state)
{
	struct slab *s = new_slab(os_page(), 0, 64, 1 << 24);
	void *v[500];
	int i;

	(void)state;
	assert_int_equal(slab_get(s, v, 500), 500);
	for (i = 0; i < 500; i++)
		memset(v[i], 1, 64);
	slab_put(s, v, 500);
	assert_int_equal(slab_trim(s, 100, 30), 30);
	assert_int_equal(stats(s).free_warm, 470);
	assert_int_equal(slab_trim(s, 100, 0), 0);
	if (HARD) {				/* the hostile build keeps nothing */
		assert_int_equal(slab_trim(s, 100, SIZE_MAX), 470);
		return;
	}
	assert_int_equal(slab_trim(s, 100, SIZE_MAX), 370);
	assert_int_equal(stats(s).free_warm, 100);
	assert_int_equal(slab_trim(s, 100, SIZE_MAX), 0);
	for (i = 0; i < 500; i++)
		assert_int_equal(*(char *)v[i], i < 100);
}

/* What was wanted a moment ago will be wanted again, so a busy program gives back the rest only. */
static void spare_slots_are_those_that_nobody_wanted(void **state)
{
	struct slab *s = new_slab(os_page(), 0, 64, 1 << 24);
	void *v[500];

	(void)state;
	assert_int_equal(slab_get(s, v, 500), 500);
	slab_put(s, v, 500);
	assert_int_equal(slab_trim_spare(s, 0, SIZE_MAX), HARD ? 500 : 0);	/* all were in use */
	if (HARD)				/* the hostile build keeps nothing */
		return;
	assert_int_equal(slab_get(s, v, 300), 300);
	slab_put(s, v, 300);
	assert_int_equal(slab_trim_spare(s, 350, SIZE_MAX), 150);
	assert_int_equal(slab_get(s, v, 100), 100);
	assert_int_equal(slab_trim_spare(s, 0, 10), 10);	/* 250 are spare, 10 may go */
	assert_int_equal(slab_trim_spare(s, 0, SIZE_MAX), 240);	/* as long as nobody wants them */
	slab_put(s, v, 100);
	assert_int_equal(slab_trim_spare(s, 0, SIZE_MAX), 0);
	assert_int_equal(slab_trim_spare(s, 0, SIZE_MAX), 100);
	assert_int_equal(stats(s).free_warm, 0);
}

static void small_slots_go_back_by_whole_arenas(void **state)
{
	struct slab *s = new_slab(SMALL, 0, 64, 1 << 20);
	void *v[64 * 6];
	int i;

	(void)state;
	assert_int_equal(slab_get(s, v, 64 * 6), 64 * 6);
	for (i = 0; i < 64 * 6; i++)
		memset(v[i], 0x77, SMALL);
	slab_put(s, v, 64 * 6 - 1);		/* one slot of the last arena stays in use */
	assert_int_equal(slab_trim(s, 0, SIZE_MAX), 64 * 5);
	assert_int_equal(stats(s).free_warm, 63);
	assert_int_equal(*(char *)v[64 * 6 - 1], 0x77);
	assert_int_equal(*(char *)v[0], 0);
	assert_int_equal(*((char *)v[64 * 5 - 1] + SMALL - 1), 0);
}

/* --- Misuse and exhaustion --- */

static void put_twice(void)
{
	struct slab *s = new_slab(SMALL, 0, 64, 1 << 20);
	void *v;

	child_check(freopen("/dev/null", "w", stderr) != NULL);
	child_check(slab_get(s, &v, 1) == 1);
	slab_put(s, &v, 1);
	slab_put(s, &v, 1);
}

static void put_foreign(void)
{
	struct slab *s = new_slab(SMALL, 0, 64, 1 << 20);
	void *v = &v;

	child_check(freopen("/dev/null", "w", stderr) != NULL);
	slab_put(s, &v, 1);
}

static void a_slot_put_twice_and_a_foreign_one_are_fatal(void **state)
{
	int status;

	(void)state;
	status = in_child(put_twice);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	status = in_child(put_foreign);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

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

/* Exhausts a slab, frees one, and gets one again. */
static void exhaust(int what)
{
	struct slab *s = new_slab((size_t)64 << 10, os_page(), 64, (size_t)64 << 30);
	static void *v[8192];
	int n;

	if (!limit(what, (size_t)100 << 20))
		return;
	n = slab_get(s, v, 8192);
	child_check(n >= 64 && n < 100 * 16);
	child_check(slab_get(s, v + n, 1) == 0);
	slab_put(s, &v[n - 1], 1);
	child_check(slab_get(s, &v[n - 1], 1) == 1);
	child_check(slab_get(s, v + n, 1) == 0);
	slab_put(s, v, n);
	child_check(slab_get(s, v, n) == n);
}

static void exhaust_address_space(void) { exhaust(RLIMIT_AS); }
static void exhaust_data(void) { exhaust(RLIMIT_DATA); }

static void exhaustion_returns_fewer_and_is_not_final(void **state)
{
	(void)state;
	if (san_tsan)
		skip();				/* its own memory is what would run out */
	assert_int_equal(in_child(exhaust_address_space), 0);
	assert_int_equal(in_child(exhaust_data), 0);
}

/* --- Threads --- */

static sem_t in_carve, go_on;

static void block_once(void *slot, size_t size)
{
	static int calls;

	(void)slot;
	(void)size;
	if (calls++ == 0) {
		sem_post(&in_carve);
		sem_wait(&go_on);
	}
}

static void *get_one(void *arg)
{
	void *slot = NULL;

	return slab_get(arg, &slot, 1) == 1 ? slot : NULL;
}

static void *post_soon(void *arg)
{
	(void)arg;
	usleep(50000);
	sem_post(&go_on);
	return NULL;
}

/* The last arena is being made by another thread: its slots are worth waiting for. */
static void wait_for_the_last_arena(void)
{
	struct slab *s = new_slab((size_t)4 << 20, 0, 4, (size_t)16 << 20);
	pthread_t maker, poster;
	void *slot, *made = NULL;

	s->class.carve = block_once;
	sem_init(&in_carve, 0, 0);
	sem_init(&go_on, 0, 0);
	child_check(pthread_create(&maker, NULL, get_one, s) == 0);
	sem_wait(&in_carve);
	child_check(pthread_create(&poster, NULL, post_soon, NULL) == 0);
	if (!limit(RLIMIT_AS, (size_t)8 << 20))	/* too little for another region */
		return;
	slot = get_one(s);
	child_check(slot != NULL);
	pthread_join(maker, &made);
	child_check(made != NULL && made != slot);
}

static void a_get_waits_for_an_arena_in_the_making(void **state)
{
	(void)state;
	if (san_on)
		skip();				/* its own memory is what would run out */
	assert_int_equal(in_child(wait_for_the_last_arena), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_apart_at_every_fill_level),
		cmocka_unit_test(warm_slots_come_first_and_low_ones_before_high_ones),
		cmocka_unit_test(more_regions_are_reserved_when_one_is_full),
		cmocka_unit_test(every_slot_is_carved_once),
		cmocka_unit_test(find_knows_its_own_addresses_only),
		cmocka_unit_test(next_visits_every_slot_in_use_in_address_order),
		cmocka_unit_test(trim_gives_memory_back_and_slots_read_as_zero),
		cmocka_unit_test(trim_leaves_what_is_in_use_alone),
		cmocka_unit_test(trim_keeps_the_lowest_and_no_more_than_it_may),
		cmocka_unit_test(spare_slots_are_those_that_nobody_wanted),
		cmocka_unit_test(small_slots_go_back_by_whole_arenas),
		cmocka_unit_test(a_slot_put_twice_and_a_foreign_one_are_fatal),
		cmocka_unit_test(exhaustion_returns_fewer_and_is_not_final),
		cmocka_unit_test(a_get_waits_for_an_arena_in_the_making),
	};

	os_init();
	san_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
