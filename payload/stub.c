/* SPDX-License-Identifier: MIT
 *
 * The stub: the C code that runs in the tracee. Freestanding, no data; it knows only its block. Function types come from
 * the real Python.h, so that a change of a signature breaks the build and not a target.
 *
 * Who may start the Python code is settled with two words: the tool writes cancel, the stub writes phase. The stub says
 * PHASE_RUNNING first and looks at cancel after that; the tool writes cancel first and looks at phase after that. So
 * either the stub sees the cancel, or the tool sees that the code runs; never neither.
 */
#include <Python.h>
#include <pthread.h>

#include "request.h"
#include "syscall_raw.h"

#define FN(block, name) ((__typeof__(&name))(block)->py.name)

/* Those that some headers lack: the type is stated here. */
typedef int int_function(void);
typedef void state_function(PyThreadState *);

void stub_parked(struct request_block *block);
void stub_queue(struct request_block *block);
void stub_spawn(struct request_block *block);
void stub_interrupt(struct request_block *block);
void stub_leave(struct request_block *block);

static void phase_set(struct request_block *block, enum request_phase phase)
{
	__atomic_store_n(&block->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

static void refuse(struct request_block *block, enum request_refusal why)
{
	__atomic_store_n(&block->refusal, (uint32_t)why, __ATOMIC_SEQ_CST);
	phase_set(block, PHASE_REFUSED);
}

static int cancelled(struct request_block *block)
{
	return __atomic_load_n(&block->cancel, __ATOMIC_SEQ_CST) != 0;
}

/* The last thing that is done with the block, by whoever would start the code. */
static void leave(struct request_block *block)
{
	__atomic_store_n(&block->gone, 1, __ATOMIC_SEQ_CST);
}

/*
 * The end of every entry. A queued call and a spawned thread still need the region, so for those `gone` is theirs to say,
 * unless the hand-over failed. An interrupt is not a start and says nothing.
 */
void stub_leave(struct request_block *block)
{
	uint32_t phase = __atomic_load_n(&block->phase, __ATOMIC_SEQ_CST);

	if (block->spawned || block->queued)
		return;
	if (phase == PHASE_DONE || phase == PHASE_REFUSED)
		leave(block);
}

static enum request_refusal interpreter_state(const struct request_block *block)
{
	if (block->py.Py_IsFinalizing && ((int_function *)block->py.Py_IsFinalizing)())
		return REFUSAL_FINALIZING;
	if (!FN(block, Py_IsInitialized)())
		return REFUSAL_STARTING;
	if (FN(block, PyInterpreterState_Next)(FN(block, PyInterpreterState_Head)()))
		return REFUSAL_INTERPRETERS;
	return REFUSAL_NONE;
}

/*
 * Trace and profile functions of the program must not see our code. From 3.11 on CPython has a call for that. Before,
 * they are taken off and put back by sys.settrace and sys.setprofile, called from C so that nothing traces the calls.
 */
static PyObject *tracer_take(struct request_block *block, const char *get, const char *set)
{
	PyObject *getter = FN(block, PySys_GetObject)(get);
	PyObject *setter = FN(block, PySys_GetObject)(set);
	PyObject *old = getter ? FN(block, PyObject_CallFunction)(getter, NULL) : NULL;
	PyObject *done = old && setter ? FN(block, PyObject_CallFunction)(setter, "z", NULL) : NULL;

	if (done)
		FN(block, Py_DecRef)(done);
	else
		FN(block, PyErr_Clear)();
	return old;
}

static void tracer_return(struct request_block *block, const char *set, PyObject *old)
{
	PyObject *setter = FN(block, PySys_GetObject)(set);
	PyObject *done;

	if (!old)
		return;
	done = setter ? FN(block, PyObject_CallFunction)(setter, "O", old) : NULL;
	if (done)
		FN(block, Py_DecRef)(done);
	else
		FN(block, PyErr_Clear)();
	FN(block, Py_DecRef)(old);
}

static void python_run(struct request_block *block)
{
	PyObject *view = FN(block, PyMemoryView_FromMemory)((char *)block, (Py_ssize_t)block->size, PyBUF_WRITE);

	block->run_result = (uint64_t)-1;
	if (view && FN(block, PySys_SetObject)("mr-attach", view) == 0)
		block->run_result = (uint64_t)(int64_t)((int (*)(const char *))block->py.PyRun_SimpleString)(
			(const char *)block + block->code_off);
	(void)FN(block, PySys_SetObject)("mr-attach", NULL);
	FN(block, PyErr_Clear)();
	if (view)
		FN(block, Py_DecRef)(view);
}

/* With no tracer of the program's, with its pending exception kept, and with room for our frames. */
static void python_run_aside(struct request_block *block)
{
	state_function *enter = (state_function *)block->py.PyThreadState_EnterTracing;
	state_function *back = (state_function *)block->py.PyThreadState_LeaveTracing;
	PyThreadState *state = enter ? FN(block, PyThreadState_Get)() : NULL;
	PyObject *type, *value, *traceback, *trace = NULL, *profile = NULL;
	int limit = FN(block, Py_GetRecursionLimit)();

	FN(block, PyErr_Fetch)(&type, &value, &traceback);
	FN(block, Py_SetRecursionLimit)(limit + 500);
	if (state) {
		enter(state);
	} else {
		trace = tracer_take(block, "gettrace", "settrace");
		profile = tracer_take(block, "getprofile", "setprofile");
	}
	python_run(block);
	if (state) {
		back(state);
	} else {
		tracer_return(block, "setprofile", profile);
		tracer_return(block, "settrace", trace);
	}
	if (FN(block, Py_GetRecursionLimit)() == limit + 500)
		FN(block, Py_SetRecursionLimit)(limit);
	FN(block, PyErr_Restore)(type, value, traceback);
}

/* The GIL is held. Starts our code unless the tool took it back. */
static void start(struct request_block *block)
{
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;

	block->ident = FN(block, PyThread_get_thread_ident)();
	block->thread = (uint64_t)raw_syscall(RAW_GETTID, 0, 0, 0, 0);
	phase_set(block, PHASE_RUNNING);
	if (cancelled(block)) {
		refuse(block, REFUSAL_CANCELLED);
	} else {
		block->started_ns = raw_now();
		python_run_aside(block);
		block->ended_ns = raw_now();
		phase_set(block, PHASE_DONE);
	}
	*error_number = saved;
}

/* With the GIL to be taken first: in a parked thread, or in one of our own. */
static void take_and_start(struct request_block *block)
{
	enum request_refusal why = interpreter_state(block);
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;

	if (why == REFUSAL_NONE && FN(block, PyGILState_Check)())
		why = REFUSAL_HOLDS_GIL;
	if (why == REFUSAL_NONE && cancelled(block))
		why = REFUSAL_CANCELLED;
	if (why != REFUSAL_NONE) {
		refuse(block, why);
	} else {
		PyGILState_STATE state;

		phase_set(block, PHASE_WAITING);
		state = FN(block, PyGILState_Ensure)();
		start(block);
		FN(block, PyGILState_Release)(state);
	}
	*error_number = saved;
}

void stub_parked(struct request_block *block)
{
	block->entered_ns = raw_now();
	if ((uint32_t)raw_syscall(RAW_GETPID, 0, 0, 0, 0) != block->pid)
		refuse(block, REFUSAL_FORKED);
	else
		take_and_start(block);
}

/* CPython calls this in the main thread with the GIL held, between two bytecodes. */
static int pending(void *arg)
{
	struct request_block *block = arg;
	uint64_t all = ~UINT64_C(0);
	enum request_refusal why;

	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&all, (uint64_t)&block->mask, 8);
	why = interpreter_state(block);
	if ((uint32_t)raw_syscall(RAW_GETPID, 0, 0, 0, 0) != block->pid)
		why = REFUSAL_FORKED;
	if (why != REFUSAL_NONE)
		refuse(block, why);
	else
		start(block);
	(void)raw_syscall(RAW_RT_SIGPROCMASK, 2, (uint64_t)&block->mask, 0, 8);
	leave(block);
	return 0;
}

void stub_queue(struct request_block *block)
{
	block->entered_ns = raw_now();
	block->queued = 1;
	phase_set(block, PHASE_QUEUED);
	if (FN(block, Py_AddPendingCall)(pending, block) != 0) {
		block->queued = 0;
		refuse(block, REFUSAL_QUEUE_FULL);
	}
}

static void *spawned(void *arg)
{
	struct request_block *block = arg;
	int (*detach)(pthread_t) = (int (*)(pthread_t))block->py.pthread_detach;
	pthread_t (*self)(void) = (pthread_t(*)(void))block->py.pthread_self;

	(void)detach(self());
	block->thread = (uint64_t)raw_syscall(RAW_GETTID, 0, 0, 0, 0);
	take_and_start(block);
	leave(block);
	return NULL;
}

void stub_spawn(struct request_block *block)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		(int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))block->py.pthread_create;
	pthread_t thread;

	block->entered_ns = raw_now();
	block->spawned = 1;
	phase_set(block, PHASE_QUEUED);
	if (create(&thread, NULL, spawned, block) != 0) {
		block->spawned = 0;
		refuse(block, REFUSAL_NO_THREAD);
	}
}

/* The work time-out has passed: raise KeyboardInterrupt in our code, from a thread that may hold the GIL or not. */
void stub_interrupt(struct request_block *block)
{
	int *error_number = ((int *(*)(void))block->py.errno_location)();
	int saved = *error_number;
	int held = FN(block, PyGILState_Check)();
	PyGILState_STATE state = PyGILState_UNLOCKED;

	if (!held)
		state = FN(block, PyGILState_Ensure)();
	if (__atomic_load_n(&block->phase, __ATOMIC_SEQ_CST) == PHASE_RUNNING) {
		block->interrupted++;
		(void)FN(block, PyThreadState_SetAsyncExc)(block->ident, *(PyObject **)block->py.PyExc_KeyboardInterrupt);
	}
	if (!held)
		FN(block, PyGILState_Release)(state);
	*error_number = saved;
}
