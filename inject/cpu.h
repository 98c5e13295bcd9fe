/* SPDX-License-Identifier: MIT
 *
 * What the tool asks of a CPU. Each CPU is one file, cpu_<name>.c, chosen by the Makefile; nothing else in inject/ knows one.
 */
#ifndef MR_CPU_H
#define MR_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include "../payload/request.h"

/* The general registers of a stopped thread, as PTRACE_GETREGSET NT_PRSTATUS gives them. */
struct cpu_regs {
	struct user_regs_struct user;
};

#define CPU_DWARF_REGS 17
#define CPU_DWARF_SP 7
#define CPU_ELF_MACHINE EM_X86_64
#define CPU_ELF_DATA ELFDATA2LSB
#define CPU_AUDIT_ARCH AUDIT_ARCH_X86_64

/* A system call that the thread is in, at a stop. */
struct cpu_call {
	bool in;		/* blocked in one: it has a number, and a result that asks for a restart, or EINTR */
	long nr;
	uint64_t arg[6];
	int64_t result;		/* -ERESTARTSYS (-512) and so on, or -EINTR */
};

bool cpu_is_64bit(const struct cpu_regs *regs);
uint64_t cpu_pc(const struct cpu_regs *regs);
uint64_t cpu_sp(const struct cpu_regs *regs);
void cpu_call(const struct cpu_regs *regs, struct cpu_call *ret);

/* The registers by their DWARF numbers, for the unwinder. */
void cpu_dwarf(const struct cpu_regs *regs, uint64_t ret[CPU_DWARF_REGS]);
/* The same from no more than pc and sp; the rest is 0. */
void cpu_dwarf_from(uint64_t pc, uint64_t sp, uint64_t ret[CPU_DWARF_REGS]);

/* Has the kernel, when the thread goes on, start the interrupted call again as for ERESTARTNOHAND (EINTR if a handler runs). */
void cpu_call_again(struct cpu_regs *regs);

/* Has the interrupted call end with EINTR when the thread goes on. */
void cpu_call_end(struct cpu_regs *regs);

/*
 * The stage frame for this thread: where it lies (a multiple of 64 below the red zone), the words that bring the thread
 * home, and how to call the interrupted call again. The way home as it stands is "the wait is over: EINTR".
 * Returns the address of the frame; the caller fills calls, target, arg, mask, limit.
 */
struct cpu_frame {
	struct stage_frame frame;	/* goes to `at` */
	uint64_t home[HOME_WORDS];	/* goes to frame.home */
	uint64_t at;
};
void cpu_frame(const struct cpu_regs *regs, bool resume, struct cpu_frame *ret);

/* Sends the thread to the stage: the one change of registers. */
void cpu_redirect(struct cpu_regs *regs, uint64_t stage, uint64_t frame);

/* Bytes that the extended state needs; XSTATE_LEGACY on a CPU without XSAVE, as some virtual ones are. */
size_t cpu_xstate_size(void);

/*
 * The call instruction that ends right before the return address. before[size] are the bytes up to it.
 * Sets *ret to the address called (direct), or to the address of the slot that holds it (through a GOT).
 */
enum cpu_target { CPU_TARGET_NONE, CPU_TARGET_DIRECT, CPU_TARGET_SLOT };
#define CPU_CALL_MAX 16
enum cpu_target cpu_call_before(uint64_t return_address, const uint8_t *before, size_t size, uint64_t *ret);

/* Is this a PLT entry? Then *ret is the address of its GOT slot. */
#define CPU_PLT_SIZE 16
bool cpu_plt_slot(uint64_t at, const uint8_t *code, size_t size, uint64_t *ret);

/*
 * All bytes in code that may be a direct call or jump, with their targets; finds more than there are, never fewer.
 * kind CPU_TARGET_SLOT: call or jump through memory.
 */
typedef bool cpu_visit(void *data, enum cpu_target kind, uint64_t target);
bool cpu_jumps(uint64_t at, const uint8_t *code, size_t size, cpu_visit *visit, void *data);

/*
 * What a function returns whose code is nothing but loads, as `return x->y;` is compiled; arg is its argument. load reads
 * a word of the tracee. False for any other code.
 */
#define CPU_GETTER_MAX 32
typedef bool cpu_load(void *data, uint64_t at, uint64_t *ret);
bool cpu_getter(uint64_t at, const uint8_t *code, size_t size, uint64_t arg, cpu_load *load, void *data, uint64_t *ret);

/* Numbers of system calls that this CPU's kernel uses. */
extern const struct cpu_numbers {
	long mmap, munmap, futex, select, pselect6, ppoll, poll, epoll_wait, epoll_pwait, epoll_pwait2;
	long rt_sigtimedwait, semtimedop, recvfrom, recvmsg, accept, accept4, restart_syscall, nanosleep, clock_nanosleep;
	long wait4, waitid, pause, connect, sendto, sendmsg;
	long getpid, gettid, clock_gettime, rt_sigprocmask, rt_sigpending;
	long read, readv, write, writev, recvmmsg, sendmmsg, semop;
	long io_getevents, io_pgetevents, io_uring_enter;
	long sendfile, splice;
} cpu_numbers;

#endif
