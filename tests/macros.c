/* SPDX-License-Identifier: MIT */
/*
 * macros.c - the macros of the public header at run time: arguments are evaluated once, literals
 * with commas are one value, GO_TASK carries every kind of argument, go_range behaves like
 * a statement.  More on values in chan_typed.c; what must not compile is in reject/.
 */
#include "goro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdalign.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(__attribute__((unused)) void **state)

struct one { int only; };
struct pair { int x, y; };

/* --- Evaluation ------------------------------------------------------------------------ */

static int asked[8];	/* how often each of the functions below was called */
static go_chan(int) channel;
static go_waitgroup group;

static go_chan(int) get_channel(void) { asked[0]++; return channel; }
static go_chan(int) get_nil(void)     { asked[0]++; return NULL; }
static int get_value(int v)           { asked[1]++; return v; }
static int *get_pointer(int *p)       { asked[2]++; return p; }
static int64_t get_time(int64_t t)    { asked[3]++; return t; }
static bool *get_ok(bool *ok)         { asked[4]++; return ok; }
static go_waitgroup *get_group(void)  { asked[5]++; return &group; }
static void *get_arg(void *p)         { asked[6]++; return p; }
static go_fn get_fn(go_fn f)          { asked[7]++; return f; }

/* Were the functions called as often as the digits of `times` say?  Then forget. */
static bool were_asked(const char *times)
{
	bool same = true;

	for (int i = 0; i < 8; i++)
		same = same && asked[i] == times[i] - '0';
	memset(asked, 0, sizeof asked);
	return same;
}

TEST(channel_operations_evaluate_arguments_once)
{
	int got = 0;

	channel = go_make(int, (size_t)get_value(2));
	assert_true(were_asked("01000000"));
	go_send(get_channel(), get_value(1));
	assert_true(were_asked("11000000"));
	assert_true(go_trysend(get_channel(), get_value(2)));
	assert_true(were_asked("11000000"));
	assert_int_equal(go_send_until(get_channel(), get_value(3), get_time(0)), -ETIMEDOUT);
	assert_true(were_asked("11010000"));
	assert_int_equal(go_len(get_channel()), 2);
	assert_true(were_asked("10000000"));
	assert_int_equal(go_cap(get_channel()), 2);
	assert_true(were_asked("10000000"));
	assert_true(go_recv(get_channel(), get_pointer(&got)));
	assert_true(were_asked("10100000"));
	assert_int_equal(got, 1);
	assert_true(go_tryrecv(get_channel(), get_pointer(&got)));
	assert_true(were_asked("10100000"));
	assert_int_equal(got, 2);
	assert_int_equal(go_recv_until(get_channel(), get_pointer(&got), get_time(0)), -ETIMEDOUT);
	assert_true(were_asked("10110000"));
	assert_true(go_ref(get_channel()) == channel);
	assert_true(were_asked("10000000"));
	go_unref(get_channel());
	assert_true(were_asked("10000000"));
	assert_true((void *)go_send_only(get_channel()) == (void *)channel);
	assert_true(were_asked("10000000"));
	assert_true((void *)go_recv_only(get_channel()) == (void *)channel);
	assert_true(were_asked("10000000"));
	go_close(get_channel());
	assert_true(were_asked("10000000"));
	go_unref(channel);
}

TEST(select_evaluates_arguments_once_whatever_it_chooses)
{
	int got;
	bool ok;

	channel = go_make(int, 1);
	assert_int_equal(go_select(GO_RECV(get_nil(), get_pointer(&got)),
				   GO_SEND(get_nil(), get_value(1)),
				   GO_RECV_OK(get_nil(), get_pointer(&got), get_ok(&ok)),
				   GO_SEND(get_channel(), get_value(5))), 3);
	assert_true(were_asked("42201000"));
	assert_int_equal(go_select_until(get_time(0), GO_SEND(get_channel(), get_value(6))),
			 -ETIMEDOUT);
	assert_true(were_asked("11010000"));
	assert_int_equal(go_tryselect(GO_SEND(get_channel(), get_value(6)),
				      GO_AFTER(get_time(0)), GO_RECV(get_nil(), NULL)), 1);
	assert_true(were_asked("21010000"));
	assert_int_equal(go_select(GO_UNTIL(get_time(0)), GO_SEND(get_channel(), get_value(6))), 0);
	assert_true(were_asked("11010000"));
	assert_int_equal(go_select(GO_RECV_OK(get_channel(), get_pointer(&got), get_ok(&ok))), 0);
	assert_true(were_asked("10101000"));
	assert_true(ok && got == 5);
	go_unref(channel);
}

TEST(range_evaluates_its_channel_once)
{
	int sum = 0;

	channel = go_make(int, 3);
	for (int i = 1; i <= 3; i++)
		go_send(channel, i);
	go_close(channel);
	go_range(v, get_channel())
		sum += v;
	assert_int_equal(sum, 6);
	assert_true(were_asked("10000000"));
	go_unref(channel);
}

static void put(int v)
{
	go_send(channel, v);
}
GO_TASK(put, int);

TEST(go_evaluates_arguments_once)
{
	int got;

	channel = go_make(int, 2);
	GO(put, get_value(7));
	assert_true(go_recv(channel, &got) && got == 7);
	go(put, get_value(8));
	assert_true(go_recv(channel, &got) && got == 8);
	assert_true(were_asked("02000000"));
	GO_WG(get_group(), put, get_value(9));
	go_wg_wait(&group);
	assert_true(were_asked("01000100"));
	assert_true(go_tryrecv(channel, &got) && got == 9);
	go_unref(channel);
}

static void increment(void *n)
{
	++*(int *)n;
}

TEST(defer_evaluates_arguments_once_and_at_once)
{
	int n = 0, other = 0;

	{
		int *p = &n;

		go_defer(get_fn(increment), get_arg(p));
		p = &other;
		(void)p;
		assert_true(were_asked("00000011"));
	}
	assert_true(were_asked("00000000"));
	assert_int_equal(n, 1);
	assert_int_equal(other, 0);
}

/* --- Values ---------------------------------------------------------------------------- */

TEST(literals_with_commas_are_one_value)
{
	go_chan(struct pair) c = go_make(struct pair, 1);
	struct pair got = {0, 0};

	go_send(c, (struct pair){1, 2});
	assert_true(go_recv(c, &got) && got.x == 1 && got.y == 2);
	assert_true(go_trysend(c, (struct pair){3, 4}));
	assert_true(go_recv(c, &got) && got.x == 3 && got.y == 4);
	assert_int_equal(go_send_until(c, (struct pair){.x = 5, .y = 6}, go_now()), 0);
	assert_true(go_recv(c, &got) && got.x == 5 && got.y == 6);
	assert_int_equal(go_tryselect(GO_SEND(c, (struct pair){7, 8}), GO_DEFAULT), 0);
	assert_true(go_recv(c, &got) && got.x == 7 && got.y == 8);
	go_unref(c);
}

TEST(long_literals_are_one_value_too)
{
	struct six { int v[6]; };
	go_chan(struct six) c = go_make(struct six, 1);
	struct six got;

	assert_int_equal(go_send_until(c, (struct six){{1, 2, 3, 4, 5, 6}}, GO_FOREVER), 0);
	assert_true(go_recv(c, &got) && got.v[0] == 1 && got.v[5] == 6);
	go_unref(c);
}

TEST(channels_travel_through_channels)
{
	go_chan(go_sender(struct one)) c = go_make(go_sender(struct one), 1);
	go_chan(struct one) inner = go_make(struct one, 1);
	go_sender(struct one) out;
	struct one in = {0};

	go_send(c, go_send_only(inner));
	assert_true(go_recv(c, &out));
	go_send(out, (struct one){3});
	assert_true(go_recv(go_recv_only(inner), &in) && in.only == 3);
	go_unref(inner);
	go_unref(c);
}

static int twice(int v)
{
	return 2 * v;
}

TEST(functions_and_null_pointers_are_elements)
{
	go_chan(int (*)(int)) functions = go_make(__typeof__(int (*)(int)), 1);
	go_chan(char *) strings = go_make(char *, 1);
	int (*f)(int) = NULL;
	char *s = (char *)"";

	go_send(functions, twice);
	assert_true(go_recv(functions, &f) && f(21) == 42);
	go_send(strings, NULL);
	assert_true(go_recv(strings, &s) && s == NULL);
	go_unref(functions);
	go_unref(strings);
}

/* --- Range ----------------------------------------------------------------------------- */

static go_chan(int) numbers(int n)
{
	go_chan(int) c = go_make(int, (size_t)n);

	for (int i = 1; i <= n; i++)
		go_send(c, i);
	go_close(c);
	return c;
}

TEST(range_obeys_break_and_continue)
{
	go_chan(int) c = numbers(9);
	int sum = 0, rest;

	go_range(v, c) {
		if (v == 2)
			continue;
		if (v == 5)
			break;
		sum += v;
	}
	assert_int_equal(sum, 1 + 3 + 4);
	assert_true(go_recv(c, &rest) && rest == 6);
	go_unref(c);
}

static int first_above(go_receiver(int) c, int limit)
{
	go_range(v, c)
		if (v > limit)
			return v;
	return -1;
}

TEST(range_may_be_left_by_return)
{
	go_chan(int) c = numbers(9);

	assert_int_equal(first_above(go_recv_only(c), 4), 5);
	assert_int_equal(go_len(c), 4);
	assert_int_equal(first_above(go_recv_only(c), 9), -1);
	go_unref(c);
}

TEST(ranges_nest)
{
	go_chan(go_chan(int)) c = go_make(go_chan(int), 2);
	int sum = 0;

	go_send(c, numbers(3));
	go_send(c, numbers(4));
	go_close(c);
	go_range(inner, c) {
		go_range(v, inner) {
			if (v == 3)
				break;	/* the inner one only */
			sum = 10 * sum + v;
		}
		go_unref(inner);
	}
	assert_int_equal(sum, 1212);
	go_unref(c);
}

TEST(range_is_one_statement)
{
	go_chan(int) c = numbers(2);
	int n = 0;

	if (n != 0)
		go_range(v, c)
			n += v;
	else
		n = -1;
	assert_int_equal(n, -1);
	go_unref(c);
}

/* --- Select ---------------------------------------------------------------------------- */

TEST(select_returns_the_position_of_the_case)
{
	go_chan(int) empty = go_make(int, 1), closed = go_make(int, 1);
	int got = 9;
	bool ok = true;

	go_close(closed);
	assert_int_equal(go_select(GO_RECV(empty, &got), GO_RECV_OK(closed, &got, &ok)), 1);
	assert_true(!ok && got == 0);
	assert_int_equal(go_tryselect(GO_RECV(empty, &got)), -ETIMEDOUT);
	assert_int_equal(go_select(GO_RECV(empty, &got), GO_DEFAULT), 1);
	assert_int_equal(go_select(GO_AFTER(GO_HOUR), GO_AFTER(GO_MILLISECOND)), 1);
	assert_int_equal(go_select(GO_UNTIL(go_now() + GO_MILLISECOND), GO_AFTER(GO_HOUR)), 0);
	assert_int_equal(go_select_until(go_now() + GO_MILLISECOND, GO_RECV(empty, &got)),
			 -ETIMEDOUT);
	assert_int_equal(go_select(GO_AFTER(0), GO_SEND(empty, 4), GO_DEFAULT), 1);
	assert_true(go_recv(empty, &got) && got == 4);
	go_unref(empty);
	go_unref(closed);
}

TEST(cases_may_be_collected_and_used_again)
{
	go_chan(int) c = go_make(int, 2);
	go_case cases[2];
	int got;

	cases[0] = GO_SEND(c, 6);
	cases[1] = GO_RECV(c, &got);
	assert_int_equal(go_selectv(cases, 1, GO_FOREVER), 0);
	assert_int_equal(go_selectv(cases, 1, GO_FOREVER), 0);
	assert_int_equal(go_selectv(cases, 1, GO_NOWAIT), -ETIMEDOUT);
	assert_int_equal(go_selectv(cases, 2, GO_FOREVER), 1);
	assert_int_equal(got, 6);
	go_unref(c);
}

TEST(timers_have_typed_channels)
{
	go_timer *t = go_timer_new(GO_MILLISECOND);
	int64_t before = go_now(), at = 0;

	assert_true(go_recv(go_timer_c(t), &at));
	assert_true(at >= before && at <= go_now());
	go_timer_free(t);
}

/* --- Tries ------------------------------------------------------------------------------ */

TEST(a_try_may_be_a_statement)
{
	go_chan(int) c = go_make(int, 1);
	int v = 0;

	go_trysend(c, 1);
	go_trysend(c, 2);		/* full: dropped */
	go_tryrecv(c, &v);
	go_tryrecv(c, &v);		/* nothing there */
	assert_int_equal(v, 1);
	go_unref(c);
}

/* --- Tasks ----------------------------------------------------------------------------- */

static void tree(int depth, go_waitgroup *wg, go_sender(int) leaves);
GO_TASK(tree, int, go_waitgroup *, go_sender(int));

static void tree(int depth, go_waitgroup *wg, go_sender(int) leaves)
{
	if (depth == 0) {
		go_send(leaves, 1);
		return;
	}
	GO_WG(wg, tree, depth - 1, wg, leaves);
	GO_WG(wg, tree, depth - 1, wg, leaves);
}

TEST(a_task_may_start_itself)
{
	go_chan(int) leaves = go_make(int, 64);
	go_waitgroup wg = GO_WAITGROUP_INIT;

	GO_WG(&wg, tree, 6, &wg, go_send_only(leaves));
	go_wg_wait(&wg);
	assert_int_equal(go_len(leaves), 64);
	go_unref(leaves);
}

static void silent(void);
GO_TASK(silent);

static go_chan(int) heard;

static void silent(void)
{
	go_send(heard, 1);
}

TEST(a_task_may_have_no_parameters)
{
	go_waitgroup wg = GO_WAITGROUP_INIT;

	heard = go_make(int, 3);
	GO(silent);
	go(silent);
	GO_WG(&wg, silent);
	for (int i = 0; i < 3; i++)
		assert_true(go_recv(heard, NULL));
	go_wg_wait(&wg);
	go_unref(heard);
}

static void mix(char c, double d, struct pair p, int (*f)(int), struct one o, go_chan(int) to)
{
	go_send(to, f(c + (int)d + p.x + p.y + o.only));
}
GO_TASK(mix, char, double, struct pair, int (*)(int), struct one, go_chan(int));

TEST(a_task_may_have_six_parameters_of_any_kind)
{
	go_chan(int) c = go_make(int, 0);
	struct one o = {100};
	int got = 0;

	GO(mix, 1, 2, (struct pair){3, 4}, twice, o, c);
	o.only = 0;	/* it has its own copy */
	assert_true(go_recv(c, &got));
	assert_int_equal(got, 2 * (1 + 2 + 3 + 4 + 100));
	go_unref(c);
}

struct large { alignas(16) unsigned char bytes[496]; };

static void examine(struct large l, go_chan(int) to)
{
	int sum = 0;

	for (size_t i = 0; i < sizeof l.bytes; i++)
		sum += l.bytes[i];
	go_send(to, (uintptr_t)&l % 16 == 0 ? sum : -1);
}
GO_TASK(examine, struct large, go_chan(int));

TEST(large_and_aligned_arguments_arrive_whole)
{
	go_chan(int) c = go_make(int, 0);
	struct large l;
	int got = 0;

	memset(&l, 3, sizeof l);
	for (int i = 0; i < 3; i++) {
		GO(examine, l, c);
		assert_true(go_recv(c, &got));
		assert_int_equal(got, 3 * sizeof l.bytes);
	}
	go_unref(c);
}

static void narrow(signed char c, go_chan(int) to)
{
	go_send(to, c);
}
GO_TASK(narrow, signed char, go_chan(int));

TEST(arguments_are_converted_as_in_a_call)
{
	go_chan(int) c = go_make(int, 0);
	int got = 0, wide = 0x1ff;

	GO(narrow, wide, c);
	assert_true(go_recv(c, &got));
	assert_int_equal(got, -1);
	go_unref(c);
}

static int run(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_operations_evaluate_arguments_once),
		cmocka_unit_test(select_evaluates_arguments_once_whatever_it_chooses),
		cmocka_unit_test(range_evaluates_its_channel_once),
		cmocka_unit_test(go_evaluates_arguments_once),
		cmocka_unit_test(defer_evaluates_arguments_once_and_at_once),
		cmocka_unit_test(literals_with_commas_are_one_value),
		cmocka_unit_test(long_literals_are_one_value_too),
		cmocka_unit_test(channels_travel_through_channels),
		cmocka_unit_test(functions_and_null_pointers_are_elements),
		cmocka_unit_test(range_obeys_break_and_continue),
		cmocka_unit_test(range_may_be_left_by_return),
		cmocka_unit_test(ranges_nest),
		cmocka_unit_test(range_is_one_statement),
		cmocka_unit_test(select_returns_the_position_of_the_case),
		cmocka_unit_test(cases_may_be_collected_and_used_again),
		cmocka_unit_test(timers_have_typed_channels),
		cmocka_unit_test(a_try_may_be_a_statement),
		cmocka_unit_test(a_task_may_start_itself),
		cmocka_unit_test(a_task_may_have_no_parameters),
		cmocka_unit_test(a_task_may_have_six_parameters_of_any_kind),
		cmocka_unit_test(large_and_aligned_arguments_arrive_whole),
		cmocka_unit_test(arguments_are_converted_as_in_a_call),
	};

	(void)argc;
	(void)argv;
	go_lock_thread();	/* cmocka keeps its state in thread-local variables */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
GO_MAIN(run)
