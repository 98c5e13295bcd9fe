/* SPDX-License-Identifier: MIT
 *
 * The region in the tracee: payload/request.h shows its layout. It lies at one of a few fixed addresses, so that the next
 * call finds what a dead one left.
 */
#ifndef MR_REGION_H
#define MR_REGION_H

#include "target.h"

struct region {
	uint64_t at;		/* of the code part; 0: none */
	uint64_t size;		/* of the data part */
	bool mapped;
	bool idle;		/* mapped, and as far as its block tells, nobody will use it any more */
	pid_t thread;		/* that was last redirected into it; 0 unknown */
};

static inline uint64_t region_block(const struct region *region)
{
	return region->at + REGION_CODE;
}

/* What there is in the slots now. ret has room for REGION_SLOTS. Returns how many are mapped. */
size_t regions_look(struct mr_target *target, struct region *ret);

/* A slot that is free. Returns false if none is. */
bool region_choose(const struct region *all, uint64_t size, struct region *ret);

/* The system calls that map it, or unmap it, for the stage. Return how many entries they fill. */
size_t region_map_calls(const struct region *region, struct stage_call *calls);
size_t region_unmap_calls(const struct region *region, struct stage_call *calls);

bool region_holds(const struct region *region, uint64_t pc);

/* Is nothing under way in it? Reads the block. */
bool region_quiet(struct mr_target *target, const struct region *region);

#endif
