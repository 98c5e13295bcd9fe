/* SPDX-License-Identifier: MIT
 *
 * One thread, held by ptrace for a moment. The only file that calls ptrace(2).
 *
 * SEIZE and INTERRUPT, never ATTACH: no SIGSTOP that could get lost or break a wait (ptrace(2), "Attaching and detaching").
 * No options are ever set: nothing that kills or stops the tracee when the tool dies.
 */
#ifndef MR_THREAD_H
#define MR_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cpu.h"
#include "error.h"

struct thread {
	pid_t tid;
	bool seized;		/* ours, and perhaps not stopped yet */
	bool held;		/* stopped; regs, mask and call are valid */
	uint64_t asked_ns;	/* when it was asked to stop */
	uint64_t stopped_ns;	/* when it was seen to have stopped */
	struct cpu_regs regs;
	struct cpu_call call;	/* the system call that it is in */
	uint64_t mask;		/* its signal mask */
	int our_policy;		/* how we are scheduled when no thread is held; -1 as always */
};

/*
 * Stops the thread and reads its registers and signal mask. Signals that arrive meanwhile are passed on. limit_ns is a
 * CLOCK_MONOTONIC time. Errors: ENDED, STOPPED (by SIGSTOP: let go again, still stopped), TRACED, NOT_PERMITTED,
 * NO_SAFE_POINT (did not stop in time, as in an uninterruptible sleep: it stays seized, call again; or it
 * was in a restartable sequence of rseq(2), and was let go).
 */
int thread_hold(struct thread *thread, pid_t tid, uint64_t limit_ns, struct mr_error *err);

/* What becomes of the call that the stop interrupted: what the kernel does; called again, or ended with EINTR, whatever it does. */
enum thread_call { CALL_AS_IS, CALL_AGAIN, CALL_ENDS };

/* Lets it go on. Returns the nanoseconds for which it was held. */
uint64_t thread_release(struct thread *thread, enum thread_call call);

/* Sends it to the stage, with these signals blocked, and lets it go. Returns as thread_release, or a negative code. */
int thread_redirect(struct thread *thread, uint64_t stage, const struct cpu_frame *frame, uint64_t blocked,
		    uint64_t *ret_ns, struct mr_error *err);

/* Writes a word of a page that is not writable, through ptrace: where /proc/PID/mem refuses. Returns 0 or -errno. */
int thread_poke(const struct thread *thread, uint64_t at, const void *from, size_t size);

/*
 * The seccomp filter number `index` of the held thread. program has room for BPF_MAXINSNS. Returns how many instructions it
 * has, or -errno: -ENOENT when there is no such filter.
 */
struct sock_filter;
long thread_filter(const struct thread *thread, unsigned int index, struct sock_filter *program);

/* Its own system calls, but for those of one stretch of code, become signals: prctl(2), PR_SET_SYSCALL_USER_DISPATCH. */
bool thread_dispatches(const struct thread *thread);

#endif
