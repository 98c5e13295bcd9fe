/* SPDX-License-Identifier: MIT */
#include "visit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "socket.h"
#include "util.h"
#include "wait.h"

#define MAIN_STACK_ROOM (UINT64_C(6) << 20)
#define STACK_RESERVE (UINT64_C(16) << 10)

/* Takes over what an earlier visit left. */
static bool stuck_take(struct mr_target *target, pid_t tid, struct thread *ret)
{
	for (size_t i = 0; i < target->stuck_count; i++)
		if (target->stuck[i].tid == tid) {
			*ret = target->stuck[i];
			target->stuck[i] = target->stuck[--target->stuck_count];
			return true;
		}
	return false;
}

static void stuck_keep(struct mr_target *target, struct thread *thread)
{
	if (!thread->seized || thread->held)
		return;
	target->stuck[target->stuck_count++] = *thread;
	thread->seized = false;
}

/* CPython's own callers compute anew what is left of the time, but where a socket limits it. */
static bool begins_anew(pid_t pid, const struct proc_syscall *blocked, bool python_caller)
{
	if (!wait_breaks(blocked->nr))
		return false;
	return (wait_finite(blocked->nr, blocked->arg) && !python_caller) ||
	       socket_finite(pid, blocked->nr, blocked->arg[0]);
}

/*
 * Nor can what has been done in part be mended: the rest would have to be done by us, and the thread to wait for that. Whether any
 * has been is not to be seen from outside.
 */
static bool cut_short(pid_t pid, const struct proc_syscall *blocked)
{
	return wait_partial(blocked->nr, blocked->arg) && !socket_whole(pid, blocked->arg[0]);
}

/*
 * Judging takes a while, the longer the less of the processor we get. Does the thread wait by now where it must be left alone? Whose
 * code began that wait is not known.
 */
static bool waits_since(const struct visit *visit, pid_t tid)
{
	const struct proc_syscall *before = &visit->rehearsed;
	pid_t pid = visit->target->pid;
	struct proc_syscall now;

	target_syscall(visit->target, tid, &now);
	if (now.kind != PROC_SYSCALL_IN || (before->kind == PROC_SYSCALL_IN && before->sp == now.sp && before->nr == now.nr &&
					     memcmp(before->arg, now.arg, sizeof(now.arg)) == 0))
		return false;
	return begins_anew(pid, &now, false) || cut_short(pid, &now);
}

static struct visit visit_of(struct mr_target *target, struct mr_timing *timing)
{
	return (struct visit){ .target = target, .timing = timing,
			       .scene = { .python = &target->python, .images = &target->images,
					  .unwinder = target->unwinder, .verdicts = &target->verdicts } };
}

/* A thread that an earlier visit asked to stop is visited wherever that finds it: it may have stopped there already. */
int visit_begin(struct visit *visit, struct mr_target *target, pid_t tid, uint64_t limit_ns, struct mr_timing *timing,
		struct mr_error *err)
{
	struct proc_syscall blocked;
	struct scene rehearsal;
	bool asked;
	int r;

	*visit = visit_of(target, timing);
	asked = stuck_take(target, tid, &visit->thread);
	if (!asked && target->stuck_count == TARGET_STUCK_MAX)
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "%d threads do not stop", TARGET_STUCK_MAX);
	target_syscall(target, tid, &blocked);
	target_rehearse(target, &blocked, &rehearsal);
	visit->python_caller = moment_python_caller(&rehearsal);
	visit->retries = moment_retries(&rehearsal);
	visit->rehearsed = blocked;
	if (!asked && blocked.kind == PROC_SYSCALL_IN && begins_anew(target->pid, &blocked, visit->python_caller))
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0,
			       "thread %d waits with a time-out that would begin anew after a stop", (int)tid);
	if (!asked && blocked.kind == PROC_SYSCALL_IN && cut_short(target->pid, &blocked))
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "thread %d is in a call that a stop would cut short", (int)tid);
	if (!asked && waits_since(visit, tid))
		return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "thread %d has just begun to wait", (int)tid);
	r = thread_hold(&visit->thread, tid, limit_ns, err);
	stuck_keep(target, &visit->thread);
	return r;
}

void visit_look(struct visit *visit, size_t depth)
{
	uint64_t registers[CPU_DWARF_REGS];

	cpu_dwarf(&visit->thread.regs, registers);
	visit->scene.call = visit->thread.call;
	scene_look(&visit->scene, registers, depth);
	visit->looked = true;
	visit->python_caller = moment_python_caller(&visit->scene);
	visit->retries = moment_retries(&visit->scene);
	visit->parked = moment_parked(&visit->scene, &visit->wait_name);
}

bool visit_on_its_way(const struct visit *visit, const struct region *region)
{
	uint64_t pc = cpu_pc(&visit->thread.regs);

	return stage_holds(visit->target, pc) || (region && region_holds(region, pc));
}

/* Less the page or two at its top, and the gap that the kernel keeps below. */
static uint64_t stack_limit(pid_t pid)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_STACK, NULL, &limit) < 0 || limit.rlim_cur > MAIN_STACK_ROOM)
		return MAIN_STACK_ROOM;
	return limit.rlim_cur > STACK_RESERVE ? limit.rlim_cur - STACK_RESERVE : 0;
}

/* A thread's stack ends in pages that nobody may touch. */
static bool guarded(const struct mr_target *target, const struct mr_map *map)
{
	const struct mr_map *below = maps_find(&target->maps, map->start - 1);

	return below && strncmp(below->perms, "---", 3) == 0;
}

bool visit_in_handler(struct visit *visit)
{
	if (!visit->looked)
		visit_look(visit, UNWIND_FRAMES_MAX);
	return moment_in_handler(&visit->scene);
}

/*
 * A handler may run on a stack of its own anywhere in memory, with the program's data right below it. While it does, its
 * signal is blocked as a rule.
 */
bool visit_room(struct visit *visit, uint64_t stack)
{
	uint64_t sp = cpu_sp(&visit->thread.regs);
	const struct mr_map *map = maps_find(&visit->target->maps, sp);

	if (!map || map->inode || map_path_is(map, "[heap]"))
		return false;
	if (map_path_is(map, "[stack]"))	/* grows downwards by itself, up to its limit */
		return map->end - sp + stack < stack_limit(visit->target->pid) || sp - map->start > stack;
	return sp - map->start > stack && (guarded(visit->target, map) || visit->thread.mask == 0 || !visit_in_handler(visit));
}

/* Is the time-out in memory that the thread may write? It may lie in read-only data. */
static bool writable(const struct mr_target *target, uint64_t at)
{
	const struct mr_map *map = maps_find(&target->maps, at);

	return map && map->perms[1] == 'w' && at + 16 <= map->end;
}

/* It still waits where it did at the rehearsal. */
static bool same_wait(const struct visit *visit)
{
	return visit->rehearsed.kind == PROC_SYSCALL_IN && visit->rehearsed.nr == visit->thread.call.nr &&
	       visit->rehearsed.sp == cpu_sp(&visit->thread.regs);
}

/*
 * While the main thread is held, or blocks its signals, others take them in its place, and their handlers then wait for it: in a
 * wait without end, for ever. So it is to look for them when it goes on. The rehearsal may not have seen the whole stack.
 */
static bool call_ends(struct visit *visit)
{
	if (!visit->thread.call.in || visit->thread.tid != visit->target->pid || visit->target->facts.threads < 2)
		return false;
	if (!visit->looked && (!same_wait(visit) || visit->python_caller != visit->retries))
		visit_look(visit, SCENE_DEPTH);
	return visit->retries;
}

/* Whether the wait has to be called again; it may have begun since the rehearsal, in other code. */
static bool called_again(struct visit *visit)
{
	const struct cpu_call *call = &visit->thread.call;

	if (call->in && wait_breaks(call->nr) && wait_finite(call->nr, call->arg) && !same_wait(visit) && !visit->looked)
		visit_look(visit, SCENE_DEPTH);
	return wait_again(call, visit->python_caller);
}

void visit_frame(struct visit *visit)
{
	struct thread *thread = &visit->thread;
	struct stage_frame *frame = &visit->frame.frame;
	uint64_t at = 0, unit = 0;

	cpu_frame(&thread->regs, !call_ends(visit) && called_again(visit), &visit->frame);
	frame->mask = thread->mask;
	frame->stopped_at = thread->stopped_ns;
	if (frame->wait && wait_limit(&thread->call, &at, &unit) && writable(visit->target, at)) {
		frame->limit = at;
		frame->limit_unit = unit;
	}
}

static void account(struct visit *visit, uint64_t ns)
{
	struct mr_timing *t = visit->timing;
	uint64_t us = (ns + 500) / 1000;

	t->stops++;
	t->stopped_sum += us;
	if (us > t->stopped)
		t->stopped = us;
}

/*
 * Where the kernel would still let the stack grow nothing is mapped yet; /proc/PID/mem makes it grow, process_vm_writev does
 * not (since Linux 6.5).
 */
static int stack_write(struct mr_target *target, uint64_t at, const void *bytes, size_t size)
{
	int r = memory_write(&target->memory, at, bytes, size);

	return r == -EFAULT ? memory_force(&target->memory, at, bytes, size) : r;
}

/* A thread has its filters for itself, unless they came from the one that started it. What cannot be told is thought strict. */
static int filters_of(const struct visit *visit)
{
	_cleanup_free_ char *text = NULL;
	struct proc_status status = { .seccomp = 1 };
	size_t size = 0;

	if (visit->thread.tid == visit->target->pid)
		return visit->target->facts.seccomp;
	if (proc_read(visit->thread.tid, "status", &text, &size) < 0 || status_parse(text, size, &status) < 0)
		return 1;
	return status.seccomp;
}

/*
 * The filters of the main thread are judged once. Another one that may not call is left alone; it is not the only one. So is one
 * that has filters where the main thread has none: they are there to forbid what our code may have to do.
 */
static int filters_judge(struct visit *visit, struct seccomp_verdict *ret, struct mr_error *err)
{
	struct mr_target *target = visit->target;
	bool main_thread = visit->thread.tid == target->pid;
	struct mr_error local = MR_ERROR_INIT;
	int r = 0, mode = filters_of(visit);

	*ret = (struct seccomp_verdict){ .may_ask = true };
	if (main_thread && target->filters.tid == target->pid)
		*ret = target->filters;
	else if (mode == 1 || (mode && !target->facts.seccomp))
		r = mr_fail(&local, MR_E_SECCOMP, 0, "thread %d has filters of its own", (int)visit->thread.tid);
	else if (mode)
		r = seccomp_judge(&visit->thread, ret, &local);
	if (r == 0 && thread_dispatches(&visit->thread))
		r = mr_fail(&local, MR_E_SECCOMP, 0, "thread %d has them handed to itself (PR_SET_SYSCALL_USER_DISPATCH)",
			    (int)visit->thread.tid);
	if (r < 0)
		return mr_fail(err, main_thread ? local.code : MR_E_NO_SAFE_POINT, 0, "%s", local.what);
	if (main_thread)
		target->filters = *ret;
	return 0;
}

/* The frame lies on the thread's own stack below its red zone: dead memory, until the one change of registers. */
int visit_redirect(struct visit *visit, struct mr_error *err)
{
	const struct cpu_frame *frame = &visit->frame;
	uint8_t bytes[sizeof(frame->frame) + sizeof(frame->home) + 64] = { 0 };
	size_t size = frame->frame.home + sizeof(frame->home) - frame->at;
	uint64_t ns = 0, blocked = interpreter_blocked(&visit->target->python);
	struct seccomp_verdict filters;
	int r = filters_judge(visit, &filters, err);

	if (r < 0)
		return r;
	visit->frame.frame.ask = filters.may_ask;
	memcpy(bytes, &frame->frame, sizeof(frame->frame));
	memcpy(bytes + (frame->frame.home - frame->at), frame->home, sizeof(frame->home));
	if (!stage_there(visit->target))
		return mr_fail(err, MR_E_ENDED, 0, "process %d runs another program now", (int)visit->target->pid);
	r = stack_write(visit->target, frame->at, bytes, size);
	if (r < 0)
		return mr_fail(err, MR_E_NO_SAFE_POINT, -r, "the stack of thread %d has no room", (int)visit->thread.tid);
	r = thread_redirect(&visit->thread, visit->target->stage, frame, blocked, &ns, err);
	if (r == 0)
		account(visit, ns);
	return r;
}

void visit_end(struct visit *visit)
{
	enum thread_call call = CALL_AS_IS;

	if (!visit->thread.held)
		return;
	if (call_ends(visit))
		call = CALL_ENDS;
	else if (visit->thread.call.result == -4 && called_again(visit))
		call = CALL_AGAIN;
	account(visit, thread_release(&visit->thread, call));
}

/* As at the end of any visit: a wait in which a thread has stopped meanwhile goes on. */
void visits_settle(struct mr_target *target, uint64_t limit_ns, struct mr_timing *timing)
{
	for (size_t n = target->stuck_count; n > 0; n--) {
		struct mr_error ignored = MR_ERROR_INIT;
		struct visit visit = visit_of(target, timing);

		visit.thread = target->stuck[n - 1];
		target->stuck[n - 1] = target->stuck[--target->stuck_count];
		(void)thread_hold(&visit.thread, visit.thread.tid, limit_ns, &ignored);
		stuck_keep(target, &visit.thread);
		visit_end(&visit);
	}
}
