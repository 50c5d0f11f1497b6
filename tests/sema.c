/* SPDX-License-Identifier: MIT */
/*
 * sema.c - semaphores between goroutines and threads: counting, order, time limits, lifetime.
 *
 * go_sema.c has what x/sync tests.
 */
#include "support.h"

/* ------------------------------------------------------------ counting --- */

TEST(units_are_taken_and_given) {
	go_sema s = GO_SEMA_INIT(3);

	go_sema_acquire(&s, 2);
	CHECK(!go_sema_try_acquire(&s, 2));
	CHECK(go_sema_try_acquire(&s, 1));
	CHECK(!go_sema_try_acquire(&s, 1));
	CHECK_EQ(go_sema_acquire_until(&s, 1, GO_NOWAIT), -ETIMEDOUT);
	go_sema_release(&s, 2);
	CHECK_EQ(go_sema_acquire_until(&s, 1, GO_NOWAIT), 0);
	CHECK_EQ(go_sema_acquire_until(&s, 1, -5), 0);
	CHECK_EQ(go_sema_acquire_until(&s, 1, INT64_MIN), -ETIMEDOUT);
	CHECK_EQ(go_sema_acquire_until(&s, INT64_MAX, INT64_MIN), -ETIMEDOUT);
	go_sema_release(&s, 3);
	CHECK(go_sema_try_acquire(&s, 3));
}

TEST(no_units_are_always_there) {
	go_sema s = GO_SEMA_INIT(0);

	go_sema_acquire(&s, 0);
	CHECK(go_sema_try_acquire(&s, 0));
	CHECK_EQ(go_sema_acquire_until(&s, 0, GO_NOWAIT), 0);
	go_sema_release(&s, 0);
	CHECK(!go_sema_try_acquire(&s, 1));
}

TEST(a_zeroed_one_counts_what_is_released) {
	go_sema s;

	memset(&s, 0, sizeof s);
	CHECK(!go_sema_try_acquire(&s, 1));
	go_sema_release(&s, 1);
	go_sema_release(&s, 4);
	CHECK(go_sema_try_acquire(&s, 5));
	CHECK(!go_sema_try_acquire(&s, 1));
}

TEST(it_can_have_all_units_there_are) {
	go_sema s = GO_SEMA_INIT(INT64_MAX);

	CHECK(go_sema_try_acquire(&s, INT64_MAX));
	CHECK(!go_sema_try_acquire(&s, 1));
	go_sema_release(&s, INT64_MAX - 1);
	go_sema_release(&s, 1);
	go_sema_acquire(&s, INT64_MAX);
}

/* ------------------------------------------------------------ misuse --- */

struct misuse { go_sema s; int64_t n; };

static void release_n(void *arg) { struct misuse *m = arg; go_sema_release(&m->s, m->n); }
static void acquire_n(void *arg) { struct misuse *m = arg; go_sema_acquire(&m->s, m->n); }
static void try_n(void *arg) { struct misuse *m = arg; CHECK(go_sema_try_acquire(&m->s, m->n)); }
static void until_n(void *arg) {
	struct misuse *m = arg;

	CHECK_EQ(go_sema_acquire_until(&m->s, m->n, GO_FOREVER), 0);
}

static void check_panics(go_fn fn, struct misuse *m, const char *text) {
	go_panic_info info = GO_PANIC_INFO_INIT;

	if (CHECK(!go_try(fn, m, &info)))
		CHECK_STR(info.message, text);
}

TEST(a_negative_number_is_a_panic) {
	static const go_fn all[] = {release_n, acquire_n, try_n, until_n};

	for (int i = 0; i < 4; i++) {
		struct misuse m = {GO_SEMA_INIT(5), i % 2 == 0 ? -1 : INT64_MIN};

		check_panics(all[i], &m, "semaphore: negative number of units");
		CHECK(go_sema_try_acquire(&m.s, 5));
		CHECK(!go_sema_try_acquire(&m.s, 1));
	}
}

TEST(a_negative_beginning_is_a_panic) {
	struct misuse m = {GO_SEMA_INIT(-3), 1};

	check_panics(acquire_n, &m, "semaphore: negative number of units");
	check_panics(release_n, &m, "semaphore: negative number of units");
	CHECK(!go_sema_try_acquire(&m.s, 0));
}

static void acquire_all(go_sema *s, go_waitgroup *wg) {
	go_sema_acquire(s, INT64_MAX);
	go_wg_done(wg);
}
GO_TASK(acquire_all, go_sema *, go_waitgroup *);

TEST(more_units_than_can_be_counted_are_a_panic) {
	struct misuse m = {GO_SEMA_INIT(INT64_MAX - 1), 2};
	go_waitgroup wg = GO_WAITGROUP_INIT;

	check_panics(release_n, &m, "semaphore: released more than held");
	go_wg_add(&wg, 1);
	GO(acquire_all, &m.s, &wg);
	wait_until(!go_sema_try_acquire(&m.s, 0));
	check_panics(release_n, &m, "semaphore: released more than held");
	go_sema_release(&m.s, 1);               /* and it still works */
	go_wg_wait(&wg);
	CHECK(go_sema_try_acquire(&m.s, 0) && !go_sema_try_acquire(&m.s, 1));
}

CHILD(release_too_much) {
	go_sema s = GO_SEMA_INIT(1);

	go_sema_release(&s, INT64_MAX);
	return 0;
}

TEST(misuse_ends_the_process_unless_it_is_caught) {
	CHECK_DIES(release_too_much, NULL, "panic: semaphore: released more than held");
}

/* ------------------------------------------------------------ order --- */

struct line { go_sema s; atomic_int next; };

static void get_in_line(struct line *l, int place, int64_t n) {
	go_sema_acquire(&l->s, n);
	CHECK_EQ(atomic_fetch_add(&l->next, 1), place);
	go_sema_release(&l->s, n);
}
GO_TASK(get_in_line, struct line *, int, int64_t);

static void *be_the_first_in_line(void *arg) {
	get_in_line(arg, 0, 2);
	return NULL;
}

static int waiting(void) { return support_parked("", "semacquire"); }

/* Two of them never fit at a time, or they could be counted in another order than served. */
TEST(units_go_to_those_who_came_first) {
	struct line l = {GO_SEMA_INIT(0), 0};

	for (int i = 0; i < 20; i++) {
		GO(get_in_line, &l, i, 3 + i % 2);
		wait_until(waiting() == i + 1);
	}
	CHECK(!go_sema_try_acquire(&l.s, 0));
	for (int i = 0; i < 4; i++)
		go_sema_release(&l.s, 1);
	wait_until(atomic_load(&l.next) == 20);
	wait_until(go_sema_try_acquire(&l.s, 4));
}

TEST(threads_stand_in_the_same_line) {
	struct line l = {GO_SEMA_INIT(0), 0};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, be_the_first_in_line, &l), 0);
	wait_until(!go_sema_try_acquire(&l.s, 0));
	for (int i = 1; i < 6; i++) {
		GO(get_in_line, &l, i, 2);
		wait_until(waiting() == i);
	}
	go_sema_release(&l.s, 1);
	support_settle();
	CHECK_EQ(atomic_load(&l.next), 0);
	go_sema_release(&l.s, 1);
	pthread_join(thread, NULL);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&l.next), 6);
}

static void take_and_keep(struct line *l, int64_t n) {
	go_sema_acquire(&l->s, n);
	atomic_fetch_add(&l->next, 1);
}
GO_TASK(take_and_keep, struct line *, int64_t);

TEST(one_release_serves_as_many_as_it_suffices_for) {
	static const int64_t want[] = {2, 0, 1, 3};
	struct line l = {GO_SEMA_INIT(0), 0};

	for (int i = 0; i < 4; i++) {
		GO(take_and_keep, &l, want[i]);
		wait_until(waiting() == i + 1);
	}
	go_sema_release(&l.s, 1);
	support_settle();
	CHECK_EQ(atomic_load(&l.next), 0);
	go_sema_release(&l.s, 3);
	wait_until(waiting() == 1);
	go_sema_release(&l.s, 2);
	wait_until(go_count() == 2);
	CHECK_EQ(atomic_load(&l.next), 4);
	CHECK(go_sema_try_acquire(&l.s, 0) && !go_sema_try_acquire(&l.s, 1));
}

/* ------------------------------------------------------------ time limits --- */

static void give_up_after(struct line *l, int64_t n, int64_t limit) {
	CHECK_EQ(go_sema_acquire_until(&l->s, n, go_now() + limit), -ETIMEDOUT);
	atomic_fetch_add(&l->next, 100);
}
GO_TASK(give_up_after, struct line *, int64_t, int64_t);

TEST(a_time_limit_is_kept) {
	go_sema s = GO_SEMA_INIT(1);
	int64_t start = support_clock();

	CHECK_EQ(go_sema_acquire_until(&s, 2, go_now() + 20 * GO_MILLISECOND), -ETIMEDOUT);
	CHECK(support_clock() - start >= 20 * GO_MILLISECOND);
	CHECK(go_sema_try_acquire(&s, 1));
	CHECK(!go_sema_try_acquire(&s, 1));
	go_sema_release(&s, 1);
	CHECK_EQ(go_sema_acquire_until(&s, 1, go_now() + GO_HOUR), 0);
}

static void *time_out_in_a_thread(void *arg) {
	CHECK_EQ(go_sema_acquire_until(arg, 5, go_now() + 5 * GO_MILLISECOND), -ETIMEDOUT);
	return NULL;
}

TEST(a_time_limit_is_kept_in_a_thread) {
	go_sema s = GO_SEMA_INIT(1);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, time_out_in_a_thread, &s), 0);
	pthread_join(thread, NULL);
	CHECK(go_sema_try_acquire(&s, 1));
}

TEST(those_behind_one_who_gives_up_go_on) {
	struct line l = {GO_SEMA_INIT(3), 0};

	GO(give_up_after, &l, 100, 30 * GO_MILLISECOND);
	wait_until(waiting() == 1 || atomic_load(&l.next) >= 100);
	for (int i = 0; i < 3; i++)
		GO(take_and_keep, &l, 1);
	wait_until(atomic_load(&l.next) == 103);
	wait_until(go_count() == 2);
	CHECK(go_sema_try_acquire(&l.s, 0));
	CHECK(!go_sema_try_acquire(&l.s, 1));
}

TEST(one_who_gives_up_in_the_middle_changes_nothing_else) {
	struct line l = {GO_SEMA_INIT(1), 0};

	GO(take_and_keep, &l, 2);
	wait_until(waiting() == 1);
	GO(give_up_after, &l, 1, 5 * GO_MILLISECOND);
	wait_until(atomic_load(&l.next) == 100);
	GO(take_and_keep, &l, 1);
	wait_until(waiting() == 2);
	go_sema_release(&l.s, 1);
	wait_until(atomic_load(&l.next) == 101);
	go_sema_release(&l.s, 1);
	wait_until(atomic_load(&l.next) == 102);
	wait_until(go_count() == 2);
}

struct race { go_sema s; atomic_long held; go_waitgroup wg; };

static void race_with_time(struct race *r, int salt) {
	struct support_rng rng = support_rng((uint64_t)salt);

	for (int i = 0; i < (int)support_scale(2000); i++) {
		int64_t n = support_below(&rng, 6);
		int64_t limit = support_below(&rng, 40) * GO_MICROSECOND;

		if (go_sema_acquire_until(&r->s, n, go_now() + limit) != 0)
			continue;
		CHECK(atomic_fetch_add(&r->held, (long)n) + n <= 5);
		if (i % 4 == 0)
			go_sleep(support_below(&rng, 40) * GO_MICROSECOND);
		atomic_fetch_sub(&r->held, (long)n);
		go_sema_release(&r->s, n);
	}
	go_wg_done(&r->wg);
}
GO_TASK(race_with_time, struct race *, int);

static void *race_in_a_thread(void *arg) {
	race_with_time(arg, 99);
	return NULL;
}

TEST(time_limits_race_with_releases) {
	struct race r = {.s = GO_SEMA_INIT(5)};
	pthread_t thread;

	go_wg_add(&r.wg, 9);
	CHECK_EQ(pthread_create(&thread, NULL, race_in_a_thread, &r), 0);
	for (int i = 0; i < 8; i++)
		GO(race_with_time, &r, i);
	go_wg_wait(&r.wg);
	pthread_join(thread, NULL);
	CHECK(go_sema_try_acquire(&r.s, 5));
	CHECK(!go_sema_try_acquire(&r.s, 1));
}

/* ------------------------------------------------------------ lifetime --- */

static void release_one(void *arg) { go_sema_release(arg, 1); }

static void *release_one_in_a_thread(void *arg) {
	go_sema_release(arg, 1);
	return NULL;
}

/* Who gets the last unit may free the semaphore. */
TEST(it_may_be_freed_by_who_gets_the_last_units) {
	for (int i = 0; i < (int)support_scale(3000); i++) {
		go_sema *s = calloc(1, sizeof *s);

		assert_non_null(s);
		for (int k = 0; k < 3; k++)
			go_spawn(release_one, s);
		if (i % 2 == 0)
			go_sema_acquire(s, 1);
		go_sema_acquire(s, i % 2 == 0 ? 2 : 3);
		memset(s, 0xa5, sizeof *s);
		go_yield();
		for (size_t k = 0; k < sizeof *s; k++)
			CHECK_EQ(((unsigned char *)s)[k], 0xa5);
		free(s);
	}
}

TEST(threads_let_go_of_it_as_well) {
	for (int i = 0; i < (int)support_scale(300); i++) {
		go_sema *s = calloc(1, sizeof *s);
		pthread_t thread;

		assert_non_null(s);
		CHECK_EQ(pthread_create(&thread, NULL, release_one_in_a_thread, s), 0);
		go_sema_acquire(s, 1);
		memset(s, 0xa5, sizeof *s);
		pthread_join(thread, NULL);
		for (size_t k = 0; k < sizeof *s; k++)
			CHECK_EQ(((unsigned char *)s)[k], 0xa5);
		free(s);
	}
}

/* ------------------------------------------------------------ dumps, deadlock --- */

CHILD(acquire_for_ever) {
	go_sema s = GO_SEMA_INIT(1);

	go_sema_acquire(&s, 2);
	return 0;
}

TEST(waiting_for_what_nobody_gives_is_a_deadlock) {
	CHECK_DIES(acquire_for_ever, NULL, "fatal error: all goroutines are asleep - deadlock!");
	CHECK_DIES(acquire_for_ever, NULL, "[semacquire");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(units_are_taken_and_given),
	cmocka_unit_test(no_units_are_always_there),
	cmocka_unit_test(a_zeroed_one_counts_what_is_released),
	cmocka_unit_test(it_can_have_all_units_there_are),
	cmocka_unit_test(a_negative_number_is_a_panic),
	cmocka_unit_test(a_negative_beginning_is_a_panic),
	cmocka_unit_test(more_units_than_can_be_counted_are_a_panic),
	cmocka_unit_test(misuse_ends_the_process_unless_it_is_caught),
	cmocka_unit_test(units_go_to_those_who_came_first),
	cmocka_unit_test(threads_stand_in_the_same_line),
	cmocka_unit_test(one_release_serves_as_many_as_it_suffices_for),
	cmocka_unit_test(a_time_limit_is_kept),
	cmocka_unit_test(a_time_limit_is_kept_in_a_thread),
	cmocka_unit_test(those_behind_one_who_gives_up_go_on),
	cmocka_unit_test(one_who_gives_up_in_the_middle_changes_nothing_else),
	cmocka_unit_test(time_limits_race_with_releases),
	cmocka_unit_test(it_may_be_freed_by_who_gets_the_last_units),
	cmocka_unit_test(threads_let_go_of_it_as_well),
	cmocka_unit_test(waiting_for_what_nobody_gives_is_a_deadlock),
};

SUPPORT_MAIN(tests)
