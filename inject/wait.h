/* SPDX-License-Identifier: MIT
 *
 * What a blocked system call needs after a stop, so that its caller never notices.
 */
#ifndef MR_WAIT_H
#define MR_WAIT_H

#include <stdbool.h>

#include "cpu.h"

/*
 * Most calls come out of a stop with -ERESTART… and the kernel calls them again. These come out with EINTR instead
 * (signal(7), "Interruption of system calls and library functions by stop signals"): the epoll waits, sigtimedwait,
 * semop and semtimedop, and whatever reads from or writes to a socket with a time-out set; and io_getevents
 * and io_uring_enter.
 */
bool wait_breaks(long nr);

/*
 * Such a call with a time-out would begin anew with all of it. CPython's own callers compute what is left after EINTR
 * (PEP 475); other code must not be stopped there at all.
 */
bool wait_finite(long nr, const uint64_t arg[6]);

/*
 * Such a call comes out of a stop with what it had done so far, once it has done a part: fewer bytes than were to be written, or
 * fewer than MSG_WAITALL asked for. On sockets of messages it does all or nothing: see socket.h.
 */
bool wait_partial(long nr, const uint64_t arg[6]);

/* Shall the interrupted call be called again, or does EINTR stand? */
bool wait_again(const struct cpu_call *call, bool python_caller);

/*
 * The relative time-out that the kernel has shortened in the caller's memory when it interrupted the call (select, pselect6,
 * ppoll): its address and the nanoseconds in its fraction unit. Returns false for all other calls.
 */
bool wait_limit(const struct cpu_call *call, uint64_t *ret_at, uint64_t *ret_unit);

#endif
