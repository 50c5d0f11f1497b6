/* SPDX-License-Identifier: MIT */
/* unit_wait.c - who wins a wait, and the table from address to waiters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../src/sync/wait.h"

enum { MANY = 40 };

static struct addr_waiter w[MANY];
static char place[MANY];			/* addresses; in the hostile build two share a bucket */

static void fresh(void)
{
	memset(w, 0, sizeof(w));
}

static void enqueue(int i, int at, bool first)
{
	struct bucket *b;

	w[i].addr = &place[at];
	b = addr_lock(w[i].addr);
	addr_enqueue(b, &w[i], first);
	unlock(&b->lock);
}

/* Takes the next one at an address: its index, or -1. */
static int take(int at, bool *more)
{
	struct bucket *b = addr_lock(&place[at]);
	struct addr_waiter *x = addr_take(b, &place[at], more);

	unlock(&b->lock);
	return x == NULL ? -1 : (int)(x - w);
}

static void leave_queue(int i)
{
	struct bucket *b = addr_lock(w[i].addr);

	addr_remove(&w[i]);
	unlock(&b->lock);
}

static void waiters_of_an_address_come_in_order(void **state)
{
	bool more;
	int i;

	(void)state;
	fresh();
	for (i = 0; i < MANY; i++)
		enqueue(i, i % 4, false);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(take(i % 4, &more), i);
		assert_int_equal(more, i < MANY - 4);
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(take(i, &more), -1);
}

static void one_may_be_put_in_front(void **state)
{
	bool more;

	(void)state;
	fresh();
	enqueue(0, 0, false);
	enqueue(1, 0, false);
	enqueue(2, 0, true);
	enqueue(3, 0, true);
	assert_int_equal(take(0, &more), 3);
	assert_int_equal(take(0, &more), 2);
	assert_int_equal(take(0, &more), 0);
	assert_int_equal(take(0, &more), 1);
	assert_false(more);
}

/* The head of an address, one behind it, the last: whoever leaves, the rest keep their order. */
static void who_leaves_does_not_disturb_the_others(void **state)
{
	bool more;
	int gone, i;

	(void)state;
	for (gone = 0; gone < 5; gone++) {
		fresh();
		for (i = 0; i < 5; i++)
			enqueue(i, 1, false);
		leave_queue(gone);
		leave_queue(gone);		/* twice does nothing */
		for (i = 0; i < 5; i++)
			if (i != gone)
				assert_int_equal(take(1, &more), i);
		assert_int_equal(take(1, &more), -1);
	}
}

static void random_queues_equal_a_plain_list(void **state)
{
	int list[3][MANY], n[3] = {0}, in[MANY], step, i, k;
	struct rand r;
	bool more;

	(void)state;
	fresh();
	rand_seed(&r, 11);
	memset(in, -1, sizeof(in));
	for (step = 0; step < 20000; step++) {
		int at = (int)rand_below(&r, 3), x = (int)rand_below(&r, MANY);

		if (in[x] < 0) {
			bool first = rand_below(&r, 4) == 0;

			enqueue(x, at, first);
			memmove(&list[at][first], &list[at][0], first ? (size_t)n[at] * sizeof(int) : 0);
			list[at][first ? 0 : n[at]] = x;
			n[at]++;
			in[x] = at;
			continue;
		}
		if (rand_below(&r, 2) == 0) {
			x = take(at, &more);
			assert_int_equal(x, n[at] > 0 ? list[at][0] : -1);
			if (x < 0)
				continue;
			assert_int_equal(more, n[at] > 1);
		} else {
			at = in[x];
			leave_queue(x);
		}
		for (i = k = 0; i < n[at]; i++)
			if (list[at][i] != x)
				list[at][k++] = list[at][i];
		n[at] = k;
		in[x] = -1;
	}
	for (i = 0; i < 3; i++)
		while (take(i, &more) >= 0)
			n[i]--;
	assert_true(n[0] == 0 && n[1] == 0 && n[2] == 0);
}

static void a_wait_is_won_once(void **state)
{
	struct wait wait = {0};
	struct waiter a = {.wait = &wait, .index = 0}, b = {.wait = &wait, .index = 1}, alone = {0};

	(void)state;
	assert_true(wait_claim(&b));
	assert_false(wait_claim(&a));
	assert_false(wait_claim(&b));
	assert_int_equal(wait.won, 2);
	assert_true(wait_claim(&alone));	/* nobody else could wake it: no word to win */
}

static void who_has_won_elsewhere_is_passed_over(void **state)
{
	struct wait wait[3] = {{.won = WON_DEADLINE}, {.won = WON_NOBODY}, {.won = 7}};
	bool more;
	int i;

	(void)state;
	fresh();
	for (i = 0; i < 3; i++) {
		w[i].w.wait = &wait[i];
		w[i].w.index = 4;
		enqueue(i, 2, false);
	}
	assert_int_equal(take(2, &more), 1);
	assert_int_equal(wait[1].won, 5);
	assert_int_equal(take(2, &more), -1);
	assert_false(w[0].queued || w[1].queued || w[2].queued);
}

static void a_list_is_passed_over_in_the_same_way(void **state)
{
	struct wait lost = {.won = 3};
	struct waiter a = {.wait = &lost}, b = {0};
	struct link q;

	(void)state;
	list_init(&q);
	assert_null(waiter_take(&q));
	list_append(&q, &a.link);
	list_append(&q, &b.link);
	assert_ptr_equal(waiter_take(&q), &b);
	assert_true(list_empty(&q));
	assert_false(list_linked(&a.link));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiters_of_an_address_come_in_order),
		cmocka_unit_test(one_may_be_put_in_front),
		cmocka_unit_test(who_leaves_does_not_disturb_the_others),
		cmocka_unit_test(random_queues_equal_a_plain_list),
		cmocka_unit_test(a_wait_is_won_once),
		cmocka_unit_test(who_has_won_elsewhere_is_passed_over),
		cmocka_unit_test(a_list_is_passed_over_in_the_same_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
