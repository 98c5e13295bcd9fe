/* SPDX-License-Identifier: MIT
 *
 * Would the seccomp filters of a thread let our system calls pass? One that kills would kill the tracee. Filters are
 * programs of the tracee's, read through ptrace where that is allowed (CAP_SYS_ADMIN, CONFIG_CHECKPOINT_RESTORE).
 */
#ifndef MR_SECCOMP_H
#define MR_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "thread.h"

struct seccomp_verdict {
	pid_t tid;	/* of whom; 0: of nobody yet */
	bool unread;	/* there are filters, and we may not see them */
	bool may_ask;	/* rt_sigpending: the one call of ours that CPython does not make by itself */
};

/* What one filter says: SECCOMP_RET_…; SECCOMP_RET_KILL_PROCESS for a program that the kernel would not have taken. */
uint32_t seccomp_run(const struct sock_filter *program, size_t count, const struct seccomp_data *data);

/* Judges the held thread. Errors: SECCOMP, which names the call. What cannot be read is no error. */
int seccomp_judge(const struct thread *thread, struct seccomp_verdict *ret, struct mr_error *err);

#endif
