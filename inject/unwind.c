/* SPDX-License-Identifier: MIT */
#include "unwind.h"

#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols.h"
#include "util.h"

#define STACK_CACHE 16384

struct unwinder {
	Dwfl *dwfl;
	struct images *images;
	const uint64_t *registers;
	uint8_t stack[STACK_CACHE];	/* one read of the innermost part saves a system call for each word */
	uint64_t stack_at;
	size_t stack_size;
	struct frame *frames;
	size_t count, max;
};

static struct unwinder *self_of(void *arg)
{
	return arg;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = arg;
	return self_of(arg)->images->memory.pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)tid;
	*thread_arg = arg;
	return true;
}

static bool word_read(Dwfl *dwfl, Dwarf_Addr at, Dwarf_Word *ret, void *arg)
{
	struct unwinder *u = self_of(arg);

	(void)dwfl;
	if (u->stack_size >= sizeof(*ret) && at >= u->stack_at && at - u->stack_at <= u->stack_size - sizeof(*ret)) {
		memcpy(ret, u->stack + (at - u->stack_at), sizeof(*ret));
		return true;
	}
	return memory_read(&u->images->memory, at, ret, sizeof(*ret)) == 0;
}

static bool registers_set(Dwfl_Thread *thread, void *arg)
{
	const uint64_t *registers = self_of(arg)->registers;
	Dwarf_Word words[CPU_DWARF_REGS];

	for (int i = 0; i < CPU_DWARF_REGS; i++)
		words[i] = registers[i];
	return dwfl_thread_state_registers(thread, 0, CPU_DWARF_REGS, words);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = word_read,
	.set_initial_registers = registers_set,
};

static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, char **file, Elf **elf)
{
	(void)module;
	(void)name;
	(void)base;
	*file = NULL;
	*elf = image_elf(*userdata);
	return -1;
}

/* No search for separate debug files, ever: it would open paths, and take long. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, const char *file,
			  const char *link, GElf_Word crc, char **ret)
{
	(void)module;
	(void)userdata;
	(void)name;
	(void)base;
	(void)file;
	(void)link;
	(void)crc;
	(void)ret;
	return -1;
}

static const Dwfl_Callbacks callbacks = { .find_elf = find_elf, .find_debuginfo = find_debuginfo };

/* All images by their addresses only: libdw asks for the ELF of one when a frame lies in it. */
static bool images_report(struct unwinder *u)
{
	dwfl_report_begin(u->dwfl);
	for (size_t i = 0; i < u->images->count; i++) {
		struct image *image = &u->images->image[i];
		char name[32];
		Dwfl_Module *module;
		void **userdata;

		(void)snprintf(name, sizeof(name), "%zu", i);
		module = dwfl_report_module(u->dwfl, name, image->start, image->end);
		if (!module)
			return false;
		(void)dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
		*userdata = image;
	}
	return dwfl_report_end(u->dwfl, NULL, NULL) == 0;
}

struct unwinder *unwinder_new(struct images *images)
{
	struct unwinder *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->images = images;
	u->dwfl = dwfl_begin(&callbacks);
	if (!u->dwfl || !images_report(u)) {
		unwinder_free(u);
		return NULL;
	}
	return u;
}

void unwinder_free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	if (unwinder->dwfl)
		dwfl_end(unwinder->dwfl);
	free(unwinder);
}

static int frame_add(Dwfl_Frame *state, void *arg)
{
	struct unwinder *u = self_of(arg);
	struct frame *frame = &u->frames[u->count];
	Dwarf_Addr pc;
	bool exact;

	if (!dwfl_frame_pc(state, &pc, &exact))
		return DWARF_CB_ABORT;
	pc -= !exact;
	*frame = (struct frame){ pc + !exact, exact, images_at(u->images, pc) };
	if (frame->image)
		symbols_unwind(frame->image, pc);
	u->count++;
	return u->count < u->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/*
 * libdwfl takes the machine and the way to read memory once per session (dwfl_attach_state), so the first call attaches;
 * the registers are asked for at each walk.
 */
static bool attached(struct unwinder *u)
{
	return dwfl_pid(u->dwfl) >= 0 ||
	       dwfl_attach_state(u->dwfl, NULL, u->images->memory.pid, &thread_callbacks, u);
}

size_t unwind(struct unwinder *unwinder, const uint64_t registers[CPU_DWARF_REGS], struct frame *frames, size_t max,
	      bool *ended)
{
	struct unwinder *u = unwinder;
	uint64_t sp = registers[CPU_DWARF_SP];
	ssize_t n = memory_read_some(&u->images->memory, sp, u->stack, sizeof(u->stack));
	int r;

	u->registers = registers;
	u->frames = frames;
	u->count = 0;
	u->max = max;
	u->stack_at = sp;
	u->stack_size = n > 0 ? (size_t)n : 0;
	if (!attached(u))
		return 0;
	r = dwfl_getthread_frames(u->dwfl, u->images->memory.pid, frame_add, u);
	*ended = r == 0;
	return u->count;
}
