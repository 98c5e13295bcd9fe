/* SPDX-License-Identifier: MIT
 *
 * Is this a moment at which our code may run in the thread? Judged from its registers and its stack, by what every
 * stripped binary keeps: dynamic symbols, relocations, unwind tables. docs/DESIGN.md tells why each rule is sound.
 */
#ifndef MR_MOMENT_H
#define MR_MOMENT_H

#include "python.h"
#include "unwind.h"

struct stack {
	struct frame frame[UNWIND_FRAMES_MAX];
	size_t count;
	bool ended;		/* the last one is the outermost */
};

/* What was found out about functions of the interpreter: the same at every look, and some cost more than a stop may. */
struct verdicts {
	struct {
		uint64_t start;
		bool locks, clean;
	} of[128];
	size_t count;
};

/* What a judgement is made from. */
struct scene {
	const struct interpreter *python;
	struct images *images;
	struct unwinder *unwinder;
	struct verdicts *verdicts;
	struct cpu_call call;
	struct stack stack;
};

/* Walks the stack of a stopped thread (or, with registers from /proc/PID/syscall, of one that is blocked). */
#define SCENE_DEPTH 24	/* frames that tell whether a thread is parked, or may queue */
void scene_look(struct scene *scene, const uint64_t registers[CPU_DWARF_REGS], size_t depth);

/*
 * parked: blocked in a wait for which CPython has released the GIL, and from which nothing below needs to go on first.
 * ret_name is the libc function that waits, for the report; NULL is fine.
 */
bool moment_parked(struct scene *scene, const char **ret_name);

/*
 * outside: from a wait to the outermost frame, nothing is of the interpreter's image, so the thread is in no call of CPython's
 * API. Needs the whole stack.
 */
bool moment_outside(const struct scene *scene);

/* A frame that a signal interrupted is on the stack. */
bool moment_in_handler(const struct scene *scene);

/* queue: no frame can be holding the lock of Py_AddPendingCall, so it can be called from here. */
bool moment_queue(struct scene *scene);

/* spawn: no frame can be holding a lock of libc, so pthread_create can be called from here. */
bool moment_spawn(struct scene *scene);

/* Whose code made the call that blocks: CPython's own, which goes on rightly after EINTR? */
bool moment_python_caller(struct scene *scene);

/* Does CPython itself wait here, and begin again by itself after EINTR, when it has run the handlers of signals (PEP 475)? */
bool moment_retries(struct scene *scene);

/* The name of the function that the call instruction before this return address calls; NULL if it cannot be told. */
const char *callee_name(struct image *image, uint64_t return_address);

#endif
