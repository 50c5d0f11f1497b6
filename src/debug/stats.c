/* SPDX-License-Identifier: MIT */
/*
 * stats.c - go_stats_read.
 */
#include <string.h>

#include "../sched/sched.h"
#include "../sched/timer.h"

int
go_stats_read(go_stats *s)
{
	go_stats all = GO_STATS_INIT;
	size_t size = s->size;
	int i, n;

	if (size < sizeof(s->size) || size > 4096)
		return -EINVAL;
	leave(enter());		/* starts the runtime, if need be */
	n = p_count();
	all.created = load_rlx(&sched.n_born);
	for (i = 0; i < n; i++) {
		struct p *p = sched.p[i];

		all.created += load_rlx(&p->n_born);
		all.steals += load_rlx(&p->n_steals);
		all.parks += load_rlx(&p->n_parks);
	}
	all.goroutines = (uint64_t)go_count();
	all.threads = load_rlx(&sched.n_m);
	all.parked_threads = load_rlx(&sched.n_idle_m) + load_rlx(&sched.n_pinned_wait);
	all.handoffs = load_rlx(&sched.n_handoffs);
	all.stack_bytes = stack_committed();
	all.timers = timers_count();
	all.size = size;
	memset(s, 0, size);
	memcpy(s, &all, size < sizeof(all) ? size : sizeof(all));
	return 0;
}
