/* SPDX-License-Identifier: MIT
 *
 * The region in the tracee: payload/request.h shows its layout. It lies at one of a few fixed addresses, so that the next
 * call finds what a dead one left.
 */
#ifndef MR_REGION_H
#define MR_REGION_H

#include "target.h"

enum region_state {
	REGION_FREE,	/* nothing is mapped there */
	REGION_EMPTY,	/* mapped; never filled, or all that was sent there has arrived and left */
	REGION_QUEUED,	/* the same, but for a call in CPython's queue that has nothing to do any more: may be filled again */
	REGION_RUNNING,	/* Python code of a request runs from it */
	REGION_DOUBT,	/* a thread was sent there and has not been seen to arrive: it must be looked at */
	REGION_BUSY,	/* somebody is in it */
};

struct region {
	uint64_t at;		/* of the code part */
	uint64_t size;		/* of the data part */
	uint64_t token;		/* of our request, once it is filled */
	enum region_state state;
	pid_t thread;		/* that was last redirected into it, as the tracee's namespace numbers it; 0 unknown */
	uint32_t sent;		/* the count in its block */
	bool unbegun;		/* a request that has not begun, and that nobody has taken back */
};

static inline uint64_t region_block(const struct region *region)
{
	return region->at + REGION_CODE;
}

/* What there is in the slots now. ret has room for REGION_SLOTS. Returns how many are mapped. */
size_t regions_look(struct mr_target *target, struct region *ret);

/* What is in one slot now that is not free; what was true before a thread was held may have changed. */
enum region_state region_state(struct mr_target *target, struct region *region);

/* One that can be filled again and is large enough, or else a slot that is free. Returns false if there is neither. */
bool region_choose(const struct region *all, uint64_t size, struct region *ret);

/* The system calls that map it, or unmap it, for the stage. Return how many entries they fill. */
size_t region_map_calls(const struct region *region, struct stage_call *calls);
size_t region_unmap_calls(const struct region *region, struct stage_call *calls);

bool region_holds(const struct region *region, uint64_t pc);

#endif
