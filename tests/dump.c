/* SPDX-License-Identifier: MIT */
/*
 * dump.c - go_dump while those that it shows come and go: nobody is lost, nobody's stack is
 * spoilt, and a race detector finds nothing.
 */
#include "support.h"

#include <fcntl.h>

enum { PAIRS = 8, DEPTH = 4 };

struct pair { go_chan(int) to; go_waitgroup *wg; };

static atomic_bool over;

/* What is below the frame of who waits: the walk is made there. */
static __attribute__((noinline)) int use_stack(int depth) {
	volatile char room[256];
	int sum = 0;

	for (size_t i = 0; i < sizeof room; i++)
		room[i] = (char)depth;
	if (depth > 0)
		sum = use_stack(depth - 1);
	for (size_t i = 0; i < sizeof room; i++)
		sum += room[i] != (char)depth;
	return sum;
}

static void receive_all(void *arg) {
	struct pair *p = arg;
	int v, expect = 0;

	while (go_recv(p->to, &v)) {
		CHECK_EQ(v, expect++);
		CHECK_EQ(use_stack(DEPTH), 0);
	}
	go_wg_done(p->wg);
}

static void send_all(void *arg) {
	struct pair *p = arg;

	for (int i = 0; !atomic_load(&over); i++) {
		go_send(p->to, i);
		CHECK_EQ(use_stack(DEPTH), 0);
	}
	go_close(p->to);
	go_wg_done(p->wg);
}

TEST(dumps_are_made_while_goroutines_come_and_go) {
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	struct pair pair[PAIRS];

	assert_true(fd >= 0);
	atomic_store(&over, false);
	go_wg_add(&wg, 2 * PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		pair[i] = (struct pair){go_make(int, 0), &wg};
		go_spawn(receive_all, &pair[i]);
		go_spawn(send_all, &pair[i]);
	}
	for (int i = 0; i < (int)support_scale(200); i++) {
		go_dump(fd);
		go_yield();
	}
	atomic_store(&over, true);
	go_wg_wait(&wg);
	for (int i = 0; i < PAIRS; i++)
		go_unref(pair[i].to);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(dumps_are_made_while_goroutines_come_and_go),
};
SUPPORT_MAIN(tests)
