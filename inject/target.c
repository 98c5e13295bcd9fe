/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"
#include "util.h"

const char *mr_delivery_name(enum mr_delivery delivery)
{
	static const char *const names[] = { NULL, "parked-main", "pending-main", "own-thread" };

	return (unsigned int)delivery < ARRAY_LEN(names) ? names[delivery] : NULL;
}

const struct mr_facts *mr_target_facts(const struct mr_target *target)
{
	return &target->facts;
}

const struct mr_python *mr_target_python(const struct mr_target *target)
{
	return &target->python.facts;
}

static void maps_drop(struct mr_target *target)
{
	unwinder_free(target->unwinder);
	target->unwinder = NULL;
	images_free(&target->images);
	maps_free(&target->maps);
	free(target->maps_text);
	target->maps_text = NULL;
}

static int maps_load(struct mr_target *target, struct mr_error *err)
{
	size_t size;
	int r = proc_read(target->pid, "maps", &target->maps_text, &size);

	if (r == 0)
		r = maps_parse(target->maps_text, size, &target->maps);
	if (r == 0)
		r = images_find(&target->maps, target->pid, &target->images);
	if (r == 0)
		return 0;
	if (mr_code_of(-r) == MR_E_ENDED)
		return mr_fail(err, MR_E_ENDED, 0, "process %d", (int)target->pid);
	return mr_fail(err, mr_code_of(-r), -r, "reading its memory map");
}

/* An executable at a fixed address is there after an execve too, but its libc moves. */
static struct image *image_again(struct images *images, uint64_t start)
{
	struct image *image = start ? images_at(images, start) : NULL;

	return image && image->start == start ? image : NULL;
}

/* Old images would point into the old text, so the interpreter's are looked up again by address. */
int target_refresh(struct mr_target *target, struct mr_error *err)
{
	uint64_t python = target->python.image ? target->python.image->start : 0;
	uint64_t libc = target->python.libc ? target->python.libc->start : 0;
	int r;

	maps_drop(target);
	r = maps_load(target, err);
	if (r < 0)
		return r;
	target->python.image = image_again(&target->images, python);
	target->python.libc = image_again(&target->images, libc);
	if (!target->python.image || !target->python.libc != !libc)
		return mr_fail(err, MR_E_ENDED, 0, "process %d runs another program now", (int)target->pid);
	target->unwinder = unwinder_new(&target->images);
	return target->unwinder ? 0 : mr_fail(err, MR_E_MEMORY, 0, "unwinder");
}

int target_alive(struct mr_target *target, struct mr_error *err)
{
	struct mr_facts facts;
	struct mr_error local = MR_ERROR_INIT;
	int r = look_again(target->pid, &facts, &local);

	if (r < 0 && local.code != MR_E_NO_PROCESS)
		return mr_fail(err, local.code, local.sys, "%s", local.what);
	if (r < 0 || facts.start_time != target->facts.start_time || facts.state == 'Z' || facts.state == 'X')
		return mr_fail(err, MR_E_ENDED, 0, "process %d", (int)target->pid);
	return 0;
}

/* Words in a NUL-separated list such as /proc/PID/cmdline and environ. */
static bool list_has(pid_t pid, const char *file, const char *first, const char *second)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (proc_read(pid, file, &text, &size) < 0)
		return false;
	for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
		const char *word = text + at, *next = word + strlen(word) + 1;
		size_t n = strlen(first);

		if (strncmp(word, first, n) != 0)
			continue;
		if (!second)
			return word[n] != 0;
		if (strcmp(word + n, second) == 0 || (!word[n] && next < text + size && strcmp(next, second) == 0))
			return true;
	}
	return false;
}

static int refuse(const struct mr_facts *facts, struct mr_error *err)
{
	if (facts->kernel_thread)
		return mr_fail(err, MR_E_KERNEL_THREAD, 0, "%s", facts->comm);
	if (facts->state == 'Z' || facts->state == 'X')
		return mr_fail(err, MR_E_ZOMBIE, 0, "process %d (%s)", (int)facts->pid, facts->comm);
	if (facts->seccomp == 1)
		return mr_fail(err, MR_E_SECCOMP, 0, "process %d (%s) is in the strict mode", (int)facts->pid, facts->comm);
	if (facts->shadow_stack)
		return mr_fail(err, MR_E_SHADOW_STACK, 0, "process %d (%s)", (int)facts->pid, facts->comm);
	return 0;
}

/* The memory of a process that is killed goes a moment before /proc says that it has ended: then there is no program. */
static bool memory_gone(pid_t pid)
{
	char path[64], program[1];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, program, sizeof(program)) < 0 && (errno == ENOENT || errno == ESRCH);
}

static int open_process(struct mr_target *target, struct mr_error *err)
{
	int r = refuse(&target->facts, err);

	if (r < 0)
		return r;
	r = maps_load(target, err);
	if (r == 0)
		r = interpreter_find(&target->images, &target->facts, &target->python, err);
	if (r == 0) {
		target->unwinder = unwinder_new(&target->images);
		if (!target->unwinder)
			r = mr_fail(err, MR_E_MEMORY, 0, "unwinder");
	}
	if (r < 0 && target->images.trouble) {	/* what could not be read proves nothing */
		*err = (struct mr_error)MR_ERROR_INIT;
		r = mr_fail(err, mr_code_of(target->images.trouble), target->images.trouble, "reading its memory");
	}
	if (r < 0 && memory_gone(target->pid)) {
		*err = (struct mr_error)MR_ERROR_INIT;
		return mr_fail(err, MR_E_ENDED, 0, "process %d", (int)target->pid);
	}
	target->python.facts.remote_debug_off =
		list_has(target->pid, "cmdline", "-X", "disable-remote-debug") ||
		list_has(target->pid, "cmdline", "-X", "disable_remote_debug") ||
		list_has(target->pid, "environ", "PYTHON_DISABLE_REMOTE_DEBUG=", NULL);
	return r;
}

int mr_target_open(const struct mr_facts *facts, struct mr_target **ret, struct mr_error *err)
{
	struct mr_target *target = calloc(1, sizeof(*target));
	int r;

	*ret = NULL;
	if (!target)
		return mr_fail(err, MR_E_MEMORY, ENOMEM, "process %d", (int)facts->pid);
	target->facts = *facts;
	target->pid = facts->pid;
	target->memory = (struct memory){ facts->pid, -1 };
	target->images.memory = (struct memory){ facts->pid, -1 };
	r = open_process(target, err);
	if (r == 0)
		r = target_alive(target, err);
	target->fresh = true;
	if (r < 0) {
		mr_target_close(target);
		return r;
	}
	*ret = target;
	return 0;
}

void mr_target_close(struct mr_target *target)
{
	if (!target)
		return;
	maps_drop(target);
	memory_close(&target->memory);
	free(target);
}

void target_syscall(const struct mr_target *target, pid_t tid, struct proc_syscall *ret)
{
	_cleanup_free_ char *text = NULL;
	char name[64];
	size_t size = 0;

	*ret = (struct proc_syscall){ .kind = PROC_SYSCALL_RUNNING };
	(void)snprintf(name, sizeof(name), "task/%d/syscall", (int)tid);
	if (proc_read(target->pid, name, &text, &size) == 0)
		(void)syscall_parse(text, size, ret);
}

void target_rehearse(struct mr_target *target, const struct proc_syscall *blocked, struct scene *scene)
{
	uint64_t registers[CPU_DWARF_REGS];

	*scene = (struct scene){ .python = &target->python, .images = &target->images, .unwinder = target->unwinder,
				 .verdicts = &target->verdicts };
	if (blocked->kind != PROC_SYSCALL_IN)
		return;
	scene->call = (struct cpu_call){ .in = true, .nr = blocked->nr };
	memcpy(scene->call.arg, blocked->arg, sizeof(scene->call.arg));
	cpu_dwarf_from(blocked->pc, blocked->sp, registers);
	scene_look(scene, registers, SCENE_DEPTH);
}

void mr_target_doing(struct mr_target *target, char *ret, size_t size)
{
	struct proc_syscall blocked;
	struct scene scene;
	const char *name = NULL;

	target_syscall(target, target->pid, &blocked);
	target_rehearse(target, &blocked, &scene);
	if (blocked.kind == PROC_SYSCALL_RUNNING)
		(void)snprintf(ret, size, "running");
	else if (moment_parked(&scene, &name) && name)
		(void)snprintf(ret, size, "waiting in %s", name);
	else if (blocked.kind == PROC_SYSCALL_IN)
		(void)snprintf(ret, size, "waiting in system call %ld", blocked.nr);
	else
		(void)snprintf(ret, size, "waiting");
}
