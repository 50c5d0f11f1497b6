/* SPDX-License-Identifier: MIT */
/*
 * loop.c - an M's own context: look for work, or sleep until there is some.
 *
 * Goroutines switch to each other directly (sched.c); here an M comes only when its P has
 * nothing left to run, when it has lost its P, or when what to run next is pinned to another
 * thread.  It looks, in order, at: everybody's timers, its P's rings, the global queue, and
 * other Ps; then gives its P back and sleeps (idle.c).
 */
#include "../base/fatal.h"
#include "gmem.h"
#include "sched.h"
#include "timer.h"

void (*sched_thread_end)(struct m *m);

enum { SPIN_ROUNDS = HARD ? 1 : 600 };	/* of about 60 ns: what a wake-up costs */

/* Everybody's, for an M that is idle or the first to notice. */
static uint32_t
run_all_timers(struct m *m)
{
	int64_t now = os_now();
	uint32_t n = 0;
	int i, np = p_count();

	store_rlx(&sched.now, now);
	for (i = 0; i < np; i++)
		n += sched_run_timers(m, sched.p[i], now);
	if (m->later != NULL)
		sched_finish_timers(m);
	return n;
}

static struct g *
steal_from_others(struct m *m)
{
	int n = p_count(), i, at = (int)rand_below(&m->rand, (uint32_t)n);

	for (i = 0; i < n; i++, at = at + 1 == n ? 0 : at + 1) {
		struct p *from = sched.p[at];
		struct g *g;

		if (from != m->p && (g = runq_steal(m->p, from)) != NULL)
			return g;
	}
	return NULL;
}

/* At most one M searches at a time; the others go to sleep. */
static bool
may_search(struct m *m)
{
	uint32_t none = 0;

	if (m->spinning)
		return true;
	if (!cas_sc(&sched.spinning, &none, 1))			/* [idle] */
		return false;
	m->spinning = true;
	return true;
}

/*
 * Look for a while: what a sleep and its wake-up would cost.  Somebody must be running who
 * could make work, and there must be a CPU to look on.
 */
static struct g *
search(struct m *m)
{
	struct g *g = steal_from_others(m);
	int64_t first = timers_earliest();
	int i;

	if (g != NULL || !sched.spin)
		return g;
	for (i = 0; i < SPIN_ROUNDS; i++) {
		if ((int)load_rlx(&sched.n_idle_p) + 1 >= load_rlx(&sched.procs))
			break;
		cpu_relax();
		cpu_relax();
		if (idle_any_work()) {
			if ((g = runq_global(m->p, false)) != NULL || (g = steal_from_others(m)) != NULL)
				return g;
		}
		if (i % 64 == 63 && first != OS_NEVER && os_now() >= first)
			break;
	}
	return NULL;
}

static struct g *
local_work(struct m *m)
{
	struct p *p = m->p;
	struct g *g;

	if (p->retired)
		return NULL;
	store_rlx(&p->tick, p->tick + 1);
	g = p->tick % LOOK_AROUND == 0 ? runq_global(p, true) : NULL;
	if (g == NULL)
		g = runq_pick(p);
	if (g == NULL)
		g = runq_global(p, false);
	return g;
}

/* Give our P back; true: work came up meanwhile and we have one again. */
static bool
release_p(struct m *m)
{
	struct p *p = m->p;

	m->p = NULL;
	if (p->retired) {
		runq_flush(p);
		gmem_flush(p);
	}
	idle_put_p(p);
	if (m->spinning) {
		idle_stop_spinning(m);
	} else {
		/*
		 * Somebody else searches, or we would have.  If that goes on, what there is will be
		 * found, and who finds it sees our P: many that look again for themselves, each with
		 * its membarrier, would go round and round for what only the searcher may take.
		 */
		fence_sc();					/* [idle-p] */
		if (load_rlx(&sched.spinning) != 0)
			return false;
	}
	/*
	 * If nobody runs, only threads without a P make work and timers, and they fence
	 * (runq_put_global, sched_timer_added).
	 */
	if ((int)load_rlx(&sched.n_idle_p) == load_rlx(&sched.procs))
		fence_sc();					/* [idle] */
	else
		os_membarrier();				/* [idle] */
	if ((!idle_any_work() && timers_earliest() > os_now()) || idle_take_p(m) == NULL)
		return false;
	/* There may be more than we take, and those who came meanwhile have relied on the searcher. */
	may_search(m);
	return true;
}

/* We found something to run: if we were the searcher, somebody else should take over. */
static void
stop_searching(struct m *m)
{
	if (!m->spinning)
		return;
	idle_stop_spinning(m);
	fence_sc();						/* [idle-p] then look who is idle */
	idle_wake();
}

/* All Ps are busy: tell those with timers due to look at them at their next pick. */
static void
kick_late(void)
{
	int64_t now = os_now();
	int i, n = p_count();

	bool orphans = false;

	for (i = load_rlx(&sched.procs); i < n; i++)
		orphans |= timers_first(sched.p[i]) <= now;
	for (i = 0; i < n; i++)
		if (orphans || timers_first(sched.p[i]) <= now)
			store_rlx(&sched.p[i]->kick, 1);
}

static void
get_p(struct m *m)
{
	while (m->p == NULL && idle_take_p(m) == NULL) {
		if (m->spinning)
			idle_stop_spinning(m);
		kick_late();
		idle_sleep(m, OS_NEVER);
	}
}

/* An M looking for a goroutine until it finds one. */
static struct g *
find_work(struct m *m)
{
	struct g *g;

	for (;;) {
		get_p(m);
		if (timers_earliest() <= os_now())
			run_all_timers(m);
		if ((g = local_work(m)) != NULL)
			break;
		if (!m->p->retired && may_search(m) && (g = search(m)) != NULL)
			break;
		if (!m->p->retired && timers_earliest() <= os_now())
			continue;
		if (!release_p(m))
			idle_sleep(m, timers_earliest());
	}
	stop_searching(m);
	sched_mind_timer(m->p);
	return g;
}

/* Our goroutine is pinned to us and parked or queued: give the P away, wait to be named. */
static struct g *
wait_for_pinned(struct m *m)
{
	struct p *p = m->p;

	m->p = NULL;
	if (p != NULL)
		idle_handoff(p);
	idle_sleep_pinned(m);
	return m->pinned;
}

static void
leave_for_good(struct m *m)
{
	struct p *p = m->p;

	m->p = NULL;
	if (p != NULL)
		idle_handoff(p);
	idle_thread_ends(m);
	sched_thread_end(m);
}

void
sched_loop(struct m *m)
{
	struct g *g;

	for (;;) {
		if (unlikely(m->doomed)) {
			leave_for_good(m);
			return;
		}
		if (m->pinned_next != NULL) {
			struct p *p = m->p;

			g = m->pinned_next;
			m->pinned_next = NULL;
			m->p = NULL;
			store_rlx(&p->m, NULL);		/* on its way: nobody's to take */
			idle_run_pinned(g, p);
			continue;
		}
		if (m->pinned != NULL) {
			g = wait_for_pinned(m);
		} else {
			g = find_work(m);
			if (g->pins != 0) {
				m->pinned_next = g;
				continue;
			}
		}
		m = sched_leave_g0(m, g);
	}
}
