/* SPDX-License-Identifier: MIT */
/*
 * publish.c - a broker passes every message on to all who have subscribed.
 *
 * The list of subscribers belongs to the broker's goroutine alone, so it needs no lock: who wants
 * to be on it, or off it, sends a request, just as who publishes does.  A subscriber is a channel
 * with some room.  One that is full loses the message, or the slowest would stop everybody.
 *
 *	publishers --news--> broker --> subscriber, subscriber, ...
 *	         requests -----^
 */
#include <goro.h>
#include <stdio.h>
#include "check.h"

enum { MOST = 8 };
struct request { go_sender(int) who; bool join; }; /* to join, or to leave */
struct broker {
	go_chan(int) news; /* closed: no more; all subscriptions end */
	go_chan(struct request) requests;
	go_waitgroup end;
	int n, lost;
	go_sender(int) to[MOST];
};

static void request(struct broker *b, struct request r)
{
	check(b->n < MOST);
	if (r.join)
		b->to[b->n++] = r.who;
	for (int i = 0; i < b->n && !r.join; i++)
		if (b->to[i] == r.who) {
			go_close(r.who); /* says that no more will come */
			go_unref(r.who);
			b->to[i] = b->to[--b->n];
		}
}

static void run(struct broker *b)
{
	struct request r;
	bool more = true;
	int item;

	while (more)
		if (go_select(GO_RECV_OK(b->news, &item, &more), GO_RECV(b->requests, &r)) == 1)
			request(b, r);
		else
			for (int i = 0; i < b->n && more; i++)
				b->lost += !go_trysend(b->to[i], item);
	while (b->n > 0)
		request(b, (struct request){b->to[0], false});
}
GO_TASK(run, struct broker *);

/* The broker gets a reference of its own to the channel. */
static go_chan(int) subscribe(struct broker *b, size_t room)
{
	go_chan(int) c = go_make(int, room);

	go_send(b->requests, (struct request){go_send_only(go_ref(c)), true});
	return c;
}

static void show(const char *name, go_chan(int) c)
{
	printf("%s:", name);
	go_range(item, c)
		printf(" %d", item);
	printf("\n");
	go_unref(c);
}

static int app(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct broker b = {.news = go_make(int, 0), .requests = go_make(struct request, 0)};

	GO_WG(&b.end, run, &b);
	go_chan(int) all = subscribe(&b, 8), slow = subscribe(&b, 2), early = subscribe(&b, 8);

	for (int item = 1; item <= 5; item++) {
		go_send(b.news, item);
		if (item == 3)
			go_send(b.requests, (struct request){go_send_only(early), false});
	}
	go_close(b.news);
	go_wg_wait(&b.end);
	show("all", all);
	show("slow", slow);
	show("left early", early);
	printf("lost: %d\n", b.lost);
	go_unref(b.news);
	go_unref(b.requests);
	return nobody_left();
}
GO_MAIN(app)
