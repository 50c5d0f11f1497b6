/* SPDX-License-Identifier: MIT */
/*
 * switch_x86_64.S - the context switch, System V x86-64.
 *
 * A suspended context is a stack pointer; this is what it points at (switch.h has the
 * offsets).  The right column is what switch_init puts there for a fresh context.
 *
 *	sp + 56		the caller's frame, 16-byte aligned	base of the stack
 *	sp + 48		return address				switch_start
 *	sp + 40		rbp					0, ends frame pointer walks
 *	sp + 32		rbx					fn
 *	sp + 24		r12					arg
 *	sp + 16		r13					0
 *	sp +  8		r14					0
 *	sp +  0		r15					0
 *
 * That is all that a function call preserves.  The other registers are the caller's to save;
 * the direction flag is clear at every call; MXCSR and the x87 control word are preserved by
 * calls too, but belong to the thread here: storing them would cost more than all the rest
 * (FACTS S6).
 *
 * We leave by a jump, not a return: the processor predicts a return to go where this thread's
 * last call came from, and on another stack that is always wrong.  The jump is `notrack' as
 * its target, the place after a call, has no endbr64.  For that reason the property note at
 * the end claims IBT; it does not claim SHSTK, since a shadow stack would not be switched.
 */
#include "switch.h"

	.if	SWITCH_FRAME - 56 || SWITCH_AT_PC - 48 || SWITCH_AT_FN - 32 || SWITCH_AT_ARG - 24
	.error	"switch.h does not describe the frame of switch_x86_64.S"
	.endif

/* The unwind rules while rsp is `over' bytes below a suspended context's image. */
	.macro	suspended over=0
	.cfi_def_cfa %rsp, \over + 56
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	.endm

	.macro	save reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %\reg, 0
	.endm

	.macro	restore reg
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore %\reg
	.endm

/* Become the context whose image rsp points at. */
	.macro	resume
	restore	r15
	restore	r14
	restore	r13
	restore	r12
	restore	rbx
	restore	rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	notrack jmp *%rcx
	.endm

	.macro	function name
	.p2align 4
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.endm

	.macro	end name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.text

/* void switch_to(void **save: rdi, void *to: rsi) */
	function switch_to
	endbr64
	save	rbp
	save	rbx
	save	r12
	save	r13
	save	r14
	save	r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp		/* from here on we are the other context; same picture */
	resume
	end	switch_to

/* void switch_last(void *to: rdi) */
	function switch_last
	endbr64
	movq	%rdi, %rsp
	suspended
	resume
	end	switch_last

/*
 * The bottom frame of every context; rbx fn, r12 arg, rsp the stack's base.  The return
 * address is undefined, so unwinders stop here.  They look up the address before the return
 * address, and a context that never ran returns to switch_start: hence the nop.
 */
	function switch_bottom
	.cfi_undefined %rip
	.cfi_undefined %rbp
	nop
	.globl	switch_start
	.hidden	switch_start
	.type	switch_start, @notype
switch_start:
	endbr64
	movq	%r12, %rdi
	callq	*%rbx
	ud2				/* fn must not return */
	end	switch_bottom

/*
 * void switch_inspect(void *sp: rdi, void (*fn)(void *): rsi, void *arg: rdx)
 *
 * Between the changes of rsp the unwind rules say that our caller is the suspended context.
 * The image ends 16-byte aligned and is 56 bytes long: 8 more align the call.
 */
	function switch_inspect
	endbr64
	save	rbx
	movq	%rsp, %rbx
	.cfi_remember_state
	leaq	-8(%rdi), %rsp
	suspended over=8
	movq	%rdx, %rdi
	callq	*%rsi
	movq	%rbx, %rsp
	.cfi_restore_state
	restore	rbx
	ret
	end	switch_inspect

/* void switch_call(void *base: rdi, void (*fn)(void *): rsi, void *arg: rdx) */
	function switch_call
	endbr64
	save	rbp
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	callq	*%rsi
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	ret
	end	switch_call

	.section .note.GNU-stack, "", @progbits

	.section .note.gnu.property, "a", @note
	.p2align 3
	.long	4			/* size of the name */
	.long	16			/* size of what follows it */
	.long	5			/* NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.long	0xc0000002		/* GNU_PROPERTY_X86_FEATURE_1_AND */
	.long	4
	.long	1			/* IBT */
	.long	0
