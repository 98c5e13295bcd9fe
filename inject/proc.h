/* SPDX-License-Identifier: MIT
 *
 * The files of /proc as data: pure functions over text, no I/O (but for proc_read at the end).
 * The text comes from the kernel, but names and paths in it are of the target's choosing, and it may be cut short:
 * everything is bounds-checked, nothing needs a terminating NUL. Parsers return 0, or a negative errno: -EINVAL for
 * text that is not what the file should hold, -E2BIG beyond a limit, -ENOMEM.
 */
#ifndef MR_PROC_H
#define MR_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAPS_MAX 1000000		/* mappings; the kernel's own default limit is 65530 */
#define PROC_FILE_MAX (64u << 20)	/* bytes that proc_read takes at most */

struct mr_map {
	uint64_t start, end, offset;
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	char perms[5];		/* "r-xp" */
	const char *path;	/* into the text, not terminated; a newline in it is written \012; NULL when anonymous */
	size_t path_size;
};

struct mr_maps {
	struct mr_map *map;	/* in rising order of addresses */
	size_t count;
};

/* Parses /proc/PID/maps. The paths point into text, which must live as long. Freed with maps_free(). */
int maps_parse(const char *text, size_t size, struct mr_maps *ret);
void maps_free(struct mr_maps *maps);
/* The mapping that holds addr, or NULL. */
const struct mr_map *maps_find(const struct mr_maps *maps, uint64_t addr);
/* Parses one line of it, without its newline. */
int map_parse(const char *line, size_t size, struct mr_map *ret);
bool map_path_is(const struct mr_map *map, const char *path);
bool map_deleted(const struct mr_map *map);	/* the path ends in " (deleted)" */
/* The path as a string: \012 is a newline again, " (deleted)" goes. -E2BIG when it does not fit. */
int map_path(const struct mr_map *map, char *ret, size_t size);

/* /proc/PID/status, as far as it matters here. What the text does not have is -1, or 0 for masks. */
struct proc_status {
	pid_t tgid, pid, ppid, tracer;
	pid_t ns_pid;		/* in the innermost namespace */
	int ns_depth;		/* how many pids NSpid lists: 1 in the namespace of this /proc */
	uid_t uid[4];		/* real, effective, saved, file system */
	gid_t gid[4];
	int threads;
	int seccomp;		/* 0 off, 1 strict, 2 filter */
	char state;
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught;
	uint64_t cap_permitted, cap_effective;
	bool shadow_stack;	/* x86_Thread_features has shstk */
};

int status_parse(const char *text, size_t size, struct proc_status *ret);

#define PROC_PF_KTHREAD 0x00200000u
#define PROC_PF_EXITING 0x00000004u

/* /proc/PID/stat */
struct proc_stat {
	pid_t pid, ppid;
	char comm[64];		/* any bytes but NUL: spaces, parentheses, newlines */
	char state;
	uint32_t flags;		/* PROC_PF_… */
	uint64_t start_time;	/* clock ticks after boot */
};

int stat_parse(const char *text, size_t size, struct proc_stat *ret);

enum proc_syscall_kind {
	PROC_SYSCALL_RUNNING,	/* on a CPU, or about to be */
	PROC_SYSCALL_NONE,	/* blocked, but not in a system call (a page fault, say) */
	PROC_SYSCALL_IN,	/* blocked in the system call nr */
};

/* /proc/PID/syscall */
struct proc_syscall {
	enum proc_syscall_kind kind;
	long nr;
	uint64_t arg[6];
	uint64_t sp, pc;	/* 0 when running */
};

int syscall_parse(const char *text, size_t size, struct proc_syscall *ret);

/*
 * /proc/PID/cgroup: the path in the hierarchy with this controller, or in the unified one for "". -ENOENT when there
 * is no such line.
 */
int cgroup_parse(const char *text, size_t size, const char *controller, char *ret, size_t ret_size);
/* cgroup.events of the unified hierarchy, or freezer.state of the old one: is the group frozen? */
bool cgroup_frozen(const char *text, size_t size);

/*
 * Reads /proc/PID/name ("maps", "task/77/stat") whole. Adds a NUL that ret_size does not count. Returns 0 or a
 * negative errno: -ENOENT and -ESRCH for a process that is gone, -EFBIG beyond PROC_FILE_MAX. Freed with free().
 */
int proc_read(pid_t pid, const char *name, char **ret, size_t *ret_size);
/* The same for any path. */
int proc_read_path(const char *path, char **ret, size_t *ret_size);

#endif
