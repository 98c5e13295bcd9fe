/* SPDX-License-Identifier: MIT
 *
 * The stage: what a redirected thread executes first and last. It lies in a hole of an executable page (the zero tail of
 * the vdso), so it is the same constant bytes for every call of every mr-attach and holds no data; all it needs is in the
 * frame that its stack pointer shows. It never waits, never needs the tool again, and brings the thread home whatever
 * becomes of the tool.
 */
#include "request.h"

enum {
	SIG_BITS = 64,
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
};

/* struct kernel_sigaction of the x86 and arm64 kernels */
struct raw_sigaction {
	uint64_t handler, flags, restorer, mask;
};

#define RAW_SA_RESTART 0x10000000

/*
 * Would a signal that waits for this thread have ended its wait with EINTR? Signals were blocked while we were here; had
 * we not been, the handler would have run and the kernel would have decided like this (handle_signal() in
 * arch/x86/kernel/signal.c).
 */
static int wait_is_over(const struct stage_frame *frame)
{
	struct raw_sigaction action;
	uint64_t pending = 0;

	if (frame->wait == -ERESTARTNOINTR || !frame->ask || raw_syscall(RAW_RT_SIGPENDING, (uint64_t)&pending, 8, 0, 0) < 0)
		return 0;
	pending &= ~frame->mask;
	for (unsigned int bit = 0; pending >> bit; bit++) {
		if (pending >> bit & 1 && raw_syscall(RAW_RT_SIGACTION, bit + 1, 0, (uint64_t)&action, 8) == 0 &&
		    action.handler > 1 && !(frame->wait == -ERESTARTSYS && action.flags & RAW_SA_RESTART))
			return 1;
		if (bit == SIG_BITS - 1)
			break;
	}
	return 0;
}

/* The kernel left the time that was to go; take off what passed while we were here. */
static void limit_shorten(const struct stage_frame *frame)
{
	int64_t *limit = (int64_t *)frame->limit;
	int64_t gone = (int64_t)(raw_now() - frame->stopped_at);
	int64_t unit = (int64_t)frame->limit_unit;
	int64_t left = limit[0] * 1000000000 + limit[1] * unit - gone;

	if (limit[0] > 1000000000)
		return;
	if (left < 1)
		left = 1;
	limit[0] = left / 1000000000;
	limit[1] = left % 1000000000 / unit;
}

void stage_calls(struct stage_frame *frame);
void stage_home(struct stage_frame *frame);

__attribute__((used)) void stage_calls(struct stage_frame *frame)
{
	for (int i = 0; i < STAGE_CALLS && frame->calls[i].nr >= 0; i++) {
		struct stage_call *c = &frame->calls[i];

		c->result = raw_syscall6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
	}
}

__attribute__((used)) void stage_home(struct stage_frame *frame)
{
	if (frame->wait && !wait_is_over(frame)) {
		uint64_t *home = (uint64_t *)frame->home;

		home[HOME_RAX] = frame->resume_rax;
		home[HOME_RIP] = frame->resume_rip;
		if (frame->limit)
			limit_shorten(frame);
	}
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2 /* SIG_SETMASK */, (uint64_t)&frame->mask, 0, 8);
}
