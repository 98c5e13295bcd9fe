/* SPDX-License-Identifier: MIT
 *
 * Ways for a subject to wait in the kernel, each for shared->wait_ms.
 */
#ifndef MR_TEST_WAYS_H
#define MR_TEST_WAYS_H

#include <stddef.h>

#include "subject.h"

struct way {
	const char *name;
	int64_t (*wait)(struct shared *shared);
	subject_body *prepare, *let_go, *remove;	/* let_go NULL: it ends by itself after wait_ms */
	bool ended_by_signal;	/* with SA_RESTART */
};

extern const struct way ways[];
extern const size_t ways_count;
/* With a time-out on the socket, which is not among the arguments: longer than a test takes. */
extern const struct way ways_limited[];
extern const size_t ways_limited_count;

const struct way *way_find(const char *name);

/* Forks a child that waits so, with a handler for SIGUSR1 that is installed with these flags. */
void way_start(struct subject *subject, const struct way *way, int flags);

/* Installs that handler. */
void way_handle(struct shared *shared, int flags);

#endif
