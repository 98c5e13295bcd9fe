/* SPDX-License-Identifier: MIT
 *
 * The public header of inject/: look at a process from outside, and run one request in its Python.
 * Nothing in inject/ prints, exits, or knows a command. attach/ includes this header and no other of inject/.
 */
#ifndef MR_INJECT_H
#define MR_INJECT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* What /proc says of a process. Filled without stopping it and without any right to attach. */
struct mr_facts {
	pid_t pid;
	pid_t ppid;
	uint64_t start_time;	/* clock ticks after boot, /proc/PID/stat field 22: tells a reused pid apart */
	char state;		/* R S D T t Z X, /proc/PID/stat field 3 */
	char comm[64];		/* as the kernel gives it: bytes of the target's choosing */
	char executable[PATH_MAX]; /* readlink /proc/PID/exe, "" when not readable; may end in " (deleted)" */
	uid_t uid[4];		/* real, effective, saved, fs */
	gid_t gid[4];
	pid_t tracer;		/* TracerPid, 0 for none */
	char tracer_comm[64];
	int seccomp;		/* 0 off, 1 strict, 2 filter, -1 unknown */
	int threads;
	pid_t ns_pid;		/* the pid in its innermost namespace (NSpid) */
	bool other_pid_ns, other_mnt_ns, other_user_ns, other_net_ns;	/* differs from ours */
	bool kernel_thread;
	bool shadow_stack;	/* x86_Thread_features has shstk */
	bool rooted;		/* /proc/PID/root is not our root: chroot or container */
	int yama;		/* kernel.yama.ptrace_scope, -1 where Yama is not built in */
	bool frozen;		/* its control group is frozen */
	bool not_dumpable;	/* PR_SET_DUMPABLE 0, or changed its user: its /proc files belong to root */
	uint64_t cap_permitted, cap_effective;	/* masks of capabilities */
	int attach_errno;	/* what the kernel says to attaching: 0 it may be done, EACCES or EPERM it may not */
};

/* Which CPython it is, as far as its memory tells from outside. */
struct mr_python {
	int major, minor, micro;	/* micro is -1 when only a run can tell */
	bool shared;			/* libpython is a shared library */
	bool debug;			/* Py_DEBUG */
	bool free_threaded;		/* Py_GIL_DISABLED */
	bool musl;			/* libc is musl */
	char image[PATH_MAX];		/* path of the mapping that holds the interpreter, as in /proc/PID/maps */
	int interpreters;		/* how many when it was opened; -1 when only a run can tell */
	bool remote_debug_off;		/* -X disable-remote-debug or PYTHON_DISABLE_REMOTE_DEBUG, 3.14 and later */
};

enum mr_delivery { MR_DELIVERY_NONE, MR_PARKED_MAIN, MR_PENDING_MAIN, MR_OWN_THREAD };
const char *mr_delivery_name(enum mr_delivery delivery);	/* "parked-main"; NULL for MR_DELIVERY_NONE */

enum mr_thread { MR_THREAD_AUTO, MR_THREAD_MAIN, MR_THREAD_ANY };

/* Microseconds. */
struct mr_timing {
	uint64_t total;		/* from mr_run's start to its end */
	uint64_t stopped;	/* the longest time that one thread was held stopped in one piece */
	uint64_t stopped_sum;
	uint64_t stops;		/* a count */
	uint64_t queued;	/* from the redirect to the start of our Python code */
	uint64_t ran;		/* our Python code */
};

#define MR_TELL_NEVER (-2)
void mr_tell_goes_on(void);	/* called by tell while it lasts, so that the one who asked does not take us for dead */

/* One request. All pointers belong to the caller and must live until mr_run returns. */
struct mr_request {
	const char *input;	/* what the boot code gets: UTF-8 JSON, see payload/boot.py */
	size_t input_size;
	bool engine;		/* whether the engine (payload/module_reloader) goes along, or only the boot code */
	size_t answer_max;	/* room for the answer in bytes; 0 takes the default of 8 MiB */
	double start_timeout;	/* seconds to find a safe point, 0 for no limit */
	double work_timeout;	/* seconds for the work, 0 for no limit */
	enum mr_thread thread;
	bool force;		/* go on where policy says no */
	/*
	 * Answers what our code asks while it runs: bytes in, bytes out, of which inject/ knows nothing. The question is
	 * the target's word. Returns how many bytes it put into ret, -1 for no answer, MR_TELL_NEVER when the one who asked
	 * had better not look for himself. NULL: nothing can be asked.
	 */
	ssize_t (*tell)(void *data, const char *question, size_t size, char *ret, size_t room);
	void *tell_data;
	bool (*cancelled)(void *data);	/* true asks to give up; may be NULL */
	void (*progress)(void *data, const char *text); /* called about once a second while waiting; may be NULL */
	void *data;			/* for these two */
};

/* What came back. Owned by the caller, freed with mr_answer_free(). */
struct mr_answer {
	char *text;		/* the answer's bytes, NUL-terminated; NULL when none came. Not trusted. */
	size_t size;
	bool placed;		/* the request lies in the process and may start; another thread may look at it */
	bool started;		/* our Python code began */
	bool ended;		/* and came to its end */
	enum mr_delivery delivery;
	struct mr_timing timing;
	char where[256];	/* where the thread was, in words; "" when not known */
	bool filter_unread;	/* it has a seccomp filter that we may not read: it might have forbidden our calls */
	bool leftover;		/* an idle region had to stay behind; the next call frees it */
};

struct mr_target;

/* Fills facts from /proc. Errors: NO_PROCESS. */
int mr_look(pid_t pid, struct mr_facts *facts, struct mr_error *err);

/*
 * Opens the process that mr_look() saw for mr_run: reads its maps, finds its interpreter. Stops nothing. ENDED when its pid
 * belongs to another process by now. Errors: ENDED, ZOMBIE, KERNEL_THREAD, NOT_PERMITTED, NOT_64BIT, NOT_PYTHON, PYPY,
 * PYTHON2, VERSION, …
 */
int mr_target_open(const struct mr_facts *facts, struct mr_target **ret, struct mr_error *err);
void mr_target_close(struct mr_target *target);	/* NULL is fine */
const struct mr_facts *mr_target_facts(const struct mr_target *target);
/* For which CPythons compiled code goes along: "3.11, 3.13"; "" when it has to be compiled in every target. */
void mr_compiled_for(char *ret, size_t size);

const struct mr_python *mr_target_python(const struct mr_target *target);

/* What of ours the process holds, for `info`: idle regions. Returns the count. */
size_t mr_target_regions(struct mr_target *target);

/* Whether it holds the engine, as the last mr-attach noted in its memory. */
bool mr_target_engine(struct mr_target *target);

/* What the main thread is doing, in words, from /proc alone ("waiting in select", "running"). */
void mr_target_doing(struct mr_target *target, char *ret, size_t size);

/*
 * Runs one request in the target's Python. Returns 0 when it started and ended; the answer says what came of it.
 * On an error the answer is filled as far as it got (started, where, timing). Errors: ENDED, TRACED, NO_SAFE_POINT, STARTING,
 * FINALIZING, INTERPRETERS, BUSY, STOPPED, WORK_TIMEOUT, CANCELLED, POLICY, MEMORY, BUG.
 */
int mr_run(struct mr_target *target, const struct mr_request *request, struct mr_answer *ret, struct mr_error *err);
void mr_answer_free(struct mr_answer *answer);

#endif
