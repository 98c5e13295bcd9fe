/* SPDX-License-Identifier: MIT
 *
 * Holding and letting go of threads that end, stop, run another program, belong to another tracer, or cannot stop.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/memory.h"
#include "../../inject/thread.h"
#include "subject.h"

static struct subject subject;
static struct thread thread;
static struct mr_error err;

static int deaf;	/* so many times PTRACE_INTERRUPT fails */

long ptrace(enum __ptrace_request request, ...)
{
	long (*real)(enum __ptrace_request, ...) = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
	void *address, *data;
	va_list list;
	pid_t pid;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	address = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	if (request != PTRACE_INTERRUPT || deaf == 0)
		return real(request, pid, address, data);
	deaf--;
	errno = ESRCH;
	return -1;
}

static void setup(void)
{
	deaf = 0;
	thread = (struct thread){ 0 };
	err = (struct mr_error)MR_ERROR_INIT;
}

TestSuite(thread, .init = setup, .timeout = 30);

static void body_pause(struct shared *shared)
{
	shared->ready = 1;
	for (;;)
		(void)pause();
}

static uint64_t soon(uint64_t ms)
{
	return test_now() + ms * MS;
}

Test(thread, hold_and_release_leave_it_as_it_was)
{
	sigset_t mask;

	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	for (int i = 0; i < 50; i++) {
		cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause), "back in it");
		cr_assert_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
		cr_assert(thread.held);
		cr_assert(thread.call.in);
		cr_assert_eq(thread.call.nr, SYS_pause);
		cr_assert_gt(thread_release(&thread, CALL_AS_IS), 0);
		cr_assert_not(thread.held || thread.seized);
	}
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	cr_expect_not(sigismember(&mask, SIGCHLD), "our own mask too");
	subject_end(&subject);
}

/* Where we may, nobody comes before us while a thread is held, and only then. */
Test(thread, ours_is_the_first_turn_while_it_is_held)
{
	const struct sched_param lowest = { .sched_priority = 1 }, none = { .sched_priority = 0 };
	int wanted = sched_setscheduler(0, SCHED_FIFO, &lowest) == 0 ? SCHED_FIFO : SCHED_OTHER;

	cr_assert_eq(sched_setscheduler(0, SCHED_OTHER, &none), 0);
	subject_start(&subject, body_pause);
	cr_assert_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
	cr_expect_eq(sched_getscheduler(0), wanted);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect_eq(sched_getscheduler(0), SCHED_OTHER);
	subject_end(&subject);
	cr_expect_lt(thread_hold(&thread, subject.pid, soon(100), &err), 0);
	cr_expect_eq(sched_getscheduler(0), SCHED_OTHER, "also when there is nothing to hold");
}

/*
 * A sequence of rseq(2) that never ends by itself: whoever is interrupted there must come out by its abort. The area is
 * libc's; the bytes before the abort are what libc has registered as its signature.
 */
static void body_sequence(struct shared *shared)
{
	uint64_t area = (uint64_t)(uintptr_t)__builtin_thread_pointer() + (uint64_t)__rseq_offset;

	shared->ready = 1;
	for (;;) {
		__asm__ volatile(".pushsection .data.rel, \"aw\"\n"
				 ".balign 32\n"
				 "3: .long 0, 0\n .quad 1f, 2f - 1f, 4f\n"
				 ".popsection\n"
				 "lea 3b(%%rip), %%rax\n"
				 "mov %%rax, 8(%0)\n"
				 "1: jmp 1b\n"
				 "2: ud2\n"
				 ".byte 0x0f, 0xb9, 0x3d\n .long 0x53053053\n"
				 "4:\n"
				 :
				 : "r"(area)
				 : "rax", "memory");
		shared->handlers++;
	}
}

Test(thread, one_in_a_restartable_sequence_is_left_alone)
{
	uint8_t loop[2] = { 0 };
	int aborted, refused = 0;

	if (!__rseq_size)
		cr_skip_test("this libc registers no rseq");
	subject_start(&subject, body_sequence);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	for (int i = 0; i < 200; i++) {
		err = (struct mr_error)MR_ERROR_INIT;
		aborted = subject.shared->handlers;
		if (thread_hold(&thread, subject.pid, soon(2000), &err) == 0) {
			(void)memory_read(&(struct memory){ subject.pid, -1 }, cpu_pc(&thread.regs), loop, sizeof(loop));
			cr_expect(loop[0] != 0xeb || loop[1] != 0xfe, "not within");
			(void)thread_release(&thread, CALL_AS_IS);
			continue;
		}
		cr_assert_eq(err.code, MR_E_NO_SAFE_POINT);
		cr_assert_not(thread.held || thread.seized);
		refused++;
		cr_assert(test_until(&subject.shared->handlers, aborted + 1, 2000), "the kernel has sent it on");
	}
	cr_expect_gt(refused, 0);
	subject_end(&subject);
}

static struct shared *handler_shared;

static void on_signal(int number)
{
	(void)number;
	handler_shared->handlers++;
}

static void body_handler(struct shared *shared)
{
	handler_shared = shared;
	(void)signal(SIGUSR1, on_signal);
	for (;;) {
		shared->ready = shared->handlers + 1;
		(void)usleep(500);
	}
}

Test(thread, signals_that_arrive_are_passed_on)
{
	subject_start(&subject, body_handler);
	for (int i = 1; i <= 100; i++) {
		cr_assert(test_until(&subject.shared->ready, i, 2000));
		(void)kill(subject.pid, SIGUSR1);
		cr_assert_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
		(void)thread_release(&thread, CALL_AS_IS);
		for (int k = 0; k < 1000 && subject.shared->handlers < i; k++)
			test_sleep(1);
		cr_assert_eq(subject.shared->handlers, i);
	}
	subject_end(&subject);
}

Test(thread, a_stopped_process_is_refused_and_stays_stopped)
{
	int status;

	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	(void)kill(subject.pid, SIGSTOP);
	cr_assert_eq(waitpid(subject.pid, &status, WUNTRACED), subject.pid);
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(2000), &err), -MR_E_STOPPED);
	cr_expect_eq(err.code, MR_E_STOPPED);
	cr_expect_not(thread.held || thread.seized);
	test_sleep(20);
	cr_expect_eq(subject_state(subject.pid, subject.pid), 'T');
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	(void)kill(subject.pid, SIGCONT);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_end(&subject);
}

static void body_exits(struct shared *shared)
{
	(void)shared;
}

Test(thread, nobody_there)
{
	subject_start(&subject, body_exits);
	for (int i = 0; i < 1000 && subject_state(subject.pid, subject.pid) != 'Z'; i++)
		test_sleep(1);
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(100), &err), -MR_E_ENDED, "a zombie: %s",
		     mr_code_name(err.code));
	subject_end(&subject);
	err = (struct mr_error)MR_ERROR_INIT;
	cr_expect_eq(thread_hold(&thread, 0x3ffffe, soon(100), &err), -MR_E_ENDED);
	cr_expect_not(thread.held || thread.seized);
}

Test(thread, another_tracer_is_told_apart_from_lack_of_rights)
{
	pid_t pid, tracer;

	subject_start(&subject, body_pause);
	pid = subject.pid;
	cr_assert(subject_blocked(pid, pid, SYS_pause));
	tracer = fork();
	if (!tracer) {
		(void)ptrace(PTRACE_SEIZE, pid, 0, 0);
		for (;;)
			(void)pause();
	}
	for (int i = 0; i < 1000 && subject_tracer(pid, pid) != tracer; i++)
		test_sleep(1);
	cr_expect_eq(thread_hold(&thread, pid, soon(500), &err), -MR_E_TRACED, "%s", mr_code_name(err.code));
	cr_expect_not(thread.held || thread.seized);
	(void)kill(tracer, SIGKILL);
	(void)waitpid(tracer, NULL, 0);
	subject_end(&subject);
}

/* --- those that end while they are held: their parent, and the rest of their process, must not wait for us --------- */

static void body_parent(struct shared *shared)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		body_pause(shared);
	shared->other = pid;
	if (waitpid(pid, &status, 0) == pid)
		shared->result = status;
	shared->done = 1;
	(void)pause();
}

Test(thread, one_that_is_killed_while_held_can_be_reaped_by_its_parent)
{
	subject_start(&subject, body_parent);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	for (int i = 0; i < 1000 && !subject.shared->other; i++)
		test_sleep(1);
	cr_assert_eq(thread_hold(&thread, subject.shared->other, soon(2000), &err), 0);
	(void)kill(subject.shared->other, SIGKILL);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect(test_until(&subject.shared->done, 1, 1000), "the parent waits for our end");
	cr_expect_eq(subject.shared->result, SIGKILL);
	subject_end(&subject);
}

static void body_exec(struct shared *shared)
{
	subject_thread(shared);
	shared->ready = 1;
	(void)test_until(&shared->go, 1, 10000);
	execlp("sleep", "sleep", "20", (char *)NULL);
	_exit(1);
}

Test(thread, the_process_runs_another_program_while_one_is_held)
{
	struct mr_facts facts = { .comm = "" };

	subject_start(&subject, body_exec);
	for (int i = 0; i < 1000 && !subject.shared->other; i++)
		test_sleep(1);
	cr_assert(subject_blocked(subject.pid, subject.shared->other, SYS_pause));
	cr_assert_eq(thread_hold(&thread, subject.shared->other, soon(2000), &err), 0);
	subject.shared->go = 1;
	test_sleep(50);		/* execve now waits for the other thread's end */
	(void)thread_release(&thread, CALL_AS_IS);
	for (int i = 0; i < 1000 && strcmp(facts.comm, "sleep") != 0; i++) {
		struct mr_error ignored = MR_ERROR_INIT;

		(void)mr_look(subject.pid, &facts, &ignored);
		test_sleep(1);
	}
	cr_expect_str_eq(facts.comm, "sleep", "execve waits for our end");
	subject_end(&subject);
}

static void body_exit(struct shared *shared)
{
	subject_thread(shared);
	shared->ready = 1;
	(void)test_until(&shared->go, 1, 10000);
	_exit(3);
}

Test(thread, the_process_ends_while_one_is_held)
{
	subject_start(&subject, body_exit);
	for (int i = 0; i < 1000 && !subject.shared->other; i++)
		test_sleep(1);
	cr_assert_eq(thread_hold(&thread, subject.shared->other, soon(2000), &err), 0);
	subject.shared->go = 1;
	test_sleep(50);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect_eq(subject_wait(&subject, 1000), 3 << 8);
	subject_end(&subject);
}

/* --- one that cannot stop: the parent of a vfork waits in the kernel, deaf to all but SIGKILL ---------------------- */

Test(thread, one_that_could_not_stop_is_held_at_the_second_try)
{
	uint64_t began;

	subject_start(&subject, subject_vfork);
	subject.shared->dwell.tv_nsec = 1000000;
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	test_sleep(20);
	began = test_now();
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(50), &err), -MR_E_NO_SAFE_POINT);
	cr_expect_lt(test_now() - began, 1000 * MS);
	cr_expect(thread.seized);
	cr_expect_not(thread.held);
	subject.shared->go = 1;
	err = (struct mr_error)MR_ERROR_INIT;
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect_not(thread.held || thread.seized);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	subject_end(&subject);
}

Test(thread, one_that_was_not_asked_is_asked_at_the_second_try)
{
	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	deaf = 1;
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(50), &err), -MR_E_NO_SAFE_POINT);
	err = (struct mr_error)MR_ERROR_INIT;
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	subject_end(&subject);
}

Test(thread, one_that_has_stopped_meanwhile_and_is_asked_again_goes_on)
{
	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	cr_expect_eq(thread_hold(&thread, subject.pid, 0, &err), -MR_E_NO_SAFE_POINT, "no time to see it stop");
	cr_assert(thread.seized);
	for (int i = 0; i < 1000 && subject_state(subject.pid, subject.pid) != 't'; i++)
		test_sleep(1);
	err = (struct mr_error)MR_ERROR_INIT;
	cr_expect_eq(thread_hold(&thread, subject.pid, soon(2000), &err), 0);
	(void)thread_release(&thread, CALL_AS_IS);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_end(&subject);
}
