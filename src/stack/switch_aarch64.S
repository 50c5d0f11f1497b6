/* SPDX-License-Identifier: MIT */
/*
 * switch_aarch64.S - the context switch, AAPCS64.
 *
 * A suspended context is a stack pointer; this is what it points at (switch.h has the
 * offsets).  The right column is what switch_init puts there for a fresh context.
 *
 *	sp + 160	the caller's frame			base of the stack
 *	sp + 96		d8 to d15				0
 *	sp + 88		x30, the return address			switch_start
 *	sp + 80		x29					0, ends frame pointer walks
 *	sp + 16		x21 to x28				0
 *	sp +  8		x20					arg
 *	sp +  0		x19					fn
 *
 * That is all that a function call preserves: of the vector registers only the lower halves
 * of v8 to v15, and nothing of SVE.  x18 belongs to the platform.  FPCR is preserved by calls
 * too, but belongs to the thread here, as on other machines (FACTS S6).
 *
 * We leave by RET, for which BTI wants no landing pad, and sign no return addresses; those
 * that the callers signed stay good, as stacks do not move.
 */
#include "switch.h"

	.if	SWITCH_FRAME - 160 || SWITCH_AT_PC - 88 || SWITCH_AT_FN || SWITCH_AT_ARG - 8
	.error	"switch.h does not describe the frame of switch_aarch64.S"
	.endif

/* The unwind rules while sp points at a suspended context's image. */
	.macro	suspended
	.cfi_def_cfa sp, 160
	.cfi_offset x19, -160
	.cfi_offset x20, -152
	.cfi_offset x21, -144
	.cfi_offset x22, -136
	.cfi_offset x23, -128
	.cfi_offset x24, -120
	.cfi_offset x25, -112
	.cfi_offset x26, -104
	.cfi_offset x27, -96
	.cfi_offset x28, -88
	.cfi_offset x29, -80
	.cfi_offset x30, -72
	.cfi_offset d8, -64
	.cfi_offset d9, -56
	.cfi_offset d10, -48
	.cfi_offset d11, -40
	.cfi_offset d12, -32
	.cfi_offset d13, -24
	.cfi_offset d14, -16
	.cfi_offset d15, -8
	.endm

/* Become the context whose image sp points at. */
	.macro	resume
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	.irp	reg, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30
	.cfi_restore \reg
	.endr
	.irp	reg, d8, d9, d10, d11, d12, d13, d14, d15
	.cfi_restore \reg
	.endr
	ret
	.endm

	.macro	function name
	.p2align 4
	.globl	\name
	.hidden	\name
	.type	\name, %function
\name:
	.cfi_startproc
	.endm

	.macro	end name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.text

/* void switch_to(void **save: x0, void *to: x1) */
	function switch_to
	hint	#34			/* bti c */
	sub	sp, sp, #160
	.cfi_def_cfa_offset 160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	suspended			/* true before as well: no register has changed yet */
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1			/* from here on we are the other context; same picture */
	resume
	end	switch_to

/* void switch_last(void *to: x0) */
	function switch_last
	hint	#34			/* bti c */
	mov	sp, x0
	suspended
	resume
	end	switch_last

/*
 * The bottom frame of every context; x19 fn, x20 arg, sp the stack's base.  The return
 * address is undefined, so unwinders stop here.  They look up the address before the return
 * address, and a context that never ran returns to switch_start: hence the nop.
 */
	function switch_bottom
	.cfi_undefined x30
	.cfi_undefined x29
	nop
	.globl	switch_start
	.hidden	switch_start
	.type	switch_start, %notype
switch_start:
	mov	x0, x20
	blr	x19
	brk	#1			/* fn must not return */
	end	switch_bottom

/*
 * void switch_inspect(void *sp: x0, void (*fn)(void *): x1, void *arg: x2)
 *
 * Between the changes of sp the unwind rules say that our caller is the suspended context.
 */
	function switch_inspect
	hint	#34			/* bti c */
	stp	x19, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x19, -16
	.cfi_offset x30, -8
	mov	x19, sp
	.cfi_remember_state
	mov	sp, x0
	suspended
	mov	x0, x2
	blr	x1
	mov	sp, x19
	.cfi_restore_state
	ldp	x19, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x19
	.cfi_restore x30
	ret
	end	switch_inspect

/* void switch_call(void *base: x0, void (*fn)(void *): x1, void *arg: x2) */
	function switch_call
	hint	#34			/* bti c */
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov	x29, sp
	.cfi_def_cfa_register x29
	mov	sp, x0
	mov	x0, x2
	blr	x1
	mov	sp, x29
	.cfi_def_cfa_register sp
	ldp	x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	ret
	end	switch_call

	.section .note.GNU-stack, "", %progbits

	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4			/* size of the name */
	.word	16			/* size of what follows it */
	.word	5			/* NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.word	0xc0000000		/* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
	.word	4
	.word	1			/* BTI */
	.word	0
