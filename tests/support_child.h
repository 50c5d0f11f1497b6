/* SPDX-License-Identifier: MIT */
/*
 * support_child.h - tests that need a process of their own (part of support.h).
 *
 * A process with threads may not fork and go on, so a child is this program, started anew and told
 * the name of a function.
 */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

enum { SUPPORT_CAPTURE = 256 * 1024, SUPPORT_MAX_WORDS = 8 };

extern char **environ;

struct support_child_def {
	const char *name;
	int (*fn)(const char *arg);
	bool plain;
	struct support_child_def *next;
};

static struct support_child_def *support_children;

#define SUPPORT_CHILD(id, is_plain)                                                     \
	static int id(const char *arg);                                                 \
	__attribute__((constructor)) static void support_register_##id(void)            \
	{                                                                               \
		static struct support_child_def def = {#id, id, is_plain, NULL};        \
		def.next = support_children;                                            \
		support_children = &def;                                                \
	}                                                                               \
	static int id(__attribute__((unused)) const char *arg)
#define CHILD(id)       SUPPORT_CHILD(id, false)
#define CHILD_PLAIN(id) SUPPORT_CHILD(id, true)

struct support_result {
	int status;             /* of exit, or -1 */
	int signal;             /* that killed it, or 0 */
	bool timed_out;         /* killed by us */
	char *out, *err;        /* what it wrote, cut at SUPPORT_CAPTURE; support_free frees it */
	size_t nout, nerr;
};

static inline void
support_free(struct support_result *r)
{
	free(r->out);
	free(r->err);
	memset(r, 0, sizeof *r);
}

static inline struct support_child_def *
support_child_find(int (*fn)(const char *), const char *name)
{
	struct support_child_def *d = support_children;

	while (d != NULL && (name != NULL ? strcmp(d->name, name) != 0 : d->fn != fn))
		d = d->next;
	return d;
}

/* Read what there is; false at the end. */
static inline bool
support_drain(int fd, char *buf, size_t *len)
{
	char waste[4096];
	size_t room = SUPPORT_CAPTURE - *len;
	ssize_t n = room > 0 ? read(fd, buf + *len, room) : read(fd, waste, sizeof waste);

	if (n > 0 && room > 0)
		*len += (size_t)n;
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static inline void
support_kill(pid_t pid, int64_t *deadline, struct support_result *r)
{
	r->timed_out = true;
	kill(pid, SIGKILL);
	*deadline = support_clock() + 5 * GO_SECOND;
}

/* Everything the child writes and how it ends.  A grandchild may hold the pipes for longer. */
static inline void
support_collect(pid_t pid, int out, int err, int64_t deadline, struct support_result *r)
{
	struct pollfd p[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
	int status = 0;
	pid_t ended;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		int64_t left = deadline - support_clock();

		if (left <= 0) {
			if (r->timed_out)
				break;
			support_kill(pid, &deadline, r);
			continue;
		}
		poll(p, 2, (int)(left / GO_MILLISECOND) + 1);
		if (p[0].revents != 0 && !support_drain(out, r->out, &r->nout))
			p[0].fd = -1;
		if (p[1].revents != 0 && !support_drain(err, r->err, &r->nerr))
			p[1].fd = -1;
	}
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		if (support_clock() > deadline)
			support_kill(pid, &deadline, r);
		nanosleep(&(struct timespec){0, 200000}, NULL);
	}
	r->status = ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r->signal = ended == pid && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline int
support_spawn(char **argv, char **env, int fds[2], pid_t *pid)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int out[2], err[2], rc;
	sigset_t none;

	if (pipe2(out, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(err, O_CLOEXEC) != 0)
		return -errno;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, err[1], 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawnp(pid, argv[0], &fa, &attr, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	close(out[1]);
	close(err[1]);
	fds[0] = out[0];
	fds[1] = err[0];
	return -rc;
}

/* environ with `extra` ("A=1", "B=2", ..., NULL) in front, so that it wins. */
static inline char **
support_environ(const char *const *extra)
{
	size_t n = 0, m = 0;
	char **env;

	while (extra != NULL && extra[m] != NULL)
		m++;
	while (environ[n] != NULL)
		n++;
	env = calloc(n + m + 1, sizeof *env);
	if (env == NULL)
		abort();
	for (size_t i = 0; i < m; i++)
		memcpy(&env[i], &extra[i], sizeof env[i]);
	n = 0;
	for (char **e = environ; *e != NULL; e++) {
		bool hidden = false;

		for (size_t i = 0; i < m && !hidden; i++)
			hidden = strncmp(*e, env[i], strcspn(env[i], "=") + 1) == 0;
		if (!hidden)
			env[m + n++] = *e;
	}
	return env;
}

static inline char *
support_word(const char *s)             /* posix_spawn's argv is not const, for no reason */
{
	char *word;

	memcpy(&word, &s, sizeof word);
	return word;
}

/* [$GORO_TEST_RUNNER] program --child name arg */
static inline void
support_command(char **argv, char *words, const char *name, const char *arg)
{
	char *save = NULL, *w = strtok_r(words, " ", &save);
	int n = 0;

	for (; w != NULL && n < SUPPORT_MAX_WORDS; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = support.self;
	argv[n++] = support_word("--child");
	argv[n++] = support_word(name);
	argv[n++] = support_word(arg != NULL ? arg : "");
	argv[n] = NULL;
}

/*
 * Run fn, defined by CHILD or CHILD_PLAIN, with arg in a new process of this program, with `extra`
 * added to its environment.  0, or negative if it could not start (a failure of the test, too).
 */
static inline int
support_child_env(int (*fn)(const char *), const char *arg, const char *const *extra,
		  struct support_result *r)
{
	const struct support_child_def *d = support_child_find(fn, NULL);
	const char *runner = getenv("GORO_TEST_RUNNER");
	char words[256], *argv[SUPPORT_MAX_WORDS + 5], **env = support_environ(extra);
	int64_t seconds = support_env("GORO_TEST_CHILD_TIMEOUT", 60);
	int fds[2] = {-1, -1}, rc;
	pid_t pid = -1;

	*r = (struct support_result){-1, 0, false, NULL, NULL, 0, 0};
	r->out = calloc(1, SUPPORT_CAPTURE + 1);
	r->err = calloc(1, SUPPORT_CAPTURE + 1);
	if (d == NULL || r->out == NULL || r->err == NULL)
		abort();
	snprintf(words, sizeof words, "%s", runner != NULL ? runner : "");
	support_command(argv, words, d->name, arg);
	rc = support_spawn(argv, env, fds, &pid);
	free(env);
	if (!CHECK_MSG(rc == 0, "cannot start %s: %s", argv[0], strerror(-rc)))
		return rc;
	support_collect(pid, fds[0], fds[1], support_clock() + seconds * GO_SECOND, r);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static inline int
support_child(int (*fn)(const char *), const char *arg, struct support_result *r)
{
	return support_child_env(fn, arg, NULL, r);
}

/* The child dies as uncaught panics and fatal errors do: exit status 2 and `text` on stderr. */
static inline bool
support_check_dies(int (*fn)(const char *), const char *arg, const char *text, const char *file,
		   int line)
{
	struct support_result r;
	bool ok = support_child(fn, arg, &r) == 0;

	ok = ok && !r.timed_out && r.status == 2 && strstr(r.err, text) != NULL;
	support_check_msg(ok, file, line, "child(%s) should die with status 2 and \"%s\": "
			  "status %d, signal %d%s, stderr:\n%.700s", arg ? arg : "", text, r.status, r.signal,
			  r.timed_out ? ", timed out" : "", r.err);
	support_free(&r);
	return ok;
}
#define CHECK_DIES(fn, arg, text) support_check_dies((fn), (arg), (text), __FILE__, __LINE__)

/* The child ends by itself with status 0. */
static inline bool
support_check_lives(int (*fn)(const char *), const char *arg, const char *file, int line)
{
	struct support_result r;
	bool ok = support_child(fn, arg, &r) == 0;

	ok = ok && !r.timed_out && r.status == 0;
	support_check_msg(ok, file, line, "child(%s) should end with status 0: status %d, "
			  "signal %d%s, stderr:\n%.700s", arg ? arg : "", r.status, r.signal,
			  r.timed_out ? ", timed out" : "", r.err);
	support_free(&r);
	return ok;
}
#define CHECK_LIVES(fn, arg) support_check_lives((fn), (arg), __FILE__, __LINE__)

#endif /* SUPPORT_CHILD_H */
