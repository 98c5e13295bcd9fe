/* SPDX-License-Identifier: MIT */
#ifndef MR_SOCKET_H
#define MR_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Whether a call that waits on a socket of the process does so with a time-out that was set for the socket (SO_RCVTIMEO,
 * SO_SNDTIMEO): it is not among the arguments, and would begin anew. False where that cannot be told (before Linux 5.6).
 */
bool socket_finite(pid_t pid, long nr, uint64_t fd);

/* Is it a socket whose messages go as a whole, or not at all? */
bool socket_whole(pid_t pid, uint64_t fd);

#endif
