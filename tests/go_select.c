/* SPDX-License-Identifier: MIT */
/*
 * Go's own select tests, retold: the programs of its test/chan directory that are about select.
 * Above each test stands the name of what it retells.  Those of the runtime package are in
 * go_select_race.c.
 */
#include "support.h"

/* ------------------------------------------------------------ test/chan/doubleselect.go --- */

static void
offer_on_four(go_sender(int) *c, int n)
{
	for (int i = 0; i < n; i++)
		go_select(GO_SEND(c[0], i), GO_SEND(c[1], i), GO_SEND(c[2], i), GO_SEND(c[3], i));
	for (int i = 0; i < 4; i++)
		go_close(c[i]);
}
GO_TASK(offer_on_four, go_sender(int) *, int);

static void
merge(go_receiver(int) in, go_sender(int) out, go_waitgroup *wg)
{
	go_defer_done(wg);
	go_range(v, in)
		go_send(out, v);
}
GO_TASK(merge, go_receiver(int), go_sender(int), go_waitgroup *);

static void
close_after(go_waitgroup *wg, go_sender(int) out)
{
	go_wg_wait(wg);
	go_close(out);
}
GO_TASK(close_after, go_waitgroup *, go_sender(int));

/* doubleselect.go */
TEST(no_two_cases_of_a_select_both_happen)
{
	int n = (int)support_scale(100000), got = 0;
	unsigned char *seen = calloc((size_t)n, 1);
	go_chan(int) c[4], out = go_make(int, 0);
	go_sender(int) s[4];
	go_waitgroup wg = GO_WAITGROUP_INIT;

	go_wg_add(&wg, 4);
	for (int i = 0; i < 4; i++) {
		c[i] = go_make(int, 0);
		s[i] = go_send_only(c[i]);
		GO(merge, go_recv_only(c[i]), go_send_only(out), &wg);
	}
	GO(offer_on_four, s, n);
	GO(close_after, &wg, go_send_only(out));
	go_range(v, out) {
		CHECK_MSG(seen[v]++ == 0, "%d came twice", v);
		got++;
	}
	CHECK_EQ(got, n);
	for (int i = 0; i < 4; i++)
		go_unref(c[i]);
	go_unref(out);
	free(seen);
}

/* ------------------------------------------------------------ select.go, select4.go --- */

static int evaluations;

static int
shift(int *value)
{
	evaluations++;
	return (*value)++;
}

/* select.go: values are evaluated once for every select entered, those for nil channels too */
TEST(values_to_send_are_evaluated_once_per_select)
{
	go_chan(int) a = go_make(int, 5), b = go_make(int, 5), to_a = a, to_b = b;
	int counter = 0, sends = 0, selects = 0;

	evaluations = 0;
	while (to_a != NULL || to_b != NULL) {
		selects++;
		switch (go_select(GO_SEND(to_a, shift(&counter)),
				  GO_SEND(to_b, shift(&counter)))) {
		case 0:
			sends++;
			to_a = NULL;
			break;
		case 1:
			sends++;
			to_b = NULL;
			break;
		}
	}
	CHECK_EQ(sends, 2);
	CHECK_EQ(selects, 2);
	CHECK_EQ(evaluations, 4);
	CHECK_EQ(counter, 4);
	CHECK_EQ(go_len(a) + go_len(b), 2);
	go_unref(a);
	go_unref(b);
}

/* select4.go: it goes on as soon as a value is there, and leaves the other target alone */
TEST(ready_value_is_taken_and_other_targets_are_not)
{
	go_chan(int) ready = go_make(int, 1), never = go_make(int, 0);
	int target = 13, other = 14;

	go_send(ready, 42);
	CHECK_EQ(go_select(GO_RECV(never, &other), GO_RECV(ready, &target)), 1);
	CHECK_EQ(target, 42);
	CHECK_EQ(other, 14);
	go_unref(ready);
	go_unref(never);
}

/* ------------------------------------------------------------ test/chan/select2.go --- */

static void
trickle(go_sender(int) c, int n)
{
	for (int i = 0; i < n; i++)
		go_send(c, i);
}
GO_TASK(trickle, go_sender(int), int);

static void
select_many(go_chan(int) live, go_chan(int) dummy, int n)
{
	GO(trickle, go_send_only(live), n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(go_select(GO_RECV(live, NULL), GO_RECV(dummy, NULL)), 0);
}

static int64_t
resident(void)
{
	long total = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld %ld", &total, &pages) != 2)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return pages * (int64_t)sysconf(_SC_PAGESIZE);
}

/* select2.go: selects leave nothing behind; four bytes for each would be seen */
TEST(selects_use_up_no_memory)
{
	go_chan(int) live = go_make(int, 0), dummy = go_make(int, 0);
	int64_t before, after;
	int n = (int)support_scale(100000);

	select_many(live, dummy, n);
	before = resident();
	select_many(live, dummy, n);
	after = resident();
	if (support_slowness() == 1)
		CHECK_MSG(after - before < 400 * 1024, "%jd bytes more after %d selects",
			  (intmax_t)(after - before), n);
	go_unref(live);
	go_unref(dummy);
}

/* ------------------------------------------------------------ test/chan/select3.go --- */

enum outcome { BLOCKS, RETURNS, PANICS };

struct claim {
	const char *what;
	enum outcome expected;
	void (*run)(void *);
	atomic_int result;              /* -1: not yet */
};

static go_chan(int) nil_chan;           /* NULL */

static void
ready(go_chan(int) *c, int values, bool close)
{
	*c = go_make(int, 2);
	for (int i = 0; i < values; i++)
		go_send(*c, i + 1);
	if (close)
		go_close(*c);
}

static void
drop(void *c)
{
	go_chan_unref(c);
}

#define CLAIM(name, values, closed_too, ...)                            \
	static void name(__attribute__((unused)) void *arg)             \
	{                                                               \
		go_chan(int) c;                                         \
		ready(&c, values, closed_too);                          \
		go_defer(drop, (void *)c);                              \
		__VA_ARGS__;                                            \
	}

CLAIM(nil_send, 0, false, go_send(nil_chan, 7))
CLAIM(nil_recv, 0, false, go_recv(nil_chan, NULL))
CLAIM(nil_recv_in_select, 0, false, go_select(GO_RECV(nil_chan, NULL), GO_SEND(nil_chan, 7)))
CLAIM(send_with_room, 0, false, go_send(c, 7))
CLAIM(send_to_full, 2, false, go_send(c, 7))
CLAIM(recv_from_empty, 0, false, go_recv(c, NULL))
CLAIM(recv_from_filled, 1, false, go_recv(c, NULL))
CLAIM(recv_from_closed, 0, true, go_recv(c, NULL); go_recv(c, NULL))
CLAIM(recv_from_filled_closed, 2, true, go_recv(c, NULL); go_recv(c, NULL); go_recv(c, NULL))
CLAIM(send_to_closed, 0, true, go_send(c, 7))
CLAIM(send_to_full_closed, 2, true, go_send(c, 7))
CLAIM(empty_select, 0, false, go_selectv(NULL, 0, GO_FOREVER))
CLAIM(select_not_ready, 2, false, go_select(GO_SEND(c, 7), GO_RECV(nil_chan, NULL)))
CLAIM(select_not_ready_recv, 0, false, go_select(GO_RECV(c, NULL), GO_SEND(nil_chan, 7)))
CLAIM(select_default, 2, false, go_select(GO_SEND(c, 7), GO_DEFAULT))
CLAIM(select_nil_default, 0, false, go_select(GO_RECV(nil_chan, NULL), GO_DEFAULT))
CLAIM(select_only_default, 0, false, go_select(GO_DEFAULT))
CLAIM(select_ready_send, 1, false, go_select(GO_SEND(c, 7), GO_RECV(nil_chan, NULL)))
CLAIM(select_ready_recv, 1, false, go_select(GO_RECV(nil_chan, NULL), GO_RECV(c, NULL)))
CLAIM(select_closed_recv, 0, true, go_select(GO_RECV(c, NULL), GO_RECV(nil_chan, NULL)))
CLAIM(select_closed_recv_default, 0, true, CHECK_EQ(go_select(GO_DEFAULT, GO_RECV(c, NULL)), 1))
CLAIM(select_closed_send, 0, true, go_select(GO_SEND(c, 7), GO_RECV(nil_chan, NULL)))
CLAIM(select_closed_send_default, 0, true, go_select(GO_SEND(c, 7), GO_DEFAULT))
CLAIM(select_both_sides, 1, false, go_select(GO_SEND(c, 7), GO_RECV(c, NULL)))

static void
both_sides_unbuffered(__attribute__((unused)) void *arg)
{
	go_chan(int) c = go_make(int, 0);

	go_select(GO_SEND(c, 7), GO_RECV(c, NULL));
}

#define ROW(expected, fn) {#fn, expected, fn, -1}

static struct claim claims[] = {
	ROW(BLOCKS, nil_send),
	ROW(BLOCKS, nil_recv),
	ROW(BLOCKS, nil_recv_in_select),
	ROW(RETURNS, send_with_room),
	ROW(BLOCKS, send_to_full),
	ROW(BLOCKS, recv_from_empty),
	ROW(RETURNS, recv_from_filled),
	ROW(RETURNS, recv_from_closed),
	ROW(RETURNS, recv_from_filled_closed),
	ROW(PANICS, send_to_closed),
	ROW(PANICS, send_to_full_closed),
	ROW(BLOCKS, empty_select),
	ROW(BLOCKS, select_not_ready),
	ROW(BLOCKS, select_not_ready_recv),
	ROW(RETURNS, select_default),
	ROW(RETURNS, select_nil_default),
	ROW(RETURNS, select_only_default),
	ROW(RETURNS, select_ready_send),
	ROW(RETURNS, select_ready_recv),
	ROW(RETURNS, select_closed_recv),
	ROW(RETURNS, select_closed_recv_default),
	ROW(PANICS, select_closed_send),
	ROW(PANICS, select_closed_send_default),
	ROW(RETURNS, select_both_sides),
	ROW(BLOCKS, both_sides_unbuffered),
};

static void
try_claim(void *arg)
{
	struct claim *c = arg;

	atomic_store(&c->result, go_try(c->run, NULL, NULL) ? RETURNS : PANICS);
}

/* select3.go */
TEST(each_operation_blocks_returns_or_panics_as_it_should)
{
	enum { N = sizeof claims / sizeof *claims };

	for (int i = 0; i < N; i++)
		go_spawn(try_claim, &claims[i]);
	for (int i = 0; i < N; i++) {
		if (claims[i].expected == BLOCKS)
			continue;
		wait_until(atomic_load(&claims[i].result) >= 0);
		CHECK_MSG(claims[i].result == (int)claims[i].expected, "%s: %s", claims[i].what,
			  claims[i].result == PANICS ? "panics" : "returns");
	}
	support_settle();
	for (int i = 0; i < N; i++)
		CHECK_MSG(claims[i].expected != BLOCKS || claims[i].result == -1,
			  "%s does not block", claims[i].what);
}

/* ------------------------------------------------------------ test/chan/select5.go --- */

enum { FORMS = 8 };

struct program { go_ch *full, *empty, *filled, *room; };

/* A case of a random form that is not ready; two of them stand for nil channels. */
static go_case
dead_case(const struct program *p, int form, int *v, int *in)
{
	switch (form) {
	case 0:  return GO_RECV((go_chan(int))p->empty, v);
	case 1:  return (go_case){p->full, in, NULL, 0, GO_OP_SEND, 0};
	case 2:  return GO_RECV((go_chan(int))NULL, v);
	case 3:  return (go_case){NULL, in, NULL, 0, GO_OP_SEND, 0};
	case 4:  return GO_AFTER(GO_HOUR);
	case 5:  return GO_UNTIL(GO_FOREVER);
	case 6:  return GO_RECV((go_chan(int))p->empty, NULL);
	default: return GO_RECV_OK((go_chan(int))p->empty, v, NULL);
	}
}

static void
random_program(const struct program *p, struct support_rng *rng)
{
	int n = 1 + support_below(rng, 20), live = support_below(rng, n), v = -1, in = 7, got = -1;
	int def = support_below(rng, 3) == 0 ? support_below(rng, n) : live;
	bool send = support_below(rng, 2), ok = false;
	go_case cases[20];

	for (int i = 0; i < n; i++) {
		int form = support_below(rng, FORMS);

		cases[i] = dead_case(p, form, &v, &in);
	}
	cases[def] = GO_DEFAULT;
	cases[live] = send ? (go_case){p->room, &in, NULL, 0, GO_OP_SEND, 0}
			   : (go_case){p->filled, &got, &ok, 0, GO_OP_RECV, 0};
	CHECK_EQ(go_selectv(cases, n, support_below(rng, 2) ? GO_FOREVER : GO_NOWAIT), live);
	CHECK_EQ(v, -1);
	CHECK_EQ(got, send ? -1 : 5);
	CHECK_EQ(ok, !send);
	if (send)
		CHECK(go_chan_recv(p->room, &got) && got == 7);
	else
		go_chan_send(p->filled, &(int){5});
}

/* select5.go: every form of a case, one real operation at a time, at any place */
TEST(random_selects_with_one_live_case_choose_it)
{
	struct program p = {go_chan_make(sizeof(int), 1), go_chan_make(sizeof(int), 0),
			    go_chan_make(sizeof(int), 1), go_chan_make(sizeof(int), 1)};
	struct support_rng rng = support_rng(5);

	go_chan_send(p.full, &(int){1});
	go_chan_send(p.filled, &(int){5});
	for (int i = 0; i < support_scale(20000); i++)
		random_program(&p, &rng);
	go_chan_unref(p.full);
	go_chan_unref(p.empty);
	go_chan_unref(p.filled);
	go_chan_unref(p.room);
}

/* ------------------------------------------------------------ select6.go, select7.go --- */

static void
recv_and_report(go_receiver(int) c, go_sender(int) out)
{
	int v;

	go_set_name("plain waiter");
	CHECK(go_recv(c, &v));
	go_send(out, v);
}
GO_TASK(recv_and_report, go_receiver(int), go_sender(int));

static void
recv_either(go_receiver(int) a, go_receiver(int) b, go_receiver(int) c, go_sender(int) out)
{
	int v = -1;

	go_set_name("chooser");
	go_select(GO_RECV(a, &v), GO_RECV(b, &v), GO_RECV(c, &v));
	go_send(out, v);
}
GO_TASK(recv_either, go_receiver(int), go_receiver(int), go_receiver(int), go_sender(int));

/* select6.go: waiters before and behind a select that went elsewhere are still served */
TEST(select_that_leaves_a_queue_does_not_break_it)
{
	go_chan(int) a = go_make(int, 0), b = go_make(int, 0), c = go_make(int, 0);
	go_chan(int) out = go_make(int, 10);
	int v, sum = 0;

	GO(recv_and_report, go_recv_only(a), go_send_only(out));
	wait_until(support_parked("plain waiter", "chan receive") == 1);
	GO(recv_either, go_recv_only(a), go_recv_only(b), go_recv_only(c), go_send_only(out));
	wait_until(support_parked("chooser", "select") == 1);
	go_send(b, 100);                        /* the last one in a's queue goes */
	CHECK(go_recv(out, &v) && v == 100);
	GO(recv_and_report, go_recv_only(a), go_send_only(out));
	wait_until(support_parked("plain waiter", "chan receive") == 2);
	GO(recv_either, go_recv_only(c), go_recv_only(a), go_recv_only(b), go_send_only(out));
	GO(recv_and_report, go_recv_only(a), go_send_only(out));
	wait_until(support_parked("chooser", "select") == 1);
	wait_until(support_parked("plain waiter", "chan receive") == 3);
	go_send(c, 200);                        /* one in the middle goes */
	CHECK(go_recv(out, &v) && v == 200);
	for (int i = 1; i <= 3; i++)
		go_send(a, i);
	for (int i = 1; i <= 3; i++) {
		CHECK(go_recv(out, &v));
		sum += v;
	}
	CHECK_EQ(sum, 6);
	CHECK(!go_trysend(a, 1));
	go_unref(a);
	go_unref(b);
	go_unref(c);
	go_unref(out);
}

static void
discard(go_receiver(int) c, go_sender(bool) done, int form)
{
	bool ok = true;

	if (form == 0)
		go_recv(c, NULL);
	else if (form == 1)
		go_select(GO_RECV(c, NULL));
	else
		go_select(GO_RECV_OK(c, NULL, &ok), GO_RECV((go_chan(int))NULL, NULL));
	CHECK(ok);
	go_send(done, true);
}
GO_TASK(discard, go_receiver(int), go_sender(bool), int);

/* select7.go: the received value is dropped, in both orders */
TEST(select_may_discard_what_it_receives)
{
	go_chan(bool) done = go_make(bool, 1);

	for (int i = 0; i < 12; i++) {
		go_chan(int) c = go_make(int, (size_t)i % 2);

		if (i / 2 % 2 && i % 2)                 /* buffered: the value first */
			go_send(c, 1);
		GO(discard, go_recv_only(c), go_send_only(done), i / 4);
		support_settle();
		if (!(i / 2 % 2 && i % 2))
			go_send(c, 1);
		CHECK(go_recv(done, NULL));
		CHECK_EQ(go_len(c), 0);
		go_unref(c);
	}
	go_unref(done);
}

/* ------------------------------------------------------------ select8.go, sendstmt.go --- */

/* select8.go: in C a select stands in a switch, and break leaves that */
TEST(break_leaves_the_switch_only)
{
	go_chan(int) c = go_make(int, 3);
	int after = 0, v;

	for (int i = 0; i < 3; i++) {
		switch (go_select(GO_SEND(c, i))) {
		case 0:
			if (i == 1)
				break;
			after += 10;
		}
		after++;
	}
	CHECK_EQ(after, 23);
	for (int i = 0; i < 3; i++) {
		switch (go_select(GO_RECV((go_chan(int))NULL, NULL), GO_RECV(c, &v), GO_DEFAULT)) {
		case 1:
			CHECK_EQ(v, i);
			continue;
		}
		CHECK(false);
	}
	go_unref(c);
}

typedef go_chan(int) ints;

static ints
next_channel(go_chan(ints) cc)
{
	ints c = NULL;

	CHECK(go_recv(cc, &c));
	return c;
}

/* sendstmt.go: the channel of a send is what another channel has just delivered */
TEST(channel_received_from_a_channel_is_sent_to)
{
	go_chan(ints) cc = go_make(ints, 1);
	go_chan(int) c = go_make(int, 2), got;
	int v;

	go_send(cc, c);
	CHECK_EQ(go_select(GO_RECV(cc, &got)), 0);
	CHECK_EQ(go_select(GO_SEND(got, go_cap(c) == 2 ? 123 : 0), GO_RECV(cc, &got)), 0);
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, 123);
	go_send(cc, c);
	CHECK_EQ(go_select(GO_SEND(next_channel(cc), 124 | 1)), 0);
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, 125);
	go_unref(cc);
	go_unref(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_two_cases_of_a_select_both_happen),
	cmocka_unit_test(values_to_send_are_evaluated_once_per_select),
	cmocka_unit_test(ready_value_is_taken_and_other_targets_are_not),
	cmocka_unit_test(selects_use_up_no_memory),
	cmocka_unit_test(each_operation_blocks_returns_or_panics_as_it_should),
	cmocka_unit_test(random_selects_with_one_live_case_choose_it),
	cmocka_unit_test(select_that_leaves_a_queue_does_not_break_it),
	cmocka_unit_test(select_may_discard_what_it_receives),
	cmocka_unit_test(break_leaves_the_switch_only),
	cmocka_unit_test(channel_received_from_a_channel_is_sent_to),
};

SUPPORT_MAIN(tests)
