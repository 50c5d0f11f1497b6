/* SPDX-License-Identifier: MIT */
/*
 * Channels, plain operations: order, capacity, sizes, close, references.  What a deadline changes
 * is in chan_until.c, what dies is in chan_panic.c, the macros are in chan_typed.c.
 */
#include "support.h"

/* ------------------------------------------------------------ NULL --- */

static atomic_int passed;               /* operations that returned although they must not */

static void
send_on_nil(__attribute__((unused)) void *arg)
{
	int v = 1;

	go_chan_send(NULL, &v);
	atomic_fetch_add(&passed, 1);
}

static void
recv_from_nil(__attribute__((unused)) void *arg)
{
	go_chan_recv(NULL, NULL);
	atomic_fetch_add(&passed, 1);
}

TEST(nil_channel_blocks_for_ever)
{
	go_spawn(send_on_nil, NULL);
	go_spawn(recv_from_nil, NULL);
	wait_until(support_parked("", "chan send (nil chan)") == 1);
	wait_until(support_parked("", "chan receive (nil chan)") == 1);
	support_settle();
	CHECK_EQ(atomic_load(&passed), 0);
}

TEST(nil_channel_is_empty_and_never_ready)
{
	go_chan(int) c = NULL;
	int v = 7;

	CHECK_EQ(go_len(c), 0);
	CHECK_EQ(go_cap(c), 0);
	CHECK(!go_trysend(c, 1));
	CHECK(!go_tryrecv(c, &v));
	CHECK_EQ(v, 7);
}

/* ------------------------------------------------------------ capacity and order --- */

TEST(len_and_cap_follow_the_content)
{
	for (size_t cap = 0; cap < 20; cap++) {
		go_chan(int) c = go_make(int, cap);

		CHECK_EQ(go_cap(c), cap);
		for (size_t i = 0; i < cap; i++) {
			CHECK_EQ(go_len(c), i);
			go_send(c, (int)i);
		}
		CHECK_EQ(go_len(c), cap);
		CHECK(!go_trysend(c, -1));
		for (size_t i = cap; i-- > 0;) {
			CHECK(go_recv(c, NULL));
			CHECK_EQ(go_len(c), i);
		}
		go_close(c);
		CHECK_EQ(go_cap(c), cap);
		go_unref(c);
	}
}

TEST(buffer_keeps_order_when_it_wraps)
{
	struct support_rng rng = support_rng(1);

	for (int cap = 1; cap < 18; cap++) {
		go_chan(uint64_t) c = go_make(uint64_t, (size_t)cap);
		uint64_t in = 0, out = 0, v;

		for (int i = 0; i < 2000; i++) {
			if (in - out < (uint64_t)cap && (in == out || support_below(&rng, 2))) {
				go_send(c, in++);
			} else {
				CHECK(go_recv(c, &v));
				CHECK_EQ(v, out++);
			}
			CHECK_EQ(go_len(c), in - out);
		}
		go_unref(c);
	}
}

static void
send_named(go_sender(int) c, int v)
{
	go_set_name("sender %d", v);
	go_send(c, v);
}
GO_TASK(send_named, go_sender(int), int);

TEST(blocked_senders_are_served_in_order)
{
	for (int cap = 0; cap < 4; cap++) {
		go_chan(int) c = go_make(int, (size_t)cap);
		char name[32];
		int v;

		for (int i = 0; i < cap; i++)
			go_send(c, i);
		for (int i = cap; i < cap + 8; i++) {
			GO(send_named, go_send_only(c), i);
			snprintf(name, sizeof name, "sender %d", i);
			wait_until(support_parked(name, "chan send") == 1);
		}
		CHECK_EQ(go_len(c), cap);
		for (int i = 0; i < cap + 8; i++) {
			CHECK(go_recv(c, &v));
			CHECK_EQ(v, i);
		}
		CHECK(!go_tryrecv(c, &v));
		wait_until(support_parked("sender ", "") == 0);
		go_unref(c);
	}
}

static int served[8];

static void
recv_named(go_receiver(int) c, int i)
{
	go_set_name("receiver %d", i);
	CHECK(go_recv(c, &served[i]));
}
GO_TASK(recv_named, go_receiver(int), int);

TEST(blocked_receivers_are_served_in_order)
{
	for (size_t cap = 0; cap < 3; cap++) {
		go_chan(int) c = go_make(int, cap);
		char name[32];

		for (int i = 0; i < 8; i++) {
			served[i] = -1;
			GO(recv_named, go_recv_only(c), i);
			snprintf(name, sizeof name, "receiver %d", i);
			wait_until(support_parked(name, "chan receive") == 1);
		}
		for (int i = 0; i < 8; i++)
			go_send(c, 100 + i);
		wait_until(support_parked("receiver ", "") == 0);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(served[i], 100 + i);
		CHECK_EQ(go_len(c), 0);
		go_unref(c);
	}
}

static void
sets_before_it_receives(go_receiver(int) c, go_sender(int) done, int *mark)
{
	int v;

	*mark = 1;                      /* the send does not end before the receive has begun */
	CHECK(go_recv(c, &v));
	go_send(done, v);
}
GO_TASK(sets_before_it_receives, go_receiver(int), go_sender(int), int *);

TEST(unbuffered_send_waits_for_its_receiver)
{
	go_chan(int) c = go_make(int, 0), done = go_make(int, 1);
	int v = 0;

	for (int i = 0; i < support_scale(2000); i++) {
		int mark = 0;

		GO(sets_before_it_receives, go_recv_only(c), go_send_only(done), &mark);
		go_send(c, i);
		CHECK_EQ(mark, 1);
		CHECK(go_recv(done, &v));
		CHECK_EQ(v, i);
	}
	go_unref(c);
	go_unref(done);
}

/* ------------------------------------------------------------ element sizes --- */

static void
fill(unsigned char *p, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(salt * 31 + i * 7 + 1);
}

static bool
filled(const unsigned char *p, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != (unsigned char)(salt * 31 + i * 7 + 1))
			return false;
	return true;
}

static bool
all(const unsigned char *p, size_t n, unsigned char v)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != v)
			return false;
	return true;
}

enum { GUARD = 32, ROUNDS = 5 };

static void
send_filled(go_ch *c, size_t size)
{
	unsigned char *p = malloc(size + 1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		fill(p, size, i);
		go_chan_send(c, size > 0 ? p : NULL);
		memset(p, 0xee, size);          /* the value has been copied */
	}
	go_chan_close(c);
	free(p);
	go_chan_unref(c);
}
GO_TASK(send_filled, go_ch *, size_t);

/* What surrounds the destination stays. */
static void
recv_filled(go_ch *c, size_t size)
{
	unsigned char *p = malloc(size + 2 * GUARD);

	for (unsigned i = 0; i < ROUNDS + 2; i++) {
		memset(p, 0x5a, size + 2 * GUARD);
		CHECK_EQ(go_chan_recv(c, p + GUARD), i < ROUNDS);
		CHECK(i < ROUNDS ? filled(p + GUARD, size, i) : all(p + GUARD, size, 0));
		CHECK(all(p, GUARD, 0x5a));
		CHECK(all(p + GUARD + size, GUARD, 0x5a));
		if (i % 2 == 0)
			go_yield();
	}
	free(p);
}

TEST(values_of_any_size_arrive_whole_and_alone)
{
	static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 32, 63, 64, 100,
				       255, 256, 1000, 4096, 70000, 1 << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (size_t cap = 0; cap < 4; cap++) {
			go_ch *c = go_chan_make(sizes[i], cap);

			GO(send_filled, go_chan_ref(c), sizes[i]);
			if (cap == 1)
				support_settle();       /* the sender is first; otherwise either */
			recv_filled(c, sizes[i]);
			go_chan_unref(c);
		}
	}
}

TEST(element_of_size_zero_counts)
{
	go_ch *c = go_chan_make(0, 3), *huge = go_chan_make(0, (size_t)1 << 30);
	char x = 'x';

	go_chan_send(c, NULL);
	go_chan_send(c, &x);
	CHECK_EQ(go_chan_send_until(c, NULL, GO_NOWAIT), 0);
	CHECK_EQ(go_chan_send_until(c, NULL, GO_NOWAIT), -ETIMEDOUT);
	CHECK_EQ(go_chan_len(c), 3);
	CHECK(go_chan_recv(c, NULL));
	CHECK(go_chan_recv(c, &x));
	CHECK_EQ(x, 'x');
	go_chan_close(c);
	CHECK(go_chan_recv(c, &x));
	CHECK(!go_chan_recv(c, &x));
	CHECK_EQ(x, 'x');
	CHECK_EQ(go_chan_cap(huge), (size_t)1 << 30);
	for (int i = 0; i < 1000; i++)
		go_chan_send(huge, NULL);
	CHECK_EQ(go_chan_len(huge), 1000);
	go_chan_unref(c);
	go_chan_unref(huge);
}

static void
send_three(go_sender(int) c)
{
	for (int i = 0; i < 3; i++)
		go_send(c, i);
	go_close(c);
}
GO_TASK(send_three, go_sender(int));

TEST(null_discards_the_received_value)
{
	for (size_t cap = 0; cap < 4; cap++) {
		go_chan(int) c = go_make(int, cap);
		int v = -1;

		GO(send_three, go_send_only(c));
		CHECK(go_recv(c, NULL));
		CHECK_EQ(go_recv_until(c, NULL, GO_FOREVER), 0);
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, 2);
		CHECK(!go_recv(c, NULL));
		CHECK_EQ(go_recv_until(c, NULL, GO_FOREVER), -EPIPE);
		go_unref(c);
	}
}

/* ------------------------------------------------------------ close --- */

TEST(closed_channel_drains_first)
{
	go_chan(int) c = go_make(int, 5);
	int v;

	for (int i = 1; i <= 5; i++)
		go_send(c, i);
	go_close(c);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(go_len(c), 6 - i);
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, i);
	}
	for (int i = 0; i < 3; i++) {
		v = 9;
		CHECK(!go_recv(c, &v));
		CHECK_EQ(v, 0);
	}
	go_unref(c);
}

static atomic_int awake, about_to_wait;

static void
recv_closed(go_receiver(uint64_t) c)
{
	uint64_t v = 99;

	go_set_name("waits for close");
	atomic_fetch_add(&about_to_wait, 1);
	CHECK(!go_recv(c, &v));
	CHECK_EQ(v, 0);
	atomic_fetch_add(&awake, 1);
	go_unref(c);
}
GO_TASK(recv_closed, go_receiver(uint64_t));

TEST(close_wakes_all_receivers_with_zero)
{
	int n = support_goroutines(2000);

	for (size_t cap = 0; cap < 2; cap++) {
		go_chan(uint64_t) c = go_make(uint64_t, cap);

		atomic_store(&awake, 0);
		atomic_store(&about_to_wait, 0);
		for (int i = 0; i < n; i++)
			GO(recv_closed, go_recv_only(go_ref(c)));
		wait_until(atomic_load(&about_to_wait) == n);
		wait_until(support_parked("waits for close", "chan receive") == n);
		CHECK_EQ(atomic_load(&awake), 0);
		go_close(c);
		wait_until(atomic_load(&awake) == n);
		go_unref(c);
	}
}

TEST(close_of_one_channel_leaves_others_alone)
{
	go_chan(uint64_t) a = go_make(uint64_t, 0), b = go_make(uint64_t, 0);

	atomic_store(&awake, 0);
	GO(recv_closed, go_recv_only(go_ref(a)));
	GO(recv_closed, go_recv_only(go_ref(b)));
	wait_until(support_parked("waits for close", "chan receive") == 2);
	go_close(a);
	wait_until(atomic_load(&awake) == 1);
	support_settle();
	CHECK_EQ(atomic_load(&awake), 1);
	go_close(b);
	wait_until(atomic_load(&awake) == 2);
	go_unref(a);
	go_unref(b);
}

TEST(trysend_on_closed_is_false)
{
	for (size_t cap = 0; cap < 3; cap++) {
		go_chan(int) c = go_make(int, cap);
		int v = 5;

		go_close(c);
		CHECK(!go_trysend(c, 1));
		CHECK_EQ(go_len(c), 0);
		CHECK(!go_tryrecv(c, &v));
		go_unref(c);
	}
}

/* ------------------------------------------------------------ references --- */

static void
hold(go_chan(int) c, go_waitgroup *wg)
{
	go_defer_done(wg);
	for (int i = 0; i < 50; i++) {
		go_chan(int) mine = go_ref(c);

		CHECK(mine == c);
		if (go_trysend(mine, i))
			CHECK(go_recv(mine, NULL));
		go_unref(mine);
	}
	go_unref(c);
}
GO_TASK(hold, go_chan(int), go_waitgroup *);

TEST(channel_lives_until_its_last_reference)
{
	for (int round = 0; round < support_scale(100); round++) {
		go_chan(int) c = go_make(int, 8);
		go_waitgroup wg = GO_WAITGROUP_INIT;

		go_wg_add(&wg, 8);
		for (int i = 0; i < 8; i++)
			GO(hold, go_ref(c), &wg);
		go_unref(c);
		go_wg_wait(&wg);
	}
}

static void
send_unowned(go_sender(int) c, int v)
{
	go_send(c, v);
}
GO_TASK(send_unowned, go_sender(int), int);

static void
close_unowned(go_sender(int) c)
{
	go_close(c);
}
GO_TASK(close_unowned, go_sender(int));

/* The receiver frees the channel while the sender may still be on its way out of its call. */
TEST(receiver_may_drop_the_channel_at_once)
{
	for (int i = 0; i < support_scale(20000); i++) {
		go_chan(int) c = go_make(int, (size_t)(i / 2 % 2));
		int v;

		GO(send_unowned, go_send_only(c), i);
		if (i % 2)
			go_yield();
		CHECK(go_recv(c, &v));
		CHECK_EQ(v, i);
		go_unref(c);
	}
}

TEST(receiver_may_drop_the_channel_when_it_sees_it_closed)
{
	for (int i = 0; i < support_scale(20000); i++) {
		go_chan(int) c = go_make(int, (size_t)(i / 2 % 2));

		GO(close_unowned, go_send_only(c));
		if (i % 2)
			go_yield();
		CHECK(!go_recv(c, NULL));
		go_unref(c);
	}
}

/* ------------------------------------------------------------ publication --- */

enum { SHARED = 8 };

static void
publish(go_sender(int *) c, go_receiver(int *) back, int n)
{
	int *p = malloc(SHARED * sizeof *p), *q;

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < SHARED; k++)
			p[k] = i + k;
		go_send(c, p);
		CHECK(go_recv(back, &q));
		CHECK(q == p);
		for (int k = 0; k < SHARED; k++)
			CHECK_EQ(p[k], -i - k);
	}
	go_close(c);
	free(p);
}
GO_TASK(publish, go_sender(int *), go_receiver(int *), int);

/* Plain memory, written before a send and read after the receive (ThreadSanitizer looks on). */
TEST(what_was_written_before_a_send_is_seen_after_it)
{
	for (size_t cap = 0; cap < 2; cap++) {
		go_chan(int *) c = go_make(int *, cap), back = go_make(int *, cap);
		int n = 0;

		GO(publish, go_send_only(c), go_recv_only(back), (int)support_scale(20000));
		go_range(p, c) {
			for (int k = 0; k < SHARED; k++) {
				CHECK_EQ(p[k], n + k);
				p[k] = -n - k;
			}
			n++;
			go_send(back, p);
		}
		CHECK_EQ(n, support_scale(20000));
		go_unref(c);
		go_unref(back);
	}
}

static int guarded;                     /* by a channel of capacity 1 that is used as a lock */

static void
add_under_token(go_chan(char) lock, int n, go_waitgroup *wg)
{
	go_defer_done(wg);
	for (int i = 0; i < n; i++) {
		go_send(lock, 'x');
		guarded++;
		go_recv(lock, NULL);
	}
}
GO_TASK(add_under_token, go_chan(char), int, go_waitgroup *);

TEST(channel_of_capacity_one_is_a_lock)
{
	go_chan(char) lock = go_make(char, 1);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int n = (int)support_scale(20000);

	guarded = 0;
	go_wg_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		GO(add_under_token, lock, n, &wg);
	go_wg_wait(&wg);
	CHECK_EQ(guarded, 8 * n);
	go_unref(lock);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nil_channel_blocks_for_ever),
	cmocka_unit_test(nil_channel_is_empty_and_never_ready),
	cmocka_unit_test(len_and_cap_follow_the_content),
	cmocka_unit_test(buffer_keeps_order_when_it_wraps),
	cmocka_unit_test(blocked_senders_are_served_in_order),
	cmocka_unit_test(blocked_receivers_are_served_in_order),
	cmocka_unit_test(unbuffered_send_waits_for_its_receiver),
	cmocka_unit_test(values_of_any_size_arrive_whole_and_alone),
	cmocka_unit_test(element_of_size_zero_counts),
	cmocka_unit_test(null_discards_the_received_value),
	cmocka_unit_test(closed_channel_drains_first),
	cmocka_unit_test(close_wakes_all_receivers_with_zero),
	cmocka_unit_test(close_of_one_channel_leaves_others_alone),
	cmocka_unit_test(trysend_on_closed_is_false),
	cmocka_unit_test(channel_lives_until_its_last_reference),
	cmocka_unit_test(receiver_may_drop_the_channel_at_once),
	cmocka_unit_test(receiver_may_drop_the_channel_when_it_sees_it_closed),
	cmocka_unit_test(what_was_written_before_a_send_is_seen_after_it),
	cmocka_unit_test(channel_of_capacity_one_is_a_lock),
};

SUPPORT_MAIN(tests)
