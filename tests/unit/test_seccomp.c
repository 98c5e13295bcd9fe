/* SPDX-License-Identifier: MIT
 *
 * Seccomp filters: what one says, beside what the kernel does with it; and which of them are refused.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../inject/seccomp.h"
#include "subject.h"

TestSuite(seccomp, .timeout = 30);

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define RET(action) BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS(number, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, skip)
#define ALLOW RET(SECCOMP_RET_ALLOW)
#define PROGRAM(...) (const struct sock_filter[]){ __VA_ARGS__ }, sizeof((struct sock_filter[]){ __VA_ARGS__ }) / 8

static int install(const struct sock_filter *program, size_t count)
{
	struct sock_fprog prog = { (unsigned short)count, (struct sock_filter *)(uintptr_t)program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/*
 * Every instruction, as the kernel has it: the filter ends with ERRNO and the low bits of what it computed, for getpriority
 * with the three arguments; in a child, as a filter is for life.
 */
static void same_as_kernel(const struct sock_filter *program, size_t count, const char *what)
{
	static const uint32_t values[] = { 0, 1, 2, 7, 31, 4095, 0x7fffffff, 0x80000000, 0xffffffff };
	struct sock_filter whole[64] = { NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 1, 0), ALLOW };
	int ends[2];
	size_t all = 3;
	pid_t child;

	for (size_t i = 0; i < count; i++)
		whole[all++] = program[i];
	whole[all++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff);
	whole[all++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	whole[all++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		int told[9][9], bad = install(whole, all);

		for (int i = 0; i < 9; i++)
			for (int k = 0; k < 9; k++)
				told[i][k] = bad ? -1 : syscall(SYS_getpriority, values[i], values[k]) < 0 ? errno : 0;
		(void)!write(ends[1], told, sizeof(told));
		_exit(0);
	}
	for (int i = 0; i < 9; i++)
		for (int k = 0; k < 9; k++) {
			const struct seccomp_data data = { .nr = SYS_getpriority, .arch = AUDIT_ARCH_X86_64,
							   .args = { values[i], values[k] } };
			uint32_t ours = seccomp_run(whole, all, &data);
			int kernels = 0;

			cr_assert_eq(read(ends[0], &kernels, sizeof(kernels)), sizeof(kernels));
			cr_expect_eq(ours, SECCOMP_RET_ERRNO | (uint32_t)kernels, "%s of %x and %x: %x, not %x", what, values[i],
				     values[k], ours, kernels);
		}
	(void)close(ends[0]);
	(void)close(ends[1]);
}

#define TO_X ARG(1), BPF_STMT(BPF_MISC | BPF_TAX, 0), ARG(0)
#define OF_X(op) same_as_kernel(PROGRAM(TO_X, BPF_STMT(BPF_ALU | (op) | BPF_X, 0)), #op " X")
#define OF_K(op, k) same_as_kernel(PROGRAM(ARG(0), BPF_STMT(BPF_ALU | (op) | BPF_K, k)), #op " K")
#define IF(op) \
	same_as_kernel(PROGRAM(TO_X, BPF_JUMP(BPF_JMP | (op) | BPF_X, 0, 1, 0), BPF_STMT(BPF_LD | BPF_IMM, 7)), #op)

Test(seccomp, every_instruction_is_what_the_kernel_makes_of_it)
{
	OF_X(BPF_ADD);
	OF_X(BPF_SUB);
	OF_X(BPF_MUL);
	OF_X(BPF_AND);
	OF_X(BPF_OR);
	OF_X(BPF_XOR);
	OF_K(BPF_LSH, 3);
	OF_K(BPF_RSH, 7);
	OF_K(BPF_DIV, 3);
	OF_K(BPF_NEG, 0);
	IF(BPF_JEQ);
	IF(BPF_JGT);
	IF(BPF_JGE);
	IF(BPF_JSET);
	same_as_kernel(PROGRAM(TO_X, BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_STX, 15), BPF_STMT(BPF_LD | BPF_MEM, 15)), "STX");
	same_as_kernel(PROGRAM(ARG(0), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_IMM, 9), BPF_STMT(BPF_LDX | BPF_MEM, 3),
			       BPF_STMT(BPF_MISC | BPF_TXA, 0)), "LDX");
	same_as_kernel(PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)), "LEN");
	same_as_kernel(PROGRAM(ARG(0), BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_LD | BPF_IMM, 5)), "JA");
}

Test(seccomp, no_program_of_the_kernels)
{
	const struct seccomp_data data = { .nr = 1 };

	cr_expect_eq(seccomp_run(NULL, 0, &data), SECCOMP_RET_KILL_PROCESS);
	cr_expect_eq(seccomp_run(PROGRAM(NR), &data), SECCOMP_RET_KILL_PROCESS, "no end");
	cr_expect_eq(seccomp_run(PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), ALLOW), &data), SECCOMP_RET_KILL_PROCESS);
	cr_expect_eq(seccomp_run(PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 61), ALLOW), &data), SECCOMP_RET_KILL_PROCESS);
	cr_expect_eq(seccomp_run(PROGRAM(BPF_STMT(BPF_LD | BPF_MEM, 16), ALLOW), &data), SECCOMP_RET_KILL_PROCESS);
	cr_expect_eq(seccomp_run(PROGRAM(BPF_STMT(BPF_ST, 16), ALLOW), &data), SECCOMP_RET_KILL_PROCESS);
	cr_expect_eq(seccomp_run(PROGRAM(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW), &data), SECCOMP_RET_KILL_PROCESS);
}

/* --- whole filters of a thread ------------------------------------------------------------------------------------ */

static const struct sock_filter *wanted[3];
static size_t wanted_count[3];

static void body_filtered(struct shared *shared)
{
	shared->bad = 0;
	for (int i = 0; i < 3 && wanted[i]; i++)
		shared->bad |= install(wanted[i], wanted_count[i]);
	shared->ready = 1;
	for (;;)
		(void)pause();
}

/* The code of the error, and the verdict, for the filters set by FILTER. */
static enum mr_code judge(struct seccomp_verdict *ret)
{
	struct mr_error err = MR_ERROR_INIT;
	struct thread thread = { 0 };
	struct subject subject;

	subject_start(&subject, body_filtered);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	cr_assert_eq(subject.shared->bad, 0);
	cr_assert_eq(thread_hold(&thread, subject.pid, test_now() + 2000 * MS, &err), 0);
	(void)seccomp_judge(&thread, ret, &err);
	(void)thread_release(&thread, CALL_AS_IS);
	subject_end(&subject);
	return err.code;
}

#define FILTER(i, ...)                                                                \
	do {                                                                          \
		static const struct sock_filter program[] = { __VA_ARGS__ };          \
		wanted[i] = program;                                                  \
		wanted_count[i] = sizeof(program) / sizeof(*program);                 \
	} while (0)

static void judged(enum mr_code code, bool may_ask, const char *what)
{
	struct seccomp_verdict verdict;

	cr_expect_eq(judge(&verdict), code, "%s", what);
	if (verdict.unread)
		cr_skip_test("filters cannot be read here");
	if (code == MR_OK)
		cr_expect_eq(verdict.may_ask, may_ask, "%s", what);
}

Test(seccomp, whole_filters)
{
	FILTER(0, NR, UNLESS(SYS_ptrace, 1), RET(SECCOMP_RET_KILL_PROCESS), ALLOW);
	judged(MR_OK, true, "one that is none of our business");
	FILTER(0, NR, UNLESS(SYS_rt_sigpending, 1), RET(SECCOMP_RET_KILL_PROCESS), ALLOW);
	judged(MR_OK, false, "rt_sigpending");
	FILTER(0, NR, UNLESS(SYS_rt_sigpending, 1), RET(SECCOMP_RET_ERRNO | EPERM), ALLOW);
	judged(MR_OK, false, "rt_sigpending, softly");
	FILTER(0, NR, UNLESS(SYS_mmap, 3), ARG(2), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1), RET(SECCOMP_RET_KILL_THREAD),
	       ALLOW);
	judged(MR_E_SECCOMP, false, "executable memory");
	FILTER(0, NR, UNLESS(SYS_mmap, 4), ARG(2), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 6), UNLESS(6, 1),
	       RET(SECCOMP_RET_ERRNO | EPERM), ALLOW);
	judged(MR_OK, true, "writable and executable, as systemd forbids it");
	FILTER(0, NR, UNLESS(SYS_munmap, 1), RET(SECCOMP_RET_TRAP), ALLOW);
	judged(MR_E_SECCOMP, false, "munmap");
	FILTER(0, NR, UNLESS(SYS_gettid, 1), RET(SECCOMP_RET_LOG), ALLOW);
	judged(MR_OK, true, "logged");
	FILTER(1, NR, UNLESS(SYS_gettid, 1), RET(SECCOMP_RET_KILL_PROCESS), ALLOW);
	FILTER(2, ALLOW);
	judged(MR_E_SECCOMP, false, "the strictest of several");
}
