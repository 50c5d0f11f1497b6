/* SPDX-License-Identifier: MIT */
/*
 * bounded.c - a goroutine for everything, but only some of them at a time.
 *
 * Who starts them asks a go_sema first, and waits there.  So there are hardly more goroutines than
 * it has units, unlike in semaphore.c, where there is one for each task and most of them wait.
 * Heavy tasks take several units; they are not overtaken for ever by light ones.  Where all weigh
 * the same, go_group_limit does this for a go_group.
 */
#include <goro.h>
#include <stdatomic.h>
#include <stdio.h>
#include "check.h"

enum { FILES = 100, UNITS = 4 };

struct file { int id, weight; uint64_t sum; };

static go_sema room = GO_SEMA_INIT(UNITS);
static atomic_int in_use, most;

static void checksum(struct file *f)
{
	int now = atomic_fetch_add(&in_use, f->weight) + f->weight, seen = most;

	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	f->sum = 14695981039346656037u;
	for (int i = 0; i < 1000 * f->weight; i++)
		f->sum = (f->sum ^ (uint64_t)(f->id + i)) * 1099511628211u;
	go_yield();
	in_use -= f->weight;
	go_sema_release(&room, f->weight); /* the last thing: now another may start */
}
GO_TASK(checksum, struct file *);

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	static struct file files[FILES];
	go_waitgroup wg = GO_WAITGROUP_INIT;
	uint64_t sum = 0;

	for (int id = 0; id < FILES; id++) {
		files[id] = (struct file){id, id % 10 == 0 ? 3 : 1, 0};
		go_sema_acquire(&room, files[id].weight);
		GO_WG(&wg, checksum, &files[id]);
	}
	go_wg_wait(&wg);
	for (int id = 0; id < FILES; id++)
		sum ^= files[id].sum;
	check(most >= 3 && most <= UNITS);
	check(go_sema_try_acquire(&room, UNITS)); /* all units have been given back */
	printf("%d files, never more than %d units at a time: %016llx\n", FILES, UNITS,
	       (unsigned long long)sum);
	return nobody_left();
}
GO_MAIN(app)
