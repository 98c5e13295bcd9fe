/* SPDX-License-Identifier: MIT
 *
 * What cpu_x86_64.c knows: calls and jumps as bytes, the way home, the redirection.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "../../inject/cpu.h"

#define AT UINT64_C(0x401000)

static enum cpu_target before(const char *code, size_t size, uint64_t *ret)
{
	return cpu_call_before(AT, (const uint8_t *)code, size, ret);
}

Test(cpu, call_before_names_the_target)
{
	uint64_t target = 0;

	cr_expect_eq(before("\x90\x90\xe8\x10\x00\x00\x00", 7, &target), CPU_TARGET_DIRECT);
	cr_expect_eq(target, AT + 0x10);
	cr_expect_eq(before("\xe8\xf0\xff\xff\xff", 5, &target), CPU_TARGET_DIRECT);
	cr_expect_eq(target, AT - 0x10, "a negative distance");
	cr_expect_eq(before("\x90\xff\x15\x00\x20\x00\x00", 7, &target), CPU_TARGET_SLOT);
	cr_expect_eq(target, AT + 0x2000);
}

Test(cpu, call_before_refuses_the_rest)
{
	uint64_t target = 1;

	cr_expect_eq(before("", 0, &target), CPU_TARGET_NONE);
	cr_expect_eq(before("\xe8\x10\x00\x00", 4, &target), CPU_TARGET_NONE, "too short");
	cr_expect_eq(before("\x90\x90\x90\x90\xff\xd0", 6, &target), CPU_TARGET_NONE, "call *%%rax");
	cr_expect_eq(before("\xff\x25\x00\x20\x00\x00", 6, &target), CPU_TARGET_NONE, "a jump");
	cr_expect_eq(before("\xe9\x10\x00\x00\x00", 5, &target), CPU_TARGET_NONE, "a jump");
	cr_expect_eq(target, 1, "left alone");
}

static bool plt(const char *code, size_t size, uint64_t *slot)
{
	return cpu_plt_slot(AT, (const uint8_t *)code, size, slot);
}

Test(cpu, plt_entries)
{
	uint64_t slot = 0;

	cr_expect(plt("\xff\x25\x00\x10\x00\x00\x68\x00\x00\x00\x00\xe9\x00\x00\x00\x00", 16, &slot));
	cr_expect_eq(slot, AT + 6 + 0x1000);
	cr_expect(plt("\xf3\x0f\x1e\xfa\xff\x25\x00\x10\x00\x00", 10, &slot), "endbr64 before it");
	cr_expect_eq(slot, AT + 10 + 0x1000);
	cr_expect(plt("\xf3\x0f\x1e\xfa\xf2\xff\x25\x00\x10\x00\x00\x0f\x1f\x44\x00\x00", 16, &slot), "and bnd");
	cr_expect_eq(slot, AT + 11 + 0x1000);
	cr_expect(plt("\xf2\xff\x25\xf9\xff\xff\xff", 7, &slot));
	cr_expect_eq(slot, AT, "a negative distance");
	cr_expect_not(plt("\xff\x15\x00\x10\x00\x00", 6, &slot), "a call");
	cr_expect_not(plt("\x55\x48\x89\xe5\x90\x90", 6, &slot), "a function");
	cr_expect_not(plt("\xff\x25\x00\x10\x00", 5, &slot), "cut short");
	cr_expect_not(plt("\xf3\x0f\x1e\xfa", 4, &slot), "cut short after endbr64");
	cr_expect_not(plt("", 0, &slot));
}

#define SEEN_MAX 64

struct seen {
	enum cpu_target kind[SEEN_MAX];
	uint64_t target[SEEN_MAX];
	size_t count, limit;
};

static bool note(void *data, enum cpu_target kind, uint64_t target)
{
	struct seen *seen = data;

	if (seen->count < SEEN_MAX) {
		seen->kind[seen->count] = kind;
		seen->target[seen->count] = target;
	}
	return ++seen->count < seen->limit;
}

static bool saw(const struct seen *seen, enum cpu_target kind, uint64_t target)
{
	for (size_t i = 0; i < seen->count && i < SEEN_MAX; i++)
		if (seen->kind[i] == kind && seen->target[i] == target)
			return true;
	return false;
}

/* At every alignment, behind every other byte: a jump is never missed. */
Test(cpu, jumps_are_all_found)
{
	static const struct {
		const char *code;
		size_t size;
		enum cpu_target kind;
	} jumps[] = {
		{ "\xe8\x44\x33\x22\x11", 5, CPU_TARGET_DIRECT },	{ "\xe9\x44\x33\x22\x11", 5, CPU_TARGET_DIRECT },
		{ "\x0f\x84\x44\x33\x22\x11", 6, CPU_TARGET_DIRECT },	{ "\x0f\x8f\x44\x33\x22\x11", 6, CPU_TARGET_DIRECT },
		{ "\xff\x15\x44\x33\x22\x11", 6, CPU_TARGET_SLOT },	{ "\xff\x25\x44\x33\x22\x11", 6, CPU_TARGET_SLOT },
	};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++)
		for (unsigned int lead = 0; lead < 256; lead++)
			for (size_t at = 1; at < 10; at++) {
				struct seen seen = { .limit = SIZE_MAX };
				uint8_t code[16];

				memset(code, (int)lead, at);
				memcpy(code + at, jumps[i].code, jumps[i].size);
				cr_assert(cpu_jumps(AT, code, at + jumps[i].size, note, &seen));
				cr_assert(saw(&seen, jumps[i].kind, AT + at + jumps[i].size + 0x11223344),
					  "kind %zu behind %02x at %zu", i, lead, at);
			}
}

Test(cpu, jumps_stop_when_told_and_at_the_end)
{
	struct seen seen = { .limit = 1 };
	const uint8_t two[] = { 0xe8, 1, 0, 0, 0, 0xe9, 2, 0, 0, 0 };

	cr_expect_not(cpu_jumps(AT, two, sizeof(two), note, &seen));
	cr_expect_eq(seen.count, 1);
	for (size_t size = 0; size < 5; size++) {
		seen = (struct seen){ .limit = SIZE_MAX };
		cr_expect(cpu_jumps(AT, two, size, note, &seen));
		cr_expect_eq(seen.count, 0, "cut at %zu", size);
	}
}

static struct cpu_regs some_regs(uint64_t sp, int64_t nr, int64_t result)
{
	struct cpu_regs regs = { { .r15 = 15, .r14 = 14, .r13 = 13, .r12 = 12, .rbp = 0xb9, .rbx = 0xb8, .r11 = 11, .r10 = 10,
				   .r9 = 9, .r8 = 8, .rcx = 0xc8, .rdx = 0xd8, .rsi = 0x51, .rdi = 0xd1, .rip = AT,
				   .eflags = 0x746, .rsp = sp, .cs = 0x33 } };

	regs.user.rax = (unsigned long long)result;
	regs.user.orig_rax = (unsigned long long)nr;
	return regs;
}

/* The frame lies below the red zone at a multiple of 64, holds the words, and its parts do not overlap. */
static void frame_is_sound(const struct cpu_frame *f, uint64_t sp)
{
	cr_assert_eq(f->at % 64, 0);
	cr_assert_eq(f->frame.home + sizeof(f->home) + 128, sp, "ret $128 ends at the stack pointer");
	cr_assert_leq(f->at + sizeof(f->frame), f->frame.home);
	cr_assert_lt(f->frame.home - f->at, sizeof(f->frame) + 64);
	for (int i = 0; i < STAGE_CALLS; i++)
		cr_assert_eq(f->frame.calls[i].nr, -1);
	cr_assert_eq(f->frame.target, 0);
}

Test(cpu, frame_for_each_way_of_restarting)
{
	static const struct {
		int64_t result, wait;
		uint64_t resume;
	} kinds[] = { { -512, -512, 7 }, { -513, -513, 7 }, { -514, -514, 7 }, { -516, -516, 219 }, { -4, -514, 7 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (uint64_t low = 0; low < 16; low++) {
			struct cpu_regs regs = some_regs(0x7fff0000 + low, 7, kinds[i].result);
			struct cpu_frame f;

			cpu_frame(&regs, true, &f);
			frame_is_sound(&f, 0x7fff0000 + low);
			cr_expect_eq(f.frame.wait, kinds[i].wait);
			cr_expect_eq(f.frame.resume_rax, kinds[i].resume);
			cr_expect_eq(f.frame.resume_rip, AT - 2);
			cr_expect_eq((int64_t)f.home[HOME_RAX], -4, "as it stands the wait is over");
			cr_expect_eq(f.home[HOME_RIP], AT);
		}
}

Test(cpu, frame_without_a_wait)
{
	static const struct {
		int64_t nr, result;
	} kinds[] = { { -1, -512 }, { -1, 7 }, { 7, 0 }, { 7, -11 }, { 7, -515 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct cpu_regs regs = some_regs(0x7fff0008, kinds[i].nr, kinds[i].result);
		struct cpu_frame f;

		cpu_frame(&regs, true, &f);
		frame_is_sound(&f, 0x7fff0008);
		cr_expect_eq(f.frame.wait, 0);
		cr_expect_eq((int64_t)f.home[HOME_RAX], kinds[i].result, "kept");
		cr_expect_eq(f.home[HOME_RIP], AT);
	}
}

Test(cpu, frame_when_the_wait_shall_not_go_on)
{
	struct cpu_regs regs = some_regs(0x7fff0000, 232, -4);
	struct cpu_frame f;

	cpu_frame(&regs, false, &f);
	cr_expect_eq(f.frame.wait, 0);
	cr_expect_eq((int64_t)f.home[HOME_RAX], -4);
}

Test(cpu, home_has_every_register_in_the_order_of_the_pops)
{
	static const uint64_t order[HOME_WORDS] = { 15, 14, 13, 12, 0xb9, 0xb8, 11, 10, 9, 8, 0xc8, 0xd8, 0x51, 0xd1, 99, 0x746,
						    AT };
	struct cpu_regs regs = some_regs(0x7fff0000, -1, 99);
	struct cpu_frame f;

	cpu_frame(&regs, true, &f);
	cr_expect_arr_eq(f.home, order, sizeof(order));
}

Test(cpu, redirect_changes_what_it_must)
{
	struct cpu_regs regs = some_regs(0x7fff0000, 7, -516), before = regs;

	cpu_redirect(&regs, 0x1000, 0x2000);
	cr_expect_eq(regs.user.rip, 0x1000);
	cr_expect_eq(regs.user.rsp, 0x2000);
	cr_expect_eq((int64_t)regs.user.orig_rax, -1, "so the kernel restarts nothing");
	cr_expect_eq(regs.user.eflags, before.user.eflags & ~UINT64_C(0x500), "neither stepping nor backwards");
	regs.user.rip = before.user.rip;
	regs.user.rsp = before.user.rsp;
	regs.user.orig_rax = before.user.orig_rax;
	regs.user.eflags = before.user.eflags;
	cr_expect_arr_eq(&regs, &before, sizeof(regs), "and nothing else");
}

Test(cpu, call_is_in_only_when_blocked)
{
	static const int64_t in[] = { -512, -513, -514, -516, -4 }, out[] = { 0, 1, -1, -11, -515, -517 };
	struct cpu_call call;
	struct cpu_regs regs;

	for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
		regs = some_regs(0, 7, in[i]);
		cpu_call(&regs, &call);
		cr_expect(call.in, "%ld", (long)in[i]);
		cr_expect_eq(call.nr, 7);
		cr_expect_eq(call.arg[3], 10, "the fourth argument is in r10");
		regs = some_regs(0, -1, in[i]);
		cpu_call(&regs, &call);
		cr_expect_not(call.in, "no number");
	}
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
		regs = some_regs(0, 7, out[i]);
		cpu_call(&regs, &call);
		cr_expect_not(call.in, "%ld", (long)out[i]);
	}
}

Test(cpu, call_again_asks_for_what_a_handler_may_end)
{
	struct cpu_regs regs = some_regs(0, 232, -4);

	cpu_call_again(&regs);
	cr_expect_eq((int64_t)regs.user.rax, -514);
	cr_expect_eq(regs.user.orig_rax, 232);
}

Test(cpu, dwarf_numbers)
{
	struct cpu_regs regs = some_regs(0x7fff0000, -1, 99);
	uint64_t all[CPU_DWARF_REGS], two[CPU_DWARF_REGS];

	cpu_dwarf(&regs, all);
	cr_expect_eq(all[0], 99);
	cr_expect_eq(all[1], 0xd8, "rdx before rcx");
	cr_expect_eq(all[2], 0xc8);
	cr_expect_eq(all[6], 0xb9);
	cr_expect_eq(all[CPU_DWARF_SP], 0x7fff0000);
	cr_expect_eq(all[15], 15);
	cr_expect_eq(all[16], AT);
	cpu_dwarf_from(AT, 0x7fff0000, two);
	cr_expect_eq(two[16], AT);
	cr_expect_eq(two[CPU_DWARF_SP], 0x7fff0000);
	cr_expect_eq(two[6], 0);
}

Test(cpu, mode_and_state)
{
	struct cpu_regs regs = some_regs(0, 0, 0);

	cr_expect(cpu_is_64bit(&regs));
	regs.user.cs = 0x23;
	cr_expect_not(cpu_is_64bit(&regs));
	cr_expect(cpu_xstate_size() == XSTATE_LEGACY || cpu_xstate_size() >= 576, "x87, SSE and the header");
	cr_expect_leq(cpu_xstate_size(), XSTATE_MAX);
}

static bool double_load(void *data, uint64_t at, uint64_t *ret)
{
	uint64_t *loads = data;

	(*loads)++;
	*ret = 2 * at;
	return at != 666;
}

/* What a compiler makes of `return head;`, `return x->next;` and the like, and what is no such thing. */
Test(cpu, functions_that_only_load)
{
	static const struct {
		const char *code;
		size_t size;
		uint64_t arg, wanted;	/* 0: not to be followed */
	} cases[] = {
		{ "\x48\x8b\x05\x10\x00\x00\x00\xc3", 8, 0, 2 * (AT + 7 + 16) },
		{ "\xf3\x0f\x1e\xfa\x48\x8b\x05\xf0\xff\xff\xff\xc3", 12, 0, 2 * (AT + 11 - 16) },
		{ "\x48\x8b\x05\x10\x00\x00\x00\x48\x8b\x40\x28\xc3", 12, 0, 2 * (2 * (AT + 7 + 16) + 0x28) },
		{ "\x48\x8d\x05\x10\x00\x00\x00\x48\x8b\x40\x28\xc3", 12, 0, 2 * (AT + 7 + 16 + 0x28) },
		{ "\x48\x8b\x07\xc3", 4, 1000, 2000 },
		{ "\x48\x8b\x47\xf8\xc3", 5, 1000, 2 * 992 },
		{ "\x48\x8b\x87\x60\x1c\x00\x00\xc3", 8, 1000, 2 * (1000 + 0x1c60) },
		{ "\x48\x8b\x07\xc3", 4, 666, 0 },			/* not readable */
		{ "\x48\x8b\x07", 3, 1000, 0 },			/* no end */
		{ "\x48\x8b\x87\x60\x1c\x00", 6, 1000, 0 },	/* cut off */
		{ "\xc3", 1, 1000, 0 },
		{ "\x55\x48\x8b\x07\xc3", 5, 1000, 0 },		/* push %rbp */
		{ "\x48\x8b\x0f\xc3", 4, 1000, 0 },			/* to %rcx */
		{ "\x48\x8b\x06\xc3", 4, 1000, 0 },			/* from %rsi */
		{ "\x48\x8b\xc7\xc3", 4, 1000, 0 },			/* a register */
		{ "\x48\x8b\x04\x25\x00\x00\x00\x00\xc3", 9, 1000, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t loads = 0, value = 0;
		bool followed = cpu_getter(AT, (const uint8_t *)cases[i].code, cases[i].size, cases[i].arg, double_load,
					   &loads, &value);

		cr_expect_eq(followed, cases[i].wanted != 0, "case %zu", i);
		if (followed)
			cr_expect_eq(value, cases[i].wanted, "case %zu: %#lx", i, (unsigned long)value);
	}
}
