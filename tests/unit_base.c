/* SPDX-License-Identifier: MIT */
/* unit_base.c - the words everything is built from: lists, bitmaps, random choices, output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../src/base/list.h"
#include "../src/base/out.h"
#include "../src/base/rand.h"
#include "../src/stack/bits.h"

/* --- Lists --- */

struct item { int v; struct link l; };

static void holds(const struct link *list, const int *v, size_t n)
{
	const struct link *e = list->next;
	size_t i;

	for (i = 0; i < n; i++, e = e->next) {
		assert_ptr_not_equal(e, list);
		assert_int_equal(container_of(e, struct item, l)->v, v[i]);
		assert_ptr_equal(e->prev->next, e);
		assert_ptr_equal(e->next->prev, e);
	}
	assert_ptr_equal(e, list);
}

static void elements_keep_the_order_they_were_put_in(void **state)
{
	struct item it[5] = {{.v = 0}, {.v = 1}, {.v = 2}, {.v = 3}, {.v = 4}};
	struct link list;

	(void)state;
	list_init(&list);
	assert_true(list_empty(&list));
	list_append(&list, &it[1].l);
	list_append(&list, &it[3].l);
	list_prepend(&list, &it[0].l);
	list_insert_before(&it[3].l, &it[2].l);
	list_append(&list, &it[4].l);
	holds(&list, (int[]){0, 1, 2, 3, 4}, 5);
	assert_false(list_empty(&list));
}

static void an_element_taken_out_says_so(void **state)
{
	struct item it[3] = {{.v = 0}, {.v = 1}, {.v = 2}};
	struct link list;
	int i;

	(void)state;
	list_init(&list);
	for (i = 0; i < 3; i++) {
		assert_false(list_linked(&it[i].l));
		list_append(&list, &it[i].l);
		assert_true(list_linked(&it[i].l));
	}
	list_remove(&it[1].l);
	assert_false(list_linked(&it[1].l));
	holds(&list, (int[]){0, 2}, 2);
	list_remove(&it[0].l);
	list_remove(&it[2].l);
	assert_true(list_empty(&list));
	list_append(&list, &it[1].l);
	holds(&list, (int[]){1}, 1);
}

/* --- Bitmaps --- */

static void each_bit_is_its_own(void **state)
{
	uint64_t w[3] = {0};
	size_t i, k;

	(void)state;
	assert_int_equal(words(1), 1);
	assert_int_equal(words(64), 1);
	assert_int_equal(words(65), 2);
	for (i = 0; i < 192; i++) {
		set_bit(w, i);
		for (k = 0; k < 192; k++)
			assert_int_equal(test_bit(w, k), k == i);
		clear_bit(w, i);
	}
	assert_true(w[0] == 0 && w[1] == 0 && w[2] == 0);
}

/* --- Random choices --- */

/* Chi square over 16 cells, 160,000 draws: 15 degrees of freedom, beyond 60 once in millions. */
static void draws_are_even_and_in_range(void **state)
{
	enum { CELLS = 16, EACH = 10000 };
	uint64_t seed;

	(void)state;
	for (seed = 0; seed < 8; seed++) {
		uint32_t n[CELLS] = {0};
		struct rand r;
		double chi = 0;
		int i;

		rand_seed(&r, seed);
		for (i = 0; i < CELLS * EACH; i++) {
			uint32_t x = rand_below(&r, CELLS);

			assert_true(x < CELLS);
			n[x]++;
		}
		for (i = 0; i < CELLS; i++)
			chi += ((double)n[i] - EACH) * ((double)n[i] - EACH) / EACH;
		assert_true(chi < 60);
	}
}

static void seeds_that_differ_little_give_other_numbers(void **state)
{
	struct rand a, b;
	int i, same = 0;

	(void)state;
	rand_seed(&a, 1);
	rand_seed(&b, 2);
	for (i = 0; i < 1000; i++)
		same += rand_u32(&a) == rand_u32(&b);
	assert_true(same < 3);
	rand_seed(&a, 7);
	rand_seed(&b, 7);
	for (i = 0; i < 1000; i++)
		assert_int_equal(rand_u32(&a), rand_u32(&b));
}

static void a_choice_of_one_is_zero(void **state)
{
	struct rand r;
	int i;

	(void)state;
	rand_seed(&r, 3);
	for (i = 0; i < 1000; i++)
		assert_int_equal(rand_below(&r, 1), 0);
}

/* --- Output --- */

static char got[8192];

/* What out_fmt writes to a pipe; the pipe holds more than got does. */
static const char *printed(const char *fmt, ...)
{
	struct out o;
	va_list ap;
	ssize_t n;
	int p[2];

	assert_int_equal(pipe(p), 0);
	out_init(&o, p[1]);
	va_start(ap, fmt);
	out_vfmt(&o, fmt, ap);
	va_end(ap);
	out_flush(&o);
	close(p[1]);
	n = read(p[0], got, sizeof(got) - 1);
	close(p[0]);
	assert_true(n >= 0);
	got[n] = '\0';
	return got;
}

static void numbers_are_printed_as_by_printf(void **state)
{
	char want[256];

	(void)state;
	snprintf(want, sizeof(want), "%d %d %u %x|%ld %lu|%zu", 0, -2147483647 - 1, 4294967295u,
		 0xbeefu, -9223372036854775807L - 1, 18446744073709551615UL, (size_t)7);
	assert_string_equal(printed("%d %d %u %x|%ld %lu|%zu", 0, -2147483647 - 1, 4294967295u,
				    0xbeefu, -9223372036854775807L - 1, 18446744073709551615UL,
				    (size_t)7), want);
}

static void fields_are_padded_as_by_printf(void **state)
{
	(void)state;
	assert_string_equal(printed("[%5d|%-5d|%05d|%8s|%-8s|%c]", 42, 42, 42, "ab", "ab", 'x'),
			    "[   42|42   |00042|      ab|ab      |x]");
	assert_string_equal(printed("[%2d|%1s]", 12345, "long"), "[12345|long]");
}

static void pointers_texts_and_percents(void **state)
{
	(void)state;
	assert_string_equal(printed("%p %p", (void *)0x1234, (void *)0), "0x1234 0x0");
	assert_string_equal(printed("%s|%s|", "", (char *)NULL), "|(null)|");
	assert_string_equal(printed("100%%"), "100%");
}

static void what_is_longer_than_the_buffer_comes_whole(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[1023] = 'b';
	text[1024] = 'c';
	assert_string_equal(printed("%s", text), text);
}

static void nobody_to_tell_is_no_error(void **state)
{
	struct out o;

	(void)state;
	out_init(&o, -1);
	errno = 77;
	out_fmt(&o, "%d", 1);
	out_flush(&o);
	assert_int_equal(errno, 77);
	assert_int_equal(o.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_keep_the_order_they_were_put_in),
		cmocka_unit_test(an_element_taken_out_says_so),
		cmocka_unit_test(each_bit_is_its_own),
		cmocka_unit_test(draws_are_even_and_in_range),
		cmocka_unit_test(seeds_that_differ_little_give_other_numbers),
		cmocka_unit_test(a_choice_of_one_is_zero),
		cmocka_unit_test(numbers_are_printed_as_by_printf),
		cmocka_unit_test(fields_are_padded_as_by_printf),
		cmocka_unit_test(pointers_texts_and_percents),
		cmocka_unit_test(what_is_longer_than_the_buffer_comes_whole),
		cmocka_unit_test(nobody_to_tell_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
