/* SPDX-License-Identifier: MIT */
/*
 * switch.c - the shape of a context that has not run yet.
 *
 * The picture of what is written here is in the assembly file.
 */
#include "switch.h"

#include <string.h>

#define WORD	sizeof(uintptr_t)

_Static_assert(SWITCH_AT_PC + WORD <= SWITCH_FRAME, "the frame contains what switch_init writes");
_Static_assert(SWITCH_AT_FN + WORD <= SWITCH_FRAME, "the frame contains what switch_init writes");
_Static_assert(SWITCH_AT_ARG + WORD <= SWITCH_FRAME, "the frame contains what switch_init writes");
_Static_assert(SWITCH_FRAME % WORD == 0, "a frame is made of words");
_Static_assert(sizeof(void (*)(void *)) == WORD, "a function pointer fits a register");

void	switch_start(void);	/* in the assembly file; not to be called */

NO_ASAN void *
switch_init(void *base, void (*fn)(void *), void *arg)
{
	char *sp = (char *)base - SWITCH_FRAME;

	assert((uintptr_t)base % 16 == 0);
	memset(sp, 0, SWITCH_FRAME);
	*(uintptr_t *)(void *)(sp + SWITCH_AT_PC) = (uintptr_t)switch_start;
	*(uintptr_t *)(void *)(sp + SWITCH_AT_FN) = (uintptr_t)fn;
	*(uintptr_t *)(void *)(sp + SWITCH_AT_ARG) = (uintptr_t)arg;
	return sp;
}
