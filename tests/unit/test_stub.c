/* SPDX-License-Identifier: MIT
 *
 * The entries of the stub, with fakes in CPython's place: who is called, in which order, and what is left behind. No Python, no
 * ptrace.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../payload/embed.h"
#include "fake_python.h"

static void setup(void)
{
	fake_setup(MAP_PRIVATE);
}

TestSuite(stub, .init = setup, .timeout = 20);

#define RUN_BEGINS "view(block,65536,0x200) set(view,view) set(__builtins__,builtins) compile(boot,<mr-attach>,257) "
#define RUN "run(code,names) decref(object) "
#define RUN_ENDS "decref(code) view.release() empty(names) set(__builtins__,builtins) clear decref(names) decref(view) "
static const char whole_run[] = "fetch frame clear enter " RUN_BEGINS RUN RUN_ENDS "leave restore ";

static void expect_journal(const char *before, const char *run, const char *after)
{
	char wanted[4096];

	(void)snprintf(wanted, sizeof(wanted), "%s%s%s", before, run, after);
	cr_expect_str_eq(fake.journal, wanted);
}

Test(stub, parked_runs_with_the_gil_and_leaves_nothing)
{
	errno = 33;
	fake_enter(STUB_PARKED);
	cr_expect_eq(errno, 33, "errno is the program's");
	expect_journal("check ensure ", whole_run, "release(5) ");
	cr_expect_eq(fake.phase_at_run, PHASE_RUNNING);
	cr_expect_eq(fake.inside_at_run, 1);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 1);
	cr_expect_eq(fake.block->refusal, REFUSAL_NONE);
	cr_expect_eq(fake.block->way, WAY_PARKED);
	cr_expect_eq(fake.block->thread, (uint64_t)gettid());
	cr_expect_eq(fake.block->ident, 4711);
	cr_expect_eq(fake.block->mask, 0x5000, "the one that the tool saw");
	cr_expect_leq(fake.block->entered_ns, fake.block->started_ns);
	cr_expect_leq(fake.block->started_ns, fake.block->ended_ns);
	cr_expect_eq(fake.recursion_limit, 1000);
	cr_expect_eq(fake.limit_at_run, 1000);
	cr_expect_eq(fake.tracing_calls, 0);
}

#define RAISED "run(code,names) fetch normalize traceback set(raised,raised) clear decref(object) decref(object) decref(object) "

/* What a handler of the program raised where boot.py does not catch it. */
Test(stub, boot_runs_again_when_something_was_raised_in_it)
{
	fake.runs_that_fail = 2;
	fake_enter(STUB_PARKED);
	expect_journal("check ensure fetch frame clear enter ", RUN_BEGINS RAISED RAISED RUN RUN_ENDS, "leave restore release(5) ");
	cr_expect_eq(fake.runs, 3);
}

/* A signal that another thread took: its handler runs before us, with the mask of the program. */
Test(stub, handlers_of_the_program_run_with_its_mask)
{
	sigset_t usr1;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	cr_assert_eq(raise(SIGUSR1), 0);
	fake.block->ask = 1;
	fake.runs_that_fail = 1;
	fake_enter(STUB_PARKED);
	cr_expect(sigismember(&fake.mask_at_first, SIGPIPE) && sigismember(&fake.mask_at_first, SIGTERM), "0x5000");
	cr_expect(sigismember(&fake.mask_at_first, SIGUSR1), "what came while we held it up waits until we are gone");
	cr_expect_not(sigismember(&fake.mask_at_first, SIGINT));
	cr_expect(sigismember(&fake.mask_at_run, SIGINT), "all are blocked in our code");
	cr_expect_not_null(strstr(fake.journal, "compile(pass\n,<mr-attach>,257) " RAISED "decref(code) compile(boot,<mr-attach>,257) " RUN), "%s", fake.journal);
	cr_expect_eq(fake.runs, 2);
}

Test(stub, boot_does_not_run_for_ever)
{
	fake.runs_that_fail = 5000;
	fake_enter(STUB_PARKED);
	cr_expect_eq(fake.runs, 1000);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
}

Test(stub, boot_that_cannot_be_compiled_is_told)
{
	fake.code_object = NULL;
	fake_enter(STUB_PARKED);
	cr_expect_null(strstr(fake.journal, "run("));
	cr_expect_eq(fake.block->phase, PHASE_DONE);
}

static void refused(enum request_refusal why)
{
	cr_expect_eq(fake.block->refusal, why);
	cr_expect_eq(fake.block->phase, PHASE_READY, "it may start later");
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 1);
	cr_expect_null(strstr(fake.journal, "ensure"));
	cr_expect_null(strstr(fake.journal, "run"));
}

Test(stub, parked_is_refused_before_the_interpreter_is_there)
{
	fake.initialized = 0;
	fake_enter(STUB_PARKED);
	refused(REFUSAL_STARTING);
}

Test(stub, parked_is_refused_at_the_end)
{
	fake.finalizing = 1;
	fake.initialized = 0;	/* both, as in Py_FinalizeEx */
	fake_enter(STUB_PARKED);
	refused(REFUSAL_FINALIZING);
}

Test(stub, parked_is_refused_beside_other_interpreters)
{
	fake.interpreters = 2;
	fake_enter(STUB_PARKED);
	refused(REFUSAL_INTERPRETERS);
}

Test(stub, parked_is_refused_when_the_gil_is_held)
{
	fake.held = 1;
	fake_enter(STUB_PARKED);
	refused(REFUSAL_HOLDS_GIL);
}

Test(stub, outside_the_interpreter_the_gil_may_be_held)
{
	fake.held = fake.no_frame = 1;
	fake_enter(STUB_OUTSIDE);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->refusal, REFUSAL_NONE);
	cr_expect_eq(fake.block->way, WAY_PARKED);
	cr_expect_eq(fake.held, 1, "as before");
}

Test(stub, outside_it_is_not_when_a_frame_runs)
{
	fake.held = 1;	/* the frame is on another stack */
	fake_enter(STUB_OUTSIDE);
	refused(REFUSAL_HOLDS_GIL);
}

Test(stub, outside_the_gil_may_be_free)
{
	fake_enter(STUB_OUTSIDE);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_not_null(strstr(fake.journal, "ensure"));
}

Test(stub, a_thread_that_python_does_not_know_holds_nothing)
{
	fake.no_state = 1;
	fake_enter(STUB_PARKED);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
}

Test(stub, an_interpreter_without_IsFinalizing)
{
	fake.block->py.Py_IsFinalizing = 0;
	fake_enter(STUB_PARKED);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
}

Test(stub, cancelled_before_it_arrived)
{
	fake.block->cancel = 1;
	errno = 33;
	fake_enter(STUB_PARKED);
	cr_expect_eq(errno, 33);
	cr_expect_neq(fake.block->phase, PHASE_RUNNING);
	cr_expect_neq(fake.block->phase, PHASE_DONE);
	cr_expect_null(strstr(fake.journal, "ensure"), "not even the GIL is taken");
	cr_expect_null(strstr(fake.journal, "run"));
	cr_expect_eq(fake.block->inside, 0);
}

static int ensure_and_cancel(void)
{
	fake.block->cancel = 1;
	return fake_ensure();
}

/* At the interpreter's end there is no queue any more. */
Test(stub, nothing_is_asked_of_an_interpreter_at_its_end)
{
	static const size_t entries[] = { STUB_QUEUE, STUB_SPAWN, STUB_INTERRUPT };

	fake.block->interrupt = INTERRUPT_PARKED;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		fake.finalizing = i % 2;
		fake.initialized = fake.finalizing;
		fake_enter(entries[i]);
		cr_expect_str_eq(fake.journal, "", "entry %zu", entries[i]);
		cr_expect_eq(fake.block->queued + fake.block->spawned + fake.block->inside, 0);
	}
	cr_expect_eq(fake.block->refusal, REFUSAL_FINALIZING);
	cr_expect_eq(fake.block->arrived, 3);
}

Test(stub, cancelled_while_it_waits_for_the_gil)
{
	fake.block->py.PyGILState_Ensure = (uint64_t)(uintptr_t)ensure_and_cancel;
	fake_enter(STUB_PARKED);
	cr_expect_eq(fake.block->phase, PHASE_CANCELLED);
	cr_expect_str_eq(fake.journal, "check ensure release(5) ");
}

Test(stub, a_second_entry_finds_nothing_to_claim)
{
	fake_enter(STUB_PARKED);
	fake.journal[0] = 0;
	fake_enter(STUB_PARKED);
	cr_expect_str_eq(fake.journal, "check ");
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->arrived, 2);
	cr_expect_eq(fake.block->inside, 0);
}

Test(stub, before_it_is_filled_nothing_starts)
{
	fake.block->phase = PHASE_NONE;
	fake_enter(STUB_PARKED);
	cr_expect_str_eq(fake.journal, "check ");
	cr_expect_eq(fake.block->phase, PHASE_NONE);
}

static void tracing_is_counted(void)
{
	cr_expect_eq(fake.tracing_calls, 1);
}

Test(stub, without_EnterTracing_the_count_of_the_thread_is_raised)
{
	fake.block->py.PyThreadState_EnterTracing = fake.block->py.PyThreadState_LeaveTracing = 0;
	fake.block->tracing = (uint64_t)((char *)&fake.tracing_calls - (char *)&fake.held);
	fake.during_run = tracing_is_counted;
	fake_enter(STUB_PARKED);
	expect_journal("check ensure fetch frame clear ", RUN_BEGINS RUN RUN_ENDS, "restore release(5) ");
	cr_expect_eq(fake.tracing_calls, 0);
}

Test(stub, deep_in_the_programs_own_frames_the_recursion_limit_has_room_for_ours)
{
	fake.frames_below = 200;
	fake_enter(STUB_PARKED);
	cr_expect_gt(fake.limit_at_run, 1000);
	cr_expect_eq(fake.recursion_limit, 1000);
}

Test(stub, the_largest_recursion_limit_stays_one)
{
	fake.recursion_limit = INT_MAX;
	fake_enter(STUB_PARKED);
	cr_expect_eq((int)fake.limit_at_run, INT_MAX);
	cr_expect_eq(fake.recursion_limit, INT_MAX);
	fake.recursion_limit = INT_MAX - 100;
	fake.block->phase = PHASE_READY;
	fake_enter(STUB_PARKED);
	cr_expect_geq((int)fake.limit_at_run, INT_MAX - 100, "%d", (int)fake.limit_at_run);
	cr_expect_eq(fake.recursion_limit, INT_MAX - 100);
}

static void program_sets_limit(void)
{
	fake.recursion_limit = 7777;
}

Test(stub, a_recursion_limit_that_the_code_set_stays)
{
	fake.during_run = program_sets_limit;
	fake_enter(STUB_PARKED);
	cr_expect_eq(fake.recursion_limit, 7777);
}

Test(stub, queue_puts_one_call_into_the_queue)
{
	errno = 33;
	fake_enter(STUB_QUEUE);
	cr_expect_eq(errno, 33);
	cr_expect_str_eq(fake.journal, "queue ");
	cr_expect_eq(fake.block->queued, 1);
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 1);
	cr_expect_eq(fake.block->phase, PHASE_READY);
	cr_expect_geq((uintptr_t)fake.queued_call, (uintptr_t)fake.code);
	cr_expect_lt((uintptr_t)fake.queued_call, (uintptr_t)fake.code + REGION_CODE);
	cr_expect_eq(fake.queued_arg, fake.block);
}

Test(stub, a_full_queue_is_told)
{
	fake.queue_result = -1;
	fake_enter(STUB_QUEUE);
	cr_expect_eq(fake.block->refusal, REFUSAL_QUEUE_FULL);
	cr_expect_eq(fake.block->queued, 0);
	cr_expect_eq(fake.block->phase, PHASE_READY);
}

static void fire(void)
{
	fake.journal[0] = 0;
	fake.held = 1;	/* CPython fires it with the GIL */
	cr_expect_eq(fake.queued_call(fake.queued_arg), 0);
}

Test(stub, a_queued_call_runs_with_signals_blocked)
{
	sigset_t mine, after;

	(void)sigemptyset(&mine);
	(void)sigaddset(&mine, SIGUSR2);
	(void)pthread_sigmask(SIG_SETMASK, &mine, NULL);
	fake_enter(STUB_QUEUE);
	errno = 33;
	fire();
	cr_expect_eq(errno, 33);
	expect_journal("", whole_run, "");
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->way, WAY_QUEUED);
	cr_expect_eq(fake.block->queued, 0);
	cr_expect(sigismember(&fake.mask_at_run, SIGUSR1));
	cr_expect(sigismember(&fake.mask_at_run, SIGINT));
	cr_expect_eq(fake.block->mask, UINT64_C(1) << (SIGUSR2 - 1), "what the Python side puts back around the program's code");
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_expect(sigismember(&after, SIGUSR2));
	cr_expect_not(sigismember(&after, SIGUSR1));
}

/* The tool writes the mask of another thread that it sends: the queued call must not put that one onto this thread. */
static void another_is_sent(void)
{
	fake.block->mask = fake.block->sent_mask = ~UINT64_C(0);
}

Test(stub, a_queued_call_puts_back_its_own_mask)
{
	sigset_t after;

	fake.during_run = another_is_sent;
	fake_enter(STUB_QUEUE);
	fire();
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_expect_not(sigismember(&after, SIGUSR1));
	cr_expect_not(sigismember(&after, SIGTERM));
}

Test(stub, a_queued_call_that_was_taken_back)
{
	fake_enter(STUB_QUEUE);
	fake.block->cancel = 1;
	fire();
	cr_expect_str_eq(fake.journal, "");
	cr_expect_eq(fake.block->phase, PHASE_CANCELLED);
	cr_expect_eq(fake.block->queued, 0, "the region may go");
}

Test(stub, a_queued_call_at_the_end_of_the_interpreter)
{
	fake_enter(STUB_QUEUE);
	fake.finalizing = 1;
	fire();
	cr_expect_str_eq(fake.journal, "");
	cr_expect_eq(fake.block->refusal, REFUSAL_FINALIZING);
	cr_expect_eq(fake.block->queued, 0);
}

Test(stub, a_queued_call_after_another_entry_has_run)
{
	fake_enter(STUB_QUEUE);
	fake_enter(STUB_PARKED);
	fire();
	cr_expect_str_eq(fake.journal, "");
	cr_expect_eq(fake.block->way, WAY_PARKED);
	cr_expect_eq(fake.block->queued, 0);
}

/* A forked child has the queue and the block too, but the request is not its own. */
Test(stub, in_a_forked_child_nothing_starts)
{
	int status = 0;
	pid_t pid;

	fake_enter(STUB_QUEUE);
	pid = fork();
	if (!pid) {
		int bad = 0;

		fake.journal[0] = 0;
		fake.held = 1;
		bad |= fake.queued_call(fake.queued_arg) != 0;
		fake.held = 0;
		fake_enter(STUB_PARKED);
		bad |= strcmp(fake.journal, "") != 0 || fake.block->phase != PHASE_READY || fake.block->queued != 0 || fake.block->inside != 0;
		_exit(bad);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect_eq(fake.block->queued, 1, "and the parent's is as it was");
}

Test(stub, spawn_runs_in_a_thread_of_our_own)
{
	fake.block->ask = 1;		/* but handlers run in the main thread only */
	errno = 33;
	fake_enter(STUB_SPAWN);
	cr_expect_eq(errno, 33);
	cr_assert(fake_comes_true(&fake.block->spawned, 0));
	expect_journal("check ensure ", whole_run, "release(5) ");
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->way, WAY_SPAWNED);
	cr_expect_neq(fake.block->thread, (uint64_t)gettid());
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 1);
}

static int create_fails(void)
{
	return EAGAIN;
}

Test(stub, spawn_without_a_thread)
{
	fake.block->py.pthread_create = (uint64_t)(uintptr_t)create_fails;
	fake_enter(STUB_SPAWN);
	cr_expect_eq(fake.block->refusal, REFUSAL_NO_THREAD);
	cr_expect_eq(fake.block->spawned, 0);
	cr_expect_eq(fake.block->phase, PHASE_READY);
}
