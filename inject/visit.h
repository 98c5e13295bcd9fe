/* SPDX-License-Identifier: MIT
 *
 * A visit: one thread is held, looked at, sent to the stage or not, and let go. Each stop of the tool is one of these.
 */
#ifndef MR_VISIT_H
#define MR_VISIT_H

#include "region.h"
#include "stage.h"
#include "target.h"

struct visit {
	struct mr_target *target;
	struct thread thread;
	struct scene scene;
	struct cpu_frame frame;
	struct proc_syscall rehearsed;	/* what it waited in before the stop */
	bool python_caller;	/* that wait, or the one of the last look, is in CPython's own code */
	bool retries;		/* and CPython begins it again by itself after EINTR */
	bool parked, looked;
	const char *wait_name;
	struct mr_timing *timing;	/* stopped, stopped_sum and stops are counted here */
};

/*
 * Holds the thread. Before that, from /proc alone: the stack of a blocked thread is walked to warm all tables, and a wait
 * that cannot be mended after a stop is left alone (returns -MR_E_NO_SAFE_POINT with visit->thread not held).
 */
int visit_begin(struct visit *visit, struct mr_target *target, pid_t tid, uint64_t limit_ns, struct mr_timing *timing,
		struct mr_error *err);

/*
 * A thread that could not be stopped (an uninterruptible sleep, a vfork) stays asked to, and stops one day: lets those go on
 * that have stopped since, or do so before limit_ns.
 */
void visits_settle(struct mr_target *target, uint64_t limit_ns, struct mr_timing *timing);

/* Walks the stack of the held thread; depth in frames. */
void visit_look(struct visit *visit, size_t depth);

/* pc is in the stage or the region: on its way; nothing may be done with the thread. */
bool visit_on_its_way(const struct visit *visit, const struct region *region);

/* A signal has interrupted what the thread did, and its handler runs. */
bool visit_in_handler(struct visit *visit);

/* Room for `stack` bytes below the stack pointer. */
bool visit_room(struct visit *visit, uint64_t stack);

/* Prepares visit->frame with an empty list of calls and the way home. */
void visit_frame(struct visit *visit);

/* Sends it through the stage with visit->frame. */
int visit_redirect(struct visit *visit, struct mr_error *err);

/* Lets it go on as if nothing had been. Does nothing when it is not held. */
void visit_end(struct visit *visit);

#endif
