/* SPDX-License-Identifier: MIT
 *
 * One process that is worked on: what inject.h calls struct mr_target.
 */
#ifndef MR_TARGET_H
#define MR_TARGET_H

#include "inject.h"
#include "moment.h"
#include "proc.h"
#include "python.h"
#include "seccomp.h"
#include "thread.h"
#include "unwind.h"

#define TARGET_STUCK_MAX 16

struct mr_target {
	pid_t pid;
	struct mr_facts facts;
	char *maps_text;
	struct mr_maps maps;
	struct images images;
	struct interpreter python;
	struct unwinder *unwinder;
	struct verdicts verdicts;
	struct memory memory;
	bool fresh;		/* the maps have just been read */
	struct seccomp_verdict filters;	/* of the main thread */
	uint64_t stage;		/* where the stage lies, 0 before it is placed */
	struct thread stuck[TARGET_STUCK_MAX];	/* asked to stop, and not stopped yet */
	size_t stuck_count;
};

/* Reads the maps again, and all that hangs on them; the interpreter is taken to be where it was. */
int target_refresh(struct mr_target *target, struct mr_error *err);

/* Still the process that was opened? Errors: ENDED. */
int target_alive(struct mr_target *target, struct mr_error *err);

/* What a thread waits in, from /proc; PROC_SYSCALL_RUNNING when it cannot be read. */
void target_syscall(const struct mr_target *target, pid_t tid, struct proc_syscall *ret);

/* A walk of a blocked thread's stack without stopping it: fills the scene and warms every table that the stop will need. */
void target_rehearse(struct mr_target *target, const struct proc_syscall *blocked, struct scene *scene);

#endif
