/* SPDX-License-Identifier: MIT
 * What mr-attach carries along, as bytes: name and name_end for each.
 */
	.macro	embed name, file
	.balign	16
	.globl	\name, \name\()_end
\name:	.incbin	"\file"
\name\()_end:
	.byte	0
	.endm

	.section .rodata
	embed	payload_stub, stub.bin
	embed	payload_stage, stage.bin
	embed	payload_boot, boot.py
	embed	payload_base, base.bin
	embed	payload_engine, engine.bin
	embed	payload_code, code.bin
	.section .note.GNU-stack,"",@progbits
