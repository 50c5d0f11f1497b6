/* SPDX-License-Identifier: MIT */
/*
 * monitor.c - the watchdog thread.
 *
 * It holds no P and looks at everything now and then, every 20 us when something happens, up
 * to 10 ms when nothing does, and not at all while every P is idle.  It
 *
 *   - takes the P from an M whose goroutine has left the runtime and does not come back:
 *     at once if the thread is blocked in the kernel, after SLICE if it burns CPU, while
 *     others wait (ARCHITECTURE 5);
 *   - asks a goroutine that has run for SLICE but calls us to yield;
 *   - makes Ps look at late timers;
 *   - gives memory back: free stacks and Gs, and unused pages of those parked for long;
 *   - notices when nobody can run any more.
 */
#include "monitor.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/out.h"
#include "../base/san.h"
#include "gmem.h"
#include "handoff.h"
#include "timer.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)

enum { QUIET_ROUNDS = 50 };
static const int64_t SHORTEST = 20 * US, LONGEST = 10 * MS;
static const int64_t SLICE = 10 * MS;		/* as Go's */
static const int64_t STUCK_NEXT = 200 * US;	/* with Ps idle, nobody waits longer in a next slot */
static const int64_t LINGER = 20 * MS;
static const int64_t LOOK_AGAIN = 500 * MS;
static const int64_t TRIM_EVERY = 100 * MS;
static const int64_t PARKED_LONG = 1000 * MS;

void (*monitor_deadlock)(const char *text);

static int threads_before;	/* a sanitizer's own, there before main */

/* --- Is a thread blocked? --- */

/*
 * What the kernel says of a thread: 'R' runs or would if it got a CPU.  Only asked when its
 * CPU clock stands still, which on a busy machine may mean no more than that it is preempted.
 */
static char
thread_state(struct m *m)
{
	char buf[160];
	struct out o;
	ssize_t n;
	int fd;

	out_init(&o, -1);
	out_fmt(&o, "/proc/self/task/%u/stat%c", m->tid, '\0');
	fd = open(o.buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'S';	/* no /proc: believe the clock */
	n = read(fd, buf, sizeof(buf));
	close(fd);
	while (n-- > 2)		/* "tid (name) S ...": the name may contain anything but is short */
		if (buf[n] == ')')
			break;
	return n > 2 ? buf[n + 2] : 'S';
}

static bool
is_blocked(struct m *m, int64_t now)
{
	struct timespec t;
	int64_t cpu;
	/* The clock of a thread of ours by its id, as pthread_getcpuclockid computes it. */
	clockid_t id = (clockid_t)((~m->tid << 3) | 6u);

	if (m->tid == 0 || clock_gettime(id, &t) != 0)
		return false;
	cpu = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (cpu != m->cpu_seen) {
		m->cpu_seen = cpu;
		m->mon_clock = now;
		return false;
	}
	return now - m->mon_clock >= SHORTEST && thread_state(m) != 'R';
}

/* --- Ps --- */

static bool
anything_waits(void)
{
	int i, n = p_count();

	if (idle_any_work())
		return true;
	for (i = 0; i < n; i++)
		if (load_rlx(&sched.p[i]->next) != NULL)
			return true;
	return false;
}

/* Returns whether something was done, so that we look again soon. */
static bool
examine(struct p *p, int64_t now, bool waits)
{
	struct m *m = load_rlx(&p->m);	/* its fields may be stale, but they are there */
	uint32_t tick = load_rlx(&p->tick);
	int64_t ran;

	if (m == NULL)
		return false;
	if (tick != p->mon_tick || m->in_rt != 0) {
		if (tick == p->mon_tick && now - p->mon_since >= SLICE && waits)
			or_rlx(&m->alert, ALERT_YIELD);
		if (tick != p->mon_tick)
			p->mon_since = now;
		p->mon_tick = tick;
		return false;
	}
	ran = now - p->mon_since;
	if (timers_first(p) <= now) {
		store_rlx(&p->kick, 1);
		waits = true;
	}
	if (!waits && !p->retired)
		return false;
	if (ran >= SLICE && (load_rlx(&m->alert) & ALERT_YIELD) == 0) {
		or_rlx(&m->alert, ALERT_YIELD);		/* a last chance to go by itself */
		return true;
	}
	if (ran >= SLICE || load_rlx(&m->blocking) || p->retired ||
	    (ran >= STUCK_NEXT && load_rlx(&p->next) != NULL && load_rlx(&sched.n_idle_p) != 0) ||
	    is_blocked(m, now)) {
		if (handoff_take(p, m))
			p->mon_since = now;
		return true;
	}
	return ran < MS;	/* perhaps it has just blocked */
}

static bool
examine_all(int64_t now)
{
	bool waits = anything_waits(), did = false;
	int i, n = p_count();

	/* The timers of retired Ps are everybody's, so somebody must get to look at them. */
	for (i = load_rlx(&sched.procs); i < n; i++)
		waits |= timers_first(sched.p[i]) <= now;
	if (waits)
		idle_wake();
	for (i = 0; i < n; i++)
		did |= examine(sched.p[i], now, waits);
	return did;
}

/* --- Memory --- */

/*
 * Drop the unused pages of goroutines parked for long.  Each is held meanwhile [g-held]: we
 * set held, membarrier, and look whether it still waits; who makes it runnable sets the state
 * and looks at held.
 */
enum { HOLD = OS_RANGES };
static struct g *cursor;

static bool
drop_some(int64_t now)
{
	static struct stack_drop drop;
	struct g *v[HOLD], *g = cursor;
	int n = 0, i, seen;

	for (seen = 0; seen < 8 * HOLD && n < HOLD; seen++) {
		uint32_t none = 0;

		g = g_next(g);
		if (g == NULL)
			break;
		if (load_rlx(&g->state) != G_WAITING || g->trimmed || now - g->wait_since < PARKED_LONG)
			continue;
		if (!cas_ar(&g->held, &none, 1))			/* [g-held] a dump has it */
			continue;
		v[n++] = g;
	}
	cursor = g;
	if (n > 0)
		os_membarrier();				/* [g-held] */
	for (i = 0; i < n; i++) {
		g = v[i];
		/* [g-held] */
		if (load_acq(&g->state) == G_WAITING && g->stack != NULL && g->sp != NULL) {
			stack_drop_add(&drop, g->stack, g->sp);
			g->trimmed = 1;
		}
	}
	stack_drop_flush(&drop);
	for (i = 0; i < n; i++)
		store_rel(&v[i]->held, 0);			/* [g-held] */
	return cursor != NULL;
}

/* Returns whether there may be more to do. */
static bool
trim(int64_t now, bool all_idle)
{
	static int64_t last_free, last_drop;
	bool more = false;
	size_t n;

	/* What is free while we are busy will be wanted again: only idle programs give back soon. */
	if (now - last_free < (all_idle ? TRIM_EVERY : 10 * TRIM_EVERY)) {
		more = all_idle;
	} else {
		last_free = now;
		while ((n = gmem_trim(all_idle)) > 0) {
			more = true;
			/* Nobody can have wanted any since a moment ago: busy, do it once. */
			if (!all_idle || load_rlx(&sched.n_idle_p) != (uint32_t)load_rlx(&sched.procs))
				break;
		}
	}
	if (now - last_drop < TRIM_EVERY)
		return more;
	last_drop = now;
	return drop_some(now) || more;
}

/* --- Deadlock --- */

static uint64_t
live(void)
{
	uint64_t n = load_rlx(&sched.n_born) - load_rlx(&sched.n_died);
	int i, np = p_count();

	for (i = 0; i < np; i++)
		n += load_rlx(&sched.p[i]->n_born) - load_rlx(&sched.p[i]->n_died);
	return n;
}

/*
 * Nobody runs, nothing will happen by itself.  *later: not now, but it may become so without
 * any P being taken: threads that we do not know may end, one of ours may be on its way to
 * sleep or out of a blocking call.
 */
static bool
is_stuck(bool *later)
{
	uint32_t foreign = load_rlx(&sched.n_foreign_wait), made;
	bool asleep, none;

	lock(&sched.lock, RANK_SCHED);
	made = sched.n_m;
	asleep = sched.n_idle_m + sched.n_pinned_wait == made;
	none = sched.global.n == 0 && load_rlx(&sched.n_poll_wait) == 0 &&
	       load_rlx(&sched.n_idle_p) == (uint32_t)sched.procs;
	unlock(&sched.lock);
	*later = !asleep;
	if (!asleep || !none || timers_earliest() != OS_NEVER || timers_count() != 0 ||
	    (live() == 0 && foreign == 0 && !load_rlx(&sched.main_exited)))
		return false;
	*later = os_threads() > (int)(made + 1 + foreign) + threads_before;
	return !*later;
}

static uint64_t
activity(void)
{
	uint64_t sum = 0;
	int i, n = p_count();

	for (i = 0; i < n; i++)
		sum += load_rlx(&sched.p[i]->tick);
	return sum;
}

/* Returns whether it is worth looking again later although nothing has moved. */
static bool
look_for_deadlock(void)
{
	uint64_t before = activity();
	bool later;

	if (!is_stuck(&later))
		return later;
	/* Twice, with time between: a foreign thread may be on its way out of a wait. */
	usleep(2000);
	if (!is_stuck(&later) || activity() != before)
		return true;
	if (load_rlx(&sched.main_exited) && live() == 0)
		monitor_deadlock("no goroutines (main called runtime.Goexit) - deadlock!");
	else
		monitor_deadlock("all goroutines are asleep - deadlock!");
	return false;
}

/* --- The loop --- */

static void
nap(int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};

	nanosleep(&t, NULL);
}

/*
 * Every P is idle.  Sleep until one is not, or for a while if there is something left to do.
 * Who takes a P later wakes us; who took one and gave it back since we looked for a deadlock
 * shows in `active', what foreign threads did in `foreign'.
 */
static void
sleep_idle(bool again, uint32_t foreign, uint64_t active)
{
	int64_t now = os_now();
	bool more = trim(now, true);
	int64_t until = more ? now + TRIM_EVERY : again ? now + LOOK_AGAIN : OS_NEVER;

	store_sc(&sched.monitor_asleep, 1);				/* [monitor] */
	fence_sc();							/* [monitor] */
	if (load_rlx(&sched.n_idle_p) == (uint32_t)load_rlx(&sched.procs) &&
	    load_rlx(&sched.n_foreign_wait) == foreign && activity() == active)
		os_futex_wait(&sched.monitor_asleep, 1, until);
	store_rlx(&sched.monitor_asleep, 0);
}

/*
 * Every P is idle at this moment, which may be one of many between two timers.  Going to sleep
 * for good costs a wake-up each time, so only when nothing has moved for LINGER.
 */
static bool
is_quiet(int64_t now)
{
	static uint64_t seen;
	static int64_t since;
	uint64_t a = activity();

	if (a != seen) {
		seen = a;
		since = now;
	}
	return now - since >= LINGER;
}

static void *
monitor_main(void *unused)
{
	int64_t delay = SHORTEST, now;
	int quiet = 0;

	(void)unused;
	for (;;) {
		now = os_now();
		if (load_rlx(&sched.n_idle_p) == (uint32_t)load_rlx(&sched.procs)) {
			uint32_t foreign = load_rlx(&sched.n_foreign_wait);
			uint64_t active = activity();

			if (is_quiet(now)) {
				sleep_idle(look_for_deadlock(), foreign, active);
				quiet = 0;
			} else {
				quiet = QUIET_ROUNDS;
			}
		}
		delay = quiet < QUIET_ROUNDS ? SHORTEST : delay * 2 < LONGEST ? delay * 2 : LONGEST;
		nap(delay);
		now = os_now();
		store_rlx(&sched.now, now);
		quiet = examine_all(now) ? 0 : quiet + 1;
		trim(now, false);
	}
	return NULL;
}

void
monitor_start(void)
{
	pthread_attr_t attr;
	sigset_t old;
	pthread_t t;
	int err;

	/* TSan's background thread; under an emulator somebody has to tell us how many it has. */
	threads_before = san_tsan ? 1 : (int)os_debug("strangers", 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	idle_block_signals(&old);
	err = pthread_create(&t, &attr, monitor_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err != 0)
		fatal("goro: cannot start the monitor thread (errno=%d)", err);
}
