/* SPDX-License-Identifier: MIT */
/*
 * Go's own channel tests, retold: the programs of its test/chan directory that are not about
 * select, and those of runtime/chan_test.go.  Above each test stands the name of what it retells.
 */
#include "support.h"

/* ------------------------------------------------------------ test/chan/fifo.go --- */

/* fifo.go, asynchronous half */
TEST(buffer_of_ten_is_a_queue)
{
	go_chan(int) c = go_make(int, 10);
	int v;

	for (int i = 0; i < 10; i++)
		go_send(c, i);
	for (int i = 0; i < 10; i++) {
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, i);
	}
	go_unref(c);
}

static void
take_my_turn(go_receiver(int) c, int mine, go_receiver(bool) before, go_sender(bool) after)
{
	int v;

	go_recv(before, NULL);
	CHECK(go_recv(c, &v));
	CHECK_EQ(v, mine);
	go_send(after, true);
}
GO_TASK(take_my_turn, go_receiver(int), int, go_receiver(bool), go_sender(bool));

/* fifo.go, synchronous half: a daisy chain hands the right to receive along */
TEST(daisy_chain_receives_in_order)
{
	enum { N = 10 };
	go_chan(int) c = go_make(int, 0);
	go_chan(bool) link[N + 1];

	link[0] = go_make(bool, 0);
	for (int i = 0; i < N; i++) {
		link[i + 1] = go_make(bool, 0);
		GO(take_my_turn, go_recv_only(c), i, go_recv_only(link[i]),
		   go_send_only(link[i + 1]));
	}
	go_send(link[0], true);
	for (int i = 0; i < N; i++)
		go_send(c, i);
	CHECK(go_recv(link[N], NULL));
	for (int i = 0; i <= N; i++)
		go_unref(link[i]);
	go_unref(c);
}

/* ------------------------------------------------------------ test/chan/goroutines.go --- */

static void
pass_to_the_left(go_sender(int) left, go_receiver(int) right)
{
	int v = -1;

	CHECK(go_recv(right, &v));
	go_send(left, v);
	go_unref(left);
	go_unref(right);
}
GO_TASK(pass_to_the_left, go_sender(int), go_receiver(int));

/* goroutines.go */
TEST(token_runs_through_ten_thousand_goroutines)
{
	int n = support_goroutines(10000), v = 0;
	go_chan(int) leftmost = go_make(int, 0), left, right = go_ref(leftmost);

	for (int i = 0; i < n; i++) {
		left = right;
		right = go_make(int, 0);
		GO(pass_to_the_left, go_send_only(left), go_recv_only(go_ref(right)));
	}
	go_send(right, 4711);
	CHECK(go_recv(leftmost, &v));
	CHECK_EQ(v, 4711);
	go_unref(right);
	go_unref(leftmost);
}

/* ------------------------------------------------------------ test/chan/nonblock.go --- */

static void
send_bytes(go_ch *c, const void *value, atomic_int *state)
{
	atomic_store(state, 1);
	go_chan_send(c, value);
	atomic_store(state, 2);
}
GO_TASK(send_bytes, go_ch *, const void *, atomic_int *);

static void
recv_bytes(go_ch *c, const void *value, size_t size, atomic_int *state)
{
	char got[16];

	atomic_store(state, 1);
	CHECK(go_chan_recv(c, got));
	CHECK(memcmp(got, value, size) == 0);
	atomic_store(state, 2);
}
GO_TASK(recv_bytes, go_ch *, const void *, size_t, atomic_int *);

static bool
try_send(go_ch *c, const void *value)
{
	return go_chan_send_until(c, value, GO_NOWAIT) == 0;
}

static bool
try_recv(go_ch *c, void *value)
{
	return go_chan_recv_until(c, value, GO_NOWAIT) == 0;
}

static void
check_nonblocking(const void *value, size_t size, size_t cap)
{
	go_ch *c = go_chan_make(size, cap);
	atomic_int state = 0;
	char got[16];

	CHECK(!try_recv(c, got));
	CHECK_EQ(try_send(c, value), cap > 0);
	CHECK(!try_send(c, value));
	CHECK_EQ(try_recv(c, got), cap > 0);
	CHECK(cap == 0 || memcmp(got, value, size) == 0);
	memset(got, 0, sizeof got);
	GO(send_bytes, c, value, &state);
	wait_until(atomic_load(&state) >= 1);
	wait_until(try_recv(c, got));
	CHECK(memcmp(got, value, size) == 0);
	wait_until(atomic_load(&state) == 2);
	CHECK(!try_recv(c, got));
	atomic_store(&state, 0);
	GO(recv_bytes, c, value, size, &state);
	wait_until(atomic_load(&state) >= 1);
	wait_until(try_send(c, value));
	wait_until(atomic_load(&state) == 2);
	CHECK_EQ(try_send(c, value), cap > 0);
	go_chan_unref(c);
}

/* nonblock.go */
TEST(nonblocking_operations_meet_blocked_partners)
{
	static const char *const text = "hello";
	int32_t i32 = 123;
	int64_t i64 = INT64_C(234) << 33;
	bool yes = true;

	for (int i = 0; i < support_scale(50); i++) {
		for (size_t cap = 0; cap < 2; cap++) {
			check_nonblocking(&i32, sizeof i32, cap);
			check_nonblocking(&i64, sizeof i64, cap);
			check_nonblocking(&yes, sizeof yes, cap);
			check_nonblocking(&text, sizeof text, cap);
		}
	}
}

/* ------------------------------------------------------------ the sieves --- */

static const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67,
			     71, 73, 79, 83, 89, 97};

enum { PRIMES = sizeof primes / sizeof *primes };

static void
count_up(go_sender(int) out, go_receiver(bool) stop)
{
	int i = 2;

	while (go_select(GO_RECV(stop, NULL), GO_SEND(out, i)) == 1)
		i++;
	go_close(out);
	go_unref(out);
	go_unref(stop);
}
GO_TASK(count_up, go_sender(int), go_receiver(bool));

static void
drop_multiples(go_receiver(int) in, go_sender(int) out, go_receiver(bool) stop, int prime)
{
	go_range(v, in)
		if (v % prime != 0 && go_select(GO_RECV(stop, NULL), GO_SEND(out, v)) == 0)
			break;
	go_close(out);
	go_unref(in);
	go_unref(out);
	go_unref(stop);
}
GO_TASK(drop_multiples, go_receiver(int), go_sender(int), go_receiver(bool), int);

/* sieve1.go; what Go leaves running is stopped here */
TEST(sieve_of_filters_finds_the_primes)
{
	go_chan(bool) stop = go_make(bool, 0);
	go_chan(int) c = go_make(int, 0), next;
	int before = go_count(), v;

	GO(count_up, go_send_only(go_ref(c)), go_recv_only(go_ref(stop)));
	for (int i = 0; i < PRIMES; i++) {
		v = -1;
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, primes[i]);
		next = go_make(int, 0);
		GO(drop_multiples, go_recv_only(c), go_send_only(go_ref(next)),
		   go_recv_only(go_ref(stop)), primes[i]);
		c = next;
	}
	go_close(stop);
	wait_until(go_count() <= before);
	go_unref(c);
	go_unref(stop);
}

/* The multiples of a prime from its square on; sieve2.go gives them a buffer. */
static void
multiples(go_sender(int) out, go_receiver(bool) stop, int prime)
{
	int v = prime * prime;

	while (go_select(GO_RECV(stop, NULL), GO_SEND(out, v)) == 1)
		v += 2 * prime;
	go_unref(out);
	go_unref(stop);
}
GO_TASK(multiples, go_sender(int), go_receiver(bool), int);

struct peeked { int head; go_receiver(int) rest; };

/* Takes the smallest head and refills it; equal ones are dropped together. */
static int
pop_smallest(struct peeked *heap, int n)
{
	int least = INT32_MAX;

	for (int i = 0; i < n; i++)
		least = heap[i].head < least ? heap[i].head : least;
	for (int i = 0; i < n; i++)
		if (heap[i].head == least)
			CHECK(go_recv(heap[i].rest, &heap[i].head));
	return least;
}

/* sieve2.go: merges the multiples of the primes found so far, and what they leave out is prime */
TEST(sieve_of_merged_multiples_finds_the_primes)
{
	go_chan(bool) stop = go_make(bool, 0);
	go_chan(int) c;
	struct peeked heap[PRIMES];
	int n = 0, composite = 0, before = go_count();

	for (int v = 3; v < 100; v += 2) {
		while (n > 0 && composite < v)
			composite = pop_smallest(heap, n);
		if (composite == v)
			continue;
		assert_true(n + 1 < PRIMES);
		CHECK_EQ(v, primes[n + 1]);
		c = go_make(int, 10);
		GO(multiples, go_send_only(go_ref(c)), go_recv_only(go_ref(stop)), v);
		heap[n].rest = go_recv_only(c);
		CHECK(go_recv(c, &heap[n++].head));
	}
	CHECK_EQ(n + 1, PRIMES);
	go_close(stop);
	wait_until(go_count() <= before);
	for (int i = 0; i < n; i++)
		go_unref(heap[i].rest);
	go_unref(stop);
}

/* zerosize.go */
TEST(channels_of_nothing_can_be_made)
{
	for (size_t cap = 0; cap < 2; cap++) {
		go_ch *c = go_chan_make(0, cap);

		assert_non_null(c);
		CHECK_EQ(go_chan_cap(c), cap);
		go_chan_unref(c);
	}
}

/* ------------------------------------------------------------ runtime/chan_test.go --- */

static void
relay_once(go_receiver(int) in, go_sender(int) out)
{
	int v = -1;
	bool ok = go_recv(in, &v);

	go_send(out, ok ? v : -2 - v);
}
GO_TASK(relay_once, go_receiver(int), go_sender(int));

static void
send_one(go_sender(int) c, atomic_int *sent)
{
	go_send(c, 0);
	atomic_store(sent, 1);
}
GO_TASK(send_one, go_sender(int), atomic_int *);

static void
check_blocking(go_chan(int) c, size_t cap)
{
	go_chan(int) out = go_make(int, 2);
	atomic_int sent = 0;
	int v;

	for (int i = 0; i < 2; i++)
		GO(relay_once, go_recv_only(c), go_send_only(out));
	support_settle();
	CHECK_EQ(go_len(out), 0);               /* receive from empty blocks */
	go_send(c, 0);
	go_send(c, 0);
	for (int i = 0; i < 2; i++) {
		CHECK(go_recv(out, &v));
		CHECK_EQ(v, 0);
	}
	CHECK(!go_tryrecv(c, NULL));
	for (size_t i = 0; i < cap; i++)
		go_send(c, (int)i);
	GO(send_one, go_send_only(c), &sent);
	support_settle();
	CHECK_EQ(sent, 0);                      /* send to full blocks */
	for (size_t i = 0; i <= cap; i++)
		CHECK(go_recv(c, NULL));
	wait_until(sent == 1);
	for (size_t i = 0; i < cap; i++)
		go_send(c, (int)i);
	CHECK(cap == 0 || !go_trysend(c, 1));
	for (size_t i = 0; i < cap; i++)
		CHECK(go_recv(c, NULL));
	go_unref(out);
}

static void
check_close(size_t cap)
{
	go_chan(int) c = go_make(int, cap), out = go_make(int, 0);
	int v;

	for (size_t i = 0; i < cap; i++)
		go_send(c, (int)i);
	go_close(c);
	for (size_t i = 0; i < cap; i++) {
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, i);
	}
	CHECK(!go_recv(c, &v));
	CHECK_EQ(v, 0);
	go_unref(c);

	c = go_make(int, cap);
	GO(relay_once, go_recv_only(c), go_send_only(out));
	support_settle();
	go_close(c);
	CHECK(go_recv(out, &v));
	CHECK_EQ(v, -2);                        /* woken with zero and false */
	go_unref(c);
	go_unref(out);
}

static void
send_range(go_sender(int) c, int from, int to)
{
	for (int i = from; i < to; i++)
		go_send(c, i);
}
GO_TASK(send_range, go_sender(int), int, int);

static void
count_values(go_receiver(int) c, int n, atomic_int *seen, go_waitgroup *wg)
{
	go_defer_done(wg);
	for (int v; n > 0; n--) {
		CHECK(go_recv(c, &v));
		atomic_fetch_add(&seen[v], 1);
	}
}
GO_TASK(count_values, go_receiver(int), int, atomic_int *, go_waitgroup *);

static void
check_many_to_many(go_chan(int) c, int per_goroutine)
{
	static atomic_int seen[1000];
	go_waitgroup wg = GO_WAITGROUP_INIT;

	memset(seen, 0, sizeof seen);
	go_wg_add(&wg, 4);
	for (int i = 0; i < 4; i++) {
		GO(send_range, go_send_only(c), 0, per_goroutine);
		GO(count_values, go_recv_only(c), per_goroutine, seen, &wg);
	}
	go_wg_wait(&wg);
	for (int i = 0; i < per_goroutine; i++)
		CHECK_EQ(seen[i], 4);
}

/* TestChan */
TEST(channel_of_any_capacity_works)
{
	size_t step = (size_t)(200 / support_scale(200));

	for (size_t cap = 0; cap < 200; cap += step) {
		go_chan(int) c = go_make(int, cap);
		int v;

		check_blocking(c, cap);
		check_close(cap);
		for (int twice = 0; twice < 2; twice++) {
			GO(send_range, go_send_only(c), 0, 100);
			for (int i = 0; i < 100; i++) {
				CHECK(go_recv(c, &v));
				CHECK_EQ(v, i);
			}
		}
		check_many_to_many(c, (int)(support_scale(1000) < 100 ? 100 : 1000));
		CHECK_EQ(go_len(c), 0);
		CHECK_EQ(go_cap(c), cap);
		go_unref(c);
	}
}

static void
send_and_close(go_chan(int) c, go_waitgroup *wg)
{
	go_defer_done(wg);
	go_send(c, 1);
	go_close(c);
}
GO_TASK(send_and_close, go_chan(int), go_waitgroup *);

/* TestNonblockRecvRace: once closed, the buffered value must be found without blocking */
TEST(value_before_close_is_never_missed)
{
	for (int i = 0; i < support_scale(10000); i++) {
		go_chan(int) c = go_make(int, 1);
		go_waitgroup wg = GO_WAITGROUP_INIT;
		struct support_wait w = {0, 0};
		int v = -1, rc;

		go_wg_add(&wg, 1);
		GO(send_and_close, c, &wg);
		while ((rc = go_recv_until(c, &v, 0)) == -ETIMEDOUT && support_wait_step(&w))
			;
		CHECK_EQ(rc, 0);
		CHECK_EQ(v, 1);
		go_wg_wait(&wg);
		CHECK_EQ(go_recv_until(c, &v, GO_NOWAIT), -EPIPE);
		go_unref(c);
	}
}

static void
consume(go_receiver(int) queue, go_sender(int) results, go_waitgroup *wg)
{
	go_defer_done(wg);
	go_range(v, queue) {
		if (v % 23 == 0)
			go_yield();
		go_send(results, v);
	}
}
GO_TASK(consume, go_receiver(int), go_sender(int), go_waitgroup *);

static void
feed(go_sender(int) queue, go_sender(int) results, int n, go_waitgroup *wg)
{
	static const int values[] = {2, 3, 7, 11, 13, 19, 23, 29, 31, 37};

	for (int i = 0; i < n; i++)
		go_send(queue, values[i % 10]);
	go_close(queue);
	go_wg_wait(wg);
	go_close(results);
}
GO_TASK(feed, go_sender(int), go_sender(int), int, go_waitgroup *);

/* TestMultiConsumer */
TEST(many_workers_drain_one_queue)
{
	enum { WORKERS = 23, SUM_OF_TEN = 2 + 3 + 7 + 11 + 13 + 19 + 23 + 29 + 31 + 37 };
	go_chan(int) queue = go_make(int, WORKERS * 3), results = go_make(int, WORKERS * 3);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = (int)support_scale(271828) / 10 * 10, got = 0;
	int64_t sum = 0;

	go_wg_add(&wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		GO(consume, go_recv_only(queue), go_send_only(results), &wg);
	GO(feed, go_send_only(queue), go_send_only(results), n, &wg);
	go_range(v, results) {
		got++;
		sum += v;
	}
	CHECK_EQ(got, n);
	CHECK_EQ(sum, (int64_t)n / 10 * SUM_OF_TEN);
	go_unref(queue);
	go_unref(results);
}

/* ------------------------------------------------------------ stacks of those who wait --- */

/* Touches about `depth` KiB of stack and gives it back. */
static int
dig(int depth)
{
	volatile char page[1024];

	memset((char *)page, depth, sizeof page);
	return depth > 0 ? dig(depth - 1) + page[depth] : page[0];
}

enum { DEPTH = SUPPORT_ASAN || SUPPORT_TSAN ? 40 : 120 };

struct deep { char before[64]; uint64_t v; char after[64]; };

static void
park_with_deep_stack(go_chan(struct deep) c, uint64_t v, go_waitgroup *wg)
{
	struct deep d, back;

	go_defer_done(wg);
	memset(&d, (int)v, sizeof d);
	d.v = v;
	dig(DEPTH);
	go_send(c, d);
	dig(DEPTH);
	CHECK(go_recv(c, &back));
	dig(DEPTH);
	CHECK_EQ(go_select(GO_SEND(c, back), GO_RECV((go_chan(int))NULL, NULL)), 0);
	CHECK_EQ(back.v, d.v + 1);
	CHECK(memcmp(back.before, d.before, sizeof d.before) == 0);
	CHECK(memcmp(back.after, d.after, sizeof d.after) == 0);
}
GO_TASK(park_with_deep_stack, go_chan(struct deep), uint64_t, go_waitgroup *);

/* TestShrinkStackDuringBlockedSend, TestNoShrinkStackWhileParking, TestSelectStackAdjust: what a
 * waiter's records point to stays valid, however its stack is trimmed meanwhile. */
TEST(parked_stacks_keep_what_partners_need)
{
	enum { N = 40 };
	static const int64_t pauses[] = {0, 0, 0, 0, GO_MILLISECOND, 20 * GO_MILLISECOND,
					 1200 * GO_MILLISECOND};

	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		go_waitgroup wg = GO_WAITGROUP_INIT;
		go_chan(struct deep) c[N];
		struct deep d;

		go_wg_add(&wg, N);
		for (int k = 0; k < N; k++) {
			c[k] = go_make(struct deep, 0);
			GO(park_with_deep_stack, c[k], (uint64_t)(i * 100 + (size_t)k), &wg);
		}
		go_sleep(pauses[i]);
		for (int k = 0; k < N; k++) {
			CHECK(go_recv(c[k], &d));
			d.v++;
			go_send(c[k], d);
		}
		go_sleep(pauses[i] / 2);
		for (int k = 0; k < N; k++)
			CHECK(go_recv(c[k], &d) && d.v == i * 100 + (size_t)k + 1);
		go_wg_wait(&wg);
		for (int k = 0; k < N; k++)
			go_unref(c[k]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(buffer_of_ten_is_a_queue),
	cmocka_unit_test(daisy_chain_receives_in_order),
	cmocka_unit_test(token_runs_through_ten_thousand_goroutines),
	cmocka_unit_test(nonblocking_operations_meet_blocked_partners),
	cmocka_unit_test(sieve_of_filters_finds_the_primes),
	cmocka_unit_test(sieve_of_merged_multiples_finds_the_primes),
	cmocka_unit_test(channels_of_nothing_can_be_made),
	cmocka_unit_test(channel_of_any_capacity_works),
	cmocka_unit_test(value_before_close_is_never_missed),
	cmocka_unit_test(many_workers_drain_one_queue),
	cmocka_unit_test(parked_stacks_keep_what_partners_need),
};

SUPPORT_MAIN(tests)
