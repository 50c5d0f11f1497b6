/* SPDX-License-Identifier: MIT */
/*
 * overflow.c - the SIGSEGV handler that names stack overflows.
 *
 * A goroutine that runs over its stack hits the guard below it.  The handler runs on the
 * thread's alternate stack, says whose stack it was, its limit and where it had got to, and
 * ends the process.  Every other fault goes to whoever handled it before us, or to the
 * kernel's default by executing the faulting instruction again, so that a core shows the
 * original fault.  With a sanitizer present we stay away: its own report is better.
 */
#include "overflow.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../base/fatal.h"
#include "../base/out.h"
#include "../base/san.h"
#include "handoff.h"
#include "panic.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static struct sigaction previous;

static uintptr_t
stack_pointer(const ucontext_t *uc)
{
#if defined __x86_64__
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
	return (uintptr_t)uc->uc_mcontext.sp;
#endif
}

static void
report(const ucontext_t *uc, const char *lo, const char *hi)
{
	sigset_t alarms;
	struct out o;

	fatal_begin();
	out_init(&o, STDERR_FILENO);
	out_fmt(&o, "runtime: goroutine stack exceeds %zu-byte limit\n", (size_t)(hi - lo));
	out_fmt(&o, "runtime: sp=%p stack=[%p, %p]\n", (void *)stack_pointer(uc), (const void *)lo,
		(const void *)hi);
	out_fmt(&o, "fatal error: stack overflow\n\n");
	out_fmt(&o, "A larger stack: go_spawn_with and go_attr.stack_size, or go_config.stack_size.\n");
	out_flush(&o);
	/* The rest asks the loader for names, and may find its locks held for ever. */
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	alarm(10);
	if (panic_print_goroutine != NULL)
		panic_print_goroutine(STDERR_FILENO);
	die();
}

/* What would have happened without us. */
static void
pass_on(int sig, siginfo_t *si, void *uc)
{
	struct sigaction dfl;

	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(sig, si, uc);
		return;
	}
	if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(sig);
		return;
	}
	if (previous.sa_handler == SIG_IGN && si->si_code <= 0)
		return;		/* sent by somebody; a real fault cannot be ignored */
	memset(&dfl, 0, sizeof(dfl));
	dfl.sa_handler = SIG_DFL;
	sigaction(sig, &dfl, NULL);
	if (si->si_code <= 0)
		raise(sig);	/* will not fault again by itself */
}

static void
on_segv(int sig, siginfo_t *si, void *uc)
{
	char *lo, *hi;
	int saved = errno;

	if (si->si_code > 0 && stack_in_guard(si->si_addr, &lo, &hi))
		report(uc, lo, hi);
	errno = saved;
	pass_on(sig, si, uc);
}

static void
signal_stack(struct m *m)
{
	size_t size = getauxval(AT_MINSIGSTKSZ) * 4;
	stack_t ss, old;

	if (san_on || (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) == 0))
		return;		/* the thread has one already */
	size = align_up(size < 65536 ? 65536 : size, os_page());
	m->altstack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->altstack == MAP_FAILED) {
		m->altstack = NULL;
		return;		/* an overflow will be a plain SIGSEGV */
	}
	m->altstack_size = size;
	memset(&ss, 0, sizeof(ss));
	ss.ss_sp = m->altstack;
	ss.ss_size = size;
	sigaltstack(&ss, NULL);
}

void
overflow_init(void)
{
	struct sigaction sa;

	handoff_signal_stack = signal_stack;
	if (san_on || san_valgrind)
		return;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_segv;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigfillset(&sa.sa_mask);
	sigaction(SIGSEGV, &sa, &previous);
}
