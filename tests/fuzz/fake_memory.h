/* SPDX-License-Identifier: MIT
 *
 * In the place of inject/memory.o: a tracee whose whole memory is a few stretches of bytes of the fuzzer's.
 */
#ifndef MR_FAKE_MEMORY_H
#define MR_FAKE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct stretch {
	uint64_t at;
	uint8_t *bytes;		/* written too, if anybody writes */
	size_t size;
};

/* The memory from now on. The stretches do not overlap. */
void fake_memory(const struct stretch *stretches, size_t count);

#endif
