/* SPDX-License-Identifier: MIT
 *
 * What /proc says of a process, without stopping it and without any right to attach: what may not be read is left
 * unknown, it is no error.
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "look.h"
#include "proc.h"

static void text_free(char **text)
{
	free(*text);
}

#define AUTO_TEXT __attribute__((cleanup(text_free))) char *

static int gone(pid_t pid, int sys, struct mr_error *err)
{
	enum mr_code code = mr_code_of(sys);

	if (code == MR_E_ENDED && access("/proc/stat", F_OK)) {
		mr_fail(err, MR_E_NO_PROCESS, 0, "there is no /proc here to see it in");
		return mr_hint(err, "mount -t proc proc /proc");
	}
	if (code == MR_E_ENDED)
		return mr_fail(err, MR_E_NO_PROCESS, 0, "%s", "");
	return mr_fail(err, code, sys, "reading /proc/%ld", (long)pid);
}

static int look_stat(pid_t pid, struct mr_facts *facts, struct mr_error *err)
{
	AUTO_TEXT text = NULL;
	struct proc_stat st;
	size_t size;
	int r = proc_read(pid, "stat", &text, &size);

	if (!r)
		r = stat_parse(text, size, &st);
	if (r)
		return gone(pid, -r, err);
	facts->pid = pid;
	facts->ppid = st.ppid;
	facts->start_time = st.start_time;
	facts->state = st.state;
	facts->kernel_thread = st.flags & PROC_PF_KTHREAD;
	memcpy(facts->comm, st.comm, sizeof(facts->comm));
	return 0;
}

static int look_status(pid_t pid, struct mr_facts *facts, struct mr_error *err)
{
	AUTO_TEXT text = NULL;
	struct proc_status status;
	size_t size;
	int r = proc_read(pid, "status", &text, &size);

	if (!r)
		r = status_parse(text, size, &status);
	if (r)
		return gone(pid, -r, err);
	if (status.tgid != pid) {	/* /proc/TID opens, although it is not listed */
		mr_fail(err, MR_E_NO_PROCESS, 0, "%ld is a thread of process %ld", (long)pid, (long)status.tgid);
		return mr_hint(err, "name the process: %ld", (long)status.tgid);
	}
	memcpy(facts->uid, status.uid, sizeof(facts->uid));
	memcpy(facts->gid, status.gid, sizeof(facts->gid));
	facts->tracer = status.tracer > 0 ? status.tracer : 0;
	facts->seccomp = status.seccomp;
	facts->threads = status.threads;
	facts->ns_pid = status.ns_pid;
	facts->shadow_stack = status.shadow_stack;
	facts->cap_permitted = status.cap_permitted;
	facts->cap_effective = status.cap_effective;
	/* ns/pid may be closed to us, NSpid never is: more than one pid means a namespace below this /proc's. */
	facts->other_pid_ns = status.ns_depth > 1;
	return 0;
}

static void look_tracer(struct mr_facts *facts)
{
	AUTO_TEXT text = NULL;
	size_t size;

	if (!facts->tracer || proc_read(facts->tracer, "comm", &text, &size))
		return;
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(facts->tracer_comm, sizeof(facts->tracer_comm), "%s", text);
}

/* Whether /proc/PID/name and ours are different objects; false when that cannot be told. */
static bool differs(pid_t pid, const char *name)
{
	char path[64];
	struct stat theirs, ours;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	if (stat(path, &theirs))
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (stat(path, &ours))
		return false;
	return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

/* Everyone may read uid_map: where ns/user is closed to us, different maps still tell different namespaces. */
static bool differs_uid_map(pid_t pid)
{
	AUTO_TEXT theirs = NULL;
	AUTO_TEXT ours = NULL;
	size_t their_size, our_size;

	if (proc_read(pid, "uid_map", &theirs, &their_size) ||
	    proc_read_path("/proc/self/uid_map", &ours, &our_size))
		return false;
	return their_size != our_size || memcmp(theirs, ours, our_size) != 0;
}

static void look_namespaces(struct mr_facts *facts)
{
	facts->other_pid_ns |= differs(facts->pid, "ns/pid");
	facts->other_mnt_ns = differs(facts->pid, "ns/mnt");
	facts->other_user_ns = differs(facts->pid, "ns/user") || differs_uid_map(facts->pid);
	facts->other_net_ns = differs(facts->pid, "ns/net");
	facts->rooted = differs(facts->pid, "root/.");
}

static void look_executable(struct mr_facts *facts)
{
	char path[64];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%ld/exe", (long)facts->pid);
	length = readlink(path, facts->executable, sizeof(facts->executable) - 1);
	facts->executable[length > 0 ? length : 0] = '\0';
}

/*
 * Asks the kernel itself whether attaching is allowed: opening mem takes the same check (uid, capabilities, dumpable,
 * Yama and other security modules), and does nothing to the process. A tracer that is there already is not part of it.
 */
static void look_rights(struct mr_facts *facts)
{
	char path[64];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)facts->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	facts->attach_errno = fd < 0 ? errno : 0;
	if (fd >= 0)
		(void)close(fd);
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)facts->pid);
	facts->not_dumpable = !stat(path, &st) && st.st_uid != facts->uid[1];
}

static int look_yama(void)
{
	AUTO_TEXT text = NULL;
	size_t size;

	if (proc_read_path("/proc/sys/kernel/yama/ptrace_scope", &text, &size))
		return -1;
	return size && text[0] >= '0' && text[0] <= '9' ? text[0] - '0' : -1;
}

static bool group_frozen(const char *base, const char *group, const char *file)
{
	AUTO_TEXT text = NULL;
	char path[PATH_MAX];
	size_t size;
	int length = snprintf(path, sizeof(path), "%s%s/%s", base, group, file);

	if (length < 0 || (size_t)length >= sizeof(path) || proc_read_path(path, &text, &size))
		return false;
	return cgroup_frozen(text, size);
}

/* A frozen process looks merely asleep in stat; only its control group tells. */
static bool look_frozen(pid_t pid)
{
	AUTO_TEXT text = NULL;
	char group[PATH_MAX];
	size_t size;

	if (proc_read(pid, "cgroup", &text, &size))
		return false;
	if (!cgroup_parse(text, size, "", group, sizeof(group)) &&
	    (group_frozen("/sys/fs/cgroup", group, "cgroup.events") ||
	     group_frozen("/sys/fs/cgroup/unified", group, "cgroup.events")))
		return true;
	return !cgroup_parse(text, size, "freezer", group, sizeof(group)) &&
	       group_frozen("/sys/fs/cgroup/freezer", group, "freezer.state");
}

int look_again(pid_t pid, struct mr_facts *facts, struct mr_error *err)
{
	int r;

	memset(facts, 0, sizeof(*facts));
	r = look_stat(pid, facts, err);
	if (!r)
		r = look_status(pid, facts, err);
	if (!r)
		look_tracer(facts);
	return r;
}

int mr_look(pid_t pid, struct mr_facts *facts, struct mr_error *err)
{
	int r = look_again(pid, facts, err);

	if (r)
		return r;
	look_namespaces(facts);
	look_executable(facts);
	look_rights(facts);
	facts->yama = look_yama();
	facts->frozen = look_frozen(pid);
	return 0;
}
