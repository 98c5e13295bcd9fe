/* SPDX-License-Identifier: MIT
 *
 * The stack of one thread of the tracee, by libdw, from registers and memory alone. The only file that uses libdw.
 */
#ifndef MR_UNWIND_H
#define MR_UNWIND_H

#include "cpu.h"
#include "image.h"

#define UNWIND_FRAMES_MAX 96

struct frame {
	uint64_t pc;		/* of the next instruction: for all but the innermost, a return address */
	bool exact;		/* the innermost one, or interrupted by a signal: pc is not a return address */
	struct image *image;	/* NULL: code that belongs to no file */
};

struct unwinder;

/* For these images; reports them to libdw, which fetches what it needs of those that have frames. NULL: out of memory. */
struct unwinder *unwinder_new(struct images *images);
void unwinder_free(struct unwinder *unwinder);

/*
 * Fills frames from the innermost outwards, up to max. Returns how many; fewer where the trail is lost or ends
 * (ended says which). registers by DWARF number.
 */
size_t unwind(struct unwinder *unwinder, const uint64_t registers[CPU_DWARF_REGS], struct frame *frames, size_t max,
	      bool *ended);

#endif
