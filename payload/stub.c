/* SPDX-License-Identifier: MIT
 *
 * The stub: the C code that runs in the tracee. Freestanding, no data; it knows only its block. Function types come from
 * the real Python.h, so that a change of a signature breaks the build and not a target.
 *
 * Several entries may be under way for one request (a queued call, a parked thread, a thread of our own): the first to
 * claim it starts it. The tool takes a request back with the word cancel: it writes cancel and then looks at phase, an entry
 * writes phase and then looks at cancel; so one of the two sees the other, and nothing starts that the tool has given up.
 */
#include <Python.h>
#include <limits.h>
#include <pthread.h>

#include "request.h"

#define FN(block, name) ((__typeof__(&name))(block)->py.name)

enum { BOOT_RUNS = 1000, OUR_LEVELS = 500 };

/* Those that some headers lack or have as macros: the type is stated here. */
typedef PyObject *compile_function(const char *, const char *, int);
typedef int int_function(void);
typedef PyThreadState *current_function(void);
typedef void state_function(PyThreadState *);

void stub_parked(struct request_block *block);
void stub_queue(struct request_block *block);
void stub_spawn(struct request_block *block);
void stub_interrupt(struct request_block *block);
void stub_outside(struct request_block *block);
void stub_thread(struct request_block *block);
void stub_pending(struct request_block *block);
/*
 * Assembly: stub_thread, and then counts `spawned` down; stub_pending, and then counts `queued` down. Hidden, or else their
 * addresses would come through a GOT.
 */
__attribute__((visibility("hidden"))) void *thread_enter(void *block);
__attribute__((visibility("hidden"))) int pending_enter(void *block);

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void arrive(struct request_block *block)
{
	(void)__atomic_fetch_add(&block->inside, 1, __ATOMIC_SEQ_CST);
	(void)__atomic_fetch_add(&block->arrived, 1, __ATOMIC_SEQ_CST);
}

/* From READY to CLAIMED, by one only; and on to RUNNING unless the tool has taken it back. */
static int claim(struct request_block *block)
{
	uint32_t ready = PHASE_READY;

	if (!__atomic_compare_exchange_n(&block->phase, &ready, PHASE_CLAIMED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return 0;
	if (load(&block->cancel)) {
		store(&block->phase, PHASE_CANCELLED);
		return 0;
	}
	return 1;
}

/* Whether there is an interpreter to ask: at its end, and after it, most calls of it crash. */
static enum request_refusal interpreter_life(const struct request_block *block)
{
	if (block->py.Py_IsFinalizing && ((int_function *)block->py.Py_IsFinalizing)())
		return REFUSAL_FINALIZING;
	return FN(block, Py_IsInitialized)() ? REFUSAL_NONE : REFUSAL_STARTING;
}

static enum request_refusal interpreter_state(const struct request_block *block)
{
	enum request_refusal why = interpreter_life(block);

	if (why == REFUSAL_NONE && FN(block, PyInterpreterState_Next)(FN(block, PyInterpreterState_Head)()))
		return REFUSAL_INTERPRETERS;
	return why;
}

/*
 * Trace and profile functions of the program must not see our code. Before 3.11, which has functions for that, the thread's count of
 * calls of them is raised by hand. They cannot be taken off and put back: sys.setprofile() makes Python functions of those in C
 * (cProfile), whose objects cannot be called.
 */
static void tracing_count(const struct request_block *block, int by)
{
	PyThreadState *state = FN(block, PyThreadState_Get)();
	uint64_t change = by > 0 ? block->py.PyThreadState_EnterTracing : block->py.PyThreadState_LeaveTracing;

	if (change)
		((state_function *)change)(state);
	else if (block->tracing)
		*(int *)((char *)state + block->tracing) += by;
}

/*
 * Executes boot.py once. Before its first bytecode the interpreter may run a signal handler of the program, and after any
 * other: what that raises where boot.py has no hold of it ends the script. It is kept in its namespace as `raised`, and
 * the script is executed again.
 */
static int boot_run(struct request_block *block, PyObject *code, PyObject *names)
{
	PyObject *result = FN(block, PyEval_EvalCode)(code, names, names), *type, *raised, *traceback;

	FN(block, Py_DecRef)(result);
	if (result)
		return 0;
	FN(block, PyErr_Fetch)(&type, &raised, &traceback);
	FN(block, PyErr_NormalizeException)(&type, &raised, &traceback);
	if (raised && traceback)
		(void)FN(block, PyException_SetTraceback)(raised, traceback);
	if (raised)
		(void)FN(block, PyDict_SetItemString)(names, "raised", raised);
	FN(block, PyErr_Clear)();
	FN(block, Py_DecRef)(type);
	FN(block, Py_DecRef)(raised);
	FN(block, Py_DecRef)(traceback);
	return -1;
}

/*
 * A signal may have come in another thread while its handler waits for this one. It runs now, in a script that does nothing,
 * with the mask that the program gave this thread: while our code runs all are blocked, and they would stay so in a program
 * that the handler starts. Signals that were held up by us wait until we are gone. Returns whether anything was raised.
 */
static int handlers_run(struct request_block *block, PyObject *names)
{
	uint64_t mask = 0;
	PyObject *code;
	int raised = 0;

	if (block->thread != block->pid || !block->ask || raw_syscall(RAW_RT_SIGPENDING, (uint64_t)&mask, 8, 0, 0) < 0)
		return 0;
	mask |= block->mask;
	code = ((compile_function *)block->py.Py_CompileString)("pass\n", "<mr-attach>", Py_file_input);
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&mask, 0, 8);
	if (code)
		raised = boot_run(block, code, names) < 0;
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&block->blocked, 0, 8);
	FN(block, Py_DecRef)(code);
	return raised;
}

/*
 * What the program had sent to this thread (PyThreadState_SetAsyncExc) was raised in the script that does nothing. boot.py has told
 * it apart from what handlers raised; it is sent again.
 */
static void give_back(struct request_block *block, PyObject *names)
{
	PyObject *sent = FN(block, PyObject_CallMethod)(names, "pop", "s", "sent");

	if (sent)
		(void)FN(block, PyThreadState_SetAsyncExc)(block->ident, sent);
	else
		FN(block, PyErr_Clear)();
	FN(block, Py_DecRef)(sent);
}

/* Executes TEXT until it comes to its end. */
static void text_run(struct request_block *block, const char *text, PyObject *names)
{
	PyObject *code = ((compile_function *)block->py.Py_CompileString)(text, "<mr-attach>", Py_file_input);

	for (int runs = 0; code && runs < BOOT_RUNS && boot_run(block, code, names) < 0; runs++)
		;
	FN(block, Py_DecRef)(code);
}

/*
 * From here on nobody interrupts any more; an interrupt that came when our code had no bytecode left to run is taken by some
 * more. Before 3.13 PyThreadState_SetAsyncExc(…, NULL) leaves the interpreter's alarm on for ever: each check of it takes the
 * long way, and a traced function of 3.11 hangs in its first instruction.
 */
static void settle(struct request_block *block, PyObject *names)
{
	block->ended_ns = raw_now();
	store(&block->phase, PHASE_DONE);
	if (block->interrupted)
		text_run(block, "settle()\n", names);
}

/* In a namespace of its own; nothing is printed, and no SystemExit ends the process, whatever is raised. */
static void python_run(struct request_block *block)
{
	PyObject *view = FN(block, PyMemoryView_FromMemory)((char *)block, (Py_ssize_t)block->size, PyBUF_WRITE);
	PyObject *builtins = FN(block, PyImport_AddModule)("builtins"), *names = FN(block, PyDict_New)();

	if (view && builtins && names && FN(block, PyDict_SetItemString)(names, "view", view) == 0 &&
	    FN(block, PyDict_SetItemString)(names, "__builtins__", builtins) == 0) {
		int raised = handlers_run(block, names);

		block->boot_ns = raw_now();
		text_run(block, (const char *)block + block->code_off, names);
		settle(block, names);
		if (raised)
			give_back(block, names);
	}
	if (view)
		FN(block, Py_DecRef)(FN(block, PyObject_CallMethod)(view, "release", NULL));
	if (names) {
		FN(block, PyDict_Clear)(names);		/* functions and their globals are a cycle */
		if (builtins)				/* somebody may hold a function: a stream of ours */
			(void)FN(block, PyDict_SetItemString)(names, "__builtins__", builtins);
	}
	FN(block, PyErr_Clear)();
	FN(block, Py_DecRef)(names);
	FN(block, Py_DecRef)(view);
}

/*
 * Does the recursion limit leave no room for our frames? A frame of Python may stand for three levels: it, and C code that called
 * it. The limit is left alone where it can be: it is the program's to read and to set, for all its threads.
 */
static int crowded(const struct request_block *block, int limit)
{
	PyObject *frame = (PyObject *)FN(block, PyEval_GetFrame)(), *last = NULL;
	int levels = OUR_LEVELS;

	for (; frame && levels < limit; levels += 3) {
		frame = FN(block, PyObject_GetAttrString)(frame, "f_back");
		FN(block, Py_DecRef)(last);
		last = frame;
	}
	FN(block, Py_DecRef)(last);
	FN(block, PyErr_Clear)();	/* the last one's f_back is None, which has none */
	return levels >= limit;
}

/* With no tracer of the program's, with its pending exception kept, and with room for our frames. */
static void python_run_aside(struct request_block *block)
{
	PyObject *type, *value, *traceback;
	int limit = FN(block, Py_GetRecursionLimit)();
	int more = limit;

	FN(block, PyErr_Fetch)(&type, &value, &traceback);
	if (limit <= INT_MAX - OUR_LEVELS && crowded(block, limit)) {
		more += OUR_LEVELS;
		FN(block, Py_SetRecursionLimit)(more);
	}
	tracing_count(block, 1);
	python_run(block);
	tracing_count(block, -1);
	if (more != limit && FN(block, Py_GetRecursionLimit)() == more)
		FN(block, Py_SetRecursionLimit)(limit);
	FN(block, PyErr_Restore)(type, value, traceback);
}

/* The GIL is held. Starts our code, unless somebody did or the tool took it back. */
static void start(struct request_block *block, enum request_way way, uint64_t mask)
{
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;

	if (claim(block)) {
		block->way = way;
		block->mask = mask;
		block->ident = FN(block, PyThread_get_thread_ident)();
		block->thread = (uint64_t)raw_syscall(RAW_GETTID, 0, 0, 0, 0);
		block->started_ns = raw_now();
		store(&block->phase, PHASE_RUNNING);
		python_run_aside(block);
		if (load(&block->phase) != PHASE_DONE)
			block->ended_ns = raw_now();
		store(&block->phase, PHASE_DONE);
	}
	*error_number = saved;
}

/* What PyGILState_Check says, but that one says 1 of every thread once there was a second interpreter (Python/pystate.c). */
static int holds_gil(const struct request_block *block)
{
	const PyThreadState *mine = FN(block, PyGILState_GetThisThreadState)();

	return mine && mine == ((current_function *)block->py.PyThreadState_GetUnchecked)();
}

/* With the GIL to be taken first: in a parked thread, or in one of our own. held: it may be in the thread's hands already. */
static void take_and_start(struct request_block *block, enum request_way way, int held)
{
	uint64_t mask = block->sent_mask;
	enum request_refusal why = interpreter_state(block);
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;

	if (why == REFUSAL_NONE && !held && holds_gil(block))
		why = REFUSAL_HOLDS_GIL;
	if (why == REFUSAL_NONE && load(&block->phase) == PHASE_READY && !load(&block->cancel)) {
		PyGILState_STATE state = FN(block, PyGILState_Ensure)();

		start(block, way, mask);
		FN(block, PyGILState_Release)(state);
	}
	if (why != REFUSAL_NONE)
		store(&block->refusal, why);
	*error_number = saved;
}

static int forked(const struct request_block *block)
{
	return (uint32_t)raw_syscall(RAW_GETPID, 0, 0, 0, 0) != block->pid;
}

void stub_parked(struct request_block *block)
{
	arrive(block);
	block->entered_ns = raw_now();
	if (!forked(block))
		take_and_start(block, WAY_PARKED, 0);
}

/*
 * It waits with the GIL in its hands, and nothing of the interpreter is on its stack. A program that embeds CPython does that
 * between two calls of its API. No Python code is under way on another stack of this thread either, when there is no frame.
 */
void stub_outside(struct request_block *block)
{
	arrive(block);
	block->entered_ns = raw_now();
	if (!forked(block))
		take_and_start(block, WAY_PARKED, holds_gil(block) && !FN(block, PyEval_GetFrame)());
}

/* CPython calls this in its main thread with the GIL held, between two bytecodes. */
void stub_pending(struct request_block *block)
{
	uint64_t mask = 0;
	enum request_refusal why;

	if (forked(block))
		return;
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&block->blocked, (uint64_t)&mask, 8);
	why = interpreter_state(block);
	if (why == REFUSAL_NONE)
		start(block, WAY_QUEUED, mask);
	else
		store(&block->refusal, why);
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&mask, 0, 8);
}

void stub_queue(struct request_block *block)
{
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;

	enum request_refusal why;

	arrive(block);
	block->entered_ns = raw_now();
	store(&block->queued, 1);
	why = interpreter_life(block);
	if (why == REFUSAL_NONE && FN(block, Py_AddPendingCall)(pending_enter, block) != 0)
		why = REFUSAL_QUEUE_FULL;
	if (why != REFUSAL_NONE) {
		store(&block->queued, 0);
		store(&block->refusal, why);
	}
	*error_number = saved;
}

void stub_thread(struct request_block *block)
{
	int (*detach)(pthread_t) = (int (*)(pthread_t))block->py.pthread_detach;
	pthread_t (*self)(void) = (pthread_t(*)(void))block->py.pthread_self;

	(void)detach(self());
	block->thread = (uint64_t)raw_syscall(RAW_GETTID, 0, 0, 0, 0);
	if (!forked(block))
		take_and_start(block, WAY_SPAWNED, 0);
}

void stub_spawn(struct request_block *block)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		(int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))block->py.pthread_create;
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;
	enum request_refusal why;
	pthread_t thread;

	arrive(block);
	block->entered_ns = raw_now();
	store(&block->spawned, 1);
	why = interpreter_life(block);
	if (why == REFUSAL_NONE && create(&thread, NULL, thread_enter, block) != 0)
		why = REFUSAL_NO_THREAD;
	if (why != REFUSAL_NONE) {
		store(&block->spawned, 0);
		store(&block->refusal, why);
	}
	*error_number = saved;
}

/* Where our code waits, in words for people. This thread is parked and has the GIL: nothing of it is half done. */
static void where_note(struct request_block *block)
{
	PyFrameObject *frame = FN(block, PyEval_GetFrame)();
	PyObject *type, *value, *traceback, *code, *name;
	const char *text;
	size_t i = 0;

	if (!frame)
		return;
	FN(block, PyErr_Fetch)(&type, &value, &traceback);
	code = FN(block, PyObject_GetAttrString)((PyObject *)frame, "f_code");
	name = code ? FN(block, PyObject_GetAttrString)(code, "co_filename") : NULL;
	text = name ? FN(block, PyUnicode_AsUTF8)(name) : NULL;
	for (; text && text[i] && i < WHERE_MAX - 1; i++)
		block->file[i] = text[i];
	block->file[i] = 0;
	block->line = text ? (uint64_t)FN(block, PyFrame_GetLineNumber)(frame) : 0;
	FN(block, Py_DecRef)(name);
	FN(block, Py_DecRef)(code);
	FN(block, PyErr_Restore)(type, value, traceback);
}

/*
 * The work time-out has passed: raise KeyboardInterrupt in our code. A thread that neither holds the GIL nor is parked may be
 * waiting for the GIL, in the midst of its condition variable: it must not ask for the GIL a second time.
 */
void stub_interrupt(struct request_block *block)
{
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;
	int lives = interpreter_life(block) == REFUSAL_NONE;
	int held = lives && holds_gil(block);
	int may_take = lives && !held && block->interrupt == INTERRUPT_PARKED;
	PyGILState_STATE state = PyGILState_UNLOCKED;

	arrive(block);
	if (may_take)
		state = FN(block, PyGILState_Ensure)();
	if ((held || may_take) && load(&block->phase) == PHASE_RUNNING) {
		if (may_take && block->thread == (uint64_t)raw_syscall(RAW_GETTID, 0, 0, 0, 0))
			where_note(block);
		block->interrupted++;
		(void)FN(block, PyThreadState_SetAsyncExc)(block->ident, *(PyObject **)block->py.PyExc_KeyboardInterrupt);
	}
	if (may_take)
		FN(block, PyGILState_Release)(state);
	*error_number = saved;
}
