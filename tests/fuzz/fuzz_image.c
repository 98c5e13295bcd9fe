/* SPDX-License-Identifier: MIT
 *
 * ELF images as they stand in a memory of any bytes: names, relocations, unwind tables, and what is judged from them. The
 * input is a head (where the thread is, its stack, what it is asked) and the bytes of two images, a python and a libc.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../inject/moment.h"
#include "../../inject/symbols.h"
#include "fake_memory.h"

#define PYTHON_AT UINT64_C(0x400000)
#define LIBC_AT UINT64_C(0x7f0000000000)
#define STACK_AT UINT64_C(0x7ffd00000000)
#define STACK_WORDS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
	uint16_t libc_at;		/* where the bytes of the second image begin */
	uint8_t minor, call;
	uint16_t pc, slot;
	uint16_t stack[STACK_WORDS];	/* the highest bit: into libc */
};

static const char maps_text[] =
	"00400000-00500000 r-xp 00000000 08:01 11 /usr/bin/python3.11\n"
	"7f0000000000-7f0000100000 r-xp 00000000 08:01 12 /usr/lib/libc.so.6\n"
	"7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0 [stack]\n";

static uint64_t address(uint16_t offset)
{
	return (offset & 0x8000 ? LIBC_AT : PYTHON_AT) + (offset & 0x7fff);
}

static void ask_image(struct image *image, const struct head *head)
{
	static const char *const names[] = { "Py_AddPendingCall", "malloc", "sem_wait", "", "pypy_main_startup" };
	uint64_t start = 0, end = 0;
	struct image_symbol symbol;
	size_t count = image_symbols(image);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)symbols_find(image, names[i]);
	for (size_t i = 0; i < count && i < 64; i++)
		if (image_symbol(image, i, &symbol) && strlen(symbol.name) > 4096)
			abort();
	(void)symbols_slot(image, image->start + head->slot);
	for (size_t i = 0; i < STACK_WORDS; i++) {
		uint64_t at = address(head->stack[i]);
		uint64_t room = image_room(image, at);
		const uint8_t *code = room ? image_code(image, at, room) : NULL;

		for (uint64_t k = 0; code && k < room; k += 4096)	/* all of it is there */
			(void)((const volatile uint8_t *)code)[k];
		if (symbols_function(image, at, &start, &end) && !image_executable(image, at))
			abort();
		(void)callee_name(image, at);
	}
}

static void judge(struct images *images, struct interpreter *python, struct unwinder *unwinder, const struct head *head)
{
	struct verdicts verdicts = { .count = 0 };
	struct scene scene = { .python = python, .images = images, .unwinder = unwinder, .verdicts = &verdicts,
			       .call = { .in = head->call & 1, .nr = head->call >> 1 } };
	uint64_t registers[CPU_DWARF_REGS];
	const char *name = NULL;

	cpu_dwarf_from(address(head->pc), STACK_AT + 128, registers);
	scene_look(&scene, registers, UNWIND_FRAMES_MAX);
	if (scene.stack.count > UNWIND_FRAMES_MAX)
		abort();
	(void)moment_parked(&scene, &name);
	(void)moment_queue(&scene);
	(void)moment_spawn(&scene);
	(void)moment_python_caller(&scene);
}

static void try_images(const struct head *head)
{
	struct mr_facts facts = { .executable = "/usr/bin/python3.11" };
	struct mr_error error = MR_ERROR_INIT;
	struct interpreter python;
	struct unwinder *unwinder;
	struct images images;
	struct mr_maps maps;

	if (maps_parse(maps_text, sizeof(maps_text) - 1, &maps) || images_find(&maps, getpid(), &images) ||
	    images.count != 2)
		abort();
	(void)interpreter_find(&images, &facts, &python, &error);
	python.image = &images.image[0];
	python.facts.minor = head->minor % 16;
	python.facts.micro = -1;
	interpreter_micro(&python);
	(void)interpreter_finalizing(&python);
	for (size_t i = 0; i < images.count; i++)
		ask_image(&images.image[i], head);
	unwinder = unwinder_new(&images);
	if (!unwinder)
		abort();
	judge(&images, &python, unwinder, head);
	unwinder_free(unwinder);
	images_free(&images);
	maps_free(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t stack[64] = { 0 };
	struct stretch stretches[3];
	struct head head;
	uint8_t *bytes;
	size_t cut;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	size -= sizeof(head);
	bytes = malloc(size + 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + sizeof(head), size);
	cut = head.libc_at < size ? head.libc_at : size;
	for (size_t i = 0; i < STACK_WORDS; i++)
		stack[16 + i] = head.stack[i] & 0x4000 ? STACK_AT + (head.stack[i] & 0x1ff) : address(head.stack[i]);
	stretches[0] = (struct stretch){ PYTHON_AT, bytes, cut };
	stretches[1] = (struct stretch){ LIBC_AT, bytes + cut, size - cut };
	stretches[2] = (struct stretch){ STACK_AT, (uint8_t *)stack, sizeof(stack) };
	fake_memory(stretches, 3);
	try_images(&head);
	free(bytes);
	return 0;
}
