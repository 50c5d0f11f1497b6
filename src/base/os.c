/* SPDX-License-Identifier: MIT */
/*
 * os.c - Linux.
 */
#include "os.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"

/* Newer than the headers of the oldest system we build on. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise	440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open		434
#endif

static uint32_t		missing;	/* bit f: feature f must not be used */
static size_t		page_size;
static int		self_pidfd = -1;
static size_t		guard_maps;	/* guards that cost a mapping each */
static size_t		guard_map_budget;

/* --- Features --- */

bool
os_has(enum os_feature f)
{
	return (load_rlx(&missing) & (1u << f)) == 0;
}

void
os_lacks(enum os_feature f)
{
	or_rlx(&missing, 1u << f);
}

long
os_debug(const char *name, long dflt)
{
	const char *s = getenv("GORO_DEBUG");
	size_t n = strlen(name);

	while (s != NULL && *s != '\0') {
		if (strncmp(s, name, n) == 0 && s[n] == '=')
			return strtol(s + n + 1, NULL, 10);
		s = strchr(s, ',');
		if (s != NULL)
			s++;
	}
	return dflt;
}

/*
 * Emulators answer 0 to advice they ignore, so look whether a guard guards: a system call that
 * reads the page must fail with EFAULT.
 */
static bool
guard_works(void)
{
	char *p = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];
	bool works = false;

	if (p == MAP_FAILED)
		return false;
	if (madvise(p, page_size, MADV_GUARD_INSTALL) == 0 && pipe2(fd, O_CLOEXEC) == 0) {
		works = write(fd[1], p, 1) < 0 && errno == EFAULT;
		close(fd[0]);
		close(fd[1]);
	}
	munmap(p, page_size);
	return works;
}

static bool
membarrier_works(void)
{
	long q = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return q > 0 && (q & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
	       syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static size_t
read_number(const char *path, size_t dflt)
{
	char buf[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return dflt;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return dflt;
	buf[n] = '\0';
	return strtoul(buf, NULL, 10);
}

void
os_init(void)
{
	static bool done;
	int saved = errno;

	if (done)
		return;
	done = true;
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	if (os_debug("noguard", 0) != 0 || !guard_works())
		os_lacks(OS_GUARD_INSTALL);
	if (os_debug("nopmadvise", 0) == 0)
		self_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self_pidfd < 0)
		os_lacks(OS_PROCESS_MADVISE);
	if (os_debug("nomembarrier", 0) != 0 || !membarrier_works())
		os_lacks(OS_MEMBARRIER);
	/* A guard by mprotect splits mappings, two each; leave three quarters to the program. */
	guard_map_budget = read_number("/proc/sys/vm/max_map_count", 65530) / 8;
	errno = saved;
}

/* --- Time, threads --- */

int64_t
os_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint32_t
os_gettid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

size_t
os_page(void)
{
	return page_size;
}

uint64_t
os_seed(void)
{
	uint64_t s = 0;
	int saved = errno;

	if (syscall(SYS_getrandom, &s, sizeof(s), 1 /* GRND_NONBLOCK */) != (long)sizeof(s))
		s = (uint64_t)os_now() ^ (uint64_t)(uintptr_t)&s;
	errno = saved;
	return s;
}

int
os_threads(void)
{
	int saved = errno, n = 0;
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	if (d != NULL) {
		while ((e = readdir(d)) != NULL)
			n += e->d_name[0] != '.';
		closedir(d);
	}
	errno = saved;
	return n;
}

/* cgroup v2: "max 100000" or "200000 100000"; v1: two files.  0 if there is no quota. */
static int
cgroup_cpus(void)
{
	char buf[64], *end;
	int fd = open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC);
	unsigned long quota, period;
	ssize_t n;

	if (fd >= 0) {
		n = read(fd, buf, sizeof(buf) - 1);
		close(fd);
		if (n <= 0)
			return 0;
		buf[n] = '\0';
		quota = strtoul(buf, &end, 10);
		if (end == buf)
			return 0;
		period = strtoul(end, NULL, 10);
	} else {
		quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", 0);
		period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
		if ((long)quota <= 0)
			return 0;
	}
	return period == 0 ? 0 : (int)((quota + period - 1) / period);
}

int
os_cpus(void)
{
	cpu_set_t set;
	int saved = errno, n = 1, quota;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	quota = cgroup_cpus();
	if (quota > 0 && quota < n)
		n = quota < 2 && n >= 2 ? 2 : quota;	/* Go 1.25: a quota below 2 still gives 2 */
	errno = saved;
	return n < 1 ? 1 : n;
}

/* --- Futex, barrier --- */

int
os_futex_wait(uint32_t *addr, uint32_t val, int64_t deadline)
{
	struct timespec t = {deadline / 1000000000, deadline % 1000000000};
	int saved = errno, r = 0;

	/* BITSET takes an absolute deadline on CLOCK_MONOTONIC: nothing to redo after EINTR. */
	if (syscall(SYS_futex, addr, FUTEX_WAIT_BITSET_PRIVATE, val, deadline == OS_NEVER ? NULL : &t,
		    NULL, FUTEX_BITSET_MATCH_ANY) != 0)
		r = -errno;
	errno = saved;
	return r;
}

int
os_futex_wake(uint32_t *addr, int n)
{
	int saved = errno, r = (int)syscall(SYS_futex, addr, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);

	errno = saved;		/* EFAULT: the sleeper's memory is gone, and so is the sleeper */
	return r;
}

void
os_nap(int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};
	int saved = errno;

	syscall(SYS_nanosleep, &t, NULL);
	errno = saved;
}

void
os_membarrier(void)
{
	int saved = errno;

	if (!os_has(OS_MEMBARRIER) || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
		fence_sc();	/* [m-retake] enter() fences too if the kernel cannot */
	errno = saved;
}

/* --- Memory --- */

void *
os_reserve(size_t size)
{
	int saved = errno;
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		p = NULL;
	else
		madvise(p, size, MADV_NOHUGEPAGE);	/* one touched page must not become 512 */
	errno = saved;
	return p;
}

int
os_commit(void *lo, size_t size)
{
	int saved = errno, r = mprotect(lo, size, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;

	errno = saved;
	return r;
}

void
os_unreserve(void *lo, size_t size)
{
	int saved = errno;

	munmap(lo, size);
	errno = saved;
}

int
os_protect(void *lo, size_t size)
{
	int saved = errno, r = mprotect(lo, size, PROT_NONE) == 0 ? 0 : -errno;

	errno = saved;
	return r;
}

bool
os_guard_is_cheap(void)
{
	return os_has(OS_GUARD_INSTALL);
}

/* Returns how many of the ranges have been advised, from the first. */
static int
advise(const struct os_range *r, int n, int advice)
{
	struct iovec iov[OS_RANGES];
	int i, done = 0;

	if (os_has(OS_PROCESS_MADVISE) && n > 1 && n <= OS_RANGES) {
		size_t total = 0;
		ssize_t got;

		for (i = 0; i < n; i++) {
			iov[i].iov_base = r[i].lo;
			iov[i].iov_len = r[i].size;
			total += r[i].size;
		}
		got = syscall(SYS_process_madvise, self_pidfd, iov, n, advice, 0);
		if (got >= 0 && (size_t)got == total)
			return n;
		if (got < 0 && (errno == EINVAL || errno == ENOSYS || errno == EPERM || errno == EBADF))
			os_lacks(OS_PROCESS_MADVISE);
		/* Some may have been done; doing one twice does no harm. */
	}
	for (; done < n; done++)
		if (madvise(r[done].lo, r[done].size, advice) != 0)
			break;
	return done;
}

/*
 * A guard that is a mapping of its own, within a budget: past vm.max_map_count even malloc
 * fails (FACTS S4).  -ENOSPC beyond it.
 */
static int
guard_by_mapping(const struct os_range *r)
{
	if (add_rlx(&guard_maps, 1) >= guard_map_budget) {
		add_rlx(&guard_maps, (size_t)-1);
		return -ENOSPC;
	}
	return os_protect(r->lo, r->size);
}

int
os_guard(const struct os_range *r, int n)
{
	int saved = errno, done = 0, err = 0;

	/* Refused per call, too: after mlockall(MCL_FUTURE) guards cannot be installed (EINVAL). */
	if (os_has(OS_GUARD_INSTALL))
		done = advise(r, n, MADV_GUARD_INSTALL);
	for (; done < n; done++) {
		int e = guard_by_mapping(&r[done]);

		err = e != 0 ? e : err;
	}
	errno = saved;
	return err;
}

int
os_discard(const struct os_range *r, int n)
{
	int saved = errno, err = 0;

	if (advise(r, n, MADV_DONTNEED) != n)
		err = -errno;	/* EINVAL: locked memory (mlockall) cannot go */
	errno = saved;
	return err;
}
