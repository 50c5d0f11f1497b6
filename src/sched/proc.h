/* SPDX-License-Identifier: MIT */
/*
 * proc.h - the data model: G, M, P.
 *
 *   G  a goroutine.
 *   M  an OS thread: one the runtime made, or a foreign one that called us.
 *   P  the right to run goroutines, with all that wants no lock.  There are go_procs of them;
 *      an M needs one to run a G, and may lose it while its G runs user code (monitor.c).
 *
 *            g_new               run              sched_park
 *    FREE ---------> RUNNABLE ---------> RUNNING -----------> WAITING
 *      ^                ^                 |    |                 |
 *      |                |   sched_yield   |    |                 |
 *      |                +-----------------+    |                 |
 *      |                +---------- sched_ready ----------------+
 *      +---------------------- g_free ---------+
 *
 *   RUNNABLE  in exactly one queue, or in a P's next slot; its stack is not in use.  A fresh
 *             one has no stack yet.
 *   RUNNING   on one M; owns its stack; in no queue.  Its M may have lost its P.
 *   PARKING   on its way to WAITING, still on its stack.
 *   WAITING   waiter records or a timer point at it; whoever claims it owns the wake-up.
 *
 * Gs and Ms are never unmapped, so stale pointers read old or zero fields but never fault.
 */
#ifndef GORO_PROC_H
#define GORO_PROC_H

#include "../../include/goro.h"
#include "../base/list.h"
#include "../base/lock.h"
#include "../base/rand.h"
#include "../stack/slab.h"
#include "../stack/stack.h"
#include "../stack/switch.h"

struct g;
struct m;
struct p;

/*
 * Field protection:
 *   c  constant after creation         o  the thread that runs it (G, M) or holds it (P)
 *   a  atomic, see its comment         S  sched.lock
 *   w  whoever owns the wake-up: set before publishing the wait, changed by the claimer
 */

enum g_state { G_FREE, G_RUNNABLE, G_RUNNING, G_PARKING, G_WAITING };

enum wait_reason {
	WAIT_NONE,
	WAIT_CHAN_RECV,
	WAIT_CHAN_SEND,
	WAIT_CHAN_RECV_NIL,
	WAIT_CHAN_SEND_NIL,
	WAIT_SELECT,
	WAIT_SELECT_NONE,
	WAIT_SLEEP,
	WAIT_MUTEX,
	WAIT_RWMUTEX_READ,
	WAIT_RWMUTEX_WRITE,
	WAIT_WAITGROUP,
	WAIT_ONCE,
	WAIT_SEMA,
	WAIT_COND,
	WAIT_RUN,
	WAIT_REASONS
};
extern const char *const wait_reason_text[WAIT_REASONS];

enum g_flag {
	GF_FOREIGN	= 1 << 0,	/* a pseudo-G: a thread that is not running a goroutine */
	GF_SYSTEM	= 1 << 1,	/* a scheduler context (g0) */
	GF_MAIN		= 1 << 2,	/* goroutine 1 of go_main */
	GF_COPIED	= 1 << 3,	/* its arguments are in args[] */
	GF_ON_STACK	= 1 << 4,	/* they are at the top of its stack */
	GF_EXITING	= 1 << 5,	/* go_exit has begun */
	GF_SECTION	= 1 << 6	/* between go_block_begin and go_block_end */
};

enum { G_ARGS = 32 };	/* bytes of arguments kept in the G; more go to its stack at once */

struct try_frame;
struct panic;
struct locals;
struct scope;

struct g {
	/* What a switch touches. */
	void		*sp;		/* o  saved context while not RUNNING; NULL: fresh */
	struct g	*link;		/*    next in the one queue that it is in */
	struct stack	*stack;		/* o  NULL: fresh */
	struct m	*m;		/* o  where it runs; stays for a pinned one */
	uint32_t	state;		/* a  enum g_state; written by o or w, read by dumps */
	uint32_t	held;		/* a  [g-held] the monitor works on its parked stack */
	int32_t		err;		/* o  errno across switches */
	uint8_t		flags;		/* o  enum g_flag */
	uint8_t		reason;		/* o  enum wait_reason, meaningful while WAITING */
	uint8_t		class;		/* c  enum stack_class */
	uint8_t		trimmed;	/*    monitor: unused stack dropped since it parked */
	uint32_t	pins;		/* o  go_lock_thread nesting; not 0: runs on m only */
	uint32_t	tag;		/* w  the claimer's word to the sleeper, see wait.h */
	uint64_t	id;		/* c  never reused; 0 while FREE */

	go_fn		fn;		/* c  entry */
	void		*arg;		/* c */
	void		*creator_pc;	/* c */
	uint64_t	creator;	/* c  id of the spawner, 0: a foreign thread */
	const void	*wait_obj;	/* o  what it waits for, for dumps */
	int64_t		wait_since;	/* o  sched.now when it parked */
	struct locals	*locals;	/* o */
	struct scope	*bound;		/* o  what ends its waits but for their own end: see wait.h */
	char		*name;		/* o  published with release [g-name] */

	union {
		unsigned char	args[G_ARGS];	/* until its first run */
		struct {
			go_deferred	 *defers;	/* o  innermost first */
			struct try_frame *tries;	/* o  innermost go_try */
			struct panic	 *panics;	/* o  under way, innermost first */
			char		 *caught;	/* o  text of the last panic that go_try stopped */
		};
	};
} ALIGNED(32);
_Static_assert(sizeof(struct g) <= 192, "a parked goroutine may cost 4.9 KiB, 4.5 are pages");

/* A FIFO of Gs by their links. */
struct gqueue {
	struct g	*head, *tail;
	uint32_t	n;
};

typedef void	(*finish_fn)(struct g *parked, void *arg);

/* The P's fate while its M runs user code.  See monitor.c. */
enum retake { RETAKE_NO, RETAKE_DECIDING, RETAKE_TAKEN };

/* Why enter() takes its slow path. */
enum alert {
	ALERT_RETAKE	= 1 << 0,	/* look at m->retake */
	ALERT_NOBODY	= 1 << 1,	/* this thread has never called us */
	ALERT_FORKED	= 1 << 2,	/* a child of fork */
	ALERT_NO_P	= 1 << 6,	/* we have none: find one.  Set and cleared by the M itself */
	ALERT_YIELD	= 1 << 5,	/* ran for long: let others run */
	ALERT_FENCE	= 1 << 3,	/* always set where the kernel has no membarrier */
	ALERT_HARD	= 1 << 4	/* always set in the hostile build */
};

struct m {
	uint32_t	in_rt;		/* a  [m-retake] inside the runtime; its own stores only */
	uint32_t	alert;		/* a  [m-retake] bits of enum alert */
	uint32_t	retake;		/* a  [m-retake] enum retake; monitor and the M itself */
	struct g	*g;		/* o  running G, pseudo-G or &g0 */
	struct p	*p;		/* o  NULL: foreign, taken, or looking for one */

	/* The switch under way: run on the next context, once the previous one is off its stack. */
	finish_fn	finish;		/* o */
	struct g	*prev;		/* o */
	void		*finish_arg;	/* o */
	struct timer	*later;		/* o  fired, to be finished when no lock is held */

	struct rand	rand;		/* o */
	int		*errno_loc;	/* c */
	void		**eh;		/* c  this thread's C++ exception state, or NULL */
	bool		spinning;	/* o  looking for work, counted in sched.spinning */
	bool		foreign;	/* c */
	bool		counted;	/* w  foreign: in sched.n_foreign_wait */
	bool		is_main;	/* c  the process's first thread, made an M by go_main */
	bool		doomed;		/* o  a pinned goroutine ended on it: the thread shall end */
	uint8_t		blocking;	/* a  in go_block_begin: the P may go at first sight */
	uint8_t		in_blocking;	/* o  go_blocking's function runs on our own stack */
	struct g	*pinned;	/* o  runs this G only */
	struct g	*pinned_next;	/* o  a G pinned elsewhere that we picked; hand our P over */

	struct note	note;		/*    sleeping M, or parked foreign thread */
	struct p	*next_p;	/*    P handed to us before the note was woken */
	struct m	*idle_next;	/* S */
	bool		is_idle;	/* S  in sched.idle_m */
	struct m	*all_next;	/* S, then c until reused */
	uint32_t	tid;		/* c */
	int64_t		cpu_seen;	/* monitor: its value when the tick was seen first */
	int64_t		mon_clock;	/* monitor: when cpu_seen was read */

	struct g	g0;		/*    the scheduler's context on the thread's own stack */
	struct stack	stack0;		/*    bounds of that, for the sanitizers */
	void		*altstack;	/* c  ours, or NULL */
	size_t		altstack_size;	/* c */
	struct g	pseudo;		/*    foreign: stands for the thread in queues */
};

enum {
	RUNQ_SIZE	= HARD ? 4 : 256,
	G_CACHE		= HARD ? 2 : 64,	/* free Gs, and stacks, kept per P */
	AGING		= 8,			/* every so many picks the oldest goes first */
	LOOK_AROUND	= 61,			/* picks between looks at clock and global queue */
	MAX_PROCS	= 1024
};

#define NEXT_SLICE	INT64_C(5000000)	/* turns by the next slot while others wait: for 5 ms */
#define AGE_EVERY	INT64_C(1000000)	/* the oldest of the fresh goes first, once in 1 ms */

/*
 * Two rings.  `fresh' holds what was spawned and is used newest first by its owner; `queue'
 * what was woken or yielded, oldest first.  Thieves take the oldest of either.  See runq.c.
 */
struct ring {
	uint32_t	head ALIGNED(CACHE_LINE);	/* a  [runq-head] CASed by everybody */
	uint32_t	tail;		/* a  [runq-tail] written by the owner only */
	struct g	*slot[RUNQ_SIZE];
};

struct timer_slot {
	int64_t		when;
	uintptr_t	timer;		/* a struct timer *, and perhaps SURE */
};

struct timer_heap {
	struct lock	lock;		/*    rank TIMER */
	uint32_t	n;		/*    under lock; may be peeked */
	uint32_t	cap;
	struct timer_slot *slot;	/*    4-ary heap from slot[0] */
	int64_t		first;		/* a  when of slot[0] or OS_NEVER; read without the lock */
};

struct p {
	struct g	*next;		/* o  runs next; not stealable, but by the monitor */
	uint32_t	tick;		/* a  picks so far; owner writes, monitor compares */
	uint32_t	look;		/* o  pick at which to look around */
	int64_t		slice;		/* o  since when all turns have come by `next' */
	int64_t		aged;		/* o  when the oldest of the fresh was last preferred */
	uint32_t	kick;		/* a  somebody wants us to look around now */
	uint32_t	reads;		/* a  [grace] odd: the holder is in a section (grace.h) */
	struct m	*m;		/* a  who holds it; changed with sched.lock or by the holder */
	struct g	*g_free;	/* o */
	struct stack	*stack_free;	/* o  default class */
	uint32_t	g_nfree, stack_nfree;
	uint64_t	id_next, id_end;/* o  goroutine ids taken from sched.id */

	struct ring	fresh;
	struct ring	queue;
	struct timer_heap timers ALIGNED(CACHE_LINE);
	bool		timer_new;	/* o  an earliest timer was added since the last pick */
	uint32_t	timer_nfree;	/* o */
	struct timer	*timer_free;	/* o  go_timers, by `later' */

	uint64_t	n_born ALIGNED(CACHE_LINE);	/* a  statistics: owner writes, all read */
	uint64_t	n_died, n_steals, n_parks;
	int		id;		/* c */
	bool		idle;		/* S  in sched.idle_p */
	bool		retired;	/* S  beyond go_procs; its holder gives it up */
	bool		vacant;		/* S  nobody holds it, nor is it on its way to somebody */
	struct p	*idle_next;	/* S */

	uint32_t	mon_tick;	/* monitor: tick seen last ... */
	int64_t		mon_since;	/* ... and since when */
};

struct sched {
	/* Read by everybody all the time, written now and then. */
	int64_t		now;		/* a  a recent time, set by whoever reads the clock */
	uint32_t	n_idle_p;	/* a  [idle] written under S */
	uint32_t	spinning;	/* a  [idle] Ms that look for work */
	uint32_t	base_alert;	/* c  alert bits that every M has */
	int		procs;		/* a  written under S */
	int		n_p;		/* a  Ps ever made; they are never unmade */

	struct lock	lock ALIGNED(CACHE_LINE);	/* rank SCHED */
	struct gqueue	global;		/* S  n may be peeked */
	struct p	*idle_p;	/* S */
	struct m	*idle_m;	/* S */
	struct m	*all_m;		/* S  for ever */
	uint32_t	n_m;		/* S  threads made, alive */
	uint32_t	n_idle_m;	/* S */
	uint32_t	n_pinned_wait;	/* S  Ms asleep until their pinned G is picked */
	uint32_t	n_foreign_wait;	/* a  foreign threads parked in a call; may dip below 0 */
	uint32_t	n_poll_wait;	/* a  reasons to be patient: waits for the outside world */
	int		max_threads;	/* c */
	int64_t		keeper_woke;	/* o  by the keeper: when it last woke for a timer */
	int64_t		keeper_until;	/* a  the idle M that minds the timers sleeps until then */
	struct m	*keeper;	/* S */
	uint64_t	id;		/* a  last goroutine id given to a P */
	uint64_t	n_born, n_died;	/* a  by foreign threads */
	uint64_t	n_handoffs;	/* a */
	bool		started;	/* a  [start] */
	bool		main_exited;	/* a  goroutine 1 called go_exit */
	bool		spin;		/* c  more than one CPU: searching Ms spin */
	uint32_t	monitor_asleep;	/* a  [monitor] futex: it sleeps until there is work */
	size_t		stack_size;	/* c  default usable size */
	uint8_t		stack_class;	/* c  its class */
	struct p	*p[MAX_PROCS];	/* a  published by n_p [sched-p] */
};
extern struct sched sched;
extern struct slab g_slab;	/* where Gs live */

/*
 * The current M.  The only thread-local variable of the library; never inlined as a plain
 * access, because compilers keep thread-local addresses in registers across calls, and after
 * a switch the thread may be another one (FACTS S3).  Read it afresh after every switch.
 */
extern __thread struct m *m_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

static ALWAYS_INLINE struct m *
self(void)
{
#if defined __x86_64__
	struct m *m;

	__asm__ volatile("movq m_self@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(m));
	return m;
#elif defined __aarch64__
	struct m *m;
	uintptr_t at;

	__asm__ volatile("adrp %0, :gottprel:m_self\n\tldr %0, [%0, :gottprel_lo12:m_self]\n\t"
			 "mrs %1, tpidr_el0\n\tldr %1, [%1, %0]"
			 : "=&r"(at), "=&r"(m));
	return m;
#endif
}

struct m	*enter_slow(struct m *m);	/* handoff.c */

/*
 * Every function that touches scheduler state runs between enter() and leave().  While we
 * are inside, nobody takes our P:
 *
 *     us                             the monitor
 *     in_rt = 1                      alert |= RETAKE
 *     (compiler barrier)             membarrier on all threads
 *     read alert                     read in_rt
 *
 * At least one sees the other [m-retake].  User code is never called inside.  enter() may
 * switch: what it returns is the current M, and p is NULL on threads without one.
 */
static ALWAYS_INLINE struct m *
enter(void)
{
	struct m *m = self();

	store_rlx(&m->in_rt, 1);		/* [m-retake] */
	compiler_barrier();
	if (unlikely(load_rlx(&m->alert) != 0))		/* [m-retake] */
		m = enter_slow(m);
	return m;
}

static ALWAYS_INLINE void
leave(struct m *m)
{
	store_rel(&m->in_rt, 0);		/* [m-retake] the monitor may have our P from here */
}

/* Yields if asked to: for what is called in loops and has no need of enter(). */
static ALWAYS_INLINE void
checkpoint(void)
{
	if (unlikely(load_rlx(&self()->alert) != 0))
		leave(enter());
}

void	proc_init(void);			/* before the first enter(); idempotent */
struct m *m_new(bool foreign);			/* not yet in use; NULL: no memory */
void	m_free(struct m *m);			/* foreign ones only */
void	m_bind(struct m *m);			/* the calling thread becomes m */
void	m_unbind(void);				/* the calling thread is nobody again */
bool	m_is_nobody(const struct m *m);
struct p *p_new(int id);
int	p_count(void);				/* Ps to look at: all that ever were */

static inline void
gqueue_push(struct gqueue *q, struct g *g)
{
	g->link = NULL;
	if (q->tail != NULL)
		q->tail->link = g;
	else
		q->head = g;
	q->tail = g;
	store_rlx(&q->n, q->n + 1);
}

static inline struct g *
gqueue_pop(struct gqueue *q)
{
	struct g *g = q->head;

	if (g != NULL) {
		q->head = g->link;
		if (q->head == NULL)
			q->tail = NULL;
		store_rlx(&q->n, q->n - 1);
	}
	return g;
}

static inline void
gqueue_append(struct gqueue *q, struct gqueue *from)
{
	if (from->head == NULL)
		return;
	if (q->tail != NULL)
		q->tail->link = from->head;
	else
		q->head = from->head;
	q->tail = from->tail;
	store_rlx(&q->n, q->n + from->n);
	*from = (struct gqueue){0};
}

/* All Gs ever made, in use or not, for dumps and the monitor: pass NULL first. */
struct g *g_next(struct g *g);
struct m *m_next(struct m *m);		/* Ms as well, foreign threads among them */

#endif
