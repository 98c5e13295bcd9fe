/* SPDX-License-Identifier: MIT
 *
 * Work in a thread of its own. A process decides what its memory is made of: a page of a file system that never answers, or
 * one that userfaultfd serves, keeps whoever reads it in the kernel, where no signal but SIGKILL gets him out. So the one who
 * must end in time is not the one who reads.
 */
#ifndef MR_WATCH_H
#define MR_WATCH_H

#include <stdbool.h>

/*
 * Does work(data), and asks overdue(data) now and then. Returns true when the work has ended; false when it was overdue and
 * was left behind: data is its own then, for as long as we live.
 */
bool watch(void *(*work)(void *data), bool (*overdue)(void *data), void *data);

/* Has any been left behind? Then what it reads must not be freed. */
bool watch_left_any(void);

#endif
