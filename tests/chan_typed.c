/* SPDX-License-Identifier: MIT */
/*
 * The typed layer: values of all kinds go through unchanged, are converted as in an assignment, and
 * every argument is evaluated once.  What must not compile is in reject/.
 */
#include "support.h"

struct point { int x, y; };
struct one { int only; };
struct wide { char text[100]; double d; };
enum colour { RED, GREEN = 7 };
union either { int i; float f; };

/* ------------------------------------------------------------ element types --- */

#define PASS(T, value, same)                                                            \
	do {                                                                            \
		go_chan(T) pass_c = go_make(T, 1);                                      \
		T sent = value;                                                         \
		T got;                                                                  \
		memset(&got, 0xff, sizeof got);                                         \
		go_send(pass_c, sent);                                                  \
		CHECK(go_recv(pass_c, &got));                                           \
		CHECK(same);                                                            \
		CHECK(go_trysend(pass_c, sent));                                        \
		CHECK(go_tryrecv(pass_c, &got));                                        \
		CHECK(same);                                                            \
		CHECK_EQ(go_send_until(pass_c, sent, GO_NOWAIT), 0);                    \
		CHECK_EQ(go_recv_until(pass_c, &got, GO_NOWAIT), 0);                    \
		CHECK(same);                                                            \
		CHECK_EQ(go_select(GO_SEND(pass_c, sent)), 0);                          \
		CHECK_EQ(go_select(GO_RECV(pass_c, &got)), 0);                          \
		CHECK(same);                                                            \
		go_unref(pass_c);                                                       \
	} while (0)

TEST(scalars_pass)
{
	PASS(char, 'x', got == sent);
	PASS(signed char, -3, got == sent);
	PASS(bool, true, got == sent);
	PASS(short, -30000, got == sent);
	PASS(unsigned short, 65535, got == sent);
	PASS(int, -123456789, got == sent);
	PASS(unsigned, 4000000000u, got == sent);
	PASS(int64_t, INT64_MIN, got == sent);
	PASS(uint64_t, UINT64_MAX, got == sent);
	PASS(float, 0.5f, got == sent);
	PASS(double, -1e300, got == sent);
	PASS(enum colour, GREEN, got == sent);
	PASS(size_t, sizeof(int), got == sent);
}

static int
twice(int v)
{
	return 2 * v;
}

typedef int (*int_fn)(int);

TEST(pointers_pass)
{
	static int target;
	static const char text[] = "text";

	PASS(int *, &target, got == sent);
	PASS(void *, &target, got == sent);
	PASS(const char *, text, got == sent);
	PASS(int_fn, twice, got == sent && got(21) == 42);
	PASS(int **, NULL, got == NULL);
}

static struct wide
wide(const char *text, double d)
{
	struct wide w;

	memset(&w, 0, sizeof w);
	snprintf(w.text, sizeof w.text, "%s", text);
	w.d = d;
	return w;
}

TEST(aggregates_pass)
{
	PASS(struct point, ((struct point){1, 2}), got.x == sent.x && got.y == sent.y);
	PASS(struct one, {5}, got.only == sent.only);
	PASS(struct wide, wide("hello", 2.5), strcmp(got.text, "hello") == 0 && got.d == 2.5);
	PASS(union either, {.i = 9}, got.i == 9);
}

TEST(compound_literals_with_commas_are_values)
{
	go_chan(struct point) c = go_make(struct point, 4);
	struct point p;

	go_send(c, (struct point){1, 2});
	CHECK(go_trysend(c, (struct point){3, 4}));
	CHECK_EQ(go_send_until(c, (struct point){5, 6}, GO_NOWAIT), 0);
	CHECK_EQ(go_select(GO_SEND(c, (struct point){7, 8})), 0);
	for (int i = 0; i < 4; i++) {
		CHECK(go_recv(c, &p));
		CHECK_EQ(p.x, 2 * i + 1);
		CHECK_EQ(p.y, 2 * i + 2);
	}
	go_unref(c);
}

TEST(values_are_converted_as_in_an_assignment)
{
	go_chan(long) l = go_make(long, 1);
	go_chan(unsigned char) b = go_make(unsigned char, 1);
	go_chan(double) d = go_make(double, 1);
	go_chan(const char *) s = go_make(const char *, 1);
	char text[] = "mutable";
	long lv;
	unsigned char bv;
	double dv;
	const char *sv;

	go_send(l, -1);
	CHECK(go_recv(l, &lv));
	CHECK_EQ(lv, -1);
	lv = 300;
	go_send(b, lv);
	CHECK(go_recv(b, &bv));
	CHECK_EQ(bv, 300 - 256);
	go_send(d, 7);
	CHECK(go_recv(d, &dv));
	CHECK(dv == 7.0);
	CHECK_EQ(go_select(GO_SEND(d, 8)), 0);
	CHECK(go_recv(d, &dv));
	CHECK(dv == 8.0);
	go_send(s, text);
	CHECK(go_recv(s, &sv));
	CHECK(sv == text);
	go_unref(l);
	go_unref(b);
	go_unref(d);
	go_unref(s);
}

/* ------------------------------------------------------------ handles --- */

typedef go_chan(int) ints;
struct holder { go_chan(int) both; go_sender(int) in; go_receiver(int) out; ints array[2]; };

static go_receiver(int)
numbers(int n)
{
	go_chan(int) c = go_make(int, (size_t)n);

	for (int i = 0; i < n; i++)
		go_send(c, i);
	go_close(c);
	return go_recv_only(c);
}

TEST(handles_are_members_results_and_array_elements)
{
	struct holder h;
	go_receiver(int) r = numbers(3);
	int v, sum = 0;

	h.both = go_make(int, 2);
	h.in = go_send_only(h.both);
	h.out = go_recv_only(h.both);
	h.array[0] = h.both;
	h.array[1] = NULL;
	go_send(h.in, 1);
	go_send(h.array[0], 2);
	CHECK_EQ(go_len(h.out), 2);
	CHECK_EQ(go_cap(h.in), 2);
	CHECK_EQ(go_len(h.array[1]), 0);
	CHECK(go_recv(h.out, &v));
	CHECK_EQ(v, 1);
	go_close(h.in);
	go_range(x, r)
		sum += x;
	CHECK_EQ(sum, 3);
	go_unref(h.both);
	go_unref(r);
}

struct request { int question; go_sender(int) answer; };

static void
serve(go_receiver(struct request) in, go_sender(bool) done)
{
	go_range(r, in)
		go_send(r.answer, r.question * r.question);
	go_send(done, true);
}
GO_TASK(serve, go_receiver(struct request), go_sender(bool));

TEST(channels_travel_through_channels)
{
	go_chan(struct request) requests = go_make(struct request, 0);
	go_chan(int) answer = go_make(int, 0), got;
	go_chan(bool) done = go_make(bool, 0);
	go_chan(ints) channels = go_make(ints, 1);
	int v;

	GO(serve, go_recv_only(requests), go_send_only(done));
	for (int i = 0; i < 100; i++) {
		go_send(requests, (struct request){i, go_send_only(answer)});
		CHECK(go_recv(answer, &v));
		CHECK_EQ(v, i * i);
	}
	go_close(requests);
	CHECK(go_recv(done, NULL));
	go_send(channels, answer);
	CHECK(go_recv(channels, &got));
	CHECK(got == answer);
	go_unref(requests);
	go_unref(answer);
	go_unref(done);
	go_unref(channels);
}

/* ------------------------------------------------------------ evaluated once --- */

static int calls;

static go_chan(int)
counted(go_chan(int) c)
{
	calls++;
	return c;
}

static int
count(int v)
{
	calls++;
	return v;
}

static int *
into(int *p)
{
	calls++;
	return p;
}

#define ONCE(n, e)                                                                      \
	do {                                                                            \
		calls = 0;                                                              \
		(void)(e);                                                              \
		CHECK_MSG(calls == (n), "%s: %d evaluations, not %d", #e, calls, (n));  \
	} while (0)

TEST(arguments_are_evaluated_once)
{
	go_chan(int) c = go_make(int, 4);
	int v = 0, i = 0;
	bool ok;

	ONCE(2, (go_send(counted(c), count(1)), 0));
	ONCE(2, go_recv(counted(c), into(&v)));
	ONCE(2, go_trysend(counted(c), count(1)));
	ONCE(2, go_tryrecv(counted(c), into(&v)));
	ONCE(3, go_send_until(counted(c), count(1), count(0)) == 0);
	ONCE(3, go_recv_until(counted(c), into(&v), count(0)) == 0);
	ONCE(2, go_select(GO_SEND(counted(c), count(1))));
	ONCE(2, go_select(GO_RECV(counted(c), into(&v))));
	ONCE(5, go_tryselect(GO_RECV_OK(counted(c), into(&v), (calls++, &ok)),
			     GO_RECV(counted(c), into(&v))));
	ONCE(4, go_select_until(count(0), GO_RECV(counted(c), NULL), GO_AFTER(count(1)),
				GO_UNTIL(count(2))));
	ONCE(1, go_len(counted(c)));
	ONCE(1, go_cap(counted(c)));
	ONCE(2, (go_unref(go_ref(counted(c))), calls++));
	ONCE(1, go_send_only(counted(c)));
	ONCE(1, go_recv_only(counted(c)));
	go_send(c, i++);
	CHECK_EQ(i, 1);
	ONCE(1, (go_close(counted(c)), 0));
	go_unref(c);
}

TEST(range_evaluates_its_channel_once)
{
	go_chan(int) c = go_make(int, 4);
	int sum = 0;

	for (int i = 1; i <= 4; i++)
		go_send(c, i);
	go_close(c);
	calls = 0;
	go_range(v, counted(c))
		sum += v;
	CHECK_EQ(sum, 10);
	CHECK_EQ(calls, 1);
	go_unref(c);
}

static void
spawned(int a, long b, const char *c, struct point p, go_sender(int) out)
{
	CHECK_EQ(a, -1);
	CHECK_EQ(b, 2);
	CHECK_STR(c, "three");
	go_send(out, p.x + p.y);
}
GO_TASK(spawned, int, long, const char *, struct point, go_sender(int));

TEST(go_converts_and_copies_its_arguments)
{
	go_chan(int) c = go_make(int, 0);
	int v = -1, sum = 0;

	for (int i = 0; i < 10; i++) {
		struct point p = {i, 1};

		GO(spawned, v, 2, "three", p, go_send_only(c));
		p.x = p.y = 1000;
	}
	for (int i = 0; i < 10; i++) {
		CHECK(go_recv(c, &v));
		sum += v;
	}
	CHECK_EQ(sum, 55);
	go_unref(c);
}

/* ------------------------------------------------------------ range --- */

TEST(range_ends_when_closed_and_drained)
{
	go_receiver(int) r = numbers(10);
	int n = 0;

	go_range(v, r) {
		CHECK_EQ(v, n);
		n++;
	}
	CHECK_EQ(n, 10);
	go_range(v, r)
		n += 1 + 0 * v;
	CHECK_EQ(n, 10);
	go_unref(r);
}

TEST(break_and_continue_work_in_a_range)
{
	go_receiver(int) r = numbers(10);
	int odd = 0, seen = 0;

	go_range(v, r) {
		seen++;
		if (v % 2 == 0)
			continue;
		odd += v;
		if (v == 5)
			break;
	}
	CHECK_EQ(odd, 1 + 3 + 5);
	CHECK_EQ(seen, 6);
	CHECK_EQ(go_len(r), 4);
	go_unref(r);
}

static int
first_above(go_receiver(int) r, int limit)
{
	go_range(v, r)
		if (v > limit)
			return v;
	return -1;
}

TEST(return_leaves_a_range)
{
	go_receiver(int) r = numbers(10);

	CHECK_EQ(first_above(r, 3), 4);
	CHECK_EQ(go_len(r), 5);
	CHECK_EQ(first_above(r, 100), -1);
	go_unref(r);
}

TEST(ranges_nest)
{
	go_chan(go_receiver(int)) outer = go_make(go_receiver(int), 3);
	int sum = 0;

	for (int i = 1; i <= 3; i++)
		go_send(outer, numbers(i));
	go_close(outer);
	go_range(inner, outer) {
		go_range(v, inner)
			sum += 1 + v;
		go_unref(inner);
	}
	CHECK_EQ(sum, 1 + 3 + 6);
	if (sum > 0)
		go_range(inner, outer)
			sum += go_cap(inner) > 0;
	else
		CHECK(false);
	go_unref(outer);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(scalars_pass),
	cmocka_unit_test(pointers_pass),
	cmocka_unit_test(aggregates_pass),
	cmocka_unit_test(compound_literals_with_commas_are_values),
	cmocka_unit_test(values_are_converted_as_in_an_assignment),
	cmocka_unit_test(handles_are_members_results_and_array_elements),
	cmocka_unit_test(channels_travel_through_channels),
	cmocka_unit_test(arguments_are_evaluated_once),
	cmocka_unit_test(range_evaluates_its_channel_once),
	cmocka_unit_test(go_converts_and_copies_its_arguments),
	cmocka_unit_test(range_ends_when_closed_and_drained),
	cmocka_unit_test(break_and_continue_work_in_a_range),
	cmocka_unit_test(return_leaves_a_range),
	cmocka_unit_test(ranges_nest),
};

SUPPORT_MAIN(tests)
