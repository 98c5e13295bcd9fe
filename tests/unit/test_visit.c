/* SPDX-License-Identifier: MIT
 *
 * Visits that must not go as planned: threads that cannot stop, another program in the place of the one that was looked at,
 * stacks without room, waits that must be left alone.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/delivery.h"
#include "subject.h"

static struct subject subject;
static struct visit visit;
static struct mr_timing timing;
static struct mr_error err;

static void setup(void)
{
	visit = (struct visit){ .target = NULL };
	timing = (struct mr_timing){ 0 };
	err = (struct mr_error)MR_ERROR_INIT;
}

TestSuite(visit, .init = setup, .timeout = 30);

static int begin(pid_t tid, uint64_t limit_ms)
{
	err = (struct mr_error)MR_ERROR_INIT;
	return visit_begin(&visit, &subject.target, tid, test_now() + limit_ms * MS, &timing, &err);
}

/* The main thread waits for the end of a vfork, deaf to all but SIGKILL; another one waits as it should. */
static void body_vfork(struct shared *shared)
{
	subject_thread(shared);
	subject_vfork(shared);
}

Test(visit, a_thread_that_could_not_stop_is_not_forgotten)
{
	subject_start(&subject, body_vfork);
	subject.shared->dwell.tv_nsec = 1000000;
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	for (int i = 0; i < 1000 && !subject.shared->other; i++)
		test_sleep(1);
	test_sleep(20);
	subject_map(&subject);
	cr_expect_eq(begin(subject.pid, 30), -MR_E_NO_SAFE_POINT);
	visit_end(&visit);
	cr_expect_eq(begin(subject.shared->other, 2000), 0, "%s %s", mr_code_name(err.code), err.what);
	visit_end(&visit);
	cr_expect_eq(begin(subject.pid, 30), -MR_E_NO_SAFE_POINT, "%s", mr_code_name(err.code));
	visit_end(&visit);
	cr_expect_eq(begin(subject.shared->other, 2000), 0);
	visit_end(&visit);
	subject.shared->go = 1;
	test_sleep(20);
	visits_settle(&subject.target, test_now() + 1000 * MS, &timing);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	cr_expect_eq(subject_tracer(subject.pid, subject.shared->other), 0);
	subject_end(&subject);
}

static void body_exec(struct shared *shared)
{
	shared->ready = 1;
	(void)test_until(&shared->go, 1, 10000);
	execlp("sleep", "sleep", "20", (char *)NULL);
	_exit(1);
}

/* Every address that we know is of the program before. */
Test(visit, another_program_is_not_sent_anywhere)
{
	subject_start(&subject, body_exec);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	subject.shared->go = 1;
	for (int i = 0; i < 2000 && strcmp(subject.target.facts.comm, "sleep") != 0; i++) {
		(void)mr_look(subject.pid, &subject.target.facts, &err);
		test_sleep(1);
	}
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_clock_nanosleep));
	cr_assert_eq(begin(subject.pid, 2000), 0);
	visit_frame(&visit);
	cr_expect_eq(visit_redirect(&visit, &err), -MR_E_ENDED);
	visit_end(&visit);
	test_sleep(50);
	cr_expect(subject_blocked(subject.pid, subject.pid, -1));
	cr_expect_eq(subject_wait(&subject, 1), -1, "it lives");
	subject_end(&subject);
}

/* Of a process whose number is another's by now, nothing is known. */
Test(visit, a_number_that_was_given_away)
{
	const struct mr_request request = { .input = "", .start_timeout = 1, .work_timeout = 1 };
	struct mr_answer answer;

	subject_start(&subject, body_exec);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	subject_map(&subject);
	subject.target.fresh = true;
	subject.target.facts.start_time--;
	cr_expect_eq(mr_run(&subject.target, &request, &answer, &err), -MR_E_ENDED, "%s", err.what);
	cr_expect_eq(answer.timing.stops, 0);
	cr_expect_eq(subject_wait(&subject, 1), -1, "it lives");
	subject_end(&subject);
}

/* Pauses with the stack pointer a few bytes above the lowest mapped page: it is moved there, as deep recursion would. */
static void body_edge(struct shared *shared)
{
	uint64_t low;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	shared->counter = 0;
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			shared->counter = (long)strtoul(line, NULL, 16);
	low = (uint64_t)shared->counter + 256;
	shared->ready = 1;
	__asm__ volatile("mov %%rsp, %%r12; mov %[low], %%rsp; mov %[nr], %%eax; syscall; mov %%r12, %%rsp"
			 :
			 : [low] "r"(low), [nr] "i"(SYS_pause)
			 : "rax", "rcx", "r11", "r12", "memory");
	shared->result = 4711;
}

static void on_signal(int number)
{
	(void)number;
}

static void body_edge_handled(struct shared *shared)
{
	(void)signal(SIGUSR1, on_signal);
	body_edge(shared);
}

Test(visit, a_stack_at_its_lower_edge_grows)
{
	subject_start(&subject, body_edge_handled);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	cr_assert_eq(begin(subject.pid, 2000), 0);
	cr_expect(visit_room(&visit, 128 << 10), "it may grow");
	visit_frame(&visit);
	cr_assert_eq(visit_redirect(&visit, &err), 0, "%s", err.what);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	(void)kill(subject.pid, SIGUSR1);
	cr_expect_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 4711);
	subject_end(&subject);
}

static void body_small_stack(struct shared *shared)
{
	const struct rlimit small = { 256 << 10, 256 << 10 };

	(void)setrlimit(RLIMIT_STACK, &small);
	shared->ready = 1;
	for (;;)
		(void)pause();
}

Test(visit, room_on_the_main_stack_is_what_the_limit_leaves)
{
	subject_start(&subject, body_small_stack);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_map(&subject);
	cr_assert_eq(begin(subject.pid, 2000), 0);
	cr_expect(visit_room(&visit, 64 << 10));
	cr_expect_not(visit_room(&visit, 512 << 10), "the stack is limited to 256 KiB");
	visit_end(&visit);
	subject_end(&subject);
}

static void body_finite_epoll(struct shared *shared)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	shared->ready = 1;
	shared->began = test_now();
	shared->result = epoll_wait(fd, &event, 1, 400);
	shared->error = errno;
	shared->ended = test_now();
}

Test(visit, a_wait_that_would_begin_anew_is_left_alone)
{
	subject_start(&subject, body_finite_epoll);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_epoll_wait));
	subject_map(&subject);
	cr_expect_eq(begin(subject.pid, 2000), -MR_E_NO_SAFE_POINT);
	cr_expect_not(visit.thread.held || visit.thread.seized);
	visit_end(&visit);
	cr_assert_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0, "it was not disturbed");
	cr_expect_eq(timing.stops, 0);
	subject_end(&subject);
}

/* The rehearsal saw it in CPython's own wait; when it stopped it was in this one, which nobody would begin again. */
Test(visit, a_wait_that_began_before_the_stop_is_called_again)
{
	subject_start(&subject, body_finite_epoll);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_epoll_wait));
	subject_map(&subject);
	visit.target = &subject.target;
	visit.timing = &timing;
	visit.python_caller = true;
	visit.scene = (struct scene){ .python = &subject.target.python, .images = &subject.target.images,
				      .unwinder = subject.target.unwinder, .verdicts = &subject.target.verdicts };
	cr_assert_eq(thread_hold(&visit.thread, subject.pid, test_now() + 2000 * MS, &err), 0);
	visit_end(&visit);
	cr_assert_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0, "errno %d", subject.shared->error);
	cr_expect_geq(subject.shared->ended - subject.shared->began, 400 * MS);
	subject_end(&subject);
}

static void body_two_waits(struct shared *shared)
{
	const struct timespec soon = { 0, 50000 };
	struct epoll_event event;
	int fd = epoll_create1(0);

	shared->ready = 1;
	while (!shared->go) {
		(void)nanosleep(&soon, NULL);
		(void)epoll_wait(fd, &event, 1, 1);
	}
}

/*
 * The rehearsal saw it in a wait that the kernel mends. It takes longer than that wait when the tables of an unwinder have to be made,
 * as here for each process. How often it was stopped in the next one: a few times it may be, where we are made to wait right then.
 */
Test(visit, a_wait_that_began_during_the_rehearsal_is_left_alone)
{
	int seen = 0, stopped = 0;

	for (int i = 0; i < 2000 && seen < 20; i++) {
		subject_start(&subject, body_two_waits);
		cr_assert(test_until(&subject.shared->ready, 1, 2000));
		subject_map(&subject);
		visit = (struct visit){ .target = NULL };
		test_sleep((uint64_t)i % 6);
		if (begin(subject.pid, 2000) == 0)
			stopped += visit.rehearsed.nr == SYS_clock_nanosleep && visit.thread.call.in && visit.thread.call.nr == SYS_epoll_wait;
		seen += visit.rehearsed.kind == PROC_SYSCALL_IN && visit.rehearsed.nr == SYS_clock_nanosleep;
		visit_end(&visit);
		subject_end(&subject);
	}
	cr_expect_eq(seen, 20);
	cr_expect_leq(stopped, 5);
}

/* Asked to stop by an earlier look, which did not wait for it: it has stopped in this wait since. */
static void asked_before(void)
{
	cr_assert_eq(ptrace(PTRACE_SEIZE, subject.pid, 0, 0), 0);
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, subject.pid, 0, 0), 0);
	subject.target.stuck[0] = (struct thread){ .tid = subject.pid, .seized = true };
	subject.target.stuck_count = 1;
	for (int i = 0; i < 1000 && subject_state(subject.pid, subject.pid) != 't'; i++)
		test_sleep(1);
}

Test(visit, one_that_stopped_late_in_such_a_wait_is_not_forgotten)
{
	subject_start(&subject, body_finite_epoll);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_epoll_wait));
	subject_map(&subject);
	asked_before();
	cr_expect_eq(begin(subject.pid, 2000), 0, "%s", err.what);
	visit_end(&visit);
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	cr_assert_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0, "errno %d", subject.shared->error);
	subject_end(&subject);
}

Test(visit, one_that_stopped_late_in_such_a_wait_goes_on_with_it)
{
	subject_start(&subject, body_finite_epoll);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_epoll_wait));
	subject_map(&subject);
	asked_before();
	visits_settle(&subject.target, test_now() + 2000 * MS, &timing);
	cr_expect_eq(subject.target.stuck_count, 0);
	cr_expect_eq(subject_tracer(subject.pid, subject.pid), 0);
	cr_assert_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0, "errno %d", subject.shared->error);
	subject_end(&subject);
}

static void body_pause(struct shared *shared)
{
	shared->ready = 1;
	for (;;)
		(void)pause();
}

/* A thread that could not be sent must not count as one that is on its way: nobody would look at the process again. */
Test(visit, one_that_was_not_sent_is_not_counted)
{
	uint8_t *at = mmap(NULL, REGION_CODE + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct request_block *block = (struct request_block *)(at + REGION_CODE);
	struct delivery d = { .target = &subject.target };

	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	d.region = (struct region){ .at = (uint64_t)(uintptr_t)at, .size = 4096 };
	cr_assert_eq(visit_begin(&d.visit, &subject.target, subject.pid, test_now() + 2000 * MS, &timing, &err), 0);
	d.visit.thread.regs.user.rsp = 8192;	/* no stack at all */
	cr_expect_eq(delivery_send(&d, 0, &err), -MR_E_NO_SAFE_POINT);
	visit_end(&d.visit);
	cr_expect_eq(d.sent, 0);
	cr_expect_eq(block->sent, 0);
	cr_expect_eq(block->sent, block->arrived);
	cr_expect(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_end(&subject);
}

Test(visit, stops_are_counted)
{
	subject_start(&subject, body_pause);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_pause));
	subject_map(&subject);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(begin(subject.pid, 2000), 0);
		visit_end(&visit);
		visit_end(&visit);	/* does nothing */
	}
	cr_expect_eq(timing.stops, 5);
	cr_expect_gt(timing.stopped_sum, 0);
	cr_expect_leq(timing.stopped, timing.stopped_sum);
	subject_end(&subject);
}
