/* SPDX-License-Identifier: MIT
 *
 * The assembly around the stub: the extended state is the thread's own when it leaves, and who has left is out.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/cpu.h"
#include "../../payload/embed.h"
#include "fake_python.h"

static void setup(void)
{
	fake_setup(MAP_PRIVATE);
}

TestSuite(entry, .init = setup, .timeout = 20);

/* --- the extended state ------------------------------------------------------------------------------------------- */

static uint32_t mxcsr_at_call;
static uint16_t x87_at_call, x87_status_at_call;

static void *look_at_state(const void *code_given, const void *globals, const void *locals)
{
	(void)code_given;
	(void)globals;
	(void)locals;
	__asm__ volatile("stmxcsr %0; fnstcw %1; fnstsw %2" : "=m"(mxcsr_at_call), "=m"(x87_at_call), "=m"(x87_status_at_call));
	fake_clobber();
	return &fake;
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
	uint64_t to = (uint64_t)(uintptr_t)entry, arg = (uint64_t)(uintptr_t)fake.block;

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

Test(entry, the_extended_state_comes_back)
{
	fake.block->py.PyEval_EvalCode = (uint64_t)(uintptr_t)look_at_state;
	call_with_state(fake.code + STUB_PARKED);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(mxcsr_at_call & 0xffc0, 0x1f80, "as a called function may expect it: %#x", mxcsr_at_call);
	cr_expect_eq(x87_at_call, 0x37f);
	cr_expect_eq(x87_status_at_call >> 11 & 7, 0, "an empty x87 stack");
	cr_expect_eq(before.bytes[0], 0x7f);
	cr_expect_arr_eq(&before, &after, 416, "x87, MXCSR and XMM");
	if (cpu_xstate_size() > 832)
		cr_expect_arr_eq(before.bytes + 576, after.bytes + 576, 256, "the upper halves of YMM");
}

/* Without XSAVE there is no header, and nothing behind the 512 bytes is ours: there the entry keeps registers. */
Test(entry, the_state_comes_back_on_a_processor_without_xsave)
{
	fake.block->xstate_size = XSTATE_LEGACY;
	fake.block->py.PyEval_EvalCode = (uint64_t)(uintptr_t)look_at_state;
	call_with_state(fake.code + STUB_PARKED);
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(mxcsr_at_call & 0xffc0, 0x1f80);
	cr_expect_arr_eq(&before, &after, 416, "x87, MXCSR and XMM");
}

Test(entry, the_extended_state_comes_back_from_every_entry)
{
	static const size_t entries[] = { STUB_QUEUE, STUB_SPAWN, STUB_INTERRUPT };

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		call_with_state(fake.code + entries[i]);
		cr_expect_arr_eq(&before, &after, 416, "entry %zu", entries[i]);
	}
	cr_assert(fake_comes_true(&fake.block->spawned, 0));
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

static int detach_nothing(void)
{
	return 0;
}

static void enter_from_queue(size_t entry)
{
	(void)entry;
	(void)fake.queued_call(fake.queued_arg);
}

static void step_through(void (*enter)(size_t entry), size_t entry, const uint32_t *count, bool until_end)
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
		cr_assert(regs.rip < (uint64_t)(uintptr_t)fake.code || regs.rip >= (uint64_t)(uintptr_t)fake.code + REGION_CODE,
			  "at %#llx of the region", regs.rip - (uint64_t)(uintptr_t)fake.code);
		steps++;
	}
	cr_expect(out);
	cr_expect_gt(steps, 0);
	cr_expect(WIFEXITED(status));
}

static void setup_shared(void)
{
	fake_setup(MAP_SHARED);
	fake.block->pid = 0;		/* to be quick: as if forked */
	fake.block->py.pthread_create = (uint64_t)(uintptr_t)create_at_once;
	fake.block->py.pthread_detach = (uint64_t)(uintptr_t)detach_nothing;
}

Test(entry, who_has_left_is_out, .init = setup_shared)
{
	step_through(fake_enter, STUB_PARKED, &fake.block->inside, true);
	step_through(fake_enter, STUB_QUEUE, &fake.block->inside, true);
	step_through(fake_enter, STUB_INTERRUPT, &fake.block->inside, true);
}

Test(entry, a_thread_of_ours_that_has_left_is_out, .init = setup_shared)
{
	step_through(fake_enter, STUB_SPAWN, &fake.block->spawned, false);
	cr_expect_eq(fake.block->inside, 0);
}

/* CPython's main thread need not be the one that the tool holds to take the region out. */
Test(entry, a_queued_call_that_has_left_is_out, .init = setup_shared)
{
	fake_enter(STUB_QUEUE);
	step_through(enter_from_queue, 0, &fake.block->queued, false);
	cr_expect_eq(fake.block->inside, 0);
}

/* --- the bytes ---------------------------------------------------------------------------------------------------- */

Test(entry, its_calls_stay_inside)
{
	for (size_t entry = STUB_PARKED; entry <= STUB_INTERRUPT; entry += 16) {
		cr_expect_eq(payload_stub[entry], 0x48, "lea: the entries are 16 bytes apart");
		cr_expect_eq(payload_stub[entry + 1], 0x8d);
	}
	cr_expect_lt((size_t)(payload_stub_end - payload_stub), (size_t)REGION_CODE);
}
