/* SPDX-License-Identifier: MIT
 *
 * The entries into the stub on x86-64. The stage calls them at a point where the thread may be in the middle of
 * anything, so the extended state (x87, SSE, AVX, …) is put into the block and brought back, and the called code finds
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

enter:	push	%rbx
	push	%r12
	sub	$24, %rsp
	mov	%rdi, %rbx
	mov	%rax, %r12
	mov	$-1, %eax
	mov	$-1, %edx
	xsave64	BLOCK_XSTATE(%rbx)
	fninit
	movl	$0x1f80, (%rsp)
	ldmxcsr	(%rsp)
	mov	%rbx, %rdi
	call	*%r12
	mov	$-1, %eax
	mov	$-1, %edx
	xrstor64 BLOCK_XSTATE(%rbx)
	mov	%rbx, %rdi
	add	$24, %rsp
	pop	%r12
	pop	%rbx
	jmp	stub_leave
	.section .note.GNU-stack,"",@progbits
