/* SPDX-License-Identifier: MIT
 *
 * The CPython in a process: which image it is, which version, and where the functions are that the stub calls.
 * All that depends on the version of CPython stands in python.c.
 */
#ifndef MR_PYTHON_H
#define MR_PYTHON_H

#include "../payload/request.h"
#include "image.h"
#include "inject.h"

enum role {
	ROLE_UNKNOWN,
	ROLE_LIBC,	/* libc, libpthread, the dynamic loader, the vdso */
	ROLE_PYTHON,	/* the interpreter itself */
	ROLE_ALLOCATOR,	/* another image that defines malloc */
	ROLE_OTHER,
};

struct interpreter {
	struct mr_python facts;
	struct image *image;
	struct image *libc;
	struct request_python calls;
};

/*
 * Finds the interpreter among the images. Errors: NOT_PYTHON, PYPY, PYTHON2, VERSION, NOT_64BIT.
 * cmdline and environ are those of /proc, for the policy; either may be NULL.
 */
int interpreter_find(struct images *images, const struct mr_facts *facts, struct interpreter *ret, struct mr_error *err);

/* What part an image plays. image may be NULL. */
enum role interpreter_role(const struct interpreter *python, struct image *image);

/* CPython's own code: the interpreter, or an extension module of its standard library. */
bool interpreter_own(const struct interpreter *python, struct image *image);

/*
 * The signals that wait while a thread is away from its work: all but the one by which libc has every thread change its user
 * (setuid(3) and the like). Who asks for that waits for all threads, and may hold the GIL that ours waits for.
 */
uint64_t interpreter_blocked(const struct interpreter *python);

/*
 * The offset of `tracing` in PyThreadState where no function counts it (before 3.11), else 0. Extensions are compiled against that
 * struct, so no build of these versions may have another.
 */
uint64_t interpreter_tracing(const struct interpreter *python);

/* Is it shutting down? For versions that have no function to ask (3.6); false for the others. */
bool interpreter_finalizing(const struct interpreter *python);

/* "3.11.4 (main, …)" from the read-only data, for versions that do not tell their micro number; sets facts.micro. */
void interpreter_micro(struct interpreter *python);

#endif
