/* SPDX-License-Identifier: MIT */
/*
 * helper_wordfreq_plain.c - counts words the slow and obvious way, to check examples/wordfreq.
 *
 * Not a test by itself: tests/examples.sh compares its output with that of wordfreq.  It shares no
 * code with it, nor the method: one thread, no hash table, every single occurrence of a word is
 * kept, sorted, and then counted.  Prints what wordfreq prints under -n 999999999, but for the
 * line about time.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct counted {
	const char *word;
	unsigned long long n;
};

static char **words;		/* every occurrence */
static size_t n_words, room;
static unsigned long long files, bytes;
static int status;

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "helper_wordfreq_plain: out of memory\n");
		exit(2);
	}
	return memory;
}

static void complain(const char *path)
{
	fprintf(stderr, "helper_wordfreq_plain: %s: %s\n", path, strerror(errno));
	status = 1;
}

static void keep(const char *word, size_t len)
{
	char *copy = need(malloc(len + 1));

	memcpy(copy, word, len);
	copy[len] = '\0';
	if (n_words == room)
		words = need(realloc(words, (room = 2 * room + 1000) * sizeof *words));
	words[n_words++] = copy;
}

/* The whole file in memory, then word by word. */
static void count_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0, size = 0, start = 0;

	if (!f) {
		complain(path);
		return;
	}
	for (int c; (c = getc(f)) != EOF;) {
		if (len == size)
			text = need(realloc(text, size = 2 * size + 4096));
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		text[len++] = (char)c;
	}
	if (ferror(f))
		complain(path);
	else
		files++;
	fclose(f);
	bytes += len;
	for (size_t i = 0; i <= len; i++)
		if (i == len || text[i] < 'a' || text[i] > 'z') {
			if (i > start)
				keep(text + start, i - start);
			start = i + 1;
		}
	free(text);
}

static void walk(const char *path, int named)
{
	struct stat st;

	if ((named ? stat : lstat)(path, &st) != 0) {
		complain(path);
	} else if (S_ISREG(st.st_mode)) {
		count_file(path);
	} else if (S_ISDIR(st.st_mode)) {
		DIR *dir = opendir(path);

		if (!dir) {
			complain(path);
			return;
		}
		for (struct dirent *e; (e = readdir(dir));) {
			size_t size = strlen(path) + strlen(e->d_name) + 2;
			char *child = need(malloc(size));

			snprintf(child, size, "%s/%s", path, e->d_name);
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				walk(child, 0);
			free(child);
		}
		closedir(dir);
	} else if (named) {
		errno = ENOTDIR;
		complain(path);
	}
}

static int by_word(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_count(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->word, y->word);
}

int main(int argc, char **argv)
{
	struct counted *list;
	size_t different = 0;

	if (argc == 1)
		walk("/usr/share/common-licenses", 1);
	for (int i = 1; i < argc; i++)
		walk(argv[i], 1);
	list = need(calloc(n_words + 1, sizeof *list));
	if (n_words > 0)
		qsort(words, n_words, sizeof *words, by_word);
	for (size_t i = 0; i < n_words; i++)
		if (i > 0 && strcmp(words[i], words[i - 1]) == 0)
			list[different - 1].n++;
		else
			list[different++] = (struct counted){words[i], 1};
	qsort(list, different, sizeof *list, by_count);
	for (size_t i = 0; i < different; i++)
		printf("%9llu  %s\n", list[i].n, list[i].word);
	printf("%zu words, %zu different\n%llu files, %llu bytes\n", n_words, different, files, bytes);
	for (size_t i = 0; i < n_words; i++)
		free(words[i]);
	free(words);
	free(list);
	return fflush(stdout) != 0 ? 2 : status;
}
