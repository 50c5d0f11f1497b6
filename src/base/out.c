/* SPDX-License-Identifier: MIT */
/*
 * out.c - formatted output without stdio, locks or the heap.
 */
#include "out.h"

#include <string.h>
#include <unistd.h>

void
out_init(struct out *o, int fd)
{
	o->fd = fd;
	o->n = 0;
}

void
out_flush(struct out *o)
{
	size_t done = 0;
	int saved = errno;

	while (done < o->n) {
		ssize_t r = write(o->fd, o->buf + done, o->n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;		/* nobody to tell */
		done += (size_t)r;
	}
	o->n = 0;
	errno = saved;
}

static void
put(struct out *o, const char *s, size_t n)
{
	while (n > 0) {
		size_t room = sizeof(o->buf) - o->n;
		size_t k = n < room ? n : room;

		memcpy(o->buf + o->n, s, k);
		o->n += k;
		s += k;
		n -= k;
		if (o->n == sizeof(o->buf))
			out_flush(o);
	}
}

static void
pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, &c, 1);
}

struct spec {
	int	width;
	bool	left, zero, wide;	/* wide: l, ll or z, all 64 bits here */
};

static void
put_field(struct out *o, const struct spec *s, const char *text, size_t n)
{
	int fill = s->width - (int)n;

	if (!s->left)
		pad(o, s->zero ? '0' : ' ', fill);
	put(o, text, n);
	if (s->left)
		pad(o, ' ', fill);
}

static void
put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool minus)
{
	char buf[24];
	size_t i = sizeof(buf);

	do {
		buf[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	if (minus)
		buf[--i] = '-';
	put_field(o, s, buf + i, sizeof(buf) - i);
}

static const char *
parse_spec(const char *f, struct spec *s)
{
	*s = (struct spec){0};
	for (; *f == '-' || *f == '0'; f++)
		*(*f == '-' ? &s->left : &s->zero) = true;
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		s->wide = true;
	return f;
}

static void
put_signed(struct out *o, const struct spec *s, int64_t v)
{
	put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
}

void
out_vfmt(struct out *o, const char *f, va_list ap)
{
	struct spec s;
	const char *t;
	char c;

	for (; *f != '\0'; f++) {
		if (*f != '%') {
			put(o, f, 1);
			continue;
		}
		f = parse_spec(f + 1, &s);
		switch (*f) {
		case 's':
			t = va_arg(ap, const char *);
			t = t != NULL ? t : "(null)";
			put_field(o, &s, t, strlen(t));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_field(o, &s, &c, 1);
			break;
		case 'd':
			put_signed(o, &s, s.wide ? va_arg(ap, int64_t) : va_arg(ap, int));
			break;
		case 'u':
			put_number(o, &s, s.wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned), 10, false);
			break;
		case 'x':
			put_number(o, &s, s.wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned), 16, false);
			break;
		case 'p':
			put(o, "0x", 2);
			put_number(o, &s, (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		case '\0':
			return;
		default:
			put(o, f, 1);
		}
	}
}

void
out_fmt(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_vfmt(o, fmt, ap);
	va_end(ap);
}
