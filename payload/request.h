/* SPDX-License-Identifier: MIT
 *
 * What passes between the tool and the code that it places in the tracee: the stage frame, on the stack of the one
 * thread that is redirected, and the request block, at the start of the data part of the region.
 *
 *   region   0x6d72'KKKK'0000 ('mr', then a slot number)
 *   +0           code, read and execute: the stub                        REGION_CODE bytes
 *   +REGION_CODE data, read and write: struct request_block, then boot code, input, engine, room for a question and
 *                what the tool tells, room for the answer
 *
 * Offsets in the block count from its start. Fixed-width fields only; the tool trusts nothing that it reads back.
 */
#ifndef MR_REQUEST_H
#define MR_REQUEST_H

#define REGION_CODE	4096
#define REGION_BASE	0x6d7200000000	/* 'm' 'r': easily told in /proc/PID/maps */
#define REGION_STRIDE	0x100000000
#define REGION_SLOTS	16

#define REQUEST_MAGIC	0x686374612d726d00	/* "\0mr-atch" */
#define REQUEST_VERSION 8

/* Offsets that the assembly needs; checked against the structs below. */
#define FRAME_CALLS	0
#define FRAME_TARGET	512
#define FRAME_ARG	520
#define FRAME_HOME	528
#define BLOCK_INSIDE	44
#define BLOCK_QUEUED	48
#define BLOCK_SPAWNED	52
#define BLOCK_XSTATE_SIZE 56
#define BLOCK_LEAVE	224
#define STAGE_LEAVE	16	/* in the stage: a function that counts a word down */
#define XSTATE_LEGACY	512	/* of a CPU without XSAVE: what FXSAVE stores, x87 and SSE, which is all it has */
#define XSTATE_MAX	16384
#define WHERE_MAX	256

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* One raw system call for the stage. nr -1 ends the list. */
struct stage_call {
	int64_t nr;
	uint64_t arg[6];
	int64_t result;
};

#define STAGE_CALLS 8

/*
 * The stage frame lies on the thread's own stack, below its red zone, so it belongs to one redirection of one thread and
 * nobody else ever writes it. The stage makes the calls, calls the target, ends the wait that the thread was in, and
 * goes home with the registers in it.
 */
struct stage_frame {
	struct stage_call calls[STAGE_CALLS];
	uint64_t target;	/* a function in the region, or 0 */
	uint64_t arg;		/* its argument: the block */
	uint64_t home;		/* address of the 17 words that the way home pops, right below the red zone: */
				/* r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rcx rdx rsi rdi rax flags rip */
	uint64_t mask;		/* the thread's signal mask, put back on the way home */
	int64_t wait;		/* 0: no wait to resume; -512, -513, -514, -516: how the kernel would have resumed it */
	uint64_t resume_rax, resume_rip;	/* how to call it again */
	uint64_t limit;		/* address of the relative time-out that the call left to go, or 0 */
	uint64_t limit_unit;	/* nanoseconds in one of its fraction units: 1 timespec, 1000 timeval */
	uint64_t ask;		/* may ask the kernel for pending signals: a seccomp filter might kill for it */
	uint64_t stopped_at;	/* ns, CLOCK_MONOTONIC: when the wait was interrupted */
};

enum { HOME_RAX = 14, HOME_FLAGS = 15, HOME_RIP = 16, HOME_WORDS = 17 };

/* How far the start of our Python code has come. Moves only forward; only the stub moves it beyond READY. */
enum request_phase {
	PHASE_NONE,	/* the region is mapped, nothing in it yet */
	PHASE_READY,	/* filled in by the tool */
	PHASE_CLAIMED,	/* one of the entries is about to start it, and will look at cancel next */
	PHASE_CANCELLED,/* it saw the cancel: nothing ran and nothing will */
	PHASE_RUNNING,
	PHASE_DONE,
};

enum request_way { WAY_NONE, WAY_PARKED, WAY_QUEUED, WAY_SPAWNED };

enum request_refusal {
	REFUSAL_NONE,
	REFUSAL_HOLDS_GIL,	/* it waits, but did not let go of the GIL */
	REFUSAL_STARTING,	/* Py_IsInitialized says no */
	REFUSAL_FINALIZING,
	REFUSAL_INTERPRETERS,
	REFUSAL_QUEUE_FULL,	/* Py_AddPendingCall says no */
	REFUSAL_NO_THREAD,	/* pthread_create says no */
};

/* The work time-out has passed. Written by the tool before it sends a thread to stub_interrupt; boot.py asks whether it is 0. */
enum request_interrupt {
	INTERRUPT_NONE,
	INTERRUPT_HOLDER,	/* the thread sent may do it if it holds the GIL */
	INTERRUPT_PARKED,	/* the thread sent is parked: it may take the GIL for it */
};

/*
 * A question that our code asks while it runs; the tool answers from outside. Our code moves it to ASKED, the tool on from
 * there. Who waits too long goes on without: what is told later lies in a room of its own, where nobody looks.
 */
enum request_asking { ASKING_NOTHING, ASKING_ASKED, ASKING_TAKEN, ASKING_TOLD, ASKING_DECLINED };

/* Addresses of what the stub calls; 0 where the interpreter lacks it. The order is that of symbols in inject/python.c. */
struct request_python {
	uint64_t Py_IsInitialized, Py_IsFinalizing;
	uint64_t PyGILState_GetThisThreadState, PyThreadState_GetUnchecked, PyGILState_Ensure, PyGILState_Release;
	uint64_t Py_CompileString, PyEval_EvalCode, Py_AddPendingCall;
	uint64_t PyMemoryView_FromMemory, Py_DecRef;
	uint64_t PyDict_New, PyDict_SetItemString, PyDict_Clear, PyImport_AddModule;
	uint64_t PyErr_Fetch, PyErr_Restore, PyErr_Clear, PyErr_NormalizeException, PyException_SetTraceback;
	uint64_t PyObject_CallMethod;
	uint64_t PyThreadState_Get, PyThreadState_EnterTracing, PyThreadState_LeaveTracing;
	uint64_t PyInterpreterState_Head, PyInterpreterState_Next;
	uint64_t PyThreadState_SetAsyncExc, PyThread_get_thread_ident, PyExc_KeyboardInterrupt;
	uint64_t PyEval_GetFrame, PyFrame_GetLineNumber, PyObject_GetAttrString, PyUnicode_AsUTF8;
	uint64_t Py_GetRecursionLimit, Py_SetRecursionLimit;
	uint64_t errno_location, pthread_create, pthread_self, pthread_detach;
};

struct request_block {
	uint64_t magic;
	uint32_t version;
	uint32_t pid;		/* the tracee as it sees itself: a forked child finds another */
	uint64_t size;		/* of the data part, in bytes */
	uint32_t phase;		/* enum request_phase */
	uint32_t refusal;	/* enum request_refusal: why an entry went home without a start; the tool clears it */
	uint32_t cancel;	/* written by the tool: do not start */
	uint32_t sent;		/* redirections to an entry, counted by the tool before each */
	uint32_t arrived;	/* the same, counted by the entries */
	uint32_t inside;	/* entries that have arrived and not left */
	uint32_t queued;	/* a call is in CPython's queue, or running from it */
	uint32_t spawned;	/* a thread of ours lives */
	uint64_t xstate_size;	/* of the CPU's extended state, a multiple of 64, at most XSTATE_MAX */
	/* offset 64: what boot.py reads and writes, through a memoryview */
	uint64_t input_off, input_len;
	uint64_t package_off, package_len;
	uint64_t answer_off, answer_max;
	uint64_t answer_len, answer_full;
	uint64_t interrupt;	/* enum request_interrupt */
	uint64_t mask;		/* the signal mask that our thread had before the stub blocked all */
	uint64_t engine;	/* written by boot.py at its end: the engine is loaded in the process */
	uint64_t code_off;	/* the NUL-terminated text that the stub evaluates: it executes boot.py */
	uint64_t entered_ns, started_ns, ended_ns;	/* CLOCK_MONOTONIC */
	uint64_t thread;	/* tid: redirected by the tool; once our code runs, the one that runs it */
	uint64_t ident;		/* its PyThread_get_thread_ident() */
	uint64_t way;		/* enum request_way: which entry started it */
	uint64_t interrupted;	/* how often PyThreadState_SetAsyncExc was called */
	uint64_t sent_mask;	/* the mask of the thread that the tool sent last; the one that starts takes it over */
	uint64_t leave;		/* in the stage, which nobody ever takes out: the last that a thread does here */
	uint64_t asking;	/* enum request_asking */
	uint64_t question_off, question_max, question_len;	/* question_max 0: nobody would answer */
	uint64_t told_off, told_max, told_len;
	uint64_t ask;		/* the main thread may ask the kernel for pending signals: see stage_frame */
	uint64_t boot_ns;	/* CLOCK_MONOTONIC: from then on boot.py is made, with the GIL held */
	uint64_t blocked;	/* the signal mask of a thread that works for us */
	uint64_t tracing;	/* where PyThreadState counts calls of trace functions, 0: there are functions for that */
	uint64_t token;		/* by which the tool knows its own request */
	uint64_t line;		/* where our code waited when it was interrupted last, 0 unknown: in `file`, NUL-terminated */
	char file[WHERE_MAX];
	struct request_python py;
};

_Static_assert(offsetof(struct stage_frame, target) == FRAME_TARGET, "frame");
_Static_assert(offsetof(struct stage_frame, arg) == FRAME_ARG, "frame");
_Static_assert(offsetof(struct stage_frame, home) == FRAME_HOME, "frame");
_Static_assert(offsetof(struct request_block, input_off) == 64, "boot.py reads it at 64");
_Static_assert(offsetof(struct request_block, interrupt) == 128, "boot.py reads it at 128");
_Static_assert(offsetof(struct request_block, mask) == 136, "boot.py reads it at 136");
_Static_assert(offsetof(struct request_block, engine) == 144, "boot.py writes it at 144");
_Static_assert(offsetof(struct request_block, asking) == 232, "the engine reads it at 232");
_Static_assert(offsetof(struct request_block, told_len) == 280, "the engine reads it at 280");
_Static_assert(offsetof(struct request_block, boot_ns) == 296, "boot.py reads it at 296");
_Static_assert(offsetof(struct request_block, xstate_size) == BLOCK_XSTATE_SIZE, "the assembly");
_Static_assert(offsetof(struct request_block, inside) == BLOCK_INSIDE, "the assembly");
_Static_assert(offsetof(struct request_block, queued) == BLOCK_QUEUED, "the assembly");
_Static_assert(offsetof(struct request_block, spawned) == BLOCK_SPAWNED, "the assembly");
_Static_assert(offsetof(struct request_block, leave) == BLOCK_LEAVE, "the assembly");
#endif
#endif
