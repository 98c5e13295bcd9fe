/* SPDX-License-Identifier: MIT
 *
 * The bytes that go into the tracee: the freestanding code, the boot code, and the engine.
 */
#ifndef MR_EMBED_H
#define MR_EMBED_H

extern const unsigned char payload_stub[], payload_stub_end[];
extern const unsigned char payload_stage[], payload_stage_end[];
extern const unsigned char payload_boot[], payload_boot_end[];
extern const unsigned char payload_package[], payload_package_end[];	/* with the engine */
extern const unsigned char payload_execute[], payload_execute_end[];	/* for exec and run */

/* Offsets of the entries in the stub, all void (struct request_block *); see entry_*.S. */
enum { STUB_PARKED = 0, STUB_QUEUE = 16, STUB_SPAWN = 32, STUB_INTERRUPT = 48 };

#endif
