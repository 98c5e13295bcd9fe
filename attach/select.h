/* SPDX-License-Identifier: MIT
 *
 * Which processes: the PIDs as typed, their descendants, or those of a unit or control group.
 */
#ifndef MR_SELECT_H
#define MR_SELECT_H

#include "options.h"

struct selected {
	pid_t pid;
	bool named;	/* by PID; one that a selector found is skipped when it is not Python */
};

struct selection {
	struct selected *process;
	size_t count;
};

/* Errors: NO_PROCESS (a selector matches nothing), MEMORY. Freed with selection_free(). */
int selection_make(const struct options *options, struct selection *ret, struct mr_error *err);
void selection_free(struct selection *selection);

#endif
