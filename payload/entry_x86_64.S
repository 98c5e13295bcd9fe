/* SPDX-License-Identifier: MIT
 *
 * The entries into the stub on x86-64. The stage calls them at a point where the thread may be in the middle of
 * anything, so the extended state (x87, SSE, AVX, …) is put onto its stack and brought back, and the called code finds
 * the state that the psABI promises at a call: x87 empty, MXCSR at its default.
 */
#include "request.h"

	.macro	entry name
	.balign	16
	.globl	enter_\name
enter_\name:
	lea	stub_\name(%rip), %rax
	jmp	enter
	.endm

	.section .text.entry,"ax",@progbits
	entry	parked
	entry	queue
	entry	spawn
	entry	interrupt
	entry	outside

enter:	push	%rbp
	push	%rbx
	push	%r12
	mov	%rsp, %rbp
	mov	%rdi, %rbx
	mov	%rax, %r12
	sub	BLOCK_XSTATE_SIZE(%rbx), %rsp
	and	$-64, %rsp
	cmpq	$XSTATE_LEGACY, BLOCK_XSTATE_SIZE(%rbx)
	jne	1f
	fxsave64 (%rsp)
	jmp	2f
1:	lea	512(%rsp), %rdi		/* the header of the XSAVE area must be zero (SDM 13.4.2) */
	xor	%eax, %eax
	mov	$8, %ecx
	rep	stosq
	mov	$-1, %eax
	mov	$-1, %edx
	xsave64	(%rsp)
2:	sub	$64, %rsp
	fninit
	movl	$0x1f80, (%rsp)
	ldmxcsr	(%rsp)
	mov	%rbx, %rdi
	call	*%r12
	add	$64, %rsp
	cmpq	$XSTATE_LEGACY, BLOCK_XSTATE_SIZE(%rbx)
	jne	3f
	fxrstor64 (%rsp)
	jmp	4f
3:	mov	$-1, %eax
	mov	$-1, %edx
	xrstor64 (%rsp)
4:	lea	BLOCK_INSIDE(%rbx), %rdi
	mov	BLOCK_LEAVE(%rbx), %rax
	mov	%rbp, %rsp
	pop	%r12
	pop	%rbx
	pop	%rbp
	jmp	*%rax			/* once counted down, this page may go */

	.macro	counted name count
	.globl	\name\()_enter
\name\()_enter:
	push	%rbx
	mov	%rdi, %rbx
	call	stub_\name
	lea	\count(%rbx), %rdi
	mov	BLOCK_LEAVE(%rbx), %rax
	pop	%rbx
	jmp	*%rax			/* the same */
	.endm

	counted	thread BLOCK_SPAWNED
	counted	pending BLOCK_QUEUED
	.section .note.GNU-stack,"",@progbits
