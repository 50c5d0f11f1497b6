/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - the clock, and sleeping.
 */
#include "../base/san.h"
#include "../sync/wait.h"

struct sleeper {
	struct timer	timer;
	struct g	*g;
	int64_t		deadline;
};

static struct g *
awake(struct timer *t, int64_t now, struct timer **later)
{
	(void)now;
	(void)later;
	return container_of(t, struct sleeper, timer)->g;
}

/* The last touch of the sleeper is timer_add: it may fire before that returns. */
static void
finish_sleep(struct g *g, void *arg)
{
	struct sleeper *s = arg;
	struct m *m = self();
	struct p *p = m->p != NULL ? m->p : sched.p[0];
	int64_t deadline = s->deadline;

	(void)g;
	if (timer_add_sure(p, &s->timer, deadline))
		sched_timer_added(m, p, deadline);
}

static void
sleep_thread(int64_t deadline)
{
	struct note n = {0};

	note_wait(&n, deadline);
}

void
go_sleep_until(int64_t deadline)
{
	struct sleeper s = {.deadline = deadline};
	struct m *m;

	if (deadline <= os_now()) {
		go_checkpoint();
		return;
	}
	m = enter();
	if (m->foreign) {
		leave(m);
		sleep_thread(deadline);
		return;
	}
	sched_check_section(m);
	s.g = m->g;
	s.timer.fire = awake;
	m = sched_park(m, finish_sleep, &s, WAIT_SLEEP, NULL);
	leave(m);
}

void
go_sleep(int64_t ns)
{
	int64_t now;

	if (ns <= 0)
		return;
	now = os_now();
	go_sleep_until(ns > INT64_MAX - now ? GO_FOREVER : now + ns);
}

int64_t
go_now(void)
{
	return os_now();
}

void
go_yield(void)
{
	leave(sched_yield_now(enter()));
}
