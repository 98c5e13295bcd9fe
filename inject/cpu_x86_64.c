/* SPDX-License-Identifier: MIT
 *
 * x86-64, System V ABI: arguments in rdi rsi rdx rcx r8 r9; a red zone of 128 bytes below rsp; the stack is a multiple of
 * 16 at a call. System calls: number and result in rax, arguments in rdi rsi rdx r10 r8 r9, the instruction is two bytes
 * long. At a stop inside an interrupted call the kernel shows the number in orig_rax and -ERESTART… in rax, and makes the
 * restart itself when the thread goes on, unless orig_rax is negative (arch/x86/kernel/signal.c).
 */
#include "cpu.h"

#include <cpuid.h>
#include <string.h>

enum {
	EINTR_RESULT = -4,
	RESTART_SYS = -512,
	RESTART_NOINTR = -513,
	RESTART_NOHAND = -514,
	RESTART_BLOCK = -516,
	USER_CS_64 = 0x33,
	SYSCALL_SIZE = 2,
	RED_ZONE = 128,
};

#define FLAG_TRAP UINT64_C(0x100)
#define FLAG_DIRECTION UINT64_C(0x400)

const struct cpu_numbers cpu_numbers = {
	.mmap = 9, .munmap = 11, .futex = 202, .select = 23, .pselect6 = 270, .ppoll = 271, .poll = 7,
	.epoll_wait = 232, .epoll_pwait = 281, .epoll_pwait2 = 441, .rt_sigtimedwait = 128, .semtimedop = 220,
	.recvfrom = 45, .recvmsg = 47, .accept = 43, .accept4 = 288, .restart_syscall = 219, .nanosleep = 35,
	.clock_nanosleep = 230, .wait4 = 61, .waitid = 247, .pause = 34, .connect = 42, .sendto = 44, .sendmsg = 46,
	.getpid = 39, .gettid = 186, .clock_gettime = 228, .rt_sigprocmask = 14, .rt_sigpending = 127,
	.read = 0, .readv = 19, .write = 1, .writev = 20, .recvmmsg = 299, .sendmmsg = 307, .semop = 65,
	.io_getevents = 208, .io_pgetevents = 333, .io_uring_enter = 426,
	.sendfile = 40, .splice = 275,
};

bool cpu_is_64bit(const struct cpu_regs *regs)
{
	return regs->user.cs == USER_CS_64;
}

uint64_t cpu_pc(const struct cpu_regs *regs)
{
	return regs->user.rip;
}

uint64_t cpu_sp(const struct cpu_regs *regs)
{
	return regs->user.rsp;
}

void cpu_call(const struct cpu_regs *regs, struct cpu_call *ret)
{
	const struct user_regs_struct *r = &regs->user;
	int64_t result = (int64_t)r->rax;

	*ret = (struct cpu_call){ .nr = (long)r->orig_rax, .result = result,
				  .arg = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	ret->in = (int64_t)r->orig_rax >= 0 &&
		  (result == RESTART_SYS || result == RESTART_NOINTR || result == RESTART_NOHAND ||
		   result == RESTART_BLOCK || result == EINTR_RESULT);
}

void cpu_dwarf(const struct cpu_regs *regs, uint64_t ret[CPU_DWARF_REGS])
{
	const struct user_regs_struct *r = &regs->user;
	const uint64_t all[CPU_DWARF_REGS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
					       r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };

	memcpy(ret, all, sizeof(all));
}

void cpu_dwarf_from(uint64_t pc, uint64_t sp, uint64_t ret[CPU_DWARF_REGS])
{
	memset(ret, 0, CPU_DWARF_REGS * sizeof(*ret));
	ret[CPU_DWARF_SP] = sp;
	ret[16] = pc;
}

void cpu_call_again(struct cpu_regs *regs)
{
	regs->user.rax = (unsigned long long)RESTART_NOHAND;
}

void cpu_call_end(struct cpu_regs *regs)
{
	regs->user.rax = (unsigned long long)EINTR_RESULT;
}

static void home_fill(const struct user_regs_struct *r, uint64_t home[HOME_WORDS])
{
	const uint64_t all[HOME_WORDS] = { r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r11, r->r10, r->r9,
					   r->r8,  r->rcx, r->rdx, r->rsi, r->rdi, r->rax, r->eflags, r->rip };

	memcpy(home, all, sizeof(all));
}

void cpu_frame(const struct cpu_regs *regs, bool resume, struct cpu_frame *ret)
{
	const struct user_regs_struct *r = &regs->user;
	struct stage_frame *frame = &ret->frame;
	struct cpu_call call;

	memset(ret, 0, sizeof(*ret));
	home_fill(r, ret->home);
	frame->home = r->rsp - RED_ZONE - sizeof(ret->home);
	ret->at = (frame->home - sizeof(*frame)) & ~UINT64_C(63);
	for (int i = 0; i < STAGE_CALLS; i++)
		frame->calls[i].nr = -1;

	cpu_call(regs, &call);
	if (!call.in)
		return;
	ret->home[HOME_RAX] = (uint64_t)EINTR_RESULT;
	if (!resume)
		return;
	frame->wait = call.result == EINTR_RESULT ? RESTART_NOHAND : call.result;
	frame->resume_rax = (uint64_t)(call.result == RESTART_BLOCK ? cpu_numbers.restart_syscall : call.nr);
	frame->resume_rip = r->rip - SYSCALL_SIZE;
}

void cpu_redirect(struct cpu_regs *regs, uint64_t stage, uint64_t frame)
{
	regs->user.rip = stage;
	regs->user.rsp = frame;
	regs->user.orig_rax = ~0ULL;
	regs->user.eflags &= ~(FLAG_TRAP | FLAG_DIRECTION);
}

static size_t xstate_ask(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return XSTATE_LEGACY;
	if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d))
		return XSTATE_LEGACY;
	return b;
}

/* Asked once: in a virtual machine each CPUID is a way out of it and back. */
size_t cpu_xstate_size(void)
{
	static size_t known;

	if (!known)
		known = xstate_ask();
	return known;
}

static int64_t displacement(const uint8_t *code)
{
	int32_t d;

	memcpy(&d, code, sizeof(d));
	return d;
}

enum cpu_target cpu_call_before(uint64_t return_address, const uint8_t *before, size_t size, uint64_t *ret)
{
	const uint8_t *end = before + size;

	if (size >= 6 && end[-6] == 0xff && end[-5] == 0x15) {	/* call *disp(%rip) */
		*ret = return_address + (uint64_t)displacement(end - 4);
		return CPU_TARGET_SLOT;
	}
	if (size >= 5 && end[-5] == 0xe8) {			/* call disp */
		*ret = return_address + (uint64_t)displacement(end - 4);
		return CPU_TARGET_DIRECT;
	}
	return CPU_TARGET_NONE;
}

static size_t endbr_size(const uint8_t *code, size_t size)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return size >= sizeof(endbr) && memcmp(code, endbr, sizeof(endbr)) == 0 ? sizeof(endbr) : 0;
}

bool cpu_plt_slot(uint64_t at, const uint8_t *code, size_t size, uint64_t *ret)
{
	size_t i = endbr_size(code, size);

	if (i < size && code[i] == 0xf2)			/* bnd */
		i++;
	if (size - i < 6 || code[i] != 0xff || code[i + 1] != 0x25) /* jmp *disp(%rip) */
		return false;
	*ret = at + i + 6 + (uint64_t)displacement(code + i + 2);
	return true;
}

/*
 * The operand of `mov m64, %rax` or `lea m, %rax` at code (Intel SDM, ModRM): relative to %rip, %rax or %rdi. Returns the size of
 * the instruction, 0 for anything else.
 */
static size_t operand(uint64_t pc, const uint8_t *code, size_t size, uint64_t rax, uint64_t rdi, uint64_t *ret)
{
	uint8_t mod = size >= 3 ? code[2] >> 6 : 3, base = size >= 3 ? code[2] & 7 : 0;
	bool rip = mod == 0 && base == 5;
	size_t length = mod == 1 ? 4 : mod == 2 || rip ? 7 : 3;

	if (size < length || mod == 3 || code[0] != 0x48 || (code[1] != 0x8b && code[1] != 0x8d) || (code[2] >> 3 & 7) ||
	    (!rip && base != 0 && base != 7))
		return 0;
	*ret = rip ? pc + length : base ? rdi : rax;
	if (length == 7)
		*ret += (uint64_t)displacement(code + 3);
	else if (length == 4)
		*ret += (uint64_t)(int64_t)(int8_t)code[3];
	return length;
}

bool cpu_getter(uint64_t at, const uint8_t *code, size_t size, uint64_t arg, cpu_load *load, void *data, uint64_t *ret)
{
	uint64_t rax = 0, address;
	size_t i = endbr_size(code, size), length;

	for (; i < size && code[i] != 0xc3; i += length) {
		length = operand(at + i, code + i, size - i, rax, arg, &address);
		if (!length)
			return false;
		rax = address;
		if (code[i + 1] == 0x8b && !load(data, address, &rax))
			return false;
	}
	*ret = rax;
	return i > 0 && i < size;
}

/* Takes every byte for a possible start: x86 code cannot be told apart otherwise without a full decoder. */
bool cpu_jumps(uint64_t at, const uint8_t *code, size_t size, cpu_visit *visit, void *data)
{
	for (size_t i = 0; i + 5 <= size; i++) {
		uint64_t pc = at + i;
		bool near_jcc = code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80 && i + 6 <= size;
		bool through = code[i] == 0xff && (code[i + 1] == 0x15 || code[i + 1] == 0x25) && i + 6 <= size;

		if ((code[i] == 0xe8 || code[i] == 0xe9) &&
		    !visit(data, CPU_TARGET_DIRECT, pc + 5 + (uint64_t)displacement(code + i + 1)))
			return false;
		if (near_jcc && !visit(data, CPU_TARGET_DIRECT, pc + 6 + (uint64_t)displacement(code + i + 2)))
			return false;
		if (through && !visit(data, CPU_TARGET_SLOT, pc + 6 + (uint64_t)displacement(code + i + 2)))
			return false;
	}
	return true;
}
