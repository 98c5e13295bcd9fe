/* SPDX-License-Identifier: MIT */
#include "preflight.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hint.h"

#define TRACER_PATIENCE_MS 100
#define TRACER_STEP_MS 2

static bool has_ptrace(const struct mr_facts *self)
{
	return self->cap_effective >> CAP_SYS_PTRACE & 1;
}

/* The kernel compares our real ids with all of the target's. */
static bool same_user(const struct mr_facts *target, const struct mr_facts *self)
{
	for (int i = 0; i < 3; i++) {
		if (target->uid[i] != self->uid[0] || target->gid[i] != self->gid[0])
			return false;
	}
	return true;
}

/* The way to more rights: sudo for a user, a capability for a root that lacks it, the host for one in a container. */
static int hint_rights(const struct preflight *facts, struct mr_error *err)
{
	if (!facts->self.uid[1] && !has_ptrace(&facts->self))
		return mr_hint(err, "this root lacks CAP_SYS_PTRACE: start the container with --cap-add=SYS_PTRACE, "
				    "or run mr-attach on the host");
	if (facts->sudo)
		return mr_hint(err, "sudo %s", facts->retry);
	return mr_hint(err, "run it as root: %s", facts->retry);
}

static int refuse_user(const struct preflight *facts, struct mr_error *err)
{
	const struct mr_facts *target = &facts->target, *self = &facts->self;

	if (target->uid[0] != self->uid[0] || target->uid[1] != self->uid[0] || target->uid[2] != self->uid[0])
		mr_fail(err, MR_E_NOT_PERMITTED, 0, "it belongs to uid %u, and you are uid %u", target->uid[1],
			self->uid[0]);
	else
		mr_fail(err, MR_E_NOT_PERMITTED, 0, "it belongs to gid %u, and you are gid %u", target->gid[1],
			self->gid[0]);
	return hint_rights(facts, err);
}

static int refuse_yama(const struct preflight *facts, struct mr_error *err)
{
	int scope = facts->target.yama;

	mr_fail(err, MR_E_NOT_PERMITTED, 0, "kernel.yama.ptrace_scope is %d: %s", scope,
		scope == 1 ? "a process may attach only to its own children" :
		scope == 2 ? "only root may attach to a process" :
			     "no process may attach to another one until the next boot");
	if (scope == 1 && facts->sudo)
		return mr_hint(err, "sudo %s, or for all, until the next boot: sudo sysctl kernel.yama.ptrace_scope=0",
			       facts->retry);
	if (scope >= 3)
		return mr_hint(err, "set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d, and boot again");
	return hint_rights(facts, err);
}

/* The kernel said no; which of its reasons was it? In the order in which it asks. */
static int refuse(const struct preflight *facts, struct mr_error *err)
{
	const struct mr_facts *target = &facts->target, *self = &facts->self;
	bool capable = has_ptrace(self);

	if (target->yama >= 3)
		return refuse_yama(facts, err);
	if (!capable && !same_user(target, self))
		return refuse_user(facts, err);
	if (target->other_user_ns) {
		mr_fail(err, MR_E_NOT_PERMITTED, 0, "it lives in a user namespace in which you have no rights");
		return capable ? mr_hint(err, "run mr-attach as root outside of that container") :
				 hint_rights(facts, err);
	}
	if (!capable && target->not_dumpable) {
		mr_fail(err, MR_E_NOT_PERMITTED, 0, "it is not dumpable: it changed its user or its rights when it "
						    "started, or asked for that with prctl(PR_SET_DUMPABLE)");
		return hint_rights(facts, err);
	}
	if (!capable && (target->cap_permitted & ~self->cap_permitted)) {
		mr_fail(err, MR_E_NOT_PERMITTED, 0, "it has capabilities that you lack");
		return hint_rights(facts, err);
	}
	if (!capable && target->yama >= 1)
		return refuse_yama(facts, err);
	mr_fail(err, MR_E_NOT_PERMITTED, target->attach_errno, "a security module forbids it");
	return mr_hint(err, "its reason may be in the kernel's log: %sdmesg | tail; if mr-attach runs in a sandbox, run it outside "
			    "of that sandbox", facts->sudo ? "sudo " : "");
}

static int refuse_stopped(const struct mr_facts *target, struct mr_error *err)
{
	if (target->frozen) {
		mr_fail(err, MR_E_STOPPED, 0, "its control group is frozen");
		return mr_hint(err, "thaw it as it was frozen: systemctl thaw, docker unpause, or 0 into cgroup.freeze");
	}
	mr_fail(err, MR_E_STOPPED, 0, "by a signal");
	return mr_hint(err, "continue it with: kill -CONT %ld", (long)target->pid);
}

static int refuse_traced(const struct mr_facts *target, struct mr_error *err)
{
	mr_fail(err, MR_E_TRACED, 0, "%s (pid %ld)", target->tracer_comm[0] ? target->tracer_comm : "unknown",
		(long)target->tracer);
	return mr_hint(err, "let it detach, or end it, then try again");
}

int preflight_decide(const struct preflight *facts, struct mr_error *err)
{
	const struct mr_facts *target = &facts->target;

	if (target->kernel_thread)
		return mr_fail(err, MR_E_KERNEL_THREAD, 0, "%s", target->comm);
	if (target->state == 'Z' || target->state == 'X') {
		mr_fail(err, MR_E_ZOMBIE, 0, "its parent is pid %ld", (long)target->ppid);
		return mr_hint(err, "nothing of it is left to attach to; look for the new one with: pgrep -a python");
	}
	if (target->attach_errno == EACCES || target->attach_errno == EPERM)
		return refuse(facts, err);
	if (target->tracer)
		return refuse_traced(target, err);
	if (target->state == 'T' || target->frozen)
		return refuse_stopped(target, err);
	return 0;
}

static void wait_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

int preflight_run(const struct options *options, pid_t pid, struct preflight *ret, struct mr_error *err)
{
	struct mr_error own = MR_ERROR_INIT;
	int r;

	memset(ret, 0, sizeof(*ret));
	for (int waited = 0;; waited += TRACER_STEP_MS) {
		r = mr_look(pid, &ret->target, err);
		if (r)
			return r;
		if (!ret->target.tracer || waited >= TRACER_PATIENCE_MS)
			break;
		wait_ms(TRACER_STEP_MS);
	}
	/* Only a refusal needs to know who we are; the usual way is kept short. */
	if (ret->target.attach_errno && mr_look(getpid(), &ret->self, &own))
		return mr_fail(err, MR_E_BUG, own.sys, "/proc is not mounted, or belongs to another pid namespace");
	ret->sudo = !access("/usr/bin/sudo", X_OK);
	hint_retry(options, pid, ret->retry, sizeof(ret->retry));
	return preflight_decide(ret, err);
}
