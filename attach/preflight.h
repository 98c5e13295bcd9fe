/* SPDX-License-Identifier: MIT
 *
 * May we attach, and if not, what would help on this machine? Looks from outside only.
 */
#ifndef MR_PREFLIGHT_H
#define MR_PREFLIGHT_H

#include "options.h"

/* Everything that the answer depends on, so that it can be asked about any machine. */
struct preflight {
	struct mr_facts target;
	struct mr_facts self;	/* filled only where the kernel says no to target */
	bool sudo;		/* there is a sudo */
	char retry[256];	/* the command line to type again, as far as it is short: "mr-attach 42 list" */
};

/*
 * Looks at the process and decides. A tracer is given 100 ms to go away: another mr-attach is gone within one.
 * Errors: NO_PROCESS, KERNEL_THREAD, ZOMBIE, NOT_PERMITTED, TRACED, STOPPED. ret->target is filled but for NO_PROCESS.
 */
int preflight_run(const struct options *options, pid_t pid, struct preflight *ret, struct mr_error *err);

/* The decision alone. */
int preflight_decide(const struct preflight *facts, struct mr_error *err);

#endif
