/* SPDX-License-Identifier: MIT */
/* unit_slab_race.c - slabs under threads that get, put, trim and look. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../src/base/rand.h"
#include "../src/base/san.h"
#include "../src/stack/slab.h"

#define HAMMERS	4

static struct slab slab;
static uint32_t stop;

static void *hammer(void *arg)
{
	void *v[200];
	struct rand r;
	int round, n = 0, i, k;
	uintptr_t bad = 0;

	rand_seed(&r, (uintptr_t)arg);
	for (round = 0; round < 3000; round++) {
		k = (int)rand_below(&r, 60);
		if (n + k <= 200) {
			if (slab_get(&slab, v + n, k) != k)
				return (void *)UINTPTR_MAX;
			for (i = n; i < n + k; i++)
				*(void **)v[i] = &v[i];		/* mine */
			n += k;
		}
		for (i = 0; i < n; i++)
			bad += *(void **)v[i] != &v[i];
		k = n < k ? n : k;
		n -= k;
		slab_put(&slab, v + n, k);
	}
	slab_put(&slab, v, n);
	return (void *)bad;
}

static void *trim_and_look(void *arg)
{
	uintptr_t trimmed = 0;
	void *slot = NULL;

	(void)arg;
	while (!load_acq(&stop)) {
		trimmed += slab_trim(&slab, 10, 300);
		slot = slab_next(&slab, slot);
	}
	return (void *)trimmed;
}

static void threads_never_share_a_slot(void **state)
{
	pthread_t t[HAMMERS], trimmer[2];
	struct slab_class c = {.name = "test", .arena_slots = 32, .reserve = 1 << 18};
	void *bad, *trimmed[2];
	struct slab_stats st;
	size_t i;

	(void)state;
	c.slot_size = os_page();
	assert_int_equal(slab_init(&slab, &c), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&trimmer[i], NULL, trim_and_look, NULL), 0);
	for (i = 0; i < HAMMERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)(i + 1)), 0);
	for (i = 0; i < HAMMERS; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	store_rel(&stop, 1);
	for (i = 0; i < 2; i++)
		pthread_join(trimmer[i], &trimmed[i]);
	assert_true((uintptr_t)trimmed[0] + (uintptr_t)trimmed[1] > 0);
	slab_stats(&slab, &st);
	assert_int_equal(st.slots, st.free_warm + st.free_cold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_never_share_a_slot),
	};

	os_init();
	san_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
