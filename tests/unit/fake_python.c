/* SPDX-License-Identifier: MIT */
#include "fake_python.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../inject/cpu.h"
#include "../../payload/embed.h"

enum { BOOT_AT = 2048 };

static const size_t stage_at = REGION_CODE + FAKE_BLOCK_SIZE;

struct fake_python fake;

static int keyboard_interrupt, *keyboard_interrupt_at = &keyboard_interrupt;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	size_t used = strlen(fake.journal);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(fake.journal + used, sizeof(fake.journal) - used, format, args);
	va_end(args);
	errno = 77;	/* as any real call might */
}

void fake_clobber(void)
{
	static const uint32_t other = 0x7f80;

	__asm__ volatile("fninit; fldpi; pxor %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; ldmxcsr %0"
			 :
			 : "m"(other)
			 : "xmm0", "xmm7", "xmm15");
}

static int f_initialized(void)
{
	return fake.initialized;
}

static int f_finalizing(void)
{
	return fake.finalizing;
}

static void *f_mine(void)
{
	note("check ");
	return fake.no_state ? NULL : &fake.held;
}

static void *f_current(void)
{
	return fake.held ? &fake.held : &fake.runs;	/* another thread's */
}

int fake_ensure(void)
{
	note("ensure ");
	fake.held++;
	return 5;
}

static void f_release(int state)
{
	note("release(%d) ", state);
	fake.held--;
}

static void *f_compile(const char *text, const char *filename, int start)
{
	note("compile(%s,%s,%d) ", text, filename, start);
	return fake.code_object;
}

static void *f_run(const void *code_given, const void *globals, const void *locals)
{
	note("run(%s,%s) ", code_given == &fake.limit_at_run ? "code" : "?", globals == &fake.recursion_limit && locals == globals ? "names" : "?");
	fake.phase_at_run = fake.block->phase;
	fake.inside_at_run = fake.block->inside;
	fake.limit_at_run = (uint32_t)fake.recursion_limit;
	if (!fake.runs++)
		(void)pthread_sigmask(SIG_SETMASK, NULL, &fake.mask_at_first);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &fake.mask_at_run);
	if (fake.during_run)
		fake.during_run();
	fake_clobber();
	return fake.runs_that_fail-- > 0 ? NULL : &fake.held;
}

static void *f_names(void)
{
	return &fake.recursion_limit;
}

static int f_set(const void *names, const char *name, const void *value)
{
	note("set(%s,%s) ", name, value == &fake.initialized ? "view" : value == &fake.queue_result ? "builtins" :
	     value == &fake.journal[1] ? "raised" : "?");
	return names == &fake.recursion_limit ? 0 : -1;
}

static void f_names_clear(const void *names)
{
	note("empty(%s) ", names == &fake.recursion_limit ? "names" : "?");
}

static void *f_module(const char *name)
{
	return strcmp(name, "builtins") == 0 ? &fake.queue_result : NULL;
}

static void *f_method(const void *object, const char *name, const char *format)
{
	note("%s.%s(%s) ", object == &fake.initialized ? "view" : "?", name, format ? format : "");
	return NULL;
}

static void f_normalize(const void *type, const void *value, const void *traceback)
{
	(void)type;
	(void)value;
	(void)traceback;
	note("normalize ");
}

static int f_traceback(const char *raised, const char *traceback)
{
	note("traceback%s ", raised == &fake.journal[1] && traceback == &fake.journal[2] ? "" : "(?)");
	return 0;
}

static int f_queue(int (*function)(void *), void *arg)
{
	note("queue ");
	fake.queued_call = function;
	fake.queued_arg = arg;
	return fake.queue_result;
}

static void *f_view(char *memory, long size, int flags)
{
	note("view(%s,%ld,%#x) ", memory == (char *)fake.block ? "block" : "?", size, (unsigned int)flags);
	return &fake.initialized;
}

static void f_decref(const void *object)
{
	if (object)
		note("decref(%s) ", object == &fake.initialized ? "view" : object == &fake.recursion_limit ? "names" :
		     object == &fake.limit_at_run ? "code" : "object");
}

static void f_fetch(void **type, void **value, void **traceback)
{
	note("fetch ");
	*type = &fake.journal[0];
	*value = &fake.journal[1];
	*traceback = &fake.journal[2];
}

static void f_restore(const char *type, const char *value, const char *traceback)
{
	note("restore%s ", type == &fake.journal[0] && value == &fake.journal[1] && traceback == &fake.journal[2] ? "" : "(?)");
}

static void f_clear(void)
{
	note("clear ");
}

static void *f_state(void)
{
	return &fake.held;
}

static void f_enter(const void *state)
{
	(void)state;
	note("enter ");
	fake.tracing_calls++;
}

static void f_leave(const void *state)
{
	(void)state;
	note("leave ");
	fake.tracing_calls--;
}

static void *f_head(void)
{
	return &fake.interpreters;
}

static void *f_next(const void *state)
{
	(void)state;
	return fake.interpreters > 1 ? &fake.interpreters : NULL;
}

static int f_async(unsigned long ident, void *exception)
{
	note("async(%lu,%s) ", ident, exception == &keyboard_interrupt ? "KeyboardInterrupt" : exception ? "?" : "NULL");
	return 1;
}

static unsigned long f_ident(void)
{
	return 4711;
}

static int f_limit_get(void)
{
	return fake.recursion_limit;
}

static void f_limit_set(int limit)
{
	fake.recursion_limit = limit;
}

static void *f_frame(void)
{
	note("frame ");
	return fake.no_frame ? NULL : &fake.runs;
}

static int f_line(const void *frame)
{
	return frame == &fake.runs ? 31 : -1;
}

static void *f_attribute(const void *object, const char *name)
{
	if (object == &fake.runs && strcmp(name, "f_back") == 0)
		return fake.frames_below-- > 0 ? &fake.runs : NULL;
	if (object == &fake.runs && strcmp(name, "f_code") == 0)
		return &fake.limit_at_run;
	return object == &fake.limit_at_run && strcmp(name, "co_filename") == 0 ? &fake.file : NULL;
}

static const char *f_text(const void *object)
{
	return object == &fake.file ? fake.file : NULL;
}

static void python_fakes(struct request_python *py)
{
#define FAKE(name, function) py->name = (uint64_t)(uintptr_t)(function)
	FAKE(Py_IsInitialized, f_initialized);
	FAKE(Py_IsFinalizing, f_finalizing);
	FAKE(PyGILState_GetThisThreadState, f_mine);
	FAKE(PyThreadState_GetUnchecked, f_current);
	FAKE(PyGILState_Ensure, fake_ensure);
	FAKE(PyGILState_Release, f_release);
	FAKE(Py_CompileString, f_compile);
	FAKE(PyEval_EvalCode, f_run);
	FAKE(Py_AddPendingCall, f_queue);
	FAKE(PyMemoryView_FromMemory, f_view);
	FAKE(PyDict_New, f_names);
	FAKE(PyDict_SetItemString, f_set);
	FAKE(PyDict_Clear, f_names_clear);
	FAKE(PyImport_AddModule, f_module);
	FAKE(Py_DecRef, f_decref);
	FAKE(PyErr_Fetch, f_fetch);
	FAKE(PyErr_Restore, f_restore);
	FAKE(PyErr_Clear, f_clear);
	FAKE(PyErr_NormalizeException, f_normalize);
	FAKE(PyException_SetTraceback, f_traceback);
	FAKE(PyObject_CallMethod, f_method);
	FAKE(PyThreadState_Get, f_state);
	FAKE(PyThreadState_EnterTracing, f_enter);
	FAKE(PyThreadState_LeaveTracing, f_leave);
	FAKE(PyInterpreterState_Head, f_head);
	FAKE(PyInterpreterState_Next, f_next);
	FAKE(PyThreadState_SetAsyncExc, f_async);
	FAKE(PyThread_get_thread_ident, f_ident);
	FAKE(PyExc_KeyboardInterrupt, &keyboard_interrupt_at);
	FAKE(PyEval_GetFrame, f_frame);
	FAKE(PyFrame_GetLineNumber, f_line);
	FAKE(PyObject_GetAttrString, f_attribute);
	FAKE(PyUnicode_AsUTF8, f_text);
	FAKE(Py_GetRecursionLimit, f_limit_get);
	FAKE(Py_SetRecursionLimit, f_limit_set);
	FAKE(errno_location, __errno_location);
	FAKE(pthread_create, pthread_create);
	FAKE(pthread_self, pthread_self);
	FAKE(pthread_detach, pthread_detach);
#undef FAKE
}

/* As inject/ lays it out: the code, read and execute; the block behind it; and elsewhere the stage. */
void fake_setup(int kind)
{
	size_t size = (size_t)(payload_stub_end - payload_stub);
	uint8_t *region = mmap(NULL, stage_at + 4096, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(region, MAP_FAILED);
	cr_assert_leq(size, REGION_CODE);
	memcpy(region, payload_stub, size);
	memcpy(region + stage_at, payload_stage, (size_t)(payload_stage_end - payload_stage));
	cr_assert_eq(mprotect(region, REGION_CODE, PROT_READ | PROT_EXEC), 0);
	cr_assert_eq(mprotect(region + stage_at, 4096, PROT_READ | PROT_EXEC), 0);
	fake = (struct fake_python){ .code = region, .block = (struct request_block *)(region + REGION_CODE), .initialized = 1,
				     .interpreters = 1, .recursion_limit = 1000, .code_object = &fake.limit_at_run };
	*fake.block = (struct request_block){ .magic = REQUEST_MAGIC, .version = REQUEST_VERSION, .pid = (uint32_t)getpid(),
					      .size = FAKE_BLOCK_SIZE, .phase = PHASE_READY, .code_off = BOOT_AT,
					      .sent_mask = 0x5000, .blocked = ~UINT64_C(0),
					      .xstate_size = (cpu_xstate_size() + 63) / 64 * 64 };
	fake.block->leave = (uint64_t)(uintptr_t)region + stage_at + STAGE_LEAVE;
	python_fakes(&fake.block->py);
	(void)strcpy((char *)fake.block + BOOT_AT, "boot");
}

void fake_enter(size_t entry)
{
	void (*function)(struct request_block *);
	uint8_t *at = fake.code + entry;

	memcpy(&function, &at, sizeof(at));
	function(fake.block);
}

bool fake_comes_true(const uint32_t *word, uint32_t wanted)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == wanted)
			return true;
		(void)usleep(1000);
	}
	return false;
}
