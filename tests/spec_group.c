/* SPDX-License-Identifier: MIT */
/*
 * spec_group.c - what goro.h says of groups, sentence by sentence, where the tests of groups leave
 * something out.
 */
#include "spec_places.h"

static int give(void *p) { return *(int *)p; }
static int nothing(void *arg) { (void)arg; return 0; }

static int add_one(void *n) {
	atomic_fetch_add((atomic_int *)n, 1);
	return 0;
}

static void *wait_there(void *g) { CHECK_EQ(go_group_wait(g), 0); return NULL; }

/* ------------------------------------------------------------ everywhere --- */

/* "Valid when zeroed"; "Any goroutine and any thread may call any function" */
static void use_group(void *arg) {
	go_group *g = calloc(1, sizeof *g);
	atomic_int n = 0;
	const go_ctx *ctx;
	int five = 5;

	(void)arg;
	assert_non_null(g);
	CHECK_EQ(go_group_wait(g), 0);
	go_group_limit(g, 2);
	for (int i = 0; i < 5; i++)
		go_group_spawn(g, add_one, &n);
	CHECK_EQ(go_group_wait(g), 0);
	CHECK_EQ(n, 5);
	on_a_thread(wait_there, g);
	ctx = go_ctx_ref(go_group_ctx(g, NULL));
	CHECK(go_group_try_spawn(g, give, &five));
	CHECK_EQ(go_group_wait(g), 5);
	CHECK(go_ctx_err(ctx) == -ECANCELED && go_ctx_cause(ctx, NULL) == 5);
	go_ctx_unref(ctx);
	free(g);
}

TEST(groups_work_at_every_place) { at_every_place(use_group, NULL); }

/* ------------------------------------------------------------ results --- */

/* "who waits gets the first result that is not 0": any; "with the first ... as its cause" */
TEST(any_number_but_0_is_a_result_and_a_cause) {
	static int results[] = {-1, 1, INT_MIN, INT_MAX, -ECANCELED, -ETIMEDOUT};
	static int zero;

	for (int i = 0; i < 6; i++) {
		go_group g = GO_GROUP_INIT;
		const go_ctx *ctx = go_ctx_ref(go_group_ctx(&g, NULL));
		const char *why = "untouched";

		go_group_spawn(&g, give, &zero);
		go_group_spawn(&g, give, &results[i]);
		CHECK_EQ(go_group_wait(&g), results[i]);
		CHECK_EQ(go_ctx_cause(ctx, &why), results[i]);
		CHECK(why == NULL);
		CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
		go_ctx_unref(ctx);
		CHECK_EQ(go_group_wait(&g), results[i]);       /* "the first result stays" */
		go_group_spawn(&g, give, &results[(i + 1) % 6]);
		CHECK_EQ(go_group_wait(&g), results[i]);
		go_group_ctx(&g, NULL);                  /* "begins anew" */
		go_group_spawn(&g, give, &results[(i + 1) % 6]);
		CHECK_EQ(go_group_wait(&g), results[(i + 1) % 6]);
		go_group_ctx(&g, NULL);
		CHECK_EQ(go_group_wait(&g), 0);
	}
}

struct member { int n; go_sema go; };
struct team { go_group g; struct member m; };

static int write_it(void *arg) {
	struct member *m = arg;

	go_sema_acquire(&m->go, 1);
	m->n = 7;
	return 0;
}

/* "Blocks until there are no members"; what they wrote is seen, by threads as well. */
static void *wait_for_member(void *arg) {
	struct team *s = arg;

	CHECK_EQ(go_group_wait(&s->g), 0);
	CHECK_EQ(s->m.n, 7);
	return NULL;
}

TEST(all_who_wait_see_what_members_wrote) {
	struct team s = {GO_GROUP_INIT, {0, GO_SEMA_INIT(0)}};
	pthread_t t;

	go_group_spawn(&s.g, write_it, &s.m);
	CHECK_EQ(pthread_create(&t, NULL, wait_for_member, &s), 0);
	support_settle();
	go_sema_release(&s.m.go, 1);
	wait_for_member(&s);
	pthread_join(t, NULL);
}

/* ------------------------------------------------------------ the context --- */

/* "or when go_group_wait returns": with no cause but itself; also when there never was a member */
TEST(waiting_cancels_the_context_even_of_an_empty_group) {
	for (int i = 0; i < 3; i++) {
		go_ctx *parent = go_ctx_with_timeout(NULL, GO_HOUR);
		go_group g = GO_GROUP_INIT;
		const go_ctx *ctx = go_ctx_ref(go_group_ctx(&g, parent));

		CHECK_EQ(go_ctx_deadline(ctx), go_ctx_deadline(parent));
		CHECK_EQ(go_ctx_err(ctx), 0);
		if (i == 1)
			go_group_spawn(&g, nothing, NULL);
		if (i == 2)
			go_ctx_cancel_cause(parent, 9, "parent");
		CHECK_EQ(go_group_wait(&g), 0);
		CHECK_EQ(go_ctx_err(ctx), -ECANCELED);
		CHECK_EQ(go_ctx_cause(ctx, NULL), i == 2 ? 9 : -ECANCELED);
		CHECK_EQ(go_ctx_err(parent), i == 2 ? -ECANCELED : 0);
		go_ctx_unref(ctx);
		go_ctx_end(parent);
	}
}

struct bound { const go_ctx *seen; go_ctx *other; };
static int see_bound(void *arg) {
	struct bound *b = arg;

	b->seen = go_ctx_current();
	go_ctx_unref(go_ctx_bind(b->other));     /* the member's own business */
	return 0;
}

/* "to which members will be bound": without one they are unbound, whatever their creator is */
TEST(members_are_bound_to_the_group_s_context_and_no_other) {
	go_ctx *mine = go_ctx_with_cancel(NULL);

	go_ctx_bind(mine);
	for (int i = 0; i < 2; i++) {
		struct bound b = {mine, mine}, again = {mine, NULL};
		go_group g = GO_GROUP_INIT;
		const go_ctx *ctx = i == 1 ? go_group_ctx(&g, NULL) : NULL;

		go_group_limit(&g, 1);
		go_group_spawn(&g, see_bound, &b);
		go_group_spawn(&g, see_bound, &again);
		go_ctx_ref(ctx);
		CHECK_EQ(go_group_wait(&g), 0);
		CHECK(b.seen == ctx && again.seen == ctx);
		CHECK(go_ctx_current() == mine);
		go_ctx_unref(ctx);
	}
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_end(mine);
}

/* "panics if there is a context already" */
static void second_context(void *g) { go_group_ctx(g, NULL); }

TEST(a_refused_second_context_leaves_the_first) {
	go_group g = GO_GROUP_INIT;
	const go_ctx *ctx = go_ctx_ref(go_group_ctx(&g, NULL));
	struct bound b = {NULL, NULL};

	for (int i = 0; i < 2; i++) {
		CHECK(!go_try(second_context, &g, NULL));
		CHECK_EQ(go_ctx_err(ctx), 0);
	}
	go_group_spawn(&g, see_bound, &b);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK(b.seen == ctx);
	go_ctx_unref(ctx);
}

/* "Calls that cannot fail are not affected" by a bound context */
TEST(a_done_context_neither_stops_spawn_nor_wait) {
	go_ctx *done = go_ctx_with_timeout(NULL, -1);
	struct member m = {0, GO_SEMA_INIT(0)};
	go_group g = GO_GROUP_INIT;
	atomic_int n = 0;

	go_ctx_bind(done);
	go_group_limit(&g, 1);
	go_group_spawn(&g, add_one, &n);
	go_group_spawn(&g, add_one, &n);
	go_group_spawn(&g, write_it, &m);
	go_sema_release(&m.go, 1);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK(m.n == 7 && n == 2);
	go_ctx_unref(go_ctx_bind(NULL));
	go_ctx_unref(done);
}

/* ------------------------------------------------------------ limits --- */

static int stay(void *arg) { go_sema_acquire(arg, 1); return 0; }

/* How many members may be there by this limit?  At most 20 are tried. */
static int
room(go_group *g, int n)
{
	go_sema s = GO_SEMA_INIT(0);
	int members = 0;

	go_group_limit(g, n);
	while (members < 20 && go_group_try_spawn(g, stay, &s))
		members++;
	go_sema_release(&s, members);
	CHECK_EQ(go_group_wait(g), 0);
	return members;
}

/* "At most n members at a time from now on; 0: none, negative: any number" */
TEST(every_limit_is_heeded) {
	go_group g = GO_GROUP_INIT;

	CHECK_EQ(room(&g, INT_MIN), 20);
	CHECK_EQ(room(&g, 0), 0);
	CHECK_EQ(room(&g, 0), 0);
	CHECK_EQ(room(&g, 1), 1);
	CHECK_EQ(room(&g, 19), 19);
	CHECK_EQ(room(&g, INT_MAX), 20);
	CHECK_EQ(room(&g, 3), 3);
	CHECK_EQ(room(&g, -1), 20);
}

/* "After that the group can be used again, with its limit" */
TEST(the_limit_stays_after_wait) {
	go_group g = GO_GROUP_INIT;
	go_sema s = GO_SEMA_INIT(0);

	go_group_limit(&g, 2);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			go_group_ctx(&g, NULL);
		CHECK(go_group_try_spawn(&g, stay, &s) && go_group_try_spawn(&g, stay, &s));
		CHECK(!go_group_try_spawn(&g, stay, &s));
		go_sema_release(&s, 2);
		CHECK_EQ(go_group_wait(&g), 0);
	}
}

static int exit_member(void *arg) { (void)arg; go_exit(); }

/* A member that exits makes room like any other. */
TEST(an_exit_makes_room) {
	go_group g = GO_GROUP_INIT;
	const go_ctx *ctx = go_ctx_ref(go_group_ctx(&g, NULL));
	atomic_int n = 0;

	go_group_limit(&g, 1);
	for (int i = 0; i < 10; i++)
		go_group_spawn(&g, i % 2 == 0 ? exit_member : add_one, &n);
	CHECK_EQ(go_group_wait(&g), 0);
	CHECK_EQ(n, 5);
	CHECK_EQ(go_ctx_cause(ctx, NULL), -ECANCELED);
	go_ctx_unref(ctx);
}

CHILD(spawn_where_none_may_be) {
	go_group g = GO_GROUP_INIT;

	go_group_limit(&g, 0);
	go_group_spawn(&g, nothing, NULL);
	return 0;
}

TEST(where_none_may_be_spawn_waits_for_ever) {
	CHECK_DIES(spawn_where_none_may_be, NULL, "all goroutines are asleep - deadlock!");
}

struct line { go_group g; go_sema s; atomic_int started; };

static void *spawn_there(void *arg) {
	struct line *l = arg;

	go_group_spawn(&l->g, stay, &l->s);
	atomic_fetch_add(&l->started, 1);
	return NULL;
}

/* "Blocks while there are as many as the limit allows": a thread does, too */
TEST(a_thread_waits_for_room) {
	struct line l = {GO_GROUP_INIT, GO_SEMA_INIT(0), 0};
	pthread_t t;

	go_group_limit(&l.g, 1);
	CHECK(go_group_try_spawn(&l.g, stay, &l.s));
	CHECK_EQ(pthread_create(&t, NULL, spawn_there, &l), 0);
	support_settle();
	CHECK_EQ(l.started, 0);
	go_sema_release(&l.s, 1);
	pthread_join(t, NULL);
	CHECK_EQ(l.started, 1);
	go_sema_release(&l.s, 1);
	CHECK_EQ(go_group_wait(&l.g), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(groups_work_at_every_place),
	cmocka_unit_test(any_number_but_0_is_a_result_and_a_cause),
	cmocka_unit_test(all_who_wait_see_what_members_wrote),
	cmocka_unit_test(waiting_cancels_the_context_even_of_an_empty_group),
	cmocka_unit_test(members_are_bound_to_the_group_s_context_and_no_other),
	cmocka_unit_test(a_refused_second_context_leaves_the_first),
	cmocka_unit_test(a_done_context_neither_stops_spawn_nor_wait),
	cmocka_unit_test(every_limit_is_heeded),
	cmocka_unit_test(the_limit_stays_after_wait),
	cmocka_unit_test(an_exit_makes_room),
	cmocka_unit_test(where_none_may_be_spawn_waits_for_ever),
	cmocka_unit_test(a_thread_waits_for_room),
};

SUPPORT_MAIN(tests)
