/* SPDX-License-Identifier: MIT */
/*
 * words.h - the part of wordfreq.c that is plain C: going through directories, counting words.
 *
 * Nothing in here calls goro.  A table of words belongs to one goroutine at a time.
 */
#ifndef WORDS_H
#define WORDS_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16 };
struct word { struct word *next; uint64_t hash, count; char text[]; };

/* Zeroed, it is a table without words. */
struct words {
	struct word **bucket;
	uint64_t      total;     /* all that were counted */
	size_t        different; /* all in the table */
	struct word  *word;      /* the one we are in, or memory for the next, or NULL */
	size_t        len, room; /* its length, and the size of its text[] */
};

static char letter[256]; /* the lower-case letter for a byte, or 0 */

static void make_letters(void *unused)
{
	(void)unused;
	for (int c = 'a'; c <= 'z'; c++)
		letter[c] = letter[c - 'a' + 'A'] = (char)c;
}

static void *need(void *memory)
{
	if (!memory)
		errx(2, "out of memory");
	return memory;
}

/* Puts w into the table and returns NULL; or adds its count to that of the same word, returns w. */
static struct word *enter(struct words *t, struct word *w)
{
	struct word **at;

	if (!t->bucket)
		t->bucket = need(calloc(BUCKETS, sizeof *t->bucket));
	t->total += w->count;
	for (at = &t->bucket[w->hash % BUCKETS]; *at; at = &(*at)->next)
		if ((*at)->hash == w->hash && strcmp((*at)->text, w->text) == 0) {
			(*at)->count += w->count;
			return w;
		}
	t->different++;
	w->next = NULL;
	*at = w;
	return NULL;
}

/* The word we are in, if any, is over. */
static void end_word(struct words *t)
{
	struct word *w = t->word;
	uint64_t hash = 0;

	if (t->len == 0)
		return;
	for (size_t i = 0; i < t->len; i++)
		hash = (hash ^ (uint64_t)w->text[i]) * 0x01000193;
	w->text[t->len] = '\0';
	w->hash = hash;
	w->count = 1;
	t->len = 0;
	t->word = enter(t, w);
	if (!t->word)
		t->room = 0;
}

static void lengthen_word(struct words *t, char c)
{
	if (t->len + 1 >= t->room) {
		t->room = 2 * t->room + 32;
		t->word = need(realloc(t->word, sizeof *t->word + t->room));
	}
	t->word->text[t->len++] = c;
}

/*
 * Counts the words of a file, adds its bytes.  Returns 0 or an errno value.  Not to be inlined, nor
 * is next_entry(): compilers keep the address of errno while in a function, and it is another one
 * after a goroutine has changed threads.
 */
static __attribute__((noinline)) int
count_file(struct words *t, const char *path, atomic_ullong *bytes)
{
	unsigned char buf[64 * 1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n = -1;

	/* This is plain read().  Should it take long, goro lets other goroutines run meanwhile. */
	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (letter[buf[i]])
				lengthen_word(t, letter[buf[i]]);
			else
				end_word(t);
		*bytes += (unsigned long long)n;
	}
	err = n < 0 ? errno : 0;
	end_word(t);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Moves the words to another table. */
static void merge(struct words *to, struct words *from)
{
	for (size_t i = 0; from->bucket && i < BUCKETS; i++)
		for (struct word *w = from->bucket[i], *next; w; w = next) {
			next = w->next;
			free(enter(to, w));
		}
	free(from->bucket);
	free(from->word);
}

static int by_count(const void *a, const void *b)
{
	const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;

	return x->count == y->count ? strcmp(x->text, y->text) : x->count < y->count ? 1 : -1;
}

/* Prints the most frequent words, those of the same count in alphabetical order, and the sums. */
static void print_words(const struct words *t, size_t most)
{
	struct word **list = need(calloc(t->different + 1, sizeof *list)), **end = list;

	for (size_t i = 0; t->bucket && i < BUCKETS; i++)
		for (struct word *w = t->bucket[i]; w; w = w->next)
			*end++ = w;
	qsort(list, t->different, sizeof *list, by_count);
	for (size_t i = 0; i < most && i < t->different; i++)
		printf("%9llu  %s\n", (unsigned long long)list[i]->count, list[i]->text);
	free(list);
	printf("%llu words, %zu different\n", (unsigned long long)t->total, t->different);
}

/* The number that s is, or -1. */
static int number(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 9 && strspn(s, "0123456789") == len ? atoi(s) : -1;
}

/* The next entry under root, NULL at the end; *err is 0, or the errno value of what is wrong. */
static __attribute__((noinline)) FTSENT *next_entry(FTS **tree, char *root, int *err)
{
	char *roots[] = {root, NULL};
	FTSENT *e = NULL;

	if (*tree || (*tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL)))
		e = fts_read(*tree);
	*err = e ? e->fts_errno : errno;
	if (e && e->fts_level == 0 && (e->fts_info == FTS_SLNONE || e->fts_info == FTS_DEFAULT))
		*err = e->fts_info == FTS_SLNONE ? ENOENT : ENOTDIR;
	if (!e && *tree) {
		fts_close(*tree);
		*tree = NULL;
	}
	return e;
}

#endif
