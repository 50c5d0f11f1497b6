/* SPDX-License-Identifier: MIT */
/*
 * check.h - what the patterns have in common: they check themselves, and that nobody is left.
 */
#ifndef CHECK_H
#define CHECK_H

#include <err.h>
#include <goro.h>
#include <stdio.h>

/* A pattern that did not do what it is for says so and fails. */
#define check(cond) ((cond) ? (void)0 : errx(1, "%s:%d: not true: %s", __FILE__, __LINE__, #cond))

/*
 * What main returns: 0 if it is the only goroutine, and what it printed is written.  Others may be
 * on their way out: who has sent his last word, or counted himself done, ends a moment later.  Who
 * waits for what never comes does not, and is shown.
 */
static inline int nobody_left(void)
{
	int64_t patience = go_now() + 60 * GO_SECOND;

	while (go_count() > 1 && go_now() < patience)
		go_sleep(GO_MILLISECOND / 10);
	if (go_count() > 1) {
		warnx("goroutines left behind: %d", go_count() - 1);
		go_dump(2);
		return 1;
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	return 0;
}

#endif /* CHECK_H */
