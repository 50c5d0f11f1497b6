/* SPDX-License-Identifier: MIT */
/*
 * million.c - a million goroutines parked and released, or asleep, and the memory that comes back.
 *
 * Under sanitizers there are fewer, and their own memory is not looked at.
 */
#include "support.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static const bool measured = !SUPPORT_ASAN && !SUPPORT_TSAN;

/* A line of /proc/self/status that is in kB, as bytes. */
static size_t status_bytes(const char *name) {
	FILE *f = fopen("/proc/self/status", "re");
	size_t kb = 0, len = strlen(name);
	char line[256];

	if (!CHECK(f != NULL))
		return 0;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			kb = strtoul(line + len + 1, NULL, 10);
	fclose(f);
	return kb * KIB;
}

static size_t resident(void) { return status_bytes("VmRSS"); }

/* A second of idling should do; noise may take two more. */
static void check_given_back(size_t most) {
	int64_t start = support_clock();

	if (!measured || getenv("GORO_TEST_SLOW") != NULL)
		return;
	while (resident() >= most && support_clock() - start < 3 * GO_SECOND)
		go_sleep(250 * GO_MILLISECOND);
	CHECK_MSG(resident() < most, "%zu MiB are in use after 3 s, not less than %zu",
		  resident() / MIB, most / MIB);
}

static int crowd(void) {
	int64_t n = support_max_goroutines();

	return n >= 1000000 ? 1000000 : (int)n - 50;
}

/* ------------------------------------------------------------ parked --- */

struct gate { go_ch *c; atomic_int here, gone; };

static void wait_at_gate(void *arg) {
	struct gate *g = arg;

	atomic_fetch_add_explicit(&g->here, 1, memory_order_relaxed);
	go_chan_recv(g->c, NULL);
	atomic_fetch_add_explicit(&g->gone, 1, memory_order_relaxed);
}

TEST(a_million_goroutines_park_and_are_released) {
	struct gate g = {.c = go_chan_make(0, 0)};
	size_t before = resident() + status_bytes("VmPTE"), cost;
	int n = crowd();

	for (int i = 0; i < n; i++)
		go_spawn(wait_at_gate, &g);
	CHECK_EQ(go_count(), n + 2);
	wait_until(atomic_load(&g.here) == n);
	cost = (resident() + status_bytes("VmPTE") - before) / (size_t)n;
	if (measured && n == 1000000)
		CHECK_MSG(cost <= 4900 * KIB / 1000, "a parked goroutine costs %zu bytes", cost);
	CHECK_EQ(atomic_load(&g.gone), 0);
	go_chan_close(g.c);
	wait_until(atomic_load(&g.gone) == n && go_count() == 2);
	go_chan_unref(g.c);
	check_given_back(64 * MIB);
}

struct sleepers { atomic_int woken, early; };

static void sleep_a_while(struct sleepers *s, int64_t until) {
	go_sleep(until - go_now());
	if (go_now() < until)
		atomic_fetch_add(&s->early, 1);
	atomic_fetch_add_explicit(&s->woken, 1, memory_order_relaxed);
}
GO_TASK(sleep_a_while, struct sleepers *, int64_t);

/*
 * All sleep at the same time, if the machine can start them within five seconds.  Memory is what
 * parking costs, and 16 bytes in a heap that doubles.
 */
TEST(a_million_sleepers_wake_and_none_early) {
	size_t before = resident() + status_bytes("VmPTE"), most = 0;
	struct support_rng rng = support_rng(0);
	struct sleepers s = {.woken = 0};
	int n = crowd();
	int64_t start = go_now() + (n == 1000000 ? 5 * GO_SECOND : GO_SECOND / 10);

	for (int i = 0; i < n; i++)
		GO(sleep_a_while, &s, start + support_below(&rng, GO_SECOND));
	for (int i = 0; i < 600 && atomic_load(&s.woken) < n; i++, go_sleep(50 * GO_MILLISECOND))
		if (resident() + status_bytes("VmPTE") > most)
			most = resident() + status_bytes("VmPTE");
	wait_until(atomic_load(&s.woken) == n && go_count() == 2);
	CHECK_EQ(atomic_load(&s.early), 0);
	if (measured && n == 1000000)
		CHECK_MSG((most - before) / (size_t)n <= 5000, "a sleeper costs %zu bytes",
			  (most - before) / (size_t)n);
	check_given_back(64 * MIB);
}

/* ------------------------------------------------------------ one after the other --- */

static void count_one(void *arg) {
	atomic_fetch_add_explicit((atomic_int *)arg, 1, memory_order_relaxed);
}

TEST(a_million_short_goroutines_need_little_memory) {
	int n = (int)support_scale(1000000), batch = 200;
	size_t most = 0;
	atomic_int ran = 0;

	for (int done = 0; done < n; done += batch) {
		for (int i = 0; i < batch; i++)
			go_spawn(count_one, &ran);
		wait_until(atomic_load(&ran) == done + batch);
		if (done % (batch * 100) == 0 && resident() > most)
			most = resident();
	}
	if (measured)
		CHECK_MSG(most < 64 * MIB, "%zu MiB were in use", most / MIB);
}

/* ------------------------------------------------------------ deep stacks --- */

static __attribute__((noinline)) int touch(size_t bytes) {
	volatile char block[4 * KIB];

	for (size_t i = 0; i < sizeof block; i += KIB)
		block[i] = (char)bytes;
	return bytes > sizeof block ? touch(bytes - sizeof block) + block[KIB] : block[KIB];
}

static atomic_int touched;

static void touch_and_wait(void *arg) {
	atomic_store(&touched, touch(150 * KIB));
	wait_at_gate(arg);
	atomic_store(&touched, touch(190 * KIB));       /* what was given back is there again */
}

static void start_deep(struct gate *g, int n) {
	g->c = go_chan_make(0, 0);
	for (int i = 0; i < n; i++) {
		go_spawn(touch_and_wait, g);
		if (i % 100 == 99)
			wait_until(atomic_load(&g->here) == i + 1);
	}
	wait_until(atomic_load(&g->here) == n);
}

static void end_deep(struct gate *g, int n) {
	go_chan_close(g->c);
	wait_until(atomic_load(&g->gone) == n && go_count() == 2);
	go_chan_unref(g->c);
}

TEST(deep_stacks_are_given_back_at_the_end) {
	int n = crowd() >= 5000 ? 5000 : 200;

	for (int round = 0; round < 2; round++) {
		struct gate g = {.here = 0};

		start_deep(&g, n);
		end_deep(&g, n);
		check_given_back(64 * MIB);
	}
}

/* The monitor takes its time; it has ten seconds. */
TEST(the_unused_part_of_parked_stacks_is_given_back) {
	int n = crowd() >= 2000 ? 2000 : 200;
	int64_t start = support_clock();
	struct gate g = {.here = 0};

	start_deep(&g, n);
	while (measured && resident() >= 64 * MIB && support_clock() - start < 10 * GO_SECOND)
		go_sleep(100 * GO_MILLISECOND);
	if (measured)
		CHECK_MSG(resident() < 64 * MIB, "%zu MiB are in use", resident() / MIB);
	end_deep(&g, n);
	check_given_back(64 * MIB);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_million_goroutines_park_and_are_released),
	cmocka_unit_test(a_million_sleepers_wake_and_none_early),
	cmocka_unit_test(a_million_short_goroutines_need_little_memory),
	cmocka_unit_test(deep_stacks_are_given_back_at_the_end),
	cmocka_unit_test(the_unused_part_of_parked_stacks_is_given_back),
};

SUPPORT_MAIN(tests)
