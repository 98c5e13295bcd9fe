/* SPDX-License-Identifier: MIT */
#include "elf_image.h"

#include <criterion/criterion.h>
#include <libelf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../inject/moment.h"
#include "../../inject/symbols.h"
#include "../../inject/unwind.h"

#define AT(field) offsetof(struct elf_image, field)

_Static_assert(sizeof(struct elf_image) <= ELF_IMAGE_SIZE, "it has room");

static uint32_t hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

static void headers(struct elf_image *e)
{
	e->ehdr = (Elf64_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
				.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = AT(phdr),
				.e_ehsize = sizeof(e->ehdr), .e_phentsize = sizeof(e->phdr[0]), .e_phnum = 5 };
	e->phdr[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = AT(slot), .p_memsz = AT(slot) };
	e->phdr[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = AT(slot), .p_vaddr = AT(slot),
				   .p_filesz = sizeof(e->slot), .p_memsz = 4096 };
	e->phdr[2] = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_offset = AT(dynamic), .p_vaddr = AT(dynamic),
				   .p_filesz = sizeof(e->dynamic) };
	e->phdr[3] = (Elf64_Phdr){ .p_type = PT_GNU_EH_FRAME, .p_offset = AT(eh_frame_hdr), .p_vaddr = AT(eh_frame_hdr),
				   .p_filesz = sizeof(e->eh_frame_hdr) };
	e->phdr[4] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = AT(interp), .p_vaddr = AT(interp), .p_filesz = 32 };
	(void)strcpy(e->interp, "/lib/ld.so");
}

static void names(struct elf_image *e)
{
	const Elf64_Dyn dynamic[ELF_DYNAMIC] = {
		{ DT_SYMTAB, { AT(symbol) } },	  { DT_STRTAB, { AT(strings) } },
		{ DT_STRSZ, { sizeof(e->strings) } }, { DT_GNU_HASH, { AT(gnu_hash) } },
		{ DT_HASH, { AT(hash) } },	  { DT_JMPREL, { AT(plt) } },
		{ DT_PLTRELSZ, { sizeof(e->plt) } }, { DT_RELA, { AT(rela) } },
		{ DT_RELASZ, { sizeof(e->rela) } }, { DT_SONAME, { 23 } },
		{ DT_NULL, { 0 } },
	};

	memcpy(e->dynamic, dynamic, sizeof(dynamic));
	memcpy(e->strings, "\0imported\0first\0second\0libtest.so", 33);
	e->symbol[1] = (Elf64_Sym){ .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC) };
	e->symbol[2] = (Elf64_Sym){ .st_name = 10, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1,
				    .st_value = AT(code) };
	e->symbol[3] = (Elf64_Sym){ .st_name = 16, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1,
				    .st_value = AT(code) + 64 };
	e->gnu_hash.buckets = e->gnu_hash.bloom = 1;
	e->gnu_hash.first = e->gnu_hash.bucket[0] = 2;
	e->gnu_hash.filter[0] = ~UINT64_C(0);
	e->gnu_hash.chain[0] = hash_of("first") & ~1u;
	e->gnu_hash.chain[1] = hash_of("second") | 1;
	e->hash[0] = 1;
	e->hash[1] = ELF_SYMBOLS;
	e->plt[0] = (Elf64_Rela){ AT(slot), ELF64_R_INFO(1, R_X86_64_JUMP_SLOT), 0 };
	e->rela[0] = (Elf64_Rela){ AT(slot) + 8, ELF64_R_INFO(2, R_X86_64_GLOB_DAT), 0 };
}

/* At code + 20 a call of the PLT entry, which goes through slot 0. */
static void code(struct elf_image *e)
{
	int32_t to_plt = 192 - 25, to_slot = (int32_t)(AT(slot) - AT(code)) - (192 + 6);

	memset(e->code, 0x90, sizeof(e->code));
	e->code[20] = 0xe8;
	memcpy(e->code + 21, &to_plt, 4);
	e->code[192] = 0xff;
	e->code[193] = 0x25;
	memcpy(e->code + 194, &to_slot, 4);
	e->eh_frame_hdr.version = 1;
	e->eh_frame_hdr.pointer = 0x1b;
	e->eh_frame_hdr.count_form = 0x03;
	e->eh_frame_hdr.table_form = 0x3b;
	e->eh_frame_hdr.count = ELF_FUNCTIONS;
	for (int i = 0; i < ELF_FUNCTIONS; i++)
		e->eh_frame_hdr.row[i].start = (int32_t)(AT(code) - AT(eh_frame_hdr)) + 64 * i;
}

struct elf_image *elf_image_new(void)
{
	struct elf_image *e = mmap(NULL, ELF_IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq((void *)e, MAP_FAILED);
	headers(e);
	names(e);
	code(e);
	return e;
}

static struct memory own_memory;
static const struct mr_map own_map = { .perms = "r-xp", .inode = 1, .path = "/lib/libtest.so", .path_size = 15 };

void elf_image_open(struct elf_image *elf, struct image *ret)
{
	own_memory = (struct memory){ getpid(), -1 };
	*ret = (struct image){ .memory = &own_memory, .map = &own_map, .start = (uint64_t)(uintptr_t)elf,
			       .end = (uint64_t)(uintptr_t)elf + ELF_IMAGE_SIZE };
}

void elf_image_close(struct image *image)
{
	if (image->elf)
		(void)elf_end(image->elf);
	if (image->bytes)
		(void)munmap(image->bytes, image->size);
	free(image->have);
}

void elf_image_free(struct elf_image *elf)
{
	(void)munmap(elf, ELF_IMAGE_SIZE);
}

/* A stack with a return address into the image. */
static void walk(struct image *image)
{
	struct images images = { .image = image, .count = 1, .memory = own_memory };
	struct unwinder *unwinder = unwinder_new(&images);
	uint64_t stack[64], registers[CPU_DWARF_REGS];
	struct frame frames[8];
	bool ended;

	for (size_t i = 0; i < 64; i++)
		stack[i] = image->start + AT(code) + 4 * i;
	cpu_dwarf_from(image->start + AT(code) + 10, (uint64_t)(uintptr_t)stack, registers);
	cr_assert_not_null(unwinder);
	cr_assert_leq(unwind(unwinder, registers, frames, 8, &ended), 8);
	unwinder_free(unwinder);
}

void elf_image_ask(struct image *image)
{
	static const char *const asked[] = { "first", "second", "imported", "nothing", "" };
	uint64_t base = image->start, start = 0, end = 0;
	struct image_symbol symbol;
	size_t count = image_symbols(image);
	void *elf;

	cr_assert_leq(count, IMAGE_SYMBOLS_MAX);
	for (size_t i = 0; i < count && i < 100; i++)
		if (image_symbol(image, i, &symbol))
			cr_assert_lt(strlen(symbol.name), 4096);
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		(void)symbols_find(image, asked[i]);
	for (uint64_t at = 0; at < ELF_IMAGE_SIZE; at += 0x333) {
		(void)symbols_slot(image, base + at);
		(void)symbols_function(image, base + at, &start, &end);
		(void)callee_name(image, base + at);
		(void)image_code(image, base + at, 16);
	}
	(void)symbols_slot(image, base + AT(slot));
	(void)callee_name(image, base + AT(code) + 25);
	(void)callee_name(image, 0);
	(void)callee_name(image, UINT64_MAX);
	(void)image_bytes(image, UINT64_MAX, UINT64_MAX);
	(void)image_bytes(image, 0, UINT64_MAX);
	elf = image_elf(image);
	if (elf)
		(void)elf_end(elf);
	walk(image);
}
