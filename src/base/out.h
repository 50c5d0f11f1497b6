/* SPDX-License-Identifier: MIT */
/*
 * out.h - formatted output that is safe in a signal handler and with a broken heap.
 *
 * Knows %s %c %d %u %x %p, with l, ll or z, a field width and the flags - and 0.
 */
#ifndef GORO_OUT_H
#define GORO_OUT_H

#include <stdarg.h>

#include "base.h"

struct out {
	int	fd;
	size_t	n;
	char	buf[1024];
};

void	out_init(struct out *o, int fd);
void	out_fmt(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
void	out_vfmt(struct out *o, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void	out_flush(struct out *o);

#endif
