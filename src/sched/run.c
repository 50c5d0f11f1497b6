/* SPDX-License-Identifier: MIT */
/*
 * run.c - configuration, start, go_main, go_run, go_procs.
 */
#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../base/fatal.h"
#include "../base/san.h"
#include "gmem.h"
#include "handoff.h"
#include "monitor.h"
#include "overflow.h"
#include "panic.h"
#include "sched.h"
#include "spawn.h"

static struct lock start_lock;
static go_config config = GO_CONFIG_INIT;
static void (*hooks[RUN_HOOKS])(void);
static int n_hooks;

void
run_at_start(void (*fn)(void))
{
	ensure(n_hooks < RUN_HOOKS);
	hooks[n_hooks++] = fn;
}

/* --- Configuration --- */

static int
procs_from(const char *name)
{
	const char *s = getenv(name);
	char *end;
	long n;

	if (s == NULL || *s == '\0')
		return 0;
	n = strtol(s, &end, 10);
	if (*end != '\0' || n < 1 || n > MAX_PROCS)
		fatal("goro: %s=%s is not a number from 1 to %d", name, s, MAX_PROCS);
	return (int)n;
}

static int
initial_procs(void)
{
	int n = config.procs;

	if (n == 0)
		n = procs_from("GORO_PROCS");
	if (n == 0)
		n = procs_from("GOMAXPROCS");
	if (n == 0)
		n = os_cpus();
	return n < MAX_PROCS ? n : MAX_PROCS;
}

static void
ignore_sigpipe(void)
{
	struct sigaction sa;

	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL) {
		sa.sa_handler = SIG_IGN;
		sigaction(SIGPIPE, &sa, NULL);
	}
}

int
go_init(const go_config *cfg)
{
	go_config c = GO_CONFIG_INIT;

	if (load_acq(&sched.started))				/* [start] */
		return -EALREADY;
	if (stack_init() != 0)
		return -ENOMEM;
	if (cfg != NULL) {
		if (cfg->size < offsetof(go_config, stack_size) || cfg->size > 4096)
			return -EINVAL;
		memcpy(&c, cfg, cfg->size < sizeof(c) ? cfg->size : sizeof(c));
	}
	if ((c.flags & ~(uint32_t)GO_CFG_IGNORE_SIGPIPE) != 0 || c.procs < 0 || c.procs > MAX_PROCS ||
	    c.max_threads < 0 || c.reserved != 0 || c.stack_size > stack_usable(STACK_8M))
		return -EINVAL;
	config = c;
	return 0;
}

/* --- Start --- */

static void
thread(struct m *m)
{
	race_acquire(m);
	handoff_thread_init(m);
	m->p = m->next_p;
	m->next_p = NULL;
	store_rlx(&m->p->m, m);
	sched_loop(m);
	pthread_exit(NULL);
}

static void
start(void)
{
	int i, n;

	lock(&start_lock, RANK_TIMEROBJ);
	if (sched.started) {
		unlock(&start_lock);
		return;
	}
	os_init();
	san_init();
	proc_init();
	spawn_init();
	handoff_init();
	overflow_init();
	idle_thread = thread;
	if (config.flags & GO_CFG_IGNORE_SIGPIPE)
		ignore_sigpipe();
	sched.max_threads = config.max_threads != 0 ? config.max_threads : 10000;
	sched.stack_size = config.stack_size != 0 ? config.stack_size : stack_usable(STACK_256K);
	sched.stack_class = (uint8_t)stack_class(sched.stack_size);
	sched.spin = os_cpus() > 1;
	sched.now = os_now();
	n = initial_procs();
	for (i = 0; i < n; i++) {
		sched.p[i] = p_new(i);
		store_rel(&sched.n_p, i + 1);			/* [sched-p] */
	}
	sched.procs = n;
	for (i = n; i-- > 0;)
		idle_put_p(sched.p[i]);
	for (i = 0; i < n_hooks; i++)
		hooks[i]();
	store_rel(&sched.started, true);			/* [start] */
	unlock(&start_lock);
	monitor_start();
}

static EARLY_CONSTRUCTOR void
prepare(void)
{
	handoff_start = start;
}

/* --- go_main, go_run --- */

struct main_args {
	int	(*fn)(int, char **);
	int	argc;
	char	**argv;
};

static void
main_entry(void *arg)
{
	struct main_args *a = arg;

	int status = a->fn(a->argc, a->argv);

	panic_wait();
	fatal_exiting();
	exit(status);
}

static size_t
main_stack_size(void)
{
	struct rlimit r;
	size_t least = 8 << 20, most = 64 << 20;

	if (getrlimit(RLIMIT_STACK, &r) != 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur > most)
		return most;
	return r.rlim_cur < least ? least : (size_t)r.rlim_cur;
}

/* The calling thread, so far unknown or foreign, becomes an M that holds a P. */
static struct m *
adopt_thread(void)
{
	struct m *m = m_new(false);

	if (m == NULL)
		fatal("out of memory starting the runtime");
	handoff_thread_init(m);
	m->is_main = true;
	idle_thread_counts(m);
	return m;
}

int
go_main(int (*fn)(int, char **), int argc, char **argv)
{
	static struct main_args a;
	static uint32_t once;
	struct g *g;
	struct m *m;

	if (xchg_ar(&once, 1) != 0 || go_running())		/* [main-once] with itself */
		fatal("goro: go_main called twice");
	a = (struct main_args){fn, argc, argv};
	config.flags |= GO_CFG_IGNORE_SIGPIPE;
	if (load_acq(&sched.started))				/* [start] */
		ignore_sigpipe();
	else
		start();
	m = adopt_thread();
	g = spawn_new(m, main_entry, &a, main_stack_size(), __builtin_return_address(0));
	if (g == NULL)
		fatal("out of memory for the main goroutine's stack");
	g->id = 1;
	g->flags |= GF_MAIN;
	store_rlx(&g->state, G_RUNNABLE);
	if (idle_take_p(m) != NULL)
		runq_next(m->p, g);
	else
		runq_put_global(g);
	sched_loop(m);
	return 0;
}

struct run {
	int		(*fn)(void *);
	void		*arg;
	int		result;
	struct g	*waiter, *g;
};

/* Not if a panic that nobody stops is to end the process: main might return before its report. */
static void
wake_waiter(void *arg)
{
	struct run *r = arg;
	struct m *m;

	if (panic_under_way())
		return;
	race_release(r);
	m = enter();
	sched_ready(m, r->waiter);
	leave(m);
}

static void
run_entry(void *arg)
{
	struct run *r = arg;

	go_deferred d = {wake_waiter, r, NULL};

	go__defer_push(&d);	/* go_exit must not leave it waiting */
	r->result = r->fn(r->arg);
	go__defer_pop(&d);
}

static void
finish_run(struct g *waiter, void *arg)
{
	struct run *r = arg;

	(void)waiter;
	sched_spawned(self(), r->g);
}

int
go_run(int (*fn)(void *), void *arg)
{
	struct m *m = enter();
	struct run r = {fn, arg, 0, m->g, NULL};

	if (fn == NULL)
		fatal("go of nil func value");
	sched_check_section(m);
	r.g = spawn_new(m, run_entry, &r, 0, __builtin_return_address(0));
	if (r.g == NULL)
		fatal("out of memory starting a goroutine (%d live)", go_count());
	/* It starts when we are parked: its end cannot come too early. */
	m = sched_park(m, finish_run, &r, WAIT_RUN, NULL);
	race_acquire(&r);
	leave(m);
	return r.result;
}

/* --- go_procs --- */

static void
grow_to(int n)
{
	int i;

	for (i = load_rlx(&sched.n_p); i < n; i++) {
		sched.p[i] = p_new(i);
		sched.p[i]->retired = true;
		store_rel(&sched.n_p, i + 1);			/* [sched-p] */
	}
}

int
go_procs(int n)
{
	static struct lock only_one;
	struct m *m = enter();
	int old;

	n = n < MAX_PROCS ? n : MAX_PROCS;
	if (n <= 0) {
		leave(m);
		return load_rlx(&sched.procs);
	}
	lock(&only_one, RANK_TIMEROBJ);
	grow_to(n);
	old = idle_set_procs(n);
	unlock(&only_one);
	if (n > old && idle_any_work())
		idle_wake_many((uint32_t)(n - old));
	leave(m);
	return old;
}

int
go_cpus(void)
{
	return os_cpus();
}

const char *
go_version(void)
{
#define STR_(x)	#x
#define STR(x)	STR_(x)
	return STR(GORO_VERSION_MAJOR) "." STR(GORO_VERSION_MINOR) "." STR(GORO_VERSION_PATCH);
}
