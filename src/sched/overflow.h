/* SPDX-License-Identifier: MIT */
/*
 * overflow.h - the SIGSEGV handler that names stack overflows.
 */
#ifndef GORO_OVERFLOW_H
#define GORO_OVERFLOW_H

void	overflow_init(void);

#endif
