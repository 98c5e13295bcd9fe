/* SPDX-License-Identifier: MIT
 *
 * One mr-attach at a time in a process, also where they do not see each other's lock: it lies in one mount of /proc. Beside the
 * stage is a word of whoever works there: which mount of /proc is his, and when he last looked. He keeps it fresh; one that
 * stays the same for long is of the dead. It is read and written while the main thread is held, which one tracer can do.
 *
 * Where the stage cannot be written from outside there is no lease.
 */
#ifndef MR_LEASE_H
#define MR_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

struct lease {
	uint64_t own;		/* what we have written there last, 0: it is not ours */
	uint64_t fresh_ns;	/* when */
	uint64_t other;		/* what another one has written, and since when we see it */
	uint64_t other_ns;
	bool dead;		/* `other` has been the same for too long */
};

/* Does one of another mount work there? What is of our own mount is dead: we have the lock. */
bool lease_other(struct lease *lease, struct mr_target *target);

/* With the main thread held. False if another one has been quicker. */
bool lease_take(struct lease *lease, struct mr_target *target);

/* From time to time. */
void lease_keep(struct lease *lease, struct mr_target *target);
void lease_give(struct lease *lease, struct mr_target *target);

#endif
