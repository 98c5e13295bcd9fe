/* SPDX-License-Identifier: MIT
 *
 * The bytes that go into the tracee: the freestanding code, the boot code, and the engine.
 */
#ifndef MR_EMBED_H
#define MR_EMBED_H

extern const unsigned char payload_stub[], payload_stub_end[];
extern const unsigned char payload_stage[], payload_stage_end[];
extern const unsigned char payload_boot[], payload_boot_end[];
extern const unsigned char payload_base[], payload_base_end[];		/* what comes with every command */
extern const unsigned char payload_engine[], payload_engine_end[];	/* with all but exec and run */
extern const unsigned char payload_code[], payload_code_end[];		/* the same, compiled, by Python: see compile.py */

/* Offsets of the entries in the stub, all void (struct request_block *); see entry_*.S. */
enum { STUB_PARKED = 0, STUB_QUEUE = 16, STUB_SPAWN = 32, STUB_INTERRUPT = 48, STUB_OUTSIDE = 64 };

#endif
