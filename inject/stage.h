/* SPDX-License-Identifier: MIT
 *
 * Where the stage lies in the tracee: in a hole of a code page, first choice the zero tail of the vdso's last page.
 */
#ifndef MR_STAGE_H
#define MR_STAGE_H

#include "target.h"

/*
 * Sees to it that the stage is there; sets target->stage. Needs no stop (a private page becomes a copy; nothing that
 * anybody executes is touched), or a held thread where the kernel refuses forced writes: then returns -MR_E_NO_SAFE_POINT
 * for holder NULL. Errors: BUG.
 */
int stage_place(struct mr_target *target, const struct thread *holder, struct mr_error *err);

/* Is it there now? After an execve the process has another vdso, elsewhere. */
bool stage_there(const struct mr_target *target);

/*
 * Whether the process holds the engine: a note beside the stage, so that it can be told from outside without running
 * anything. Lost with the vdso at an execve, as the engine is; inherited by a fork, as the engine is.
 */
bool stage_engine(const struct mr_target *target);
void stage_engine_note(struct mr_target *target, bool engine);

/* Beside it, the word of lease.h; 0 for none. */
uint64_t stage_lease(const struct mr_target *target);
void stage_lease_note(struct mr_target *target, uint64_t lease);

bool stage_holds(const struct mr_target *target, uint64_t pc);

#endif
