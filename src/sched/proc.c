/* SPDX-License-Identifier: MIT */
/*
 * proc.c - the data model: tables of G, M and P, and the current M.
 */
#include "proc.h"

#include <errno.h>
#include <string.h>

#include "../base/fatal.h"
#include "../base/san.h"

struct sched sched;

/* A thread that never called us points here; enter() finds the alert and attaches it. */
static struct m m_nobody = {.alert = ALERT_NOBODY};

__thread struct m *m_self __attribute__((tls_model("initial-exec"), visibility("hidden"))) = &m_nobody;

struct slab g_slab;
static struct slab m_slab;

const char *const wait_reason_text[WAIT_REASONS] = {
	[WAIT_NONE] = "waiting",
	[WAIT_CHAN_RECV] = "chan receive",
	[WAIT_CHAN_SEND] = "chan send",
	[WAIT_CHAN_RECV_NIL] = "chan receive (nil chan)",
	[WAIT_CHAN_SEND_NIL] = "chan send (nil chan)",
	[WAIT_SELECT] = "select",
	[WAIT_SELECT_NONE] = "select (no cases)",
	[WAIT_SLEEP] = "sleep",
	[WAIT_MUTEX] = "sync.Mutex.Lock",
	[WAIT_RWMUTEX_READ] = "sync.RWMutex.RLock",
	[WAIT_RWMUTEX_WRITE] = "sync.RWMutex.Lock",
	[WAIT_WAITGROUP] = "sync.WaitGroup.Wait",
	[WAIT_ONCE] = "sync.Once.Do",
	[WAIT_SEMA] = "semacquire",
	[WAIT_COND] = "sync.Cond.Wait",
	[WAIT_RUN] = "go_run",
};

/* The C++ runtime's per-thread exception state; absent in C programs (FACTS S6). */
WEAK void *__cxa_get_globals(void);

/* LeakSanitizer: pointers in Gs and Ms keep what they point at. */
static void
carve(void *slot, size_t size)
{
	san_root(slot, size);
}

static const struct slab_class g_class = {
	.name = "goroutines", .slot_size = sizeof(struct g), .arena_slots = 256,
	.reserve = (size_t)1 << 26, .carve = carve,
};
static const struct slab_class m_class = {
	.name = "threads", .slot_size = (sizeof(struct m) + 31) & ~(size_t)31, .arena_slots = 64,
	.reserve = (size_t)1 << 22, .carve = carve,
};

void
proc_init(void)
{
	if (slab_init(&g_slab, &g_class) != 0 || slab_init(&m_slab, &m_class) != 0 || stack_init() != 0)
		fatal("goro: no address space to start the runtime");
	sched.keeper_until = OS_NEVER;
	sched.id = 1;		/* 1 is the main goroutine of go_main */
	sched.base_alert = (os_has(OS_MEMBARRIER) ? 0 : ALERT_FENCE) | (HARD ? ALERT_HARD : 0);
}

bool
m_is_nobody(const struct m *m)
{
	return m == &m_nobody;
}

struct m *
m_new(bool foreign)
{
	struct m *m;

	if (slab_get(&m_slab, (void **)&m, 1) != 1)
		return NULL;
	race_acquire(m);
	memset(m, 0, sizeof(*m));
	m->foreign = foreign;
	m->alert = sched.base_alert;
	rand_seed(&m->rand, os_seed());
	m->g0.flags = GF_SYSTEM;
	m->g0.m = m;
	m->g0.stack = &m->stack0;
	m->g0.state = G_RUNNING;
	m->pseudo.flags = GF_FOREIGN;
	m->pseudo.m = m;
	m->g = foreign ? &m->pseudo : &m->g0;
	return m;
}

void
m_free(struct m *m)
{
	slab_put(&m_slab, (void *const *)&m, 1);
}

NOINLINE void
m_bind(struct m *m)
{
	m->errno_loc = &errno;
	san_errno(m->errno_loc);
	if (__cxa_get_globals != NULL)
		m->eh = __cxa_get_globals();
	m->tid = os_gettid();
	__asm__ volatile("" ::: "memory");
	m_self = m;
}

NOINLINE void
m_unbind(void)
{
	__asm__ volatile("" ::: "memory");
	m_self = &m_nobody;
}

struct p *
p_new(int id)
{
	size_t size = align_up(sizeof(struct p), os_page());
	struct p *p = os_reserve(size);

	if (p == NULL || os_commit(p, size) != 0)
		fatal("out of memory making processor %d", id);
	san_root(p, size);
	p->id = id;
	p->vacant = true;
	p->timers.first = OS_NEVER;
	p->look = LOOK_AROUND;
	return p;
}

int
p_count(void)
{
	return load_acq(&sched.n_p);	/* [sched-p] the pointers below it are there */
}

struct g *
g_next(struct g *g)
{
	return slab_next(&g_slab, g);
}

struct m *
m_next(struct m *m)
{
	return slab_next(&m_slab, m);
}
