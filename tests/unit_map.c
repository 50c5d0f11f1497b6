/* SPDX-License-Identifier: MIT */
/*
 * unit_map.c - what of a map cannot be seen from outside: its hash, and how large its tables are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "../src/ctx/map.h"

#include <cmocka.h>

/* Appendix A of the paper: key 00 01 .. 0f, message 00 01 .. 0e. */
static void siphash_gives_what_the_paper_says(void **state)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	unsigned char message[15];

	(void)state;
	for (unsigned char i = 0; i < 15; i++)
		message[i] = i;
	assert_true(siphash(key, message, 15, 2, 4) == UINT64_C(0xa129ca6149be45e5));
}

static void each_map_has_a_seed_of_its_own(void **state)
{
	go_map *a = go_map_new(NULL), *b = go_map_new(NULL);

	(void)state;
	assert_true(map_hash(a, "key", 3) == map_hash(a, "key", 3));
	assert_true(map_hash(a, "key", 3) != map_hash(b, "key", 3));
	go_map_free(a);
	go_map_free(b);
}

static size_t buckets(const go_map *m)
{
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_shards; i++)
		n += m->shard[i].table != NULL ? m->shard[i].table->mask + 1 : 0;
	return n;
}

static size_t dead(const go_map *m)
{
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_shards; i++)
		n += m->shard[i].n_dead;
	return n;
}

static void tables_grow_and_shrink_with_what_is_in_them(void **state)
{
	go_map *m = go_map_new(NULL);
	int n = 20000;

	(void)state;
	assert_int_equal(buckets(m), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++)
			go_map_store(m, &i, sizeof i, m);
		assert_int_equal(go_map_len(m), n);
		assert_in_range(buckets(m), n, 4 * n);
		for (int i = 0; i < n; i++)
			assert_true(go_map_delete(m, &i, sizeof i));
		assert_int_equal(go_map_len(m), 0);
		assert_in_range(buckets(m), 1, 32 * m->n_shards);
		assert_in_range(dead(m), 0, 64 * m->n_shards);
	}
	go_map_free(m);
}

static void long_keys_that_were_deleted_are_not_kept(void **state)
{
	static char key[100000];
	go_map *m = go_map_new(NULL);

	(void)state;
	for (int i = 0; i < 100; i++) {
		key[0] = (char)i;
		go_map_store(m, key, sizeof key, m);
		assert_true(go_map_delete(m, key, sizeof key));
		assert_int_equal(dead(m), 0);
	}
	go_map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_what_the_paper_says),
		cmocka_unit_test(each_map_has_a_seed_of_its_own),
		cmocka_unit_test(tables_grow_and_shrink_with_what_is_in_them),
		cmocka_unit_test(long_keys_that_were_deleted_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
