/* SPDX-License-Identifier: MIT */
/*
 * Random traffic over channels: senders, receivers, selects, time limits, closers, threads.  No
 * value is lost, doubled or overtaken by a later one of the same sender on the same channel.
 */
#include "support.h"

enum { CHANNELS = 6, SENDERS = 8, RECEIVERS = 6, WORKERS = SENDERS + RECEIVERS, THREADS = 2 };

struct msg { int32_t sender, seq; uint64_t check; };

struct world {
	go_chan(struct msg) c[CHANNELS];
	uint64_t salt;
	int n;                                  /* messages of each sender */
	bool closing;                           /* channels are closed under way */
	atomic_uchar *seen;                     /* [sender][seq]: how often it was received */
	atomic_uchar *sent;                     /* [sender][seq]: how often it was delivered */
	atomic_int overtaken, damaged, open;
	go_waitgroup senders, receivers;
};

struct worker { struct world *w; int id; struct support_rng rng; };

static uint64_t
seal(int32_t sender, int32_t seq)
{
	return (uint64_t)(sender + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)seq << 20;
}

/* ------------------------------------------------------------ senders --- */

struct attempt { go_ch *c; struct msg *m; };

static void
send_it(void *arg)
{
	struct attempt *a = arg;

	go_chan_send(a->c, a->m);
}

/* Which channel took the message; -1: none, try another way. */
static int
send_somehow(struct worker *k, struct msg m)
{
	go_chan(struct msg) *c = k->w->c;
	int x = support_below(&k->rng, CHANNELS), y = support_below(&k->rng, CHANNELS);
	int64_t d = support_below(&k->rng, 50000);
	struct attempt a = {(go_ch *)c[x], &m};

	switch (support_below(&k->rng, k->w->closing ? 4 : 7)) {
	case 0:  return go_send_until(c[x], m, go_now() + d) == 0 ? x : -1;
	case 1:  return go_trysend(c[x], m) ? x : -1;
	case 2:  return go_send_until(c[x], m, GO_FOREVER) == 0 ? x : -1;
	case 3:  return go_try(send_it, &a, NULL) ? x : -1;
	case 4:  go_send(c[x], m);
		 return x;
	case 5:  return go_select(GO_SEND(c[x], m), GO_SEND(c[y], m)) ? y : x;
	default: switch (go_select(GO_SEND(c[x], m), GO_AFTER(d), GO_SEND(c[y], m))) {
		 case 0:  return x;
		 case 2:  return y;
		 default: return -1;
		 }
	}
}

static void
send_all(struct worker *k)
{
	struct world *w = k->w;

	for (int seq = 0; seq < w->n; seq++) {
		struct msg m = {k->id, seq, seal(k->id, seq) ^ w->salt};
		int tries = 0;

		while (send_somehow(k, m) < 0)
			if (atomic_load(&w->open) == 0 && ++tries > 20)
				return;
		atomic_fetch_add(&w->sent[k->id * w->n + seq], 1);
		if (support_below(&k->rng, 16) == 0 && go_running())
			go_yield();
	}
}

/* ------------------------------------------------------------ receivers --- */

struct order { int32_t last[CHANNELS][SENDERS]; };

static void
take(struct world *w, struct order *o, int chan, const struct msg *m)
{
	if (m->sender < 0 || m->sender >= SENDERS || m->seq < 0 || m->seq >= w->n ||
	    m->check != (seal(m->sender, m->seq) ^ w->salt)) {
		atomic_fetch_add(&w->damaged, 1);
		return;
	}
	atomic_fetch_add(&w->seen[m->sender * w->n + m->seq], 1);
	if (m->seq <= o->last[chan][m->sender])
		atomic_fetch_add(&w->overtaken, 1);
	o->last[chan][m->sender] = m->seq;
}

/* A select over a random part of what is still open; all of it if that is little. */
static void
receive_some(struct worker *k, struct order *o, bool *open)
{
	go_case cases[CHANNELS + 1];
	struct msg m[CHANNELS];
	int index[CHANNELS + 1], n = 0, chosen;
	bool ok = true;

	for (int i = 0; i < CHANNELS; i++) {
		if (!open[i] || support_below(&k->rng, 4) == 0)
			continue;
		cases[n] = GO_RECV_OK(k->w->c[i], &m[i], &ok);
		index[n++] = i;
	}
	index[n] = -1;
	cases[n] = GO_AFTER(support_below(&k->rng, 50000));
	if (support_below(&k->rng, 8) == 0)
		cases[n] = GO_DEFAULT;
	n++;
	chosen = index[go_selectv(cases, n, GO_FOREVER)];
	if (chosen >= 0 && ok)
		take(k->w, o, chosen, &m[chosen]);
	else if (chosen >= 0)
		open[chosen] = false;
}

static void
receive_plainly(struct worker *k, struct order *o, bool *open)
{
	int x = support_below(&k->rng, CHANNELS), rc = -ETIMEDOUT;
	struct msg m;

	if (!open[x])
		return;
	switch (support_below(&k->rng, 3)) {
	case 0:
		rc = go_recv_until(k->w->c[x], &m, go_now() + support_below(&k->rng, 50000));
		break;
	case 1:
		rc = go_recv_until(k->w->c[x], &m, GO_NOWAIT);
		break;
	default:
		if (!k->w->closing || go_len(k->w->c[x]) > 0)
			rc = go_recv(k->w->c[x], &m) ? 0 : -EPIPE;
		break;
	}
	if (rc == 0)
		take(k->w, o, x, &m);
	else if (rc == -EPIPE)
		open[x] = false;
}

static void
receive_all(struct worker *k)
{
	bool open[CHANNELS], any = true;
	struct order o;

	memset(&o, -1, sizeof o);
	memset(open, true, sizeof open);
	while (any) {
		if (k->id % 2 || support_below(&k->rng, 2))
			receive_some(k, &o, open);
		else
			receive_plainly(k, &o, open);
		any = false;
		for (int i = 0; i < CHANNELS; i++)
			any |= open[i];
	}
}

/* ------------------------------------------------------------ a round --- */

static void
work(void *arg)
{
	struct worker *k = arg;

	if (k->id < SENDERS) {
		send_all(k);
		go_wg_done(&k->w->senders);
	} else {
		receive_all(k);
		go_wg_done(&k->w->receivers);
	}
}

static void *
work_in_thread(void *arg)
{
	work(arg);
	return NULL;
}

static void
world_init(struct world *w, struct support_rng *rng, int n, bool closing)
{
	memset(w, 0, sizeof *w);
	for (int i = 0; i < CHANNELS; i++)
		w->c[i] = go_make(struct msg, support_rand(rng) % 2 * (support_rand(rng) % 6));
	w->salt = support_rand(rng);
	w->n = n;
	w->closing = closing;
	w->open = CHANNELS;
	w->seen = calloc((size_t)(SENDERS * n), 1);
	w->sent = calloc((size_t)(SENDERS * n), 1);
	go_wg_add(&w->senders, SENDERS);
	go_wg_add(&w->receivers, RECEIVERS);
}

static void
world_check(struct world *w, bool everything)
{
	int lost = 0, doubled = 0, missing = 0;

	for (int i = 0; i < SENDERS * w->n; i++) {
		lost += w->seen[i] < w->sent[i];
		doubled += w->seen[i] > w->sent[i] || w->sent[i] > 1;
		missing += w->sent[i] == 0;
	}
	CHECK_EQ(lost, 0);
	CHECK_EQ(doubled, 0);
	CHECK(!everything || missing == 0);
	CHECK_EQ(w->overtaken, 0);
	CHECK_EQ(w->damaged, 0);
	for (int i = 0; i < CHANNELS; i++) {
		CHECK_EQ(go_len(w->c[i]), 0);
		go_unref(w->c[i]);
	}
	free(w->seen);
	free(w->sent);
}

/* The last `threads` senders and the last `threads` receivers are threads. */
static void
run_round(struct support_rng *rng, int n, bool closing, int threads)
{
	struct world w;
	struct worker k[WORKERS];
	pthread_t t[2 * THREADS];
	int started = 0;

	world_init(&w, rng, n, closing);
	for (int i = 0; i < WORKERS; i++) {
		k[i] = (struct worker){&w, i, {support_rand(rng)}};
		if (i >= (i < SENDERS ? SENDERS : WORKERS) - threads) {
			if (pthread_create(&t[started++], NULL, work_in_thread, &k[i]) != 0)
				abort();
		} else {
			go_spawn(work, &k[i]);
		}
	}
	for (int i = 0; i < CHANNELS && closing; i++) {
		go_sleep(support_below(rng, 3) * GO_MILLISECOND);
		go_close(w.c[i]);
		atomic_fetch_sub(&w.open, 1);
	}
	go_wg_wait(&w.senders);
	for (int i = 0; i < CHANNELS && !closing; i++)
		go_close(w.c[i]);
	go_wg_wait(&w.receivers);
	for (int i = 0; i < started; i++)
		pthread_join(t[i], NULL);
	world_check(&w, !closing);
}

TEST(random_traffic_loses_nothing)
{
	struct support_rng rng = support_rng(1);

	for (int round = 0; round < 4; round++)
		run_round(&rng, (int)support_scale(4000), false, 0);
}

TEST(random_traffic_with_threads_loses_nothing)
{
	struct support_rng rng = support_rng(2);

	for (int round = 0; round < 4; round++)
		run_round(&rng, (int)support_scale(2000), false, THREADS);
}

TEST(closing_under_traffic_loses_nothing)
{
	struct support_rng rng = support_rng(3);

	for (int64_t round = support_scale(100); round > 0; round--)
		run_round(&rng, 500, true, round % 4 == 0 ? 1 : 0);
}

/* ------------------------------------------------------------ short-lived channels --- */

struct parcel { go_chan(int) c; int left; };

/* A channel wanders through goroutines by way of others, and is dropped by whoever has it last. */
static void
juggle(go_chan(struct parcel) in, go_chan(struct parcel) out, uint64_t seed, go_sender(int) done)
{
	struct support_rng rng = {seed};

	go_range(p, in) {
		int v = -1;

		if (!CHECK(go_recv(p.c, &v)))
			break;
		CHECK_EQ(v, p.left);
		if (p.left == 0) {
			go_unref(p.c);
			go_send(done, 1);
			continue;
		}
		if (support_below(&rng, 2)) {           /* pass it on, or a new one in its place */
			go_unref(p.c);
			p.c = go_make(int, 1);
		}
		p.left--;
		go_send(p.c, p.left);
		go_send(out, p);
	}
	go_close(out);
}
GO_TASK(juggle, go_chan(struct parcel), go_chan(struct parcel), uint64_t, go_sender(int));

TEST(channels_travel_and_die_anywhere)
{
	enum { STATIONS = 4, PARCELS = 6 };
	go_chan(struct parcel) ring[STATIONS + 1];
	go_chan(int) done = go_make(int, PARCELS);
	struct support_rng rng = support_rng(4);
	int hops = (int)support_scale(20000) / STATIONS * STATIONS;

	for (int i = 0; i <= STATIONS; i++)
		ring[i] = go_make(struct parcel, i == 0 ? PARCELS : 1);
	for (int i = 0; i < STATIONS - 1; i++)
		GO(juggle, ring[i], ring[i + 1], support_rand(&rng), go_send_only(done));
	GO(juggle, ring[STATIONS - 1], ring[STATIONS], support_rand(&rng), go_send_only(done));
	for (int i = 0; i < PARCELS; i++) {
		struct parcel p = {go_make(int, 1), hops};

		go_send(p.c, hops);
		go_send(ring[0], p);
	}
	for (int arrived = 0; arrived < PARCELS;) {     /* the last station's parcels start again */
		struct parcel p;

		switch (go_select(GO_RECV(ring[STATIONS], &p), GO_RECV(done, NULL))) {
		case 0:
			go_send(ring[0], p);
			break;
		case 1:
			arrived++;
			break;
		}
	}
	go_close(ring[0]);
	CHECK(!go_recv(ring[STATIONS], NULL));
	for (int i = 0; i <= STATIONS; i++)
		go_unref(ring[i]);
	go_unref(done);
}

/* ------------------------------------------------------------ wake-ups --- */

static void
echo(go_receiver(int) in, go_sender(int) out)
{
	go_range(v, in)
		go_send(out, v);
	go_close(out);
	go_unref(in);
	go_unref(out);
}
GO_TASK(echo, go_receiver(int), go_sender(int));

static void
converse(int n, uint64_t seed, go_waitgroup *wg)
{
	go_chan(int) a = go_make(int, seed % 2), b = go_make(int, seed / 2 % 2);
	struct support_rng rng = {seed};

	go_defer_done(wg);
	GO(echo, go_recv_only(go_ref(a)), go_send_only(go_ref(b)));
	for (int i = 0; i < n; i++) {
		int v = -1;

		go_send(a, i);
		if (support_below(&rng, 8) == 0)
			go_yield();
		if (support_below(&rng, 2))
			CHECK(go_recv(b, &v));
		else
			CHECK_EQ(go_select(GO_RECV(b, &v), GO_AFTER(GO_HOUR)), 0);
		CHECK_EQ(v, i);
	}
	go_close(a);
	CHECK(!go_recv(b, NULL));
	go_unref(a);
	go_unref(b);
}
GO_TASK(converse, int, uint64_t, go_waitgroup *);

/* One lost wake-up and this hangs. */
TEST(many_conversations_at_once_all_end)
{
	struct support_rng rng = support_rng(5);
	go_waitgroup wg = GO_WAITGROUP_INIT;
	int pairs = 100;

	go_wg_add(&wg, pairs);
	for (int i = 0; i < pairs; i++)
		GO(converse, (int)support_scale(2000), support_rand(&rng), &wg);
	go_wg_wait(&wg);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_traffic_loses_nothing),
	cmocka_unit_test(random_traffic_with_threads_loses_nothing),
	cmocka_unit_test(closing_under_traffic_loses_nothing),
	cmocka_unit_test(channels_travel_and_die_anywhere),
	cmocka_unit_test(many_conversations_at_once_all_end),
};

SUPPORT_MAIN(tests)
