/* SPDX-License-Identifier: MIT
 *
 * The stage's first and last instructions on x86-64. The tool sets rsp to the frame (64-byte aligned) and rip here; all
 * other registers are free: their values are in the frame. They leave by pops, and at last by `ret $128`: it takes the
 * return address and steps over the red zone (psABI 3.2.2) at once, so that no signal can come between and overwrite
 * the address.
 */
#include "request.h"
	.text
	.globl stage
stage:
	cld
	jmp	1f

	.balign	16
	.globl	stage_leave		/* returns 0: void *(uint32_t *count), or int */
stage_leave:
	lock decl (%rdi)
	xor	%eax, %eax
	ret

1:
	mov	%rsp, %rbx
	mov	%rbx, %rdi
	call	stage_calls
	mov	FRAME_TARGET(%rbx), %rax
	test	%rax, %rax
	jz	2f
	mov	FRAME_ARG(%rbx), %rdi
	call	*%rax
2:	mov	%rbx, %rdi
	call	stage_home
	mov	FRAME_HOME(%rbx), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rax
	popfq
	ret	$128
	.section .note.GNU-stack,"",@progbits
