/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - threads that come without a P, lose it, or give it away.
 *
 * The P of an M whose goroutine runs user code can be taken by the monitor.  The goroutine
 * notices at its next enter() and queues itself for another.  A goroutine that says
 * beforehand that it will block gives its P away itself, if there is anybody to use it.
 *
 * The handshake is an asymmetric Dekker (Dice, Huang, Yang 2001, with membarrier for the
 * heavy side):
 *
 *     enter()                            handoff_take()
 *     1. in_rt = 1                       1. retake = DECIDING, alert |= RETAKE
 *     2. (compiler barrier)              2. membarrier on all threads
 *     3. alert?  then wait for the       3. in_rt or another P?  retake = NO
 *        decision                           else the P is ours; retake = TAKEN
 *
 * If 3 on the left misses the alert, then 1 on the left is visible to 3 on the right.
 */
#include "handoff.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/san.h"

void (*handoff_start)(void);
void (*handoff_signal_stack)(struct m *m);
void (*handoff_cleanup)(struct g *g);
struct panic *(*handoff_try)(go_fn fn, void *arg);
void (*handoff_panic)(struct panic *p);

static pthread_key_t foreign_key, m_key;

/* --- Foreign threads --- */

static void
foreign_gone(void *arg)
{
	struct m *m = arg;

	handoff_cleanup(&m->pseudo);	/* may call us again */
	m_unbind();
	race_release(m);
	m_free(m);
}

/* Goroutines that call pthread_exit would take their thread with them. */
static void
m_gone(void *arg)
{
	struct m *m = arg;

	if (m->g != &m->g0)
		fatal("goro: pthread_exit or pthread_cancel on a thread that runs goroutine %lu", m->g->id);
}

static void
in_child(void)
{
	or_rlx(&self()->alert, ALERT_FORKED);
}

static void
thread_end(struct m *m)
{
	stack_t none = {.ss_flags = SS_DISABLE};

	pthread_setspecific(m_key, NULL);
	m_unbind();
	if (m->altstack != NULL) {
		sigaltstack(&none, NULL);
		munmap(m->altstack, m->altstack_size);
	}
	race_release(m);
	m_free(m);
}

void
handoff_init(void)
{
	sched_thread_end = thread_end;
	if (pthread_key_create(&foreign_key, foreign_gone) != 0 || pthread_key_create(&m_key, m_gone) != 0)
		fatal("goro: no thread-specific key left");
	pthread_atfork(NULL, NULL, in_child);
}

static COLD struct m *
attach(void)
{
	struct m *m;
	int before;

	/* It opens files, where a cancelled thread would end, with the start for ever under way. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	handoff_start();
	pthread_setcancelstate(before, NULL);
	m = m_new(true);
	if (m == NULL)
		fatal("out of memory for a thread's first call");
	m_bind(m);
	pthread_setspecific(foreign_key, m);
	store_rlx(&m->in_rt, 1);
	return m;
}

void
handoff_thread_init(struct m *m)
{
	pthread_attr_t attr;
	void *lo;
	size_t size;

	m_bind(m);
	m->in_rt = 1;
	pthread_setspecific(foreign_key, NULL);
	pthread_setspecific(m_key, m);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &lo, &size);
		pthread_attr_destroy(&attr);
		m->stack0.lo = lo;
		m->stack0.size = size;
	}
	if (san_tsan)
		m->stack0.tsan_fiber = __tsan_get_current_fiber();
	handoff_signal_stack(m);
	race_release(m);	/* the thread's own variables are there for its goroutines */
}

/* --- enter(), the rare cases --- */

/* The monitor took our P.  The alert goes before retake: at NO it may start anew. */
static void
note_loss(struct m *m)
{
	m->p = NULL;
	m->blocking = 0;
	or_rlx(&m->alert, ALERT_NO_P);
	and_ar(&m->alert, ~(uint32_t)ALERT_RETAKE);	/* [m-retake] */
	store_rel(&m->retake, RETAKE_NO);		/* [m-retake] */
}

static struct m *
find_p(struct m *m)
{
	if (m->in_blocking)
		return m;	/* on the thread's own stack: when go_blocking's function is done */
	and_ar(&m->alert, ~(uint32_t)(ALERT_NO_P | ALERT_YIELD));	/* [m-retake] */
	return idle_take_p(m) != NULL ? m : sched_regain(m);
}

NOINLINE struct m *
enter_slow(struct m *m)
{
	uint32_t alert = load_acq(&m->alert), r;	/* [m-retake] */

	if (alert & ALERT_FORKED)
		fatal("goro: used in a child of fork; only exec and _exit are possible there");
	if (alert & ALERT_NOBODY)
		return attach();
	if (alert & ALERT_FENCE)
		fence_sc();				/* [m-retake] */
	while ((r = load_acq(&m->retake)) == RETAKE_DECIDING)	/* [m-retake] microseconds */
		sched_yield();
	if (r == RETAKE_TAKEN)
		note_loss(m);
	alert = load_rlx(&m->alert);
	if (alert & ALERT_NO_P)
		m = find_p(m);
	if (m->foreign || m->p == NULL || m->in_blocking)
		return m;
	if (alert & ALERT_YIELD) {
		and_ar(&m->alert, ~(uint32_t)ALERT_YIELD);	/* [m-retake] */
		m = sched_yield_now(m);
	} else if (HARD && rand_below(&m->rand, 8) == 0) {
		m = sched_yield_now(m);
	}
	return m;
}

bool
handoff_take(struct p *p, struct m *m)
{
	uint32_t r = RETAKE_NO;

	if (!cas_ar(&m->retake, &r, RETAKE_DECIDING))	/* [m-retake] it has not noticed the last time */
		return false;
	or_ar(&m->alert, ALERT_RETAKE);			/* [m-retake] */
	os_membarrier();				/* [m-retake] */
	if (load_acq(&m->in_rt) != 0 || load_rlx(&p->m) != m) {	/* [m-retake] */
		and_ar(&m->alert, ~(uint32_t)ALERT_RETAKE);	/* [m-retake] */
		store_rel(&m->retake, RETAKE_NO);	/* [m-retake] */
		return false;
	}
	add_rlx(&sched.n_handoffs, 1);
	store_rel(&m->retake, RETAKE_TAKEN);		/* [m-retake] */
	idle_handoff(p);
	return true;
}

/* --- Giving the P away --- */

static bool
is_work_waiting(struct p *p)
{
	return p->next != NULL || runq_has_work(p) || load_rlx(&sched.global.n) != 0;
}

void
go_block_begin(void)
{
	struct m *m = enter();
	struct p *p = m->p;

	if (m->g->flags & GF_SECTION) {
		leave(m);
		go_panic("goro: go_block_begin inside a blocking section");
	}
	if (!m->foreign)
		m->g->flags |= GF_SECTION;
	if (p != NULL && is_work_waiting(p)) {
		m->p = NULL;
		or_rlx(&m->alert, ALERT_NO_P);
		add_rlx(&sched.n_handoffs, 1);
		idle_handoff(p);
	} else {
		store_rlx(&m->blocking, 1);	/* the monitor takes it when work comes */
	}
	leave(m);
}

void
go_block_end(void)
{
	struct m *m = enter();

	/* What parks then would leave its frames on the thread's stack, for others to write over. */
	if (m->in_blocking) {
		leave(m);
		go_panic("goro: go_block_end inside go_blocking");
	}
	m->g->flags &= (uint8_t)~GF_SECTION;
	store_rlx(&m->blocking, 0);
	leave(m);
}

struct blocking {
	void		*(*fn)(void *);
	void		*arg, *result;
	struct panic	*panic;
	struct g	*g;
	struct m	*m;
};

static void
call_fn(void *arg)
{
	struct blocking *b = arg;

	b->result = b->fn(b->arg);
}

/* A panic may not leave the thread's stack as such: it goes on when we have returned. */
static void
call_blocking(void *arg)
{
	struct blocking *b = arg;

	if (unlikely(san_asan))
		__sanitizer_finish_switch_fiber(b->m->stack0.asan_fake, NULL, NULL);
	b->panic = handoff_try(call_fn, b);
	if (unlikely(san_asan))
		__sanitizer_start_switch_fiber(&b->m->stack0.asan_fake, b->g->stack->lo, b->g->stack->size);
}

void *
go_blocking(void *(*fn)(void *), void *arg)
{
	struct m *m = self();
	struct blocking b = {.fn = fn, .arg = arg, .g = m->g, .m = m};

	if (m_is_nobody(m) || m->foreign)
		return fn(arg);
	go_block_begin();
	b.m = m = self();	/* begin may have moved us; from here to the end we stay */
	m->in_blocking = 1;
	if (unlikely(san_asan))
		__sanitizer_start_switch_fiber(&b.g->stack->asan_fake, m->stack0.lo, m->stack0.size);
	/* One after the other uses it; and a setjmp there has nothing to do with those on ours. */
	if (unlikely(san_tsan))
		__tsan_switch_to_fiber(m->stack0.tsan_fiber, TSAN_SYNC);
	/* Below what g0 has suspended there, its red zone spared. */
	switch_call((void *)(((uintptr_t)m->g0.sp - 256) & ~(uintptr_t)63), call_blocking, &b);
	if (unlikely(san_asan))
		__sanitizer_finish_switch_fiber(b.g->stack->asan_fake, NULL, NULL);
	if (unlikely(san_tsan))
		__tsan_switch_to_fiber(b.g->stack->tsan_fiber, TSAN_SYNC);
	m->in_blocking = 0;
	go_block_end();
	if (unlikely(b.panic != NULL))
		handoff_panic(b.panic);
	return b.result;
}

void
go_checkpoint(void)
{
	checkpoint();
}

/* --- Pinning --- */

void
go_lock_thread(void)
{
	struct m *m = enter();
	struct g *g = m->g;

	if (!m->foreign && g->pins++ == 0) {
		m->pinned = g;
		note_clear(&m->note);
	}
	leave(m);
}

void
go_unlock_thread(void)
{
	struct m *m = enter();
	struct g *g = m->g;

	if (!m->foreign && g->pins > 0 && --g->pins == 0)
		m->pinned = NULL;
	leave(m);
}
