/* SPDX-License-Identifier: MIT */
/*
 * idle.c - Ps nobody holds, Ms with nothing to do, and whom to wake.
 *
 * Waking a sleeping thread costs as much as a thousand channel operations, so as few as
 * possible are woken: at most one M searches (`spinning') at any time, whoever makes work
 * wakes another only if none does, and a searcher that finds work wakes its successor.  That
 * chain gets everybody up when there is work for all.
 *
 * The race to exclude is between who makes work and the last searcher giving up:
 *
 *     submit work                        stop searching
 *     1. queue it                        1. spinning -= 1 (P is already idle)
 *     2. (barrier)                       2. membarrier on all threads
 *     3. idle P and nobody spinning?     3. look at all queues again
 *        then wake one                      work? then take a P and go on
 *
 * Without the barriers each could miss the other, and the work would wait though a P is
 * idle.  The submitter's is a compiler barrier only: the searcher's membarrier stands for
 * both, because searching ends rarely and work is made all the time [idle].
 *
 * Rejected: waking one thread per piece of work (storms of wake-ups that find nothing), and
 * handing work to a named idle thread (it cannot be stolen while that one gets up).
 *
 * Timers.  One sleeping M, the keeper, sleeps only until the earliest timer of all Ps.
 */
#include "idle.h"

#include <pthread.h>
#include <signal.h>

#include "../base/fatal.h"
#include "../base/out.h"
#include "runq.h"
#include "timer.h"

enum { M_STACK = 2 << 20 };	/* go_blocking promises 1 MiB */
enum { THICK = 500 };		/* timers pending */
static const int64_t COALESCE = 1000000;

void (*idle_thread)(struct m *m);

/* --- Threads --- */

static void *
thread_main(void *arg)
{
	idle_thread(arg);
	return NULL;
}

/*
 * Threads of ours leave signals to the program's own, but for those that a thread does to
 * itself: a fault that is blocked kills without asking any handler.
 */
void
idle_block_signals(sigset_t *old)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
	sigset_t set;
	size_t i;

	sigfillset(&set);
	for (i = 0; i < countof(own); i++)
		sigdelset(&set, own[i]);
	pthread_sigmask(SIG_SETMASK, &set, old);
}

static COLD void
too_many_threads(void)
{
	struct out o;

	out_init(&o, 2);
	out_fmt(&o, "runtime: program exceeds %d-thread limit\n", sched.max_threads);
	out_flush(&o);
	fatal("thread exhaustion");
}

static COLD void
no_thread(int err)
{
	struct out o;

	out_init(&o, 2);
	out_fmt(&o, "runtime: failed to create new OS thread (have %u already; errno=%d)\n",
		load_rlx(&sched.n_m), err);
	out_flush(&o);
	fatal("cannot start a thread");
}

void
idle_thread_counts(struct m *m)
{
	lock(&sched.lock, RANK_SCHED);
	store_rlx(&sched.n_m, sched.n_m + 1);
	m->all_next = sched.all_m;
	sched.all_m = m;
	unlock(&sched.lock);
}

void
idle_thread_ends(struct m *m)
{
	struct m **at = &sched.all_m;

	lock(&sched.lock, RANK_SCHED);
	while (*at != m)
		at = &(*at)->all_next;
	*at = m->all_next;
	store_rlx(&sched.n_m, sched.n_m - 1);
	unlock(&sched.lock);
}

/* A new thread that starts with P p. */
static void
new_thread(struct p *p, bool spinning)
{
	struct m *m = m_new(false);
	pthread_attr_t attr;
	sigset_t old;
	pthread_t t;
	int err;

	if (m == NULL)
		no_thread(ENOMEM);
	idle_thread_counts(m);
	if ((int)load_rlx(&sched.n_m) > sched.max_threads)
		too_many_threads();
	m->next_p = p;
	m->spinning = spinning;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, M_STACK);
	idle_block_signals(&old);
	err = pthread_create(&t, &attr, thread_main, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err != 0)
		no_thread(err);
}

/* --- The lists, under sched.lock --- */

void
idle_wake_monitor(void)
{
	fence_sc();						/* [monitor] */
	if (load_rlx(&sched.monitor_asleep) != 0 && xchg_ar(&sched.monitor_asleep, 0) != 0)
		os_futex_wake(&sched.monitor_asleep, 1);
}

static struct p *
pop_p(void)
{
	struct p *p = sched.idle_p;

	assert_held(&sched.lock);
	if (p != NULL) {
		sched.idle_p = p->idle_next;
		p->idle = false;
		p->vacant = false;
		store_rlx(&sched.n_idle_p, sched.n_idle_p - 1);
	}
	return p;
}

static void
push_p(struct p *p)
{
	assert_held(&sched.lock);
	store_rlx(&p->m, NULL);
	p->vacant = true;
	if (p->retired)
		return;
	p->idle = true;
	p->idle_next = sched.idle_p;
	sched.idle_p = p;
	store_rlx(&sched.n_idle_p, sched.n_idle_p + 1);
}

static void
remove_m(struct m *m)
{
	struct m **at = &sched.idle_m;

	assert_held(&sched.lock);
	while (*at != m)
		at = &(*at)->idle_next;
	*at = m->idle_next;
	m->is_idle = false;
	sched.n_idle_m--;
	if (sched.keeper == m) {
		sched.keeper = NULL;
		store_rlx(&sched.keeper_until, OS_NEVER);
	}
}

static struct m *
pop_m(void)
{
	struct m *m = sched.idle_m;

	/* Leave the keeper to its timers as long as another sleeps. */
	if (m != NULL && m == sched.keeper && m->idle_next != NULL)
		m = m->idle_next;
	if (m != NULL)
		remove_m(m);
	return m;
}

/* --- Giving and taking --- */

static void
start_m(struct p *p, bool spinning)
{
	bool was_keeper;
	struct m *m;

	lock(&sched.lock, RANK_SCHED);
	m = sched.idle_m;
	was_keeper = m != NULL && m == sched.keeper && m->idle_next == NULL;
	m = pop_m();
	unlock(&sched.lock);
	if (m == NULL) {
		new_thread(p, spinning);
		return;
	}
	m->next_p = p;
	m->spinning = spinning;
	note_wake(&m->note);
	/* A searcher comes back to the timers; who has work may not, and somebody must. */
	if (was_keeper && !spinning && load_rlx(&sched.n_idle_p) > 0) {
		os_membarrier();	/* [idle] for those who have read the old keeper_until */
		idle_new_timer(timers_earliest());
	}
}

void
idle_wake_slow(void)
{
	uint32_t none;
	struct p *p;

	do {
		none = 0;
		if (!cas_sc(&sched.spinning, &none, 1))	/* [idle] one searcher is enough */
			return;
		lock(&sched.lock, RANK_SCHED);
		p = pop_p();
		unlock(&sched.lock);
		if (p != NULL)
			break;
		sub_ar(&sched.spinning, 1);		/* [idle] all Ps are busy: they will look */
		fence_sc();				/* [idle] or became idle, and relied on us */
	} while (load_rlx(&sched.n_idle_p) != 0);
	if (p == NULL)
		return;
	idle_wake_monitor();
	start_m(p, true);
}

void
idle_wake_many(uint32_t n)
{
	struct p *p;

	while (n-- > 0 && load_rlx(&sched.n_idle_p) != 0) {
		lock(&sched.lock, RANK_SCHED);
		p = pop_p();
		unlock(&sched.lock);
		if (p == NULL)
			break;
		idle_wake_monitor();
		add_ar(&sched.spinning, 1);		/* [idle] */
		start_m(p, true);
	}
}

struct p *
idle_take_p(struct m *m)
{
	struct p *p;

	if (load_rlx(&sched.n_idle_p) == 0)
		return NULL;
	lock(&sched.lock, RANK_SCHED);
	p = pop_p();
	unlock(&sched.lock);
	if (p != NULL) {
		store_rlx(&p->m, m);
		m->p = p;
		idle_wake_monitor();
	}
	return p;
}

void
idle_put_p(struct p *p)
{
	lock(&sched.lock, RANK_SCHED);
	push_p(p);
	unlock(&sched.lock);
}

void
idle_handoff(struct p *p)
{
	store_rlx(&p->m, NULL);
	if (p->retired) {
		runq_flush(p);
		idle_put_p(p);
		idle_wake();
		idle_new_timer(timers_earliest());
		return;
	}
	if (p->next != NULL || runq_has_work(p) || load_rlx(&sched.global.n) != 0 ||
	    timers_first(p) <= load_rlx(&sched.now)) {
		start_m(p, false);
		return;
	}
	idle_put_p(p);
	os_membarrier();				/* [idle] as a searcher that gives up */
	if (idle_any_work())
		idle_wake();
	idle_new_timer(timers_earliest());
}

static void
become(struct m *m)
{
	m->p = m->next_p;
	m->next_p = NULL;
	if (m->p != NULL)
		store_rlx(&m->p->m, m);
}

bool
idle_sleep(struct m *m, int64_t timers)
{
	int64_t until = OS_NEVER;

	note_clear(&m->note);
	lock(&sched.lock, RANK_SCHED);
	/* A keeper that sleeps for longer is none: it will find nothing to do when it wakes. */
	if (timers < sched.keeper_until) {
		/* Where timers come thick they are taken together: one wake-up in COALESCE. */
		if (timers < sched.keeper_woke + COALESCE && timers_count() >= THICK)
			timers = sched.keeper_woke + COALESCE;
		sched.keeper = m;
		store_rlx(&sched.keeper_until, timers);
		until = timers;
	}
	m->is_idle = true;
	m->idle_next = sched.idle_m;
	sched.idle_m = m;
	sched.n_idle_m++;
	unlock(&sched.lock);
	if (!note_wait(&m->note, until)) {
		bool ours;

		lock(&sched.lock, RANK_SCHED);
		ours = m->is_idle;
		if (ours) {
			sched.keeper_woke = os_now();
			remove_m(m);
		}
		unlock(&sched.lock);
		if (ours)
			return false;
		note_wait(&m->note, OS_NEVER);	/* somebody took us off the list: a P is coming */
	}
	become(m);
	return m->p != NULL;
}

void
idle_sleep_pinned(struct m *m)
{
	lock(&sched.lock, RANK_SCHED);
	sched.n_pinned_wait++;
	unlock(&sched.lock);
	note_wait(&m->note, OS_NEVER);
	note_clear(&m->note);
	become(m);
}

void
idle_run_pinned(struct g *g, struct p *p)
{
	struct m *m = g->m;

	lock(&sched.lock, RANK_SCHED);
	sched.n_pinned_wait--;
	unlock(&sched.lock);
	m->next_p = p;
	note_wake(&m->note);
}

void
idle_new_timer(int64_t when)
{
	struct m *m;

	if (unlikely(sched.base_alert & ALERT_FENCE))
		fence_sc();			/* [idle] as idle_wake */
	if (load_rlx(&sched.n_idle_p) == 0 || when >= load_rlx(&sched.keeper_until))
		return;
	lock(&sched.lock, RANK_SCHED);
	m = sched.keeper;
	if (m != NULL)
		remove_m(m);
	unlock(&sched.lock);
	if (m != NULL) {
		m->next_p = NULL;	/* no P: it looks at the timers and sleeps again */
		note_wake(&m->note);
		return;
	}
	idle_wake_slow();		/* it will find nothing and become the keeper */
}

bool
idle_any_work(void)
{
	int i, n = p_count();

	if (load_rlx(&sched.global.n) != 0)
		return true;
	for (i = 0; i < n; i++)
		if (runq_has_work(sched.p[i]))
			return true;
	return false;
}

void
idle_stop_spinning(struct m *m)
{
	uint32_t before;

	m->spinning = false;
	before = sub_ar(&sched.spinning, 1);		/* [idle] */
	ensure(before > 0);
}

static void
remove_p(struct p *p)
{
	struct p **at = &sched.idle_p;

	while (*at != p)
		at = &(*at)->idle_next;
	*at = p->idle_next;
	p->idle = false;
	store_rlx(&sched.n_idle_p, sched.n_idle_p - 1);
}

int
idle_set_procs(int n)
{
	int i, old;

	lock(&sched.lock, RANK_SCHED);
	old = sched.procs;
	store_rlx(&sched.procs, n);
	for (i = 0; i < load_rlx(&sched.n_p); i++) {
		struct p *p = sched.p[i];
		bool was = p->retired;

		p->retired = i >= n;
		if (was && !p->retired && p->vacant)
			push_p(p);
		if (p->retired && p->idle)
			remove_p(p);
		else if (p->retired)
			store_rlx(&p->kick, 1);	/* its holder gives it up at the next pick */
	}
	unlock(&sched.lock);
	return old;
}
