/* SPDX-License-Identifier: MIT */
#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#include "region.h"
#include "util.h"

enum { FILTERS_MAX = 64, SIG_SETMASK_RAW = 2, MONOTONIC = 1 };

/* The machine of a classic BPF program, as bpf(2) has it: an accumulator, an index, sixteen words. */
struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
	size_t pc;
	bool failed;
};

static void load(struct machine *m, const struct sock_filter *i, const struct seccomp_data *data)
{
	uint32_t *to = BPF_CLASS(i->code) == BPF_LD ? &m->a : &m->x;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		*to = i->k;
		return;
	case BPF_LEN:
		*to = sizeof(*data);
		return;
	case BPF_MEM:
		if (i->k < BPF_MEMWORDS) {
			*to = m->memory[i->k];
			return;
		}
		break;
	case BPF_ABS:
		if (i->k <= sizeof(*data) - sizeof(*to)) {
			memcpy(to, (const char *)data + i->k, sizeof(*to));
			return;
		}
		break;
	default:
		break;
	}
	m->failed = true;
}

static void compute(struct machine *m, const struct sock_filter *i)
{
	uint32_t operand = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD: m->a += operand; return;
	case BPF_SUB: m->a -= operand; return;
	case BPF_MUL: m->a *= operand; return;
	case BPF_AND: m->a &= operand; return;
	case BPF_OR: m->a |= operand; return;
	case BPF_XOR: m->a ^= operand; return;
	case BPF_LSH: m->a = operand < 32 ? m->a << operand : 0; return;
	case BPF_RSH: m->a = operand < 32 ? m->a >> operand : 0; return;
	case BPF_NEG: m->a = 0 - m->a; return;
	case BPF_DIV:
		m->failed = !operand;
		m->a = operand ? m->a / operand : 0;
		return;
	default: m->failed = true;
	}
}

static void jump(struct machine *m, const struct sock_filter *i)
{
	uint32_t operand = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool yes;

	switch (BPF_OP(i->code)) {
	case BPF_JA: m->pc += i->k; return;
	case BPF_JEQ: yes = m->a == operand; break;
	case BPF_JGT: yes = m->a > operand; break;
	case BPF_JGE: yes = m->a >= operand; break;
	case BPF_JSET: yes = (m->a & operand) != 0; break;
	default: m->failed = true; return;
	}
	m->pc += yes ? i->jt : i->jf;
}

static void store(struct machine *m, uint32_t at, uint32_t value)
{
	if (at < BPF_MEMWORDS)
		m->memory[at] = value;
	else
		m->failed = true;
}

/* Jumps lead forwards only, so it ends. */
uint32_t seccomp_run(const struct sock_filter *program, size_t count, const struct seccomp_data *data)
{
	struct machine m = { .pc = 0 };

	while (!m.failed && m.pc < count) {
		const struct sock_filter *i = &program[m.pc++];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
		case BPF_LDX: load(&m, i, data); break;
		case BPF_ST: store(&m, i->k, m.a); break;
		case BPF_STX: store(&m, i->k, m.x); break;
		case BPF_ALU: compute(&m, i); break;
		case BPF_JMP: jump(&m, i); break;
		case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		default:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

struct call {
	const char *name;
	struct seccomp_data data;
	uint32_t action;	/* the strictest that any filter takes */
};

enum { ASK_PENDING, CALLS_MAX = 16 };

/* All that stage and stub call, with arguments as they have them. The first one can be done without. */
static size_t calls_list(struct call *ret)
{
	static const struct cpu_numbers *const n = &cpu_numbers;
	const struct region region = { .at = REGION_BASE, .size = 1 << 20 };
	const struct call others[] = {
		[ASK_PENDING] = { "rt_sigpending", { .nr = (int)n->rt_sigpending, .args = { REGION_BASE, 8 } }, 0 },
		{ "rt_sigprocmask", { .nr = (int)n->rt_sigprocmask, .args = { SIG_SETMASK_RAW, REGION_BASE, 0, 8 } }, 0 },
		{ "getpid", { .nr = (int)n->getpid }, 0 },
		{ "gettid", { .nr = (int)n->gettid }, 0 },
		{ "clock_gettime", { .nr = (int)n->clock_gettime, .args = { MONOTONIC, REGION_BASE } }, 0 },
	};
	static const char *const names[] = { "mmap of executable memory", "mmap", "munmap" };
	struct stage_call calls[STAGE_CALLS];
	size_t count = region_map_calls(&region, calls), all = ARRAY_LEN(others);

	count += region_unmap_calls(&region, calls + count);
	memcpy(ret, others, sizeof(others));
	for (size_t i = 0; i < count && i < ARRAY_LEN(names); i++) {
		ret[all] = (struct call){ .name = names[i], .data.nr = (int)calls[i].nr };
		memcpy(ret[all++].data.args, calls[i].arg, sizeof(calls[i].arg));
	}
	for (size_t i = 0; i < all; i++) {
		ret[i].data.arch = CPU_AUDIT_ARCH;
		ret[i].data.instruction_pointer = REGION_BASE;
		ret[i].action = SECCOMP_RET_ALLOW;
	}
	return all;
}

/* The kernel's order: KILL_PROCESS is the most negative. */
static bool stricter(uint32_t one, uint32_t other)
{
	return (int32_t)(one & SECCOMP_RET_ACTION_FULL) < (int32_t)(other & SECCOMP_RET_ACTION_FULL);
}

static bool passes(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* Runs all filters on all calls. Returns 0, or the errno that kept us from reading them. */
static int filters_run(const struct thread *thread, struct call *calls, size_t count)
{
	static _Thread_local struct sock_filter program[BPF_MAXINSNS];

	for (unsigned int filter = 0; filter < FILTERS_MAX; filter++) {
		long length = thread_filter(thread, filter, program);

		if (length < 0)
			return length == -ENOENT ? 0 : (int)-length;
		for (size_t i = 0; i < count; i++) {
			uint32_t action = seccomp_run(program, (size_t)length, &calls[i].data);

			if (stricter(action, calls[i].action))
				calls[i].action = action;
		}
	}
	return E2BIG;
}

int seccomp_judge(const struct thread *thread, struct seccomp_verdict *ret, struct mr_error *err)
{
	struct call calls[CALLS_MAX];
	size_t count = calls_list(calls);

	*ret = (struct seccomp_verdict){ .tid = thread->tid };
	if (filters_run(thread, calls, count)) {
		ret->unread = true;
		return 0;
	}
	ret->may_ask = passes(calls[ASK_PENDING].action);
	for (size_t i = ASK_PENDING + 1; i < count; i++)
		if (!passes(calls[i].action))
			return mr_fail(err, MR_E_SECCOMP, 0, "thread %d may not call %s", (int)thread->tid, calls[i].name);
	return 0;
}
