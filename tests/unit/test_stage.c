/* SPDX-License-Identifier: MIT
 *
 * The stage at work in a child that waits: it makes its calls, and the wait goes on as if nobody had come, for as long as
 * was asked for; a signal that arrives meanwhile ends it as the kernel would have. Time-outs are exact to TOLERANCE.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../inject/visit.h"
#include "ways.h"

#define TOLERANCE (20 * MS)
#define DWELL 60	/* ms that the thread spends in the stage */
#define TRIES 8

static struct subject subject;
static struct visit visit;
static struct mr_timing timing;
static struct mr_error err;
static const char *name;	/* of the way */

static void setup(void)
{
	visit = (struct visit){ .target = NULL };
	err = (struct mr_error)MR_ERROR_INIT;
}

TestSuite(stage, .init = setup, .timeout = 120);

/* --- the visits --------------------------------------------------------------------------------------------------- */

static void start_way(const struct way *way, int flags)
{
	name = way->name;
	way_start(&subject, way, flags);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	test_sleep(20);
	cr_assert(subject_blocked(subject.pid, subject.pid, -1), "%s", way->name);
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
}

static void begin(void)
{
	cr_assert_eq(visit_begin(&visit, &subject.target, subject.pid, test_now() + 2000 * MS, &timing, &err), 0, "%s: %s",
		     name, err.what);
}

static void hold_and_release(void)
{
	begin();
	visit_end(&visit);
}

/* Through the stage with getpid, and perhaps a sleep there (not by nanosleep, which forgets what it is to restart). */
static void through_the_stage(uint64_t dwell_ms)
{
	struct stage_call *calls = visit.frame.frame.calls;

	begin();
	visit_frame(&visit);
	calls[0] = (struct stage_call){ .nr = SYS_getpid };
	if (dwell_ms)
		calls[1] = (struct stage_call){ .nr = SYS_poll, .arg = { 0, 0, dwell_ms } };
	cr_assert_eq(visit_redirect(&visit, &err), 0, "%s: %s", name, err.what);
}

static void calls_were_made(void)
{
	struct stage_frame frame;
	bool made = false;

	for (int i = 0; i < 1000 && !made; i++) {
		cr_assert_eq(memory_read(&subject.target.memory, visit.frame.at, &frame, sizeof(frame)), 0);
		made = frame.calls[0].result == subject.pid;
		test_sleep(1);
	}
	cr_expect(made, "%s: getpid() in the stage", name);
}

static void home_again(void)
{
	for (int i = 0; i < 2000; i++) {
		struct proc_syscall in;

		target_syscall(&subject.target, subject.pid, &in);
		if (in.kind == PROC_SYSCALL_IN && !stage_holds(&subject.target, in.pc))
			return;
		test_sleep(1);
	}
	cr_assert_fail("%s: it does not come home", name);
}

/* Returns whether it ended in time; on a machine with other work on it, that may take another try. */
static bool ends_undisturbed(const struct way *way)
{
	uint64_t took, wait_ms = subject.shared->wait_ms;

	if (way->let_go) {
		while (test_now() < subject.shared->began + subject.shared->wait_ms * MS)
			test_sleep(1);
		way->let_go(subject.shared);
	}
	cr_expect_eq(subject_wait(&subject, 3000), 0, "%s does not end", way->name);
	took = subject.shared->ended - subject.shared->began;
	cr_expect_eq(subject.shared->result, 0, "%s: %ld, %s", way->name, (long)subject.shared->result,
		     strerror(subject.shared->error));
	cr_expect_geq(took, subject.shared->wait_ms * MS, "%s ended too early, after %lu us", way->name, took / 1000);
	cr_expect_leq(took, subject.shared->wait_ms * MS + 500 * MS, "%s ended late, after %lu us", way->name, took / 1000);
	cr_expect(sigismember(&subject.shared->mask, SIGUSR1) == 0, "%s: the mask", way->name);
	if (way->remove)
		way->remove(subject.shared);
	subject_end(&subject);
	return took <= wait_ms * MS + TOLERANCE;
}

static void each_way(void (*disturb)(void))
{
	for (size_t i = 0; i < ways_count; i++) {
		bool in_time = false;

		for (int tries = 0; tries < TRIES && !in_time; tries++) {
			start_way(&ways[i], 0);
			disturb();
			in_time = ends_undisturbed(&ways[i]);
		}
		cr_expect(in_time, "%s is late each time", ways[i].name);
	}
}

static void three_stops(void)
{
	for (int i = 0; i < 3; i++) {
		hold_and_release();
		test_sleep(10);
	}
}

static void three_stages(void)
{
	for (int i = 0; i < 3; i++) {
		through_the_stage(0);
		calls_were_made();
		home_again();
	}
}

static void long_stage(void)
{
	through_the_stage(DWELL);
	calls_were_made();
	test_sleep(DWELL);
	home_again();
}

/* How long such a wait still lasts cannot be known, and it would begin anew: it is not even stopped. */
Test(stage, a_socket_with_a_time_out_is_left_alone)
{
	for (size_t i = 0; i < ways_limited_count; i++) {
		start_way(&ways_limited[i], 0);
		cr_expect_eq(visit_begin(&visit, &subject.target, subject.pid, test_now() + 2000 * MS, &timing, &err),
			     -MR_E_NO_SAFE_POINT, "%s", ways_limited[i].name);
		cr_expect_eq(timing.stops, 0);
		cr_expect(subject_blocked(subject.pid, subject.pid, -1));
		subject_end(&subject);
	}
}

Test(stage, waits_go_on_after_a_stop)
{
	each_way(three_stops);
}

Test(stage, waits_go_on_after_the_stage)
{
	each_way(three_stages);
}

Test(stage, time_spent_in_the_stage_is_not_added)
{
	each_way(long_stage);
}

/* A wait that is over when the thread comes home. */
Test(stage, time_that_runs_out_in_the_stage)
{
	for (size_t i = 0; i < ways_count; i++) {
		uint64_t took;

		if (ways[i].let_go)
			continue;
		start_way(&ways[i], 0);
		through_the_stage(350);
		cr_expect_eq(subject_wait(&subject, 2000), 0);
		took = subject.shared->ended - subject.shared->began;
		cr_expect_eq(subject.shared->result, 0, "%s: %s", ways[i].name, strerror(subject.shared->error));
		cr_expect_leq(took, 350 * MS + 300 * MS, "%s: %lu us", ways[i].name, took / 1000);
		subject_end(&subject);
	}
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

static void signal_in_the_stage(const struct way *way, int flags)
{
	start_way(way, flags);
	through_the_stage(DWELL);
	test_sleep(DWELL / 3);
	(void)kill(subject.pid, SIGUSR1);
}

Test(stage, a_handler_ends_the_wait_as_ever)
{
	for (size_t i = 0; i < ways_count; i++) {
		signal_in_the_stage(&ways[i], 0);
		cr_expect_eq(subject_wait(&subject, 2000), 0, "%s went on", ways[i].name);
		cr_expect_eq(subject.shared->result < 0 ? subject.shared->error : 0, EINTR, "%s: %ld", ways[i].name,
			     (long)subject.shared->result);
		cr_expect_eq(subject.shared->handlers, 1);
		cr_expect_eq(sigismember(&subject.shared->mask, SIGUSR1), 0);
		if (ways[i].remove)
			ways[i].remove(subject.shared);
		subject_end(&subject);
	}
}

Test(stage, a_handler_with_SA_RESTART)
{
	for (size_t i = 0; i < ways_count; i++) {
		signal_in_the_stage(&ways[i], SA_RESTART);
		if (ways[i].ended_by_signal) {
			cr_expect_eq(subject_wait(&subject, 2000), 0, "%s went on", ways[i].name);
			cr_expect_eq(subject.shared->result < 0 ? subject.shared->error : 0, EINTR, "%s: %ld", ways[i].name,
				     (long)subject.shared->result);
			if (ways[i].remove)
				ways[i].remove(subject.shared);
			subject_end(&subject);
		} else {
			(void)ends_undisturbed(&ways[i]);
		}
	}
}

/* What has no handler, or is blocked, ends nothing. */
static void body_blocked(struct shared *shared)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	way_handle(shared, 0);
	shared->ready = 1;
	shared->began = test_now();
	shared->result = way_find("poll")->wait(shared);
	shared->error = errno;
	shared->ended = test_now();
	(void)sigprocmask(SIG_SETMASK, NULL, &shared->mask);
}

Test(stage, a_blocked_signal_ends_nothing)
{
	name = "poll";
	subject_start(&subject, body_blocked);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_poll));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	through_the_stage(DWELL);
	(void)kill(subject.pid, SIGUSR1);
	(void)kill(subject.pid, SIGCHLD);	/* ignored by default */
	cr_expect_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0);
	cr_expect_eq(subject.shared->handlers, 0);
	cr_expect(sigismember(&subject.shared->mask, SIGUSR1), "still blocked");
	cr_expect_geq(subject.shared->ended - subject.shared->began, 300 * MS);
	subject_end(&subject);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

Test(stage, the_registers_of_a_wait_come_back)
{
	struct cpu_regs before, after;

	start_way(way_find("read"), 0);
	begin();
	before = visit.thread.regs;
	visit_end(&visit);
	through_the_stage(0);
	calls_were_made();
	home_again();
	begin();
	after = visit.thread.regs;
	cr_expect_eq(visit.thread.call.nr, SYS_read);
	visit_end(&visit);
	cr_expect_arr_eq(&before, &after, sizeof(before));
	(void)ends_undisturbed(way_find("read"));
}

/* Computes with every register, and counts what comes out wrong; the red zone is in use. */
static void body_busy(struct shared *shared)
{
	static const uint32_t round_down = 0x3f80;
	uint64_t wrong;

	__asm__ volatile("ldmxcsr %0" : : "m"(round_down));
	while (!shared->go) {
		__asm__ volatile("sub $256, %%rsp; mov $1, %%rax; mov $2, %%rbx; mov $3, %%rcx; mov $4, %%rdx; mov $5, %%rsi; mov $6, %%rdi\n\t"
				 "mov $7, %%r8; mov $8, %%r9; mov $9, %%r10; mov $10, %%r11; mov $11, %%r12; mov $12, %%r13\n\t"
				 "mov $13, %%r14; movq %%r14, %%xmm3; mov $5000, %%r15; movq $77, -8(%%rsp); movq $78, -120(%%rsp)\n\t"
				 "std\n"
				 "1: dec %%r15; jnz 1b\n\t"
				 "pushfq; popq %%r15; shr $10, %%r15; and $1, %%r15; xor $1, %%r15; cld\n\t"
				 "xor $1, %%rax; xor $2, %%rbx; xor $3, %%rcx; xor $4, %%rdx; xor $5, %%rsi; xor $6, %%rdi\n\t"
				 "xor $7, %%r8; xor $8, %%r9; xor $9, %%r10; xor $10, %%r11; xor $11, %%r12; xor $12, %%r13\n\t"
				 "xor $13, %%r14; or %%rbx, %%rax; or %%rcx, %%rax; or %%rdx, %%rax; or %%rsi, %%rax; or %%rdi, %%rax\n\t"
				 "or %%r8, %%rax; or %%r9, %%rax; or %%r10, %%rax; or %%r11, %%rax; or %%r12, %%rax; or %%r13, %%rax\n\t"
				 "or %%r14, %%rax; or %%r15, %%rax; movq %%xmm3, %%rbx; xor $13, %%rbx; or %%rbx, %%rax\n\t"
				 "mov -120(%%rsp), %%rbx; xor $78, %%rbx; or %%rbx, %%rax; add $256, %%rsp\n\t"
				 : "=a"(wrong)
				 :
				 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm3",
				   "memory", "cc");
		if (wrong)
			shared->bad++;
		shared->counter++;
		shared->ready = 1;
	}
}

Test(stage, a_running_thread_notices_nothing)
{
	name = "busy";
	subject_start(&subject, body_busy);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	for (int i = 0; i < 100; i++) {
		long count;

		begin();
		if (visit_on_its_way(&visit, NULL)) {
			visit_end(&visit);
			continue;
		}
		visit_frame(&visit);
		visit.frame.frame.calls[0] = (struct stage_call){ .nr = SYS_getpid };
		cr_assert_eq(visit_redirect(&visit, &err), 0);
		calls_were_made();
		count = subject.shared->counter;
		for (int k = 0; k < 1000 && subject.shared->counter < count + 2; k++)
			test_sleep(1);
	}
	subject.shared->go = 1;
	cr_expect_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->bad, 0, "%ld of %ld", subject.shared->bad, subject.shared->counter);
	cr_expect_gt(subject.shared->counter, 100);
	subject_end(&subject);
}

/* --- the place ---------------------------------------------------------------------------------------------------- */

Test(stage, it_is_placed_once)
{
	uint64_t at;

	start_way(way_find("read"), 0);
	at = subject.target.stage;
	cr_expect(stage_there(&subject.target));
	cr_expect(stage_holds(&subject.target, at));
	cr_expect_not(stage_holds(&subject.target, at - 1));
	subject.target.stage = 0;
	cr_expect_not(stage_there(&subject.target));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	cr_expect_eq(subject.target.stage, at);
	subject_end(&subject);
}

/* Another version's stage at the end of the page is stepped over. */
Test(stage, it_is_placed_below_another_one)
{
	const struct mr_map *vdso = NULL;
	uint64_t trailer[2] = { UINT64_C(0x006567617473726d), 256 }, at;

	name = "read";
	way_start(&subject, way_find(name), 0);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_read));
	subject_map(&subject);
	for (size_t i = 0; i < subject.target.maps.count; i++)
		if (map_path_is(&subject.target.maps.map[i], "[vdso]"))
			vdso = &subject.target.maps.map[i];
	cr_assert_not_null(vdso);
	cr_assert_eq(memory_force(&subject.target.memory, vdso->end - 16, trailer, sizeof(trailer)), 0);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	at = subject.target.stage;
	if (at >= vdso->start && at < vdso->end)
		cr_expect_lt(at, vdso->end - 256);
	through_the_stage(0);
	calls_were_made();
	subject_end(&subject);
}