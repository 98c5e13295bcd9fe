/* SPDX-License-Identifier: MIT
 *
 * The stub as it goes into a tracee, run here: its bytes in a page of our own, a block, and fakes in CPython's place that
 * write down who was called. No Python, no ptrace.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/cpu.h"
#include "../../payload/embed.h"

enum { BOOT_AT = 2048, BLOCK_SIZE = 65536 };

static const size_t stage_at = REGION_CODE + BLOCK_SIZE;

static uint8_t *code;
static struct request_block *block;

/* What happened, as words; and how the fakes answer. */
static char journal[4096];
static int initialized, finalizing, interpreters, held, queue_result, runs_that_fail, recursion_limit, tracing_calls;
static uint32_t phase_at_run, inside_at_run, limit_at_run;
static void *code_object = &limit_at_run;
static sigset_t mask_at_run, mask_at_first;
static int runs;
static void (*during_run)(void);
static int (*queued_call)(void *);
static void *queued_arg;
static void *interrupt_exception;
static int keyboard_interrupt_object, *keyboard_interrupt = &keyboard_interrupt_object;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	size_t used = strlen(journal);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(journal + used, sizeof(journal) - used, format, args);
	va_end(args);
	errno = 77;	/* as any real call might */
}

static void clobber(void)
{
	static const uint32_t other = 0x7f80;

	__asm__ volatile("fninit; fldpi; pxor %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; ldmxcsr %0"
			 :
			 : "m"(other)
			 : "xmm0", "xmm7", "xmm15");
}

static int f_initialized(void)
{
	return initialized;
}

static int f_finalizing(void)
{
	return finalizing;
}

static int f_check(void)
{
	note("check ");
	return held;
}

static int f_ensure(void)
{
	note("ensure ");
	held++;
	return 5;
}

static void f_release(int state)
{
	note("release(%d) ", state);
	held--;
}

static void *f_compile(const char *text, const char *filename, int start)
{
	note("compile(%s,%s,%d) ", text, filename, start);
	return code_object;
}

static void *f_run(const void *code_given, const void *globals, const void *locals)
{
	note("run(%s,%s) ", code_given == &limit_at_run ? "code" : "?", globals == &recursion_limit && locals == globals ? "names" : "?");
	phase_at_run = block->phase;
	inside_at_run = block->inside;
	limit_at_run = (uint32_t)recursion_limit;
	if (!runs++)
		(void)pthread_sigmask(SIG_SETMASK, NULL, &mask_at_first);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask_at_run);
	if (during_run)
		during_run();
	clobber();
	return runs_that_fail-- > 0 ? NULL : &held;
}

static void *f_names(void)
{
	return &recursion_limit;
}

static int f_set(const void *names, const char *name, const void *value)
{
	note("set(%s,%s) ", name, value == &initialized ? "view" : value == &queue_result ? "builtins" :
	     value == &journal[1] ? "raised" : "?");
	return names == &recursion_limit ? 0 : -1;
}

static void f_names_clear(const void *names)
{
	note("empty(%s) ", names == &recursion_limit ? "names" : "?");
}

static void *f_module(const char *name)
{
	return strcmp(name, "builtins") == 0 ? &queue_result : NULL;
}

static void *f_method(const void *object, const char *name, const char *format)
{
	note("%s.%s(%s) ", object == &initialized ? "view" : "?", name, format ? format : "");
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
	note("traceback%s ", raised == &journal[1] && traceback == &journal[2] ? "" : "(?)");
	return 0;
}

static int f_queue(int (*function)(void *), void *arg)
{
	note("queue ");
	queued_call = function;
	queued_arg = arg;
	return queue_result;
}

static void *f_view(char *memory, long size, int flags)
{
	note("view(%s,%ld,%#x) ", memory == (char *)block ? "block" : "?", size, (unsigned int)flags);
	return &initialized;
}

static void *f_get(const char *name)
{
	note("get(%s) ", name);
	return &finalizing;
}

static void f_decref(const void *object)
{
	if (object)
		note("decref(%s) ", object == &initialized ? "view" : object == &recursion_limit ? "names" :
		     object == &limit_at_run ? "code" : "object");
}

static void f_fetch(void **type, void **value, void **traceback)
{
	note("fetch ");
	*type = &journal[0];
	*value = &journal[1];
	*traceback = &journal[2];
}

static void f_restore(const char *type, const char *value, const char *traceback)
{
	note("restore%s ", type == &journal[0] && value == &journal[1] && traceback == &journal[2] ? "" : "(?)");
}

static void f_clear(void)
{
	note("clear ");
}

static void *f_call(const void *function, const char *format, ...)
{
	(void)function;
	note("call(%s) ", format ? format : "");
	return &held;
}

static void *f_state(void)
{
	return &held;
}

static void f_enter(const void *state)
{
	(void)state;
	note("enter ");
	tracing_calls++;
}

static void f_leave(const void *state)
{
	(void)state;
	note("leave ");
	tracing_calls--;
}

static void *f_head(void)
{
	return &interpreters;
}

static void *f_next(const void *state)
{
	(void)state;
	return interpreters > 1 ? &interpreters : NULL;
}

static int f_async(unsigned long ident, void *exception)
{
	note("async(%lu,%s) ", ident, exception == &keyboard_interrupt_object ? "KeyboardInterrupt" : exception ? "?" : "NULL");
	interrupt_exception = exception;
	return 1;
}

static unsigned long f_ident(void)
{
	return 4711;
}

static int f_limit_get(void)
{
	return recursion_limit;
}

static void f_limit_set(int limit)
{
	recursion_limit = limit;
}

static void python_fakes(struct request_python *py)
{
#define FAKE(name, function) py->name = (uint64_t)(uintptr_t)(function)
	FAKE(Py_IsInitialized, f_initialized);
	FAKE(Py_IsFinalizing, f_finalizing);
	FAKE(PyGILState_Check, f_check);
	FAKE(PyGILState_Ensure, f_ensure);
	FAKE(PyGILState_Release, f_release);
	FAKE(Py_CompileString, f_compile);
	FAKE(PyEval_EvalCode, f_run);
	FAKE(Py_AddPendingCall, f_queue);
	FAKE(PyMemoryView_FromMemory, f_view);
	FAKE(PyDict_New, f_names);
	FAKE(PyDict_SetItemString, f_set);
	FAKE(PyDict_Clear, f_names_clear);
	FAKE(PyImport_AddModule, f_module);
	FAKE(PySys_GetObject, f_get);
	FAKE(Py_DecRef, f_decref);
	FAKE(PyErr_Fetch, f_fetch);
	FAKE(PyErr_Restore, f_restore);
	FAKE(PyErr_Clear, f_clear);
	FAKE(PyErr_NormalizeException, f_normalize);
	FAKE(PyException_SetTraceback, f_traceback);
	FAKE(PyObject_CallFunction, f_call);
	FAKE(PyObject_CallMethod, f_method);
	FAKE(PyThreadState_Get, f_state);
	FAKE(PyThreadState_EnterTracing, f_enter);
	FAKE(PyThreadState_LeaveTracing, f_leave);
	FAKE(PyInterpreterState_Head, f_head);
	FAKE(PyInterpreterState_Next, f_next);
	FAKE(PyThreadState_SetAsyncExc, f_async);
	FAKE(PyThread_get_thread_ident, f_ident);
	FAKE(PyExc_KeyboardInterrupt, &keyboard_interrupt);
	FAKE(Py_GetRecursionLimit, f_limit_get);
	FAKE(Py_SetRecursionLimit, f_limit_set);
	FAKE(errno_location, __errno_location);
	FAKE(pthread_create, pthread_create);
	FAKE(pthread_self, pthread_self);
	FAKE(pthread_detach, pthread_detach);
#undef FAKE
}

static int memory_kind = MAP_PRIVATE;

/* As inject/ lays it out: the code, read and execute; the block behind it; and elsewhere the stage. */
static void setup(void)
{
	size_t size = (size_t)(payload_stub_end - payload_stub);
	uint8_t *region = mmap(NULL, stage_at + 4096, PROT_READ | PROT_WRITE, memory_kind | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(region, MAP_FAILED);
	cr_assert_leq(size, REGION_CODE);
	memcpy(region, payload_stub, size);
	memcpy(region + stage_at, payload_stage, (size_t)(payload_stage_end - payload_stage));
	cr_assert_eq(mprotect(region, REGION_CODE, PROT_READ | PROT_EXEC), 0);
	cr_assert_eq(mprotect(region + stage_at, 4096, PROT_READ | PROT_EXEC), 0);
	code = region;
	block = (struct request_block *)(region + REGION_CODE);
	*block = (struct request_block){ .magic = REQUEST_MAGIC, .version = REQUEST_VERSION, .pid = (uint32_t)getpid(),
					 .size = BLOCK_SIZE, .phase = PHASE_READY, .code_off = BOOT_AT,
					 .sent_mask = 0x5000,
					 .xstate_size = (cpu_xstate_size() + 63) / 64 * 64 };
	block->leave = (uint64_t)(uintptr_t)region + stage_at + STAGE_LEAVE;
	python_fakes(&block->py);
	(void)strcpy((char *)block + BOOT_AT, "boot");
	initialized = interpreters = 1;
	recursion_limit = 1000;
}

TestSuite(stub, .init = setup, .timeout = 20);

static void enter(size_t entry)
{
	void (*function)(struct request_block *);
	uint8_t *at = code + entry;

	memcpy(&function, &at, sizeof(at));
	function(block);
}

#define RUN_BEGINS "view(block,65536,0x200) set(view,view) set(__builtins__,builtins) compile(boot,<mr-attach>,257) "
#define RUN "run(code,names) decref(object) "
#define RUN_ENDS "decref(code) view.release() empty(names) set(__builtins__,builtins) clear decref(names) decref(view) "
static const char whole_run[] = "fetch enter " RUN_BEGINS RUN RUN_ENDS "leave restore ";

static void expect_journal(const char *before, const char *run, const char *after)
{
	char wanted[4096];

	(void)snprintf(wanted, sizeof(wanted), "%s%s%s", before, run, after);
	cr_expect_str_eq(journal, wanted);
}

Test(stub, parked_runs_with_the_gil_and_leaves_nothing)
{
	errno = 33;
	enter(STUB_PARKED);
	cr_expect_eq(errno, 33, "errno is the program's");
	expect_journal("check ensure ", whole_run, "release(5) ");
	cr_expect_eq(phase_at_run, PHASE_RUNNING);
	cr_expect_eq(inside_at_run, 1);
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 1);
	cr_expect_eq(block->refusal, REFUSAL_NONE);
	cr_expect_eq(block->way, WAY_PARKED);
	cr_expect_eq(block->thread, (uint64_t)gettid());
	cr_expect_eq(block->ident, 4711);
	cr_expect_eq(block->mask, 0x5000, "the one that the tool saw");
	cr_expect_eq(block->run_result, 0);
	cr_expect_leq(block->entered_ns, block->started_ns);
	cr_expect_leq(block->started_ns, block->ended_ns);
	cr_expect_eq(recursion_limit, 1000);
	cr_expect_gt(limit_at_run, 1000, "room for our own frames");
	cr_expect_eq(tracing_calls, 0);
}

#define RAISED "run(code,names) fetch normalize traceback set(raised,raised) clear decref(object) decref(object) decref(object) "

/* What a handler of the program raised where boot.py does not catch it. */
Test(stub, boot_runs_again_when_something_was_raised_in_it)
{
	runs_that_fail = 2;
	enter(STUB_PARKED);
	expect_journal("check ensure fetch enter ", RUN_BEGINS RAISED RAISED RUN RUN_ENDS, "leave restore release(5) ");
	cr_expect_eq(block->run_result, 0);
	cr_expect_eq(block->runs, 3);
}

/* A signal that another thread took: its handler runs before us, with the mask of the program. */
Test(stub, handlers_of_the_program_run_with_its_mask)
{
	sigset_t usr1;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	cr_assert_eq(raise(SIGUSR1), 0);
	block->ask = 1;
	runs_that_fail = 1;
	enter(STUB_PARKED);
	cr_expect(sigismember(&mask_at_first, SIGPIPE) && sigismember(&mask_at_first, SIGTERM), "0x5000");
	cr_expect(sigismember(&mask_at_first, SIGUSR1), "what came while we held it up waits until we are gone");
	cr_expect_not(sigismember(&mask_at_first, SIGINT));
	cr_expect(sigismember(&mask_at_run, SIGINT), "all are blocked in our code");
	cr_expect_not_null(strstr(journal, "compile(pass\n,<mr-attach>,257) " RAISED "decref(code) compile(boot,<mr-attach>,257) " RUN), "%s", journal);
	cr_expect_eq(block->run_result, 0);
	cr_expect_eq(block->runs, 1);
}

Test(stub, boot_does_not_run_for_ever)
{
	runs_that_fail = 1000;
	enter(STUB_PARKED);
	cr_expect_eq((int64_t)block->run_result, -1);
	cr_expect_eq(block->phase, PHASE_DONE);
}

Test(stub, boot_that_cannot_be_compiled_is_told)
{
	code_object = NULL;
	enter(STUB_PARKED);
	cr_expect_eq((int64_t)block->run_result, -1);
	cr_expect_null(strstr(journal, "run("));
	cr_expect_eq(block->phase, PHASE_DONE);
}

static void refused(enum request_refusal why)
{
	cr_expect_eq(block->refusal, why);
	cr_expect_eq(block->phase, PHASE_READY, "it may start later");
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 1);
	cr_expect_null(strstr(journal, "ensure"));
	cr_expect_null(strstr(journal, "run"));
}

Test(stub, parked_is_refused_before_the_interpreter_is_there)
{
	initialized = 0;
	enter(STUB_PARKED);
	refused(REFUSAL_STARTING);
}

Test(stub, parked_is_refused_at_the_end)
{
	finalizing = 1;
	initialized = 0;	/* both, as in Py_FinalizeEx */
	enter(STUB_PARKED);
	refused(REFUSAL_FINALIZING);
}

Test(stub, parked_is_refused_beside_other_interpreters)
{
	interpreters = 2;
	enter(STUB_PARKED);
	refused(REFUSAL_INTERPRETERS);
}

Test(stub, parked_is_refused_when_the_gil_is_held)
{
	held = 1;
	enter(STUB_PARKED);
	refused(REFUSAL_HOLDS_GIL);
}

Test(stub, an_interpreter_without_IsFinalizing)
{
	block->py.Py_IsFinalizing = 0;
	enter(STUB_PARKED);
	cr_expect_eq(block->phase, PHASE_DONE);
}

Test(stub, cancelled_before_it_arrived)
{
	block->cancel = 1;
	errno = 33;
	enter(STUB_PARKED);
	cr_expect_eq(errno, 33);
	cr_expect_neq(block->phase, PHASE_RUNNING);
	cr_expect_neq(block->phase, PHASE_DONE);
	cr_expect_null(strstr(journal, "ensure"), "not even the GIL is taken");
	cr_expect_null(strstr(journal, "run"));
	cr_expect_eq(block->inside, 0);
}

static int ensure_and_cancel(void)
{
	block->cancel = 1;
	return f_ensure();
}

/* At the interpreter's end there is no queue any more. */
Test(stub, nothing_is_asked_of_an_interpreter_at_its_end)
{
	static const size_t entries[] = { STUB_QUEUE, STUB_SPAWN, STUB_INTERRUPT };

	block->interrupt = INTERRUPT_PARKED;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		finalizing = i % 2;
		initialized = finalizing;
		enter(entries[i]);
		cr_expect_str_eq(journal, "", "entry %zu", entries[i]);
		cr_expect_eq(block->queued + block->spawned + block->inside, 0);
	}
	cr_expect_eq(block->refusal, REFUSAL_FINALIZING);
	cr_expect_eq(block->arrived, 3);
}

Test(stub, cancelled_while_it_waits_for_the_gil)
{
	block->py.PyGILState_Ensure = (uint64_t)(uintptr_t)ensure_and_cancel;
	enter(STUB_PARKED);
	cr_expect_eq(block->phase, PHASE_CANCELLED);
	cr_expect_str_eq(journal, "check ensure release(5) ");
}

Test(stub, a_second_entry_finds_nothing_to_claim)
{
	enter(STUB_PARKED);
	journal[0] = 0;
	enter(STUB_PARKED);
	cr_expect_str_eq(journal, "check ");
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(block->arrived, 2);
	cr_expect_eq(block->inside, 0);
}

Test(stub, before_it_is_filled_nothing_starts)
{
	block->phase = PHASE_NONE;
	enter(STUB_PARKED);
	cr_expect_str_eq(journal, "check ");
	cr_expect_eq(block->phase, PHASE_NONE);
}

Test(stub, without_EnterTracing_the_tracers_are_taken_off_and_put_back)
{
	block->py.PyThreadState_EnterTracing = block->py.PyThreadState_LeaveTracing = 0;
	enter(STUB_PARKED);
	expect_journal("check ensure fetch "
		       "get(gettrace) get(settrace) call() call(z) decref(object) "
		       "get(getprofile) get(setprofile) call() call(z) decref(object) ",
		       RUN_BEGINS RUN RUN_ENDS,
		       "get(setprofile) call(O) decref(object) decref(object) "
		       "get(settrace) call(O) decref(object) decref(object) restore release(5) ");
}

Test(stub, the_largest_recursion_limit_stays_one)
{
	recursion_limit = INT_MAX;
	enter(STUB_PARKED);
	cr_expect_eq((int)limit_at_run, INT_MAX);
	cr_expect_eq(recursion_limit, INT_MAX);
	recursion_limit = INT_MAX - 100;
	block->phase = PHASE_READY;
	enter(STUB_PARKED);
	cr_expect_geq((int)limit_at_run, INT_MAX - 100, "%d", (int)limit_at_run);
	cr_expect_eq(recursion_limit, INT_MAX - 100);
}

static void program_sets_limit(void)
{
	recursion_limit = 7777;
}

Test(stub, a_recursion_limit_that_the_code_set_stays)
{
	during_run = program_sets_limit;
	enter(STUB_PARKED);
	cr_expect_eq(recursion_limit, 7777);
}

Test(stub, queue_puts_one_call_into_the_queue)
{
	errno = 33;
	enter(STUB_QUEUE);
	cr_expect_eq(errno, 33);
	cr_expect_str_eq(journal, "queue ");
	cr_expect_eq(block->queued, 1);
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 1);
	cr_expect_eq(block->phase, PHASE_READY);
	cr_expect_geq((uintptr_t)queued_call, (uintptr_t)code);
	cr_expect_lt((uintptr_t)queued_call, (uintptr_t)code + REGION_CODE);
	cr_expect_eq(queued_arg, block);
}

Test(stub, a_full_queue_is_told)
{
	queue_result = -1;
	enter(STUB_QUEUE);
	cr_expect_eq(block->refusal, REFUSAL_QUEUE_FULL);
	cr_expect_eq(block->queued, 0);
	cr_expect_eq(block->phase, PHASE_READY);
}

static void fire(void)
{
	journal[0] = 0;
	held = 1;	/* CPython fires it with the GIL */
	cr_expect_eq(queued_call(queued_arg), 0);
}

Test(stub, a_queued_call_runs_with_signals_blocked)
{
	sigset_t mine, after;

	(void)sigemptyset(&mine);
	(void)sigaddset(&mine, SIGUSR2);
	(void)pthread_sigmask(SIG_SETMASK, &mine, NULL);
	enter(STUB_QUEUE);
	errno = 33;
	fire();
	cr_expect_eq(errno, 33);
	expect_journal("", whole_run, "");
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(block->way, WAY_QUEUED);
	cr_expect_eq(block->queued, 0);
	cr_expect(sigismember(&mask_at_run, SIGUSR1));
	cr_expect(sigismember(&mask_at_run, SIGINT));
	cr_expect_eq(block->mask, UINT64_C(1) << (SIGUSR2 - 1), "what the Python side puts back around the program's code");
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_expect(sigismember(&after, SIGUSR2));
	cr_expect_not(sigismember(&after, SIGUSR1));
}

/* The tool writes the mask of another thread that it sends: the queued call must not put that one onto this thread. */
static void another_is_sent(void)
{
	block->mask = block->sent_mask = ~UINT64_C(0);
}

Test(stub, a_queued_call_puts_back_its_own_mask)
{
	sigset_t after;

	during_run = another_is_sent;
	enter(STUB_QUEUE);
	fire();
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_expect_not(sigismember(&after, SIGUSR1));
	cr_expect_not(sigismember(&after, SIGTERM));
}

Test(stub, a_queued_call_that_was_taken_back)
{
	enter(STUB_QUEUE);
	block->cancel = 1;
	fire();
	cr_expect_str_eq(journal, "");
	cr_expect_eq(block->phase, PHASE_CANCELLED);
	cr_expect_eq(block->queued, 0, "the region may go");
}

Test(stub, a_queued_call_at_the_end_of_the_interpreter)
{
	enter(STUB_QUEUE);
	finalizing = 1;
	fire();
	cr_expect_str_eq(journal, "");
	cr_expect_eq(block->refusal, REFUSAL_FINALIZING);
	cr_expect_eq(block->queued, 0);
}

Test(stub, a_queued_call_after_another_entry_has_run)
{
	enter(STUB_QUEUE);
	enter(STUB_PARKED);
	fire();
	cr_expect_str_eq(journal, "");
	cr_expect_eq(block->way, WAY_PARKED);
	cr_expect_eq(block->queued, 0);
}

/* A forked child has the queue and the block too, but the request is not its own. */
Test(stub, in_a_forked_child_nothing_starts)
{
	int status = 0;
	pid_t pid;

	enter(STUB_QUEUE);
	pid = fork();
	if (!pid) {
		int bad = 0;

		journal[0] = 0;
		held = 1;
		bad |= queued_call(queued_arg) != 0;
		held = 0;
		enter(STUB_PARKED);
		bad |= strcmp(journal, "") != 0 || block->phase != PHASE_READY || block->queued != 0 || block->inside != 0;
		_exit(bad);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect_eq(block->queued, 1, "and the parent's is as it was");
}

static bool comes_true(const uint32_t *word, uint32_t wanted)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == wanted)
			return true;
		(void)usleep(1000);
	}
	return false;
}

Test(stub, spawn_runs_in_a_thread_of_our_own)
{
	block->ask = 1;		/* but handlers run in the main thread only */
	errno = 33;
	enter(STUB_SPAWN);
	cr_expect_eq(errno, 33);
	cr_assert(comes_true(&block->spawned, 0));
	expect_journal("check ensure ", whole_run, "release(5) ");
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(block->way, WAY_SPAWNED);
	cr_expect_neq(block->thread, (uint64_t)gettid());
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 1);
}

static int create_fails(void)
{
	return EAGAIN;
}

Test(stub, spawn_without_a_thread)
{
	block->py.pthread_create = (uint64_t)(uintptr_t)create_fails;
	enter(STUB_SPAWN);
	cr_expect_eq(block->refusal, REFUSAL_NO_THREAD);
	cr_expect_eq(block->spawned, 0);
	cr_expect_eq(block->phase, PHASE_READY);
}

static void interrupt_comes(void)
{
	enter(STUB_INTERRUPT);
}

/*
 * The work's time is over: the thread is sent to the fourth entry in the middle of our code, nested. When that has ended, some
 * more of our code runs: the exception must not be raised in the program's.
 */
Test(stub, interrupt_raises_in_our_code_only)
{
	const char *ours, *more;

	during_run = interrupt_comes;
	enter(STUB_PARKED);
	ours = strstr(journal, "async(4711,KeyboardInterrupt) ");
	cr_assert_not_null(ours);
	more = strstr(ours, "compile(settle()\n,<mr-attach>,257) run(code,names) ");
	cr_expect_not_null(more);
	cr_expect_null(strstr(ours, "async(4711,NULL)"), "it leaves the interpreter's alarm on");
	cr_expect_eq(block->interrupted, 1, "once all is done nobody interrupts");
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 3);
}

Test(stub, interrupt_that_comes_too_late_does_nothing)
{
	enter(STUB_PARKED);
	journal[0] = 0;
	errno = 33;
	block->interrupt = INTERRUPT_PARKED;
	enter(STUB_INTERRUPT);
	cr_expect_eq(errno, 33);
	cr_expect_str_eq(journal, "check ensure release(5) ");
	cr_expect_eq(block->interrupted, 0);
}

/* Who waits for the GIL has its condition variable in hand: asking for it again there is a deadlock. */
Test(stub, interrupt_never_takes_the_gil_in_a_thread_that_may_wait_for_it)
{
	block->phase = PHASE_RUNNING;
	block->interrupt = INTERRUPT_HOLDER;
	enter(STUB_INTERRUPT);
	cr_expect_str_eq(journal, "check ");
	cr_expect_eq(block->interrupted, 0);
	cr_expect_eq(block->inside, 0);
	cr_expect_eq(block->arrived, 1);
}

Test(stub, interrupt_with_the_gil_held_takes_it_not)
{
	block->phase = PHASE_RUNNING;
	block->ident = 4711;
	held = 1;
	enter(STUB_INTERRUPT);
	cr_expect_str_eq(journal, "check async(4711,KeyboardInterrupt) ");
}

/* --- the extended state ------------------------------------------------------------------------------------------- */

static uint32_t mxcsr_at_call;
static uint16_t x87_at_call, x87_status_at_call;

static void *look_at_state(const void *code_given, const void *globals, const void *locals)
{
	(void)code_given;
	(void)globals;
	(void)locals;
	__asm__ volatile("stmxcsr %0; fnstcw %1; fnstsw %2" : "=m"(mxcsr_at_call), "=m"(x87_at_call), "=m"(x87_status_at_call));
	clobber();
	return &held;
}

struct xsave {
	uint8_t bytes[XSTATE_MAX];
} __attribute__((aligned(64)));

static struct xsave before, after;

/* Fills the vector and x87 registers with values of their own, saves all, calls the entry, saves all again. */
static void call_with_state(uint8_t *entry)
{
	static const uint32_t round_down = 0x3f80, plain = 0x1f80;
	static const uint16_t chop = 0x0f7f;
	uint64_t to = (uint64_t)(uintptr_t)entry, arg = (uint64_t)(uintptr_t)block;

	__asm__ volatile("fninit; fldpi; fldl2e; fldcw %[chop]; ldmxcsr %[down]\n\t"
			 "movq %[arg], %%xmm0; movq %[to], %%xmm1; pcmpeqd %%xmm7, %%xmm7; psrlq $3, %%xmm7\n\t"
			 "movdqa %%xmm7, %%xmm15; psrlq $5, %%xmm15; movdqa %%xmm1, %%xmm8\n\t"
			 "mov $-1, %%eax; mov $-1, %%edx; xsave64 %[before]\n\t"
			 "mov %[arg], %%rdi; sub $128, %%rsp; call *%[to]; add $128, %%rsp\n\t"
			 "mov $-1, %%eax; mov $-1, %%edx; xsave64 %[after]\n\t"
			 "fninit; ldmxcsr %[plain]\n\t"
			 : [before] "+m"(before), [after] "+m"(after)
			 : [to] "r"(to), [arg] "r"(arg), [down] "m"(round_down), [plain] "m"(plain), [chop] "m"(chop)
			 : "rax", "rdx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm7", "xmm8", "xmm15",
			   "memory", "cc");
}

Test(stub, the_extended_state_comes_back)
{
	block->py.PyEval_EvalCode = (uint64_t)(uintptr_t)look_at_state;
	call_with_state(code + STUB_PARKED);
	cr_expect_eq(block->phase, PHASE_DONE);
	cr_expect_eq(mxcsr_at_call & 0xffc0, 0x1f80, "as a called function may expect it: %#x", mxcsr_at_call);
	cr_expect_eq(x87_at_call, 0x37f);
	cr_expect_eq(x87_status_at_call >> 11 & 7, 0, "an empty x87 stack");
	cr_expect_eq(before.bytes[0], 0x7f);
	cr_expect_arr_eq(&before, &after, 416, "x87, MXCSR and XMM");
	if (cpu_xstate_size() > 832)
		cr_expect_arr_eq(before.bytes + 576, after.bytes + 576, 256, "the upper halves of YMM");
}

Test(stub, the_extended_state_comes_back_from_every_entry)
{
	static const size_t entries[] = { STUB_QUEUE, STUB_SPAWN, STUB_INTERRUPT };

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		call_with_state(code + entries[i]);
		cr_expect_arr_eq(&before, &after, 416, "entry %zu", entries[i]);
	}
	cr_assert(comes_true(&block->spawned, 0));
}

/* --- the last instruction ----------------------------------------------------------------------------------------- */

/*
 * Once the counts say that a thread has left, another one may take the region out: so it must not execute a single
 * instruction there any more. A child is led step by step.
 */
static int create_at_once(const void *thread, const void *attributes, void *(*function)(void *), void *arg)
{
	(void)thread;
	(void)attributes;
	(void)function(arg);
	return 0;
}

static void step_through(size_t entry, const uint32_t *count, bool until_end)
{
	struct user_regs_struct regs;
	bool was_in = false, out = false;
	int status, steps = 0;
	pid_t pid = fork();

	if (!pid) {
		(void)ptrace(PTRACE_TRACEME, 0, 0, 0);
		(void)raise(SIGSTOP);
		enter(entry);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	while (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		cr_assert_eq(WSTOPSIG(status), SIGTRAP);
		was_in |= *count != 0;
		out |= was_in && *count == 0;
		if (!out || (!until_end && steps == 3))
			continue;
		cr_assert_eq(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
		cr_assert(regs.rip < (uint64_t)(uintptr_t)code || regs.rip >= (uint64_t)(uintptr_t)code + REGION_CODE,
			  "at %#llx of the region", regs.rip - (uint64_t)(uintptr_t)code);
		steps++;
	}
	cr_expect(out);
	cr_expect_gt(steps, 0);
	cr_expect(WIFEXITED(status));
}

static void setup_shared(void)
{
	memory_kind = MAP_SHARED;
	setup();
	block->pid = 0;		/* to be quick: as if forked */
	block->py.pthread_create = (uint64_t)(uintptr_t)create_at_once;
	block->py.pthread_detach = (uint64_t)(uintptr_t)f_initialized;
}

Test(stub, who_has_left_is_out, .init = setup_shared)
{
	step_through(STUB_PARKED, &block->inside, true);
	step_through(STUB_QUEUE, &block->inside, true);
	step_through(STUB_INTERRUPT, &block->inside, true);
}

Test(stub, a_thread_of_ours_that_has_left_is_out, .init = setup_shared)
{
	step_through(STUB_SPAWN, &block->spawned, false);
	cr_expect_eq(block->inside, 0);
}

/* --- the bytes ---------------------------------------------------------------------------------------------------- */

Test(stub, its_calls_stay_inside)
{
	for (size_t entry = STUB_PARKED; entry <= STUB_INTERRUPT; entry += 16) {
		cr_expect_eq(payload_stub[entry], 0x48, "lea: the entries are 16 bytes apart");
		cr_expect_eq(payload_stub[entry + 1], 0x8d);
	}
	cr_expect_lt((size_t)(payload_stub_end - payload_stub), (size_t)REGION_CODE);
}
