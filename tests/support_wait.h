/* SPDX-License-Identifier: MIT */
/*
 * support_wait.h - waiting for what other goroutines do, without fixed sleeps (part of support.h).
 */
#ifndef SUPPORT_WAIT_H
#define SUPPORT_WAIT_H

#include <sched.h>
#include <sys/mman.h>

struct support_wait { int64_t deadline; unsigned steps; };

/* One step of waiting for what other goroutines bring about: false when patience is over. */
static inline bool
support_wait_step(struct support_wait *w)
{
	if (w->deadline == 0)
		w->deadline = support_clock() + 30 * GO_SECOND;
	if (++w->steps % 64 != 0 && go_running()) {
		go_yield();
		return true;
	}
	if (go_running())
		go_sleep(100 * GO_MICROSECOND);
	else
		nanosleep(&(struct timespec){0, 100000}, NULL);
	return support_clock() < w->deadline;
}

/* Wait until cond holds; it is a failure of the test if that takes half a minute. */
#define wait_until(cond)                                                                \
	do {                                                                            \
		struct support_wait support_w = {0, 0};                                 \
		bool support_ok;                                                        \
		while (!(support_ok = (cond)) && support_wait_step(&support_w))         \
			;                                                               \
		CHECK_MSG(support_ok, "waited in vain for %s", #cond);                  \
	} while (0)

/*
 * Give everybody who can run the chance to do so.  Nothing may depend on it being enough: use it
 * before checks that something has NOT happened, or to make an interleaving likely.
 */
static inline void
support_settle(void)
{
	for (int i = 0; i < 50; i++) {
		if (!go_running())
			sched_yield();
		else if (i % 25 == 24)
			go_sleep(200 * GO_MICROSECOND);
		else
			go_yield();
	}
}

/* Is it "goroutine N [reason...]: name..."? */
static inline bool
support_is_parked(char *line, const char *name, const char *reason)
{
	char *state = strchr(line, '['), *end = strstr(line, "]:");

	if (strncmp(line, "goroutine ", 10) != 0 || state == NULL || end == NULL)
		return false;
	end += end[2] == ' ' ? 3 : 2;
	return strncmp(state + 1, reason, strlen(reason)) == 0 &&
	       strncmp(end, name, strlen(name)) == 0;
}

/* How many goroutines whose name begins with `name` wait for what begins with `reason`. */
static inline int
support_parked(const char *name, const char *reason)
{
	int fd = memfd_create("dump", MFD_CLOEXEC), count = 0;
	FILE *f = fd >= 0 ? fdopen(fd, "w+") : NULL;
	char line[512];

	if (f == NULL)
		abort();
	go_dump(fd);
	rewind(f);
	while (fgets(line, sizeof line, f) != NULL)
		count += support_is_parked(line, name, reason);
	fclose(f);
	return count;
}

#endif /* SUPPORT_WAIT_H */
