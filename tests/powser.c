/* SPDX-License-Identifier: MIT */
/*
 * Power series as streams of coefficients (after McIlroy's "Squinting at power series", which Go's
 * powser1.go and powser2.go are, too): every operation is a goroutine that computes a coefficient
 * when it is asked for one.  Hundreds of goroutines, demand and data on separate channels, selects
 * whose cases come and go, streams that feed on themselves.
 *
 * A stream that is dropped ends its producer, which drops what it reads: in the end nobody is left.
 */
#include "support.h"

typedef struct rat { int64_t num, den; } rat;

typedef struct stream { go_chan(bool) want; go_chan(rat) data; } stream;

enum { N = 8 };                         /* coefficients that are compared */

/* ------------------------------------------------------------ rational numbers --- */

static int64_t
gcd(int64_t a, int64_t b)
{
	return b == 0 ? (a < 0 ? -a : a) : gcd(b, a % b);
}

static rat
ratio(int64_t num, int64_t den)
{
	int64_t g = gcd(num, den);

	if (den < 0)
		g = -g;
	return (rat){num / g, den / g};
}

static rat
plus(rat a, rat b)
{
	return ratio(a.num * b.den + b.num * a.den, a.den * b.den);
}

static rat
times(rat a, rat b)
{
	return ratio(a.num * b.num, a.den * b.den);
}

/* ------------------------------------------------------------ streams --- */

/* One reference for the producer, one for the consumer. */
static stream
new_stream(void)
{
	stream s = {go_make(bool, 0), go_make(rat, 0)};

	go_ref(s.want);
	go_ref(s.data);
	return s;
}

static void
release(stream s)
{
	go_unref(s.want);
	go_unref(s.data);
}

/* Producer: is another coefficient asked for?  If not, the stream is over. */
static bool
wanted(stream s)
{
	return go_recv(s.want, NULL);
}

static void
put(stream s, rat v)
{
	go_send(s.data, v);
}

static rat
get(stream s)
{
	rat v = {0, 1};

	go_send(s.want, true);
	CHECK(go_recv(s.data, &v));
	return v;
}

/* One of each, in whatever order they can be had. */
static void
get_two(stream f, stream g, rat v[2])
{
	go_chan(bool) want[2] = {f.want, g.want};
	go_chan(rat) data[2] = {NULL, NULL};

	for (int steps = 0; steps < 4; steps++) {
		int k = go_select(GO_SEND(want[0], true), GO_SEND(want[1], true),
				  GO_RECV(data[0], &v[0]), GO_RECV(data[1], &v[1]));

		if (k < 2) {
			want[k] = NULL;
			data[k] = k == 0 ? f.data : g.data;
		} else {
			data[k - 2] = NULL;
		}
	}
}

/* Consumer: no more. */
static void
drop(stream s)
{
	go_close(s.want);
	release(s);
}

/* ------------------------------------------------------------ sources --- */

static void
make_poly(stream out, int a, int b, int c)
{
	const int v[3] = {a, b, c};

	for (int i = 0; wanted(out); i++)
		put(out, ratio(i < 3 ? v[i] : 0, 1));
	release(out);
}
GO_TASK(make_poly, stream, int, int, int);

static void
make_ones(stream out)
{
	while (wanted(out))
		put(out, ratio(1, 1));
	release(out);
}
GO_TASK(make_ones, stream);

static stream
poly(int a, int b, int c)
{
	stream s = new_stream();

	GO(make_poly, s, a, b, c);
	return s;
}

static stream
ones(void)
{
	stream s = new_stream();

	GO(make_ones, s);
	return s;
}

/* ------------------------------------------------------------ term by term --- */

static void
make_sum(stream f, stream g, stream out)
{
	rat v[2];

	while (wanted(out)) {
		get_two(f, g, v);
		put(out, plus(v[0], v[1]));
	}
	drop(f);
	drop(g);
	release(out);
}
GO_TASK(make_sum, stream, stream, stream);

static void
make_scaled(rat c, stream f, stream out)
{
	while (wanted(out))
		put(out, times(c, get(f)));
	drop(f);
	release(out);
}
GO_TASK(make_scaled, rat, stream, stream);

/* first + x f */
static void
make_shifted(rat first, stream f, stream out)
{
	if (wanted(out)) {
		put(out, first);
		while (wanted(out))
			put(out, get(f));
	}
	drop(f);
	release(out);
}
GO_TASK(make_shifted, rat, stream, stream);

static void
make_derivative(stream f, stream out)
{
	for (int n = 0; wanted(out); n++) {
		if (n == 0)
			get(f);
		put(out, times(ratio(n + 1, 1), get(f)));
	}
	drop(f);
	release(out);
}
GO_TASK(make_derivative, stream, stream);

static void
make_integral(rat c, stream f, stream out)
{
	for (int n = 0; wanted(out); n++)
		put(out, n == 0 ? c : times(ratio(1, n), get(f)));
	drop(f);
	release(out);
}
GO_TASK(make_integral, rat, stream, stream);

static stream
sum(stream f, stream g)
{
	stream s = new_stream();

	GO(make_sum, f, g, s);
	return s;
}

static stream
scaled(rat c, stream f)
{
	stream s = new_stream();

	GO(make_scaled, c, f, s);
	return s;
}

static stream
shifted(rat first, stream f)
{
	stream s = new_stream();

	GO(make_shifted, first, f, s);
	return s;
}

static stream
derivative(stream f)
{
	stream s = new_stream();

	GO(make_derivative, f, s);
	return s;
}

static stream
integral(rat c, stream f)
{
	stream s = new_stream();

	GO(make_integral, c, f, s);
	return s;
}

/* ------------------------------------------------------------ split --- */

enum { QUEUE = 64 };                    /* how far one half may be ahead of the other */

struct half { stream s; bool open, waits; unsigned taken; };

/*
 * Serves both halves and its source at the same time, for f may be computed from a: then the loop
 * ends with b.
 */
static void
make_split(stream f, stream a, stream b, bool loop)
{
	struct half h[2] = {{a, true, false, 0}, {b, true, false, 0}};
	unsigned have = 0;
	rat queue[QUEUE], v;
	bool asked = false, ok[2];

	while (h[1].open || (h[0].open && !loop) || asked) {
		go_chan(bool) w[2];
		int k;

		for (int i = 0; i < 2; i++)
			w[i] = h[i].open && !h[i].waits ? h[i].s.want : NULL;
		k = go_select(GO_RECV_OK(w[0], NULL, &ok[0]), GO_RECV_OK(w[1], NULL, &ok[1]),
			      GO_RECV(asked ? f.data : NULL, &v));
		if (k < 2) {
			h[k].open = h[k].waits = ok[k];
		} else {
			queue[have++ % QUEUE] = v;
			asked = false;
		}
		for (int i = 0; i < 2; i++) {
			if (!h[i].waits)
				continue;
			if (h[i].taken < have) {
				CHECK(have - h[i].taken <= QUEUE);
				put(h[i].s, queue[h[i].taken++ % QUEUE]);
				h[i].waits = false;
			} else if (!asked) {
				go_send(f.want, true);
				asked = true;
			}
		}
	}
	drop(f);
	release(a);
	release(b);
}
GO_TASK(make_split, stream, stream, stream, bool);

static void
split(stream f, stream *a, stream *b)
{
	*a = new_stream();
	*b = new_stream();
	GO(make_split, f, *a, *b, false);
}

/* A stream yet to be defined, with itself to define it from. */
static stream
loop(stream *self, stream *result)
{
	stream s = new_stream();

	*self = new_stream();
	*result = new_stream();
	GO(make_split, s, *self, *result, true);
	return s;
}

/* ------------------------------------------------------------ products --- */

static stream product(stream f, stream g);

/* (f0 + x F)(g0 + x G) = f0 g0 + x (f0 G + g0 F + x F G) */
static void
make_product(stream f, stream g, stream out)
{
	stream f1, f2, g1, g2, rest;
	rat v[2];

	if (!wanted(out)) {
		drop(f);
		drop(g);
		release(out);
		return;
	}
	get_two(f, g, v);
	put(out, times(v[0], v[1]));
	if (!wanted(out)) {
		drop(f);
		drop(g);
		release(out);
		return;
	}
	split(f, &f1, &f2);
	split(g, &g1, &g2);
	rest = sum(sum(scaled(v[0], g1), scaled(v[1], f1)), shifted(ratio(0, 1), product(f2, g2)));
	do
		put(out, get(rest));
	while (wanted(out));
	drop(rest);
	release(out);
}
GO_TASK(make_product, stream, stream, stream);

static stream
product(stream f, stream g)
{
	stream s = new_stream();

	GO(make_product, f, g, s);
	return s;
}

/* 1 / (f0 + x F) = R with R = 1/f0 - x F R / f0 */
static stream
reciprocal(stream f)
{
	stream mine, result, r = loop(&mine, &result);
	rat first = get(f);

	first = ratio(first.den, first.num);
	GO(make_shifted, first, scaled(times(ratio(-1, 1), first), product(f, mine)), r);
	return result;
}

/* E with E' = E F' and E0 = 1; F0 = 0 */
static stream
exponential(stream f)
{
	stream mine, result, e = loop(&mine, &result);

	GO(make_integral, ratio(1, 1), product(mine, derivative(f)), e);
	return result;
}

/* T with T' = 1 + T T and T0 = 0 */
static stream
tangent(void)
{
	stream mine, result, a, b, t = loop(&mine, &result);

	split(mine, &a, &b);
	GO(make_integral, ratio(0, 1), sum(poly(1, 0, 0), product(a, b)), t);
	return result;
}

/* The integral of 1 / (1 + x x) */
static stream
arctangent(void)
{
	return integral(ratio(0, 1), reciprocal(poly(1, 0, 1)));
}

static void make_composed(stream f, stream g, stream out);
GO_TASK(make_composed, stream, stream, stream);

static stream
composed(stream f, stream g)
{
	stream s = new_stream();

	GO(make_composed, f, g, s);
	return s;
}

/* f0 + g F(g) where f = f0 + x F and g = 0 + x G */
static void
make_composed(stream f, stream g, stream out)
{
	stream g1, g2, rest;

	if (!wanted(out)) {
		drop(f);
		drop(g);
		release(out);
		return;
	}
	put(out, get(f));
	split(g, &g1, &g2);
	CHECK_EQ(get(g1).num, 0);
	rest = product(g1, composed(f, g2));
	while (wanted(out))
		put(out, get(rest));
	drop(rest);
	release(out);
}

/* ------------------------------------------------------------ the tests --- */

static int baseline;                    /* goroutines before the streams */

static void
check_series(stream s, const rat *expected, int n, const char *what)
{
	for (int i = 0; i < n; i++) {
		rat v = get(s);

		CHECK_MSG(v.num == expected[i].num && v.den == expected[i].den,
			  "%s, coefficient %d: %jd/%jd, not %jd/%jd", what, i, (intmax_t)v.num,
			  (intmax_t)v.den, (intmax_t)expected[i].num,
			  (intmax_t)expected[i].den);
	}
	drop(s);
}

#define SERIES(s, n, ...) check_series((s), (const rat[N]){__VA_ARGS__}, (n), #s)

static int
begin(__attribute__((unused)) void **state)
{
	wait_until(go_count() <= 2);
	baseline = go_count();
	return 0;
}

/* Dropped streams end, all the way up to their sources. */
static int
end(__attribute__((unused)) void **state)
{
	wait_until(go_count() <= baseline);
	return 0;
}

TEST(sources_and_sums)
{
	SERIES(ones(), N, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1});
	SERIES(sum(ones(), ones()), 4, {2, 1}, {2, 1}, {2, 1}, {2, 1});
	SERIES(sum(ones(), scaled(ratio(-1, 1), ones())), 4, {0, 1}, {0, 1}, {0, 1}, {0, 1});
	SERIES(sum(poly(1, 2, 3), ones()), 5, {2, 1}, {3, 1}, {4, 1}, {1, 1}, {1, 1});
	SERIES(shifted(ratio(5, 7), ones()), 3, {5, 7}, {1, 1}, {1, 1});
}

TEST(derivatives_and_integrals)
{
	SERIES(derivative(ones()), 4, {1, 1}, {2, 1}, {3, 1}, {4, 1});
	SERIES(integral(ratio(0, 1), ones()), 5, {0, 1}, {1, 1}, {1, 2}, {1, 3}, {1, 4});
	SERIES(derivative(integral(ratio(3, 1), ones())), 4, {1, 1}, {1, 1}, {1, 1}, {1, 1});
}

TEST(products)
{
	SERIES(product(ones(), ones()), 6, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1});
	SERIES(product(poly(1, -1, 0), ones()), 5, {1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1});
	SERIES(product(poly(1, 1, 0), poly(1, 1, 0)), 5, {1, 1}, {2, 1}, {1, 1}, {0, 1}, {0, 1});
}

TEST(reciprocals)
{
	SERIES(reciprocal(ones()), 6, {1, 1}, {-1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1});
	SERIES(reciprocal(poly(1, -1, 0)), 6, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1});
	SERIES(reciprocal(poly(2, 1, 0)), 4, {1, 2}, {-1, 4}, {1, 8}, {-1, 16});
}

TEST(exponentials)
{
	SERIES(exponential(poly(0, 1, 0)), N, {1, 1}, {1, 1}, {1, 2}, {1, 6}, {1, 24}, {1, 120},
	       {1, 720}, {1, 5040});
	SERIES(product(exponential(poly(0, 1, 0)), exponential(poly(0, -1, 0))), 5,
	       {1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1});
	SERIES(derivative(exponential(poly(0, 1, 0))), 4, {1, 1}, {1, 1}, {1, 2}, {1, 6});
}

TEST(tangent_and_arctangent)
{
	SERIES(tangent(), N, {0, 1}, {1, 1}, {0, 1}, {1, 3}, {0, 1}, {2, 15}, {0, 1}, {17, 315});
	SERIES(arctangent(), N, {0, 1}, {1, 1}, {0, 1}, {-1, 3}, {0, 1}, {1, 5}, {0, 1}, {-1, 7});
}

TEST(composition_of_inverses_is_the_identity)
{
	int n = support_max_goroutines() < 1000 ? 4 : N;

	SERIES(composed(tangent(), arctangent()), n, {0, 1}, {1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1},
	       {0, 1}, {0, 1});
}

/* Streams nobody reads from, and some that are left in the middle. */
TEST(unread_streams_end)
{
	drop(ones());
	drop(product(ones(), reciprocal(ones())));
	drop(exponential(poly(0, 1, 0)));
	SERIES(product(ones(), tangent()), 1, {0, 1});
	SERIES(composed(ones(), poly(0, 1, 0)), 1, {1, 1});
}

#define SERIES_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
	SERIES_TEST(sources_and_sums),
	SERIES_TEST(derivatives_and_integrals),
	SERIES_TEST(products),
	SERIES_TEST(reciprocals),
	SERIES_TEST(exponentials),
	SERIES_TEST(tangent_and_arctangent),
	SERIES_TEST(composition_of_inverses_is_the_identity),
	SERIES_TEST(unread_streams_end),
};

SUPPORT_MAIN(tests)
