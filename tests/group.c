/* SPDX-License-Identifier: MIT */
/*
 * group.c - groups: the context of the members, limits, how members end.
 */
#include "support.h"

static int give(void *arg) { return (int)(intptr_t)arg; }

static void *as_arg(int err) { return (void *)(intptr_t)err; }

/* ------------------------------------------------------------ the context --- */

struct bound { go_group *g; const go_ctx *want; atomic_int n; };

static int is_bound(void *arg) {
	struct bound *b = arg;

	CHECK(go_ctx_current() == b->want);
	atomic_fetch_add(&b->n, 1);
	return 0;
}

TEST(members_start_bound_to_the_context) {
	go_group g = GO_GROUP_INIT;
	struct bound b = {.g = &g};

	go_group_spawn(&g, is_bound, &b);
	CHECK_EQ(go_group_wait(&g), 0);
	b.want = go_group_ctx(&g, NULL);
	for (int i = 0; i < 10; i++)
		go_group_spawn(&g, is_bound, &b);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK_EQ(atomic_load(&b.n), 11);
	CHECK(go_ctx_current() == NULL);
}

static int wait_for_ever(void *arg) {
	return go_chan_recv_until(arg, NULL, GO_FOREVER);
}

TEST(an_error_ends_what_the_others_wait_for) {
	go_group g = GO_GROUP_INIT;
	go_ch *c = go_chan_make(0, 0);

	go_group_ctx(&g, NULL);
	for (int i = 0; i < 10; i++)
		go_group_spawn(&g, wait_for_ever, c);
	support_settle();
	go_group_spawn(&g, give, as_arg(-EIO));
	CHECK_EQ(go_group_wait(&g), -EIO);
	go_chan_unref(c);
}

TEST(cancelling_the_parent_ends_the_members) {
	go_group g = GO_GROUP_INIT;
	go_ch *c = go_chan_make(0, 0);
	go_ctx *parent = go_ctx_with_timeout(NULL, GO_MILLISECOND);

	go_group_ctx(&g, parent);
	for (int i = 0; i < 10; i++)
		go_group_spawn(&g, wait_for_ever, c);
	CHECK_EQ(go_group_wait(&g), -ETIMEDOUT);
	go_ctx_end(parent);
	go_chan_unref(c);
}

static int bind_another(void *arg) {
	go_ctx_unref(go_ctx_bind(arg));
	return 0;
}

static void count_up(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

TEST(nothing_is_left_of_the_context_after_wait) {
	go_group g = GO_GROUP_INIT;
	atomic_int freed = 0;
	static char key;
	go_ctx *parent = go_ctx_with_value(NULL, &key, &freed, count_up);

	go_group_ctx(&g, parent);
	for (int i = 0; i < 10; i++)
		go_group_spawn(&g, bind_another, i % 2 ? parent : NULL);
	go_ctx_end(parent);
	CHECK_EQ(atomic_load(&freed), 0);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK_EQ(atomic_load(&freed), 1);
}

static void ask_for_context(void *arg) { go_group_ctx(arg, NULL); }

TEST(a_second_context_panics_and_a_new_one_begins_anew) {
	go_group g = GO_GROUP_INIT;
	go_panic_info info = GO_PANIC_INFO_INIT;
	const go_ctx *ctx;

	go_group_ctx(&g, NULL);
	CHECK(!go_try(ask_for_context, &g, &info));
	CHECK(strstr(info.message, "errgroup: the group has a context already") == info.message);
	go_group_spawn(&g, give, as_arg(1));
	CHECK_EQ(go_group_wait(&g), 1);
	ctx = go_ctx_ref(go_group_ctx(&g, NULL));
	go_group_spawn(&g, give, as_arg(2));
	CHECK_EQ(go_group_wait(&g), 2);
	CHECK_EQ(go_ctx_cause(ctx, NULL), 2);
	go_ctx_unref(ctx);
}

/* ------------------------------------------------------------ the limit --- */

static int receive_one(void *arg) {
	go_chan_recv(arg, NULL);
	return 0;
}

static void spawn_one(go_group *g, go_ch *c, atomic_int *spawned) {
	go_set_name("spawner");
	go_group_spawn(g, receive_one, c);
	atomic_fetch_add(spawned, 1);
}
GO_TASK(spawn_one, go_group *, go_ch *, atomic_int *);

TEST(spawn_blocks_at_the_limit) {
	go_group g = GO_GROUP_INIT;
	go_ch *c = go_chan_make(0, 0);
	atomic_int spawned = 0;

	go_group_limit(&g, 2);
	for (int i = 0; i < 5; i++)
		GO(spawn_one, &g, c, &spawned);
	wait_until(support_parked("spawner", "semacquire") == 3);
	CHECK_EQ(atomic_load(&spawned), 2);
	for (int i = 0; i < 5; i++)
		go_chan_send(c, NULL);
	wait_until(atomic_load(&spawned) == 5);
	CHECK_EQ(go_group_wait(&g), 0);
	go_group_limit(&g, -1);
	for (int i = 0; i < 100; i++)
		CHECK(go_group_try_spawn(&g, receive_one, c));
	for (int i = 0; i < 100; i++)
		go_chan_send(c, NULL);
	CHECK_EQ(go_group_wait(&g), 0);
	wait_until(go_count() == 2);
	go_chan_unref(c);
}

static void limit_to_one(void *arg) { go_group_limit(arg, 1); }

TEST(changing_the_limit_while_there_are_members_panics) {
	go_group g = GO_GROUP_INIT;
	go_ch *c = go_chan_make(0, 0);
	go_panic_info info = GO_PANIC_INFO_INIT;
	static const char text[] =
		"errgroup: modify limit while 3 goroutines in the group are still active";

	for (int i = 0; i < 3; i++)
		go_group_spawn(&g, receive_one, c);
	CHECK(!go_try(limit_to_one, &g, &info));
	CHECK(strncmp(info.message, text, sizeof text - 1) == 0);
	for (int i = 0; i < 3; i++)
		go_chan_send(c, NULL);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK(go_try(limit_to_one, &g, NULL));
	go_chan_unref(c);
}

/* ------------------------------------------------------------ how members end --- */

static int exit_early(void *arg) {
	(void)arg;
	go_exit();
}

TEST(go_exit_counts_as_done_without_an_error) {
	go_group g = GO_GROUP_INIT;

	go_group_limit(&g, 3);
	for (int i = 0; i < 20; i++)
		go_group_spawn(&g, exit_early, NULL);
	CHECK_EQ(go_group_wait(&g), 0);
}

static void exit_now(void *arg) {
	(void)arg;
	go_exit();
}

static int exit_in_a_panic(void *arg) {
	go_defer(exit_now, NULL);
	go_panic("%s", (const char *)arg);
}

TEST(go_exit_in_a_panic_counts_as_done) {
	static char text[] = "never told";
	go_group g = GO_GROUP_INIT;

	go_group_limit(&g, 1);
	for (int i = 0; i < 3; i++)
		go_group_spawn(&g, exit_in_a_panic, text);
	CHECK_EQ(go_group_wait(&g), 0);
}

static int panic_late(void *arg) {
	go_sleep(GO_MILLISECOND);
	go_panic("member %s", (const char *)arg);
}

CHILD(a_member_panics) {
	static char name[] = "seven";
	go_group g = GO_GROUP_INIT;

	(void)arg;
	go_group_spawn(&g, panic_late, name);
	return go_group_wait(&g);
}

CHILD(a_member_is_no_function) {
	go_group g = GO_GROUP_INIT;

	(void)arg;
	go_group_spawn(&g, NULL, NULL);
	return 0;
}

CHILD(nobody_may_start) {
	go_group g = GO_GROUP_INIT;

	(void)arg;
	go_group_limit(&g, 0);
	go_group_spawn(&g, give, NULL);
	return 0;
}

TEST(misuse_ends_the_process) {
	CHECK_DIES(a_member_panics, NULL, "panic: member seven");
	CHECK_DIES(a_member_is_no_function, NULL, "fatal error: go of nil func value");
	CHECK_DIES(nobody_may_start, NULL, "all goroutines are asleep - deadlock!");
}

/* ------------------------------------------------------------ many --- */

struct tree { go_group g; atomic_int n; };

static int grow(void *arg) {
	struct tree *t = arg;
	int n = atomic_fetch_add(&t->n, 2);

	if (n < (int)support_scale(3000)) {
		go_group_spawn(&t->g, grow, t);
		go_group_spawn(&t->g, grow, t);
	}
	return 0;
}

TEST(members_may_start_members) {
	struct tree t = {.n = 0};

	go_group_spawn(&t.g, grow, &t);
	CHECK_EQ(go_group_wait(&t.g), 0);
	CHECK(atomic_load(&t.n) >= support_scale(3000));
}

struct shared { go_group g; atomic_int active, sum, users; int loops; };

static int work(void *arg) {
	struct shared *s = arg;

	CHECK(atomic_fetch_add(&s->active, 1) < 5);
	if (atomic_fetch_add(&s->sum, 1) % 8 == 0)
		go_yield();
	atomic_fetch_sub(&s->active, 1);
	return 0;
}

static void feed(void *arg) {
	struct shared *s = arg;

	for (int i = 0; i < s->loops; i++) {
		if (i % 3 != 0)
			go_group_spawn(&s->g, work, s);
		else
			while (!go_group_try_spawn(&s->g, work, s))
				go_yield();
	}
	atomic_fetch_sub(&s->users, 1);
}

static void *feed_thread(void *arg) {
	feed(arg);
	return NULL;
}

TEST(goroutines_and_threads_feed_a_group) {
	struct shared s = {.users = 7, .loops = (int)support_scale(1000)};
	pthread_t threads[3];

	go_group_limit(&s.g, 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, feed_thread, &s), 0);
	for (int i = 0; i < 4; i++)
		go_spawn(feed, &s);
	wait_until(atomic_load(&s.users) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(go_group_wait(&s.g), 0);
	CHECK_EQ(atomic_load(&s.sum), 7 * s.loops);
}

static int wait_too(void *arg) { return go_group_wait(arg); }

TEST(several_may_wait_and_learn_the_same) {
	for (int i = 0; i < (int)support_scale(300); i++) {
		go_group g = GO_GROUP_INIT, waiters = GO_GROUP_INIT;
		go_ch *c = go_chan_make(0, 0);

		go_group_ctx(&g, NULL);
		go_group_spawn(&g, receive_one, c);
		go_group_spawn(&g, give, as_arg(7));
		for (int k = 0; k < 4; k++)
			go_group_spawn(&waiters, wait_too, &g);
		go_chan_send(c, NULL);
		CHECK_EQ(go_group_wait(&g), 7);
		CHECK_EQ(go_group_wait(&waiters), 7);
		go_chan_unref(c);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(members_start_bound_to_the_context),
	cmocka_unit_test(an_error_ends_what_the_others_wait_for),
	cmocka_unit_test(cancelling_the_parent_ends_the_members),
	cmocka_unit_test(nothing_is_left_of_the_context_after_wait),
	cmocka_unit_test(a_second_context_panics_and_a_new_one_begins_anew),
	cmocka_unit_test(spawn_blocks_at_the_limit),
	cmocka_unit_test(changing_the_limit_while_there_are_members_panics),
	cmocka_unit_test(go_exit_counts_as_done_without_an_error),
	cmocka_unit_test(go_exit_in_a_panic_counts_as_done),
	cmocka_unit_test(misuse_ends_the_process),
	cmocka_unit_test(members_may_start_members),
	cmocka_unit_test(goroutines_and_threads_feed_a_group),
	cmocka_unit_test(several_may_wait_and_learn_the_same),
};

SUPPORT_MAIN(tests)
