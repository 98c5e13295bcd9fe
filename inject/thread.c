/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "memory.h"
#include "proc.h"
#include "util.h"

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

#define SEIZE_TRIES 3
#define BURIAL_LIMIT (200 * NS_PER_MS)
#define EVENT_OF(status) ((unsigned int)(status) >> 16)

/*
 * The next report of the thread, or 0 when limit_ns passes. A stop is announced by SIGCHLD, which our caller keeps
 * blocked: so no poll, and none is missed. The cap is for a SIGCHLD that another wait has taken.
 */
static int status_wait(pid_t tid, uint64_t limit_ns, int *status)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (;;) {
		pid_t r = waitpid(tid, status, __WALL | WNOHANG);
		uint64_t now = now_ns(), left;
		struct timespec ts = { 0 };

		if (r != 0 && !(r < 0 && errno == EINTR))
			return r < 0 ? -errno : 1;
		if (now >= limit_ns)
			return 0;
		left = limit_ns - now;
		ts.tv_nsec = (long)(left < 10 * NS_PER_MS ? left : 10 * NS_PER_MS);
		(void)sigtimedwait(&set, NULL, &ts);
	}
}

/*
 * Waits until the thread is in the stop that PTRACE_INTERRUPT asked for.
 *  - A signal may be about to be delivered: it goes on its way (PTRACE_CONT with it), our stop comes right after.
 *  - A group-stop (SIGSTOP and friends) shows as an event stop with that signal: refused, it is let go and stays stopped.
 */
static int stop_wait(struct thread *thread, uint64_t limit_ns, struct mr_error *err)
{
	for (;;) {
		int status = 0, r = status_wait(thread->tid, limit_ns, &status);

		if (r == 0)
			return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "thread %d does not stop", (int)thread->tid);
		if (r < 0 || !WIFSTOPPED(status)) {
			thread->seized = false;
			return mr_fail(err, MR_E_ENDED, 0, "thread %d ended", (int)thread->tid);
		}
		if (EVENT_OF(status) == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP)
			return 0;
		if (EVENT_OF(status) == PTRACE_EVENT_STOP) {
			(void)ptrace(PTRACE_DETACH, thread->tid, 0, 0);
			thread->seized = false;
			return mr_fail(err, MR_E_STOPPED, 0, "by %s", sigabbrev_np(WSTOPSIG(status)));
		}
		if (ptrace(PTRACE_CONT, thread->tid, 0, WSTOPSIG(status)) < 0 && errno != ESRCH)
			return mr_fail(err, mr_code_of(errno), errno, "PTRACE_CONT");
	}
}

/* rseq(2) and linux/rseq.h: where the kernel is told of a restartable sequence, and what such a sequence says of itself. */
struct rseq_configuration {
	uint64_t area;
	uint32_t size, signature, flags, pad;
};

enum { RSEQ_CS = 8 };

struct rseq_sequence {
	uint32_t version, flags;
	uint64_t start, size, abort;
};

/*
 * In the midst of a restartable sequence? The kernel sends a thread that was interrupted there to the sequence's abort, but
 * not before it goes on, and then only if it is still there: from the stage it would come back to finish what it must not.
 */
static bool in_sequence(const struct thread *thread)
{
	const struct memory memory = { thread->tid, -1 };
	struct rseq_configuration rseq = { 0 };
	struct rseq_sequence sequence;
	uint64_t at = 0;

	if (thread->call.in || ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(rseq), &rseq) < 0 || !rseq.area ||
	    memory_read(&memory, rseq.area + RSEQ_CS, &at, sizeof(at)) < 0 || !at ||
	    memory_read(&memory, at, &sequence, sizeof(sequence)) < 0)
		return false;
	return cpu_pc(&thread->regs) - sequence.start < sequence.size;
}

static int state_read(struct thread *thread, struct mr_error *err)
{
	struct iovec iov = { &thread->regs, sizeof(thread->regs) };

	if (ptrace(PTRACE_GETREGSET, thread->tid, NT_PRSTATUS, &iov) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(thread->mask), &thread->mask) < 0)
		return mr_fail(err, mr_code_of(errno), errno, "reading the registers of thread %d",
			       (int)thread->tid);
	if (!cpu_is_64bit(&thread->regs))
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "thread %d runs 32-bit code", (int)thread->tid);
	cpu_call(&thread->regs, &thread->call);
	if (in_sequence(thread))
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "thread %d is in a restartable sequence", (int)thread->tid);
	return 0;
}

/* EPERM has three reasons. */
static int seize_refused(const struct thread *thread, int sys, struct mr_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct proc_status status = { .tracer = 0 };
	size_t size = 0;
	int r = proc_read(thread->tid, "status", &text, &size);

	if (r == 0)
		r = status_parse(text, size, &status);
	if (sys == ESRCH || mr_code_of(-r) == MR_E_ENDED || status.state == 'Z' || status.state == 'X')
		return mr_fail(err, MR_E_ENDED, 0, "thread %d is gone", (int)thread->tid);
	if (status.tracer > 0)
		return mr_fail(err, MR_E_TRACED, 0, "pid %d", (int)status.tracer);
	return mr_fail(err, MR_E_NOT_PERMITTED, sys, "ptrace of thread %d", (int)thread->tid);
}

/*
 * Among busy processes a held thread would wait while we wait for our turn: where we may (root, RLIMIT_RTPRIO), it is our
 * turn as soon as the thread stops, for the tenth of a millisecond that it is held.
 */
static void hurry(struct thread *thread)
{
	const struct sched_param lowest = { .sched_priority = 1 };

	thread->our_policy = sched_getscheduler(0);
	if (thread->our_policy != SCHED_OTHER || sched_setscheduler(0, SCHED_FIFO, &lowest) < 0)
		thread->our_policy = -1;
}

static void take_time(struct thread *thread)
{
	const struct sched_param none = { .sched_priority = 0 };

	if (thread->our_policy >= 0)
		(void)sched_setscheduler(0, thread->our_policy, &none);
	thread->our_policy = -1;
}

/* EPERM without a reason to be seen: the tracer that had it may just have gone. */
static int seize_only(struct thread *thread, struct mr_error *err)
{
	for (int tries = 0; !thread->seized; tries++) {
		struct mr_error local = MR_ERROR_INIT;

		thread->seized = ptrace(PTRACE_SEIZE, thread->tid, 0, 0) == 0;
		if (!thread->seized && (seize_refused(thread, errno, &local) != -(int)MR_E_NOT_PERMITTED || tries == SEIZE_TRIES)) {
			*err = local;
			return -(int)local.code;
		}
	}
	return 0;
}

/* One that has not stopped yet is asked again, which changes nothing where it was heard: the detach takes all of it back. */
static int seize(struct thread *thread, struct mr_error *err)
{
	int r = seize_only(thread, err);

	if (r < 0)
		return r;
	if (ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0) < 0 && errno != ESRCH)
		return mr_fail(err, mr_code_of(errno), errno, "PTRACE_INTERRUPT");
	return 0;
}

int thread_hold(struct thread *thread, pid_t tid, uint64_t limit_ns, struct mr_error *err)
{
	sigset_t chld, before;
	int r;

	if (!thread->seized)
		*thread = (struct thread){ .tid = tid };
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)pthread_sigmask(SIG_BLOCK, &chld, &before);
	hurry(thread);
	thread->asked_ns = now_ns();
	r = seize(thread, err);
	if (r == 0)
		r = stop_wait(thread, limit_ns, err);
	if (r == 0) {
		thread->held = true;
		thread->stopped_ns = now_ns();
		r = state_read(thread, err);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0 && thread->held)
		(void)thread_release(thread, CALL_AS_IS);
	if (r < 0)
		take_time(thread);
	return r;
}

static int regs_write(struct thread *thread)
{
	struct iovec iov = { &thread->regs, sizeof(thread->regs) };

	return ptrace(PTRACE_SETREGSET, thread->tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

/*
 * One that was killed meanwhile is ours to bury: until its tracer has seen its end, its parent waits for it, and so does an
 * execve in another thread. One that lives is never left held because a call failed: it is asked again.
 */
static uint64_t detach(struct thread *thread)
{
	int r = ptrace(PTRACE_DETACH, thread->tid, 0, 0) < 0 ? errno : 0, status;
	uint64_t held_ns = now_ns() - thread->asked_ns;

	take_time(thread);
	if (r && (r != ESRCH || status_wait(thread->tid, now_ns() + BURIAL_LIMIT, &status) == 0))
		(void)ptrace(PTRACE_DETACH, thread->tid, 0, 0);
	thread->seized = thread->held = false;
	return held_ns;
}

uint64_t thread_release(struct thread *thread, enum thread_call call)
{
	if (!thread->held)
		return 0;
	if (call == CALL_AGAIN)
		cpu_call_again(&thread->regs);
	if (call == CALL_ENDS)
		cpu_call_end(&thread->regs);
	if (call != CALL_AS_IS)
		(void)regs_write(thread);
	return detach(thread);
}

/*
 * The registers first, the mask second: if the tool dies between the two, the thread goes through the stage with its
 * signals open, which is harmless; the other way round it would be left with all signals blocked.
 */
int thread_redirect(struct thread *thread, uint64_t stage, const struct cpu_frame *frame, uint64_t blocked,
		    uint64_t *ret_ns, struct mr_error *err)
{
	struct cpu_regs before = thread->regs;
	int r;

	cpu_redirect(&thread->regs, stage, frame->at);
	r = regs_write(thread);
	if (r < 0) {
		thread->regs = before;
		return mr_fail(err, mr_code_of(-r), -r, "redirecting thread %d", (int)thread->tid);
	}
	(void)ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(blocked), &blocked);
	*ret_ns = detach(thread);
	return 0;
}

int thread_poke(const struct thread *thread, uint64_t at, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, thread->tid, at + i, 0);
		if (errno)
			return -errno;
		memcpy(&word, (const char *)from + i, size - i < sizeof(word) ? size - i : sizeof(word));
		if (ptrace(PTRACE_POKEDATA, thread->tid, at + i, word) < 0)
			return -errno;
	}
	return 0;
}

long thread_filter(const struct thread *thread, unsigned int index, struct sock_filter *program)
{
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, thread->tid, index, program);

	return n < 0 ? -errno : n;
}

bool thread_dispatches(const struct thread *thread)
{
	struct {
		uint64_t mode, selector, offset, size;
	} dispatch = { 0 };

	return ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, thread->tid, sizeof(dispatch), &dispatch) == 0 && dispatch.mode;
}
