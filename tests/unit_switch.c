/* SPDX-License-Identifier: MIT */
/* unit_switch.c - the context switch: registers, alignment, and what an unwinder sees. */
#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../src/base/san.h"
#include "../src/stack/switch.h"

void switch_bottom(void);		/* in the assembly file */

#define STACK	(256 * 1024)
#define FRAMES	32

static char stack_mem[2][STACK] __attribute__((aligned(64)));
static void *main_sp, *co_sp[2];

static void *base(int i) { return stack_mem[i] + STACK; }

/* A fresh context on stack i, `off' bytes below its base, where others have left their dirt. */
static void fresh(int i, size_t off, void (*fn)(void *), void *arg)
{
	san_unpoison(stack_mem[i], STACK);
	memset(stack_mem[i], 0xa5, STACK);
	co_sp[i] = switch_init((char *)base(i) - off, fn, arg);
	assert_ptr_equal(co_sp[i], (char *)base(i) - off - SWITCH_FRAME);
}

/* --- Registers --- */

/*
 * Sets every callee-saved register to a value made from seed, switches, and stores what the
 * registers hold afterwards to out, in the same order.
 */
void regs_switch(void **save, void *to, uint64_t seed, uint64_t *out);

#if defined __x86_64__
#define REGS	6
__asm__(".text\n"
	".globl regs_switch\n"
	".hidden regs_switch\n"
	".type regs_switch, @function\n"
	"regs_switch:\n"
	"	push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15; push %rcx\n"
	"	lea 0(%rdx), %rbx; lea 1(%rdx), %rbp; lea 2(%rdx), %r12\n"
	"	lea 3(%rdx), %r13; lea 4(%rdx), %r14; lea 5(%rdx), %r15\n"
	"	call switch_to\n"
	"	pop %rcx\n"
	"	mov %rbx, 0(%rcx); mov %rbp, 8(%rcx); mov %r12, 16(%rcx)\n"
	"	mov %r13, 24(%rcx); mov %r14, 32(%rcx); mov %r15, 40(%rcx)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
	"	ret\n"
	".size regs_switch, . - regs_switch\n");
#elif defined __aarch64__
#define REGS	19
__asm__(".text\n"
	".globl regs_switch\n"
	".hidden regs_switch\n"
	".type regs_switch, %function\n"
	"regs_switch:\n"
	"	sub sp, sp, #176\n"
	"	stp x19, x20, [sp]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]; stp x27, x28, [sp, #64]; stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]; str x3, [sp, #160]\n"
	"	mov x19, x2; add x20, x2, #1; add x21, x2, #2; add x22, x2, #3; add x23, x2, #4\n"
	"	add x24, x2, #5; add x25, x2, #6; add x26, x2, #7; add x27, x2, #8\n"
	"	add x28, x2, #9; add x29, x2, #10\n"
	"	add x9, x2, #11; fmov d8, x9; add x9, x2, #12; fmov d9, x9\n"
	"	add x9, x2, #13; fmov d10, x9; add x9, x2, #14; fmov d11, x9\n"
	"	add x9, x2, #15; fmov d12, x9; add x9, x2, #16; fmov d13, x9\n"
	"	add x9, x2, #17; fmov d14, x9; add x9, x2, #18; fmov d15, x9\n"
	"	bl switch_to\n"
	"	ldr x3, [sp, #160]\n"
	"	stp x19, x20, [x3]; stp x21, x22, [x3, #16]; stp x23, x24, [x3, #32]\n"
	"	stp x25, x26, [x3, #48]; stp x27, x28, [x3, #64]; str x29, [x3, #80]\n"
	"	stp d8, d9, [x3, #88]; stp d10, d11, [x3, #104]; stp d12, d13, [x3, #120]\n"
	"	stp d14, d15, [x3, #136]\n"
	"	ldp x19, x20, [sp]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]; ldp x27, x28, [sp, #64]; ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	ret\n"
	".size regs_switch, . - regs_switch\n");
#endif

static bool regs_are(const uint64_t *out, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < REGS; i++)
		if (out[i] != seed + i)
			return false;
	return true;
}

static bool co_regs_good = true;

static void switch_with_registers(void *arg)
{
	uint64_t out[REGS], n;

	(void)arg;
	for (n = 1;; n++) {
		regs_switch(&co_sp[0], main_sp, n * UINT64_C(0xabcdef0123456789), out);
		co_regs_good &= regs_are(out, n * UINT64_C(0xabcdef0123456789));
	}
}

static void callee_saved_registers_survive_on_both_sides(void **state)
{
	uint64_t out[REGS], n;

	(void)state;
	fresh(0, 0, switch_with_registers, NULL);
	for (n = 1; n <= 100; n++) {
		memset(out, 0, sizeof(out));
		regs_switch(&main_sp, co_sp[0], n << 32, out);
		assert_true(regs_are(out, n << 32));
	}
	assert_true(co_regs_good);
}

/* --- Entry and exit --- */

static struct entry {
	void *arg, *frame, *outer;
	void *trace[FRAMES];
	int frames;
} entry;

static void look_around(void *arg)
{
	entry.arg = arg;
	entry.frame = __builtin_frame_address(0);
	entry.outer = *(void **)entry.frame;
	entry.frames = backtrace(entry.trace, FRAMES);
	switch_last(main_sp);
}

static bool ends_at_the_bottom(void *const *trace, int n)
{
	uintptr_t last = n > 0 && n < FRAMES ? (uintptr_t)trace[n - 1] : 0;

	return last > (uintptr_t)switch_bottom && last < (uintptr_t)switch_bottom + 32;
}

static void a_fresh_context_starts_with_its_argument_on_an_aligned_stack(void **state)
{
	size_t off;

	(void)state;
	for (off = 0; off < 256; off += 16) {
		memset(&entry, 0, sizeof(entry));
		fresh(0, off, look_around, &off);
		switch_to(&main_sp, co_sp[0]);
		assert_ptr_equal(entry.arg, &off);
		assert_int_equal((uintptr_t)entry.frame % 16, 0);
		assert_null(entry.outer);		/* ends a walk along frame pointers */
		assert_true(ends_at_the_bottom(entry.trace, entry.frames));
		assert_in_range(entry.frames, 2, 4);
	}
}

/* --- Parked contexts --- */

static void *parked_in;		/* an address in the function that is parked */
static int steps[2];

static __attribute__((noinline)) void park(int i)
{
	parked_in = __builtin_return_address(0);
	switch_to(&co_sp[i], main_sp);
	__asm__ volatile("");		/* no tail call */
}

static __attribute__((noinline)) void wait_here(int i)
{
	park(i);
	steps[i]++;
}

static void waits_twice(void *arg)
{
	int i = *(int *)arg;

	steps[i] = 0;
	wait_here(i);
	wait_here(i);
	switch_last(main_sp);
}

struct trace {
	void *pc[FRAMES];
	int n;
};

static void take_trace(void *arg)
{
	struct trace *t = arg;

	t->n = backtrace(t->pc, FRAMES);
}

static bool has(const struct trace *t, const void *pc)
{
	int i;

	for (i = 0; i < t->n; i++)
		if (t->pc[i] == pc)
			return true;
	return false;
}

static void inspect_shows_where_a_parked_context_waits(void **state)
{
	struct trace t;
	int i = 0, round;

	(void)state;
	fresh(0, 0, waits_twice, &i);
	switch_to(&main_sp, co_sp[0]);
	for (round = 0; round < 3; round++) {
		memset(&t, 0, sizeof(t));
		switch_inspect(co_sp[0], take_trace, &t);
		assert_true(has(&t, parked_in));
		assert_true(ends_at_the_bottom(t.pc, t.n));
		assert_int_equal(steps[0], 0);
	}
	switch_to(&main_sp, co_sp[0]);		/* undisturbed: it goes on */
	assert_int_equal(steps[0], 1);
	switch_to(&main_sp, co_sp[0]);
	assert_int_equal(steps[0], 2);
}

static void inspect_of_a_context_that_never_ran_ends(void **state)
{
	struct trace t;

	(void)state;
	memset(&t, 0, sizeof(t));
	fresh(0, 0, look_around, &t);
	switch_inspect(co_sp[0], take_trace, &t);
	assert_true(ends_at_the_bottom(t.pc, t.n));
	entry.arg = NULL;
	switch_to(&main_sp, co_sp[0]);
	assert_ptr_equal(entry.arg, &t);
}

static void contexts_take_turns(void **state)
{
	int id[2] = {0, 1}, i;

	(void)state;
	for (i = 0; i < 2; i++)
		fresh(i, 0, waits_twice, &id[i]);
	for (i = 0; i < 6; i++)
		switch_to(&main_sp, co_sp[i % 2]);
	assert_int_equal(steps[0], 2);
	assert_int_equal(steps[1], 2);
}

/* --- Calls on another stack --- */

struct call {
	struct trace t;
	void *frame, *caller;
	int depth;
};

static void called(void *arg)
{
	struct call *c = arg;
	char *lo = stack_mem[c->depth];

	c->frame = __builtin_frame_address(0);
	assert_true((char *)c->frame > lo && (char *)c->frame < lo + STACK);
	if (c->depth++ == 0)
		switch_call(base(1), called, c);
	else
		take_trace(&c->t);
}

static __attribute__((noinline)) void make_call(struct call *c)
{
	c->caller = __builtin_return_address(0);
	switch_call(base(0), called, c);
	__asm__ volatile("");
}

static void a_call_on_another_stack_comes_back(void **state)
{
	struct call c = {.depth = 0};

	(void)state;
	make_call(&c);
	assert_int_equal(c.depth, 2);
	assert_int_equal((uintptr_t)c.frame % 16, 0);
	assert_true(has(&c.t, c.caller));	/* the callers are in the trace */
}

/* --- Unwinding at every instruction --- */

#if defined __x86_64__

#include <ucontext.h>
#include <x86intrin.h>

static struct {
	int seen;			/* instructions of switch_to looked at */
	int bad;			/* of them, those without a full backtrace */
} stepped;

static void *main_call;			/* the place in main's side that calls its park */

static void on_step(int sig, siginfo_t *si, void *uc)
{
	uintptr_t pc = (uintptr_t)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
	struct trace t;

	(void)sig;
	(void)si;
	/* From switch_to up to the bottom stub there are switch_to and switch_last. */
	if (pc < (uintptr_t)switch_to || pc >= (uintptr_t)switch_bottom)
		return;
	take_trace(&t);
	stepped.seen++;
	if (!has(&t, main_call) && !(has(&t, parked_in) && ends_at_the_bottom(t.pc, t.n)))
		stepped.bad++;
}

static __attribute__((noinline)) void main_parks(void)
{
	main_call = __builtin_return_address(0);
	switch_to(&main_sp, co_sp[0]);
	__asm__ volatile("");
}

static void backtraces_are_whole_at_every_instruction(void **state)
{
	struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, old;
	struct trace t;
	int i = 0;

	(void)state;
	take_trace(&t);			/* loads the unwinder */
	fresh(0, 0, waits_twice, &i);
	main_parks();			/* both sides are inside switch_to from now on */
	sigaction(SIGTRAP, &sa, &old);
	__writeeflags(__readeflags() | 0x100);		/* TF: a SIGTRAP after every instruction */
	main_parks();
	__writeeflags(__readeflags() & ~UINT64_C(0x100));
	sigaction(SIGTRAP, &old, NULL);
	assert_true(stepped.seen >= 28);
	assert_int_equal(stepped.bad, 0);
	switch_to(&main_sp, co_sp[0]);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callee_saved_registers_survive_on_both_sides),
		cmocka_unit_test(a_fresh_context_starts_with_its_argument_on_an_aligned_stack),
		cmocka_unit_test(inspect_shows_where_a_parked_context_waits),
		cmocka_unit_test(inspect_of_a_context_that_never_ran_ends),
		cmocka_unit_test(contexts_take_turns),
		cmocka_unit_test(a_call_on_another_stack_comes_back),
#if defined __x86_64__
		cmocka_unit_test(backtraces_are_whole_at_every_instruction),
#endif
	};

	san_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
