/* SPDX-License-Identifier: MIT
 *
 * ELF images as they stand in memory: our own libc, beside what dlsym says; and small ones that lie about themselves.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../inject/moment.h"
#include "../../inject/symbols.h"
#include "elf_image.h"

TestSuite(image, .timeout = 60);

/* --- true ones ---------------------------------------------------------------------------------------------------- */

static char *maps_text;
static struct mr_maps maps;
static struct images images;

static void look_at_ourselves(void)
{
	size_t size;

	cr_assert_eq(proc_read(getpid(), "maps", &maps_text, &size), 0);
	cr_assert_eq(maps_parse(maps_text, size, &maps), 0);
	cr_assert_eq(images_find(&maps, getpid(), &images), 0);
}

static void look_away(void)
{
	images_free(&images);
	maps_free(&maps);
	free(maps_text);
}

static struct image *image_with(const char *soname)
{
	for (size_t i = 0; i < images.count; i++)
		if (image_open(&images.image[i]) && images.image[i].soname && strcmp(images.image[i].soname, soname) == 0)
			return &images.image[i];
	return NULL;
}

Test(image, our_own_libc_has_what_dlsym_finds, .init = look_at_ourselves, .fini = look_away)
{
	static const char *const names[] = { "getppid", "__errno_location", "pthread_create", "pthread_self", "pthread_detach",
					     "qsort", "environ", "exit", "sem_wait", "getaddrinfo" };
	struct image *libc = image_with("libc.so.6");
	void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	cr_assert_not_null(libc);
	cr_assert_not_null(handle);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		cr_expect_eq(symbols_find(libc, names[i]), (uint64_t)(uintptr_t)dlsym(handle, names[i]), "%s", names[i]);
	cr_expect_eq(symbols_find(libc, "PyEval_EvalCode"), 0);
	cr_expect_eq(symbols_find(libc, ""), 0);
	cr_expect_eq(symbols_find(libc, "errno"), 0, "thread-local: an offset, no address");
	(void)dlclose(handle);
}

Test(image, every_image_of_ours_opens, .init = look_at_ourselves, .fini = look_away)
{
	size_t good = 0;

	for (size_t i = 0; i < images.count; i++) {
		struct image *image = &images.image[i];
		bool library = image->map->path && memmem(image->map->path, image->map->path_size, ".so", 3);

		cr_expect(!library || image_open(image), "%.*s", (int)image->map->path_size, image->map->path);
		good += image_open(image);
		cr_expect(i == 0 || images.image[i - 1].end <= image->start, "in order, and apart");
		cr_expect_eq(images_at(&images, image->start), image);
		cr_expect_eq(images_at(&images, image->end - 1), image);
		cr_expect_neq(images_at(&images, image->end), image);
	}
	cr_expect_geq(good, 4);
	cr_expect_null(images_at(&images, 0));
	cr_expect_null(images_at(&images, UINT64_MAX));
}

Test(image, functions_of_ours, .init = look_at_ourselves, .fini = look_away)
{
	uint64_t start = 0, end = 0, at = (uint64_t)(uintptr_t)look_at_ourselves;
	struct image *self = images_at(&images, at), *libc = image_with("libc.so.6");
	uint64_t getppid_at = symbols_find(libc, "getppid");

	cr_assert_not_null(self);
	cr_expect(symbols_function(self, at + 5, &start, &end));
	cr_expect_eq(start, at);
	cr_expect_gt(end, at + 5);
	cr_expect(symbols_function(libc, getppid_at + 1, &start, &end));
	cr_expect_eq(start, getppid_at);
	cr_expect_lt(end - start, 4096);
	cr_expect_not(symbols_function(libc, (uint64_t)(uintptr_t)&maps, &start, &end), "another image");
	cr_expect_not(symbols_function(self, (uint64_t)(uintptr_t)&maps, &start, &end), "data");
}

/* How the caller of the code at pc is found, as libdw sees it: the rule for the frame's address. */
static bool rule_at(Dwarf_CFI *cfi, uint64_t vaddr, Dwarf_Op *ret)
{
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t count;
	bool known = dwarf_cfi_addrframe(cfi, vaddr, &frame) == 0;

	if (known && dwarf_frame_cfa(frame, &ops, &count) == 0 && count > 0)
		*ret = ops[0];
	if (known)
		free(frame);
	return known;
}

/* With only those entries fetched that were asked for, libdw finds the same as with all bytes there. */
Test(image, unwind_entries_one_by_one, .init = look_at_ourselves, .fini = look_away)
{
	struct images whole;
	struct image *libc = image_with("libc.so.6"), *all;
	Dwarf_CFI *some_cfi, *all_cfi;
	size_t known = 0;

	cr_assert_eq(images_find(&maps, getpid(), &whole), 0);
	all = images_at(&whole, libc->start);
	cr_assert(image_open(all));
	for (size_t i = 0; i < all->loads; i++)
		cr_assert_not_null(image_bytes(all, all->load[i].offset, all->load[i].size));
	some_cfi = dwarf_getcfi_elf(image_elf(libc));
	all_cfi = dwarf_getcfi_elf(image_elf(all));
	cr_assert(some_cfi && all_cfi);
	for (uint64_t at = libc->start; at < libc->end; at += 1999) {
		Dwarf_Op some_rule = { 0 }, all_rule = { 0 };

		symbols_unwind(libc, at);
		cr_assert_eq(rule_at(some_cfi, at - libc->bias, &some_rule), rule_at(all_cfi, at - all->bias, &all_rule));
		cr_assert(some_rule.atom == all_rule.atom && some_rule.number == all_rule.number && some_rule.number2 == all_rule.number2);
		known += all_rule.atom != 0;
	}
	cr_expect_gt(known, 300);
	images_free(&whole);
}

__attribute__((noinline)) static void *return_address(void)
{
	return __builtin_return_address(0);
}

enum { NEAR = 1 << 16 };	/* bytes; sanitizers make code long */

/* The slots that calls of this file into libc go through have names. */
Test(image, slots_have_names, .init = look_at_ourselves, .fini = look_away)
{
	struct image *self = images_at(&images, (uint64_t)(uintptr_t)look_at_ourselves);
	uint64_t here = (uint64_t)(uintptr_t)return_address();
	size_t named = 0;

	cr_assert_not_null(self);
	for (uint64_t at = here - NEAR; at < here + NEAR; at++) {
		const char *name = callee_name(self, at);

		named += name && (strcmp(name, "strcmp") == 0 || strcmp(name, "dlsym") == 0 || strcmp(name, "memmem") == 0);
	}
	cr_expect_gt(named, 0, "this file calls strcmp and dlsym");
}

/* --- a small one -------------------------------------------------------------------------------------------------- */

static struct elf_image *elf;
static struct image image;

static void small(void)
{
	elf = elf_image_new();
	elf_image_open(elf, &image);
}

static void small_away(void)
{
	elf_image_close(&image);
	elf_image_free(elf);
}

#define BASE ((uint64_t)(uintptr_t)elf)
#define CODE (BASE + offsetof(struct elf_image, code))
#define SLOT (BASE + offsetof(struct elf_image, slot))

Test(image, a_true_small_one, .init = small, .fini = small_away)
{
	uint64_t start, end;

	cr_assert(image_open(&image));
	cr_expect_str_eq(image.soname, "libtest.so");
	cr_expect_str_eq(image.interpreter, "/lib/ld.so");
	cr_expect_eq(image_symbols(&image), ELF_SYMBOLS);
	cr_expect_eq(symbols_find(&image, "first"), CODE);
	cr_expect_eq(symbols_find(&image, "second"), CODE + 64);
	cr_expect_eq(symbols_find(&image, "imported"), 0);
	cr_expect_str_eq(symbols_slot(&image, SLOT), "imported");
	cr_expect_str_eq(symbols_slot(&image, SLOT + 8), "first");
	cr_expect_null(symbols_slot(&image, SLOT + 16));
	cr_expect_str_eq(callee_name(&image, CODE + 25), "imported");
	cr_expect_null(callee_name(&image, CODE + 26));
	cr_expect(symbols_function(&image, CODE + 70, &start, &end));
	cr_expect_eq(start, CODE + 64);
	cr_expect_eq(end, CODE + 128);
	cr_expect_not(symbols_function(&image, CODE - 1, &start, &end));
	cr_expect(image_executable(&image, CODE));
	cr_expect_not(image_executable(&image, SLOT));
	cr_expect_eq(image_room(&image, SLOT + 8), 8);
	cr_expect_eq(image_room(&image, SLOT + 16), 0);
	cr_expect_null(image_code(&image, SLOT, 17));
	elf_image_ask(&image);
}

Test(image, the_old_hash_serves_too, .init = small, .fini = small_away)
{
	elf->dynamic[3].d_tag = DT_DEBUG;
	cr_expect_eq(image_symbols(&image), ELF_SYMBOLS);
	cr_expect_eq(symbols_find(&image, "second"), CODE + 64);
	cr_expect_eq(symbols_find(&image, "imported"), 0);
}

Test(image, relocated_pointers_serve_too, .init = small, .fini = small_away)
{
	for (size_t i = 0; i < 8; i++)
		if (elf->dynamic[i].d_tag != DT_STRSZ && elf->dynamic[i].d_tag != DT_PLTRELSZ)
			elf->dynamic[i].d_un.d_val += BASE;
	cr_expect_eq(symbols_find(&image, "second"), CODE + 64);
	cr_expect_str_eq(symbols_slot(&image, SLOT), "imported");
}

/* --- lies --------------------------------------------------------------------------------------------------------- */

#define LIE(name, ...)                                              \
	Test(image, lie_##name, .init = small, .fini = small_away) \
	{                                                           \
		__VA_ARGS__;                                        \
		elf_image_ask(&image);                              \
	}

LIE(no_magic, elf->ehdr.e_ident[0] = 0; cr_expect_not(image_open(&image)))
LIE(class_32, elf->ehdr.e_ident[EI_CLASS] = ELFCLASS32; cr_expect_not(image_open(&image)))
LIE(big_endian, elf->ehdr.e_ident[EI_DATA] = ELFDATA2MSB; cr_expect_not(image_open(&image)))
LIE(other_machine, elf->ehdr.e_machine = EM_AARCH64; cr_expect_not(image_open(&image)))
LIE(many_headers, elf->ehdr.e_phnum = 0xffff)
LIE(sixty_four_headers, elf->ehdr.e_phnum = 64)
LIE(no_headers, elf->ehdr.e_phnum = 0; cr_expect_not(image_open(&image)))
LIE(headers_elsewhere, elf->ehdr.e_phoff = UINT64_MAX - 7)
LIE(headers_at_the_edge, elf->ehdr.e_phoff = 4096)
LIE(headers_across_the_edge, elf->ehdr.e_phoff = 4090; elf->ehdr.e_phnum = 64)
LIE(size_of_headers, elf->ehdr.e_phentsize = 1)
LIE(sections, elf->ehdr.e_shoff = 8; elf->ehdr.e_shnum = 60000; elf->ehdr.e_shentsize = 64; elf->ehdr.e_shstrndx = 0xffff)
LIE(load_at_the_end_of_the_world, elf->phdr[0].p_vaddr = UINT64_MAX - 4095)
LIE(load_offset, elf->phdr[1].p_offset = UINT64_MAX)
LIE(load_size, elf->phdr[1].p_filesz = UINT64_MAX; cr_expect_not(image_open(&image)))
LIE(load_of_a_gigabyte, elf->phdr[1].p_filesz = UINT64_C(1) << 30)
LIE(load_at_most, elf->phdr[0].p_filesz = (UINT64_C(1) << 30) - 4096)
LIE(loads_on_each_other, elf->phdr[1] = elf->phdr[0]; elf->phdr[1].p_vaddr = 64)
LIE(dynamic_elsewhere, elf->phdr[2].p_offset = UINT64_MAX - 15)
LIE(dynamic_of_odd_size, elf->phdr[2].p_filesz = 17)
LIE(dynamic_huge, elf->phdr[2].p_filesz = UINT64_MAX)
LIE(dynamic_of_64k, elf->phdr[2].p_filesz = 65536)
LIE(dynamic_without_end, memset(elf->dynamic, 0x41, sizeof(elf->dynamic)))
LIE(dynamic_at_odd_place, elf->phdr[2].p_offset += 3)
LIE(strings_without_end, memset(elf->strings, 'a', sizeof(elf->strings)))
LIE(strings_endless, elf->dynamic[2].d_un.d_val = UINT64_MAX)
LIE(strings_none, elf->dynamic[2].d_un.d_val = 0)
LIE(strings_at_the_end, elf->dynamic[1].d_un.d_val = offsetof(struct elf_image, slot) + 15)
LIE(soname_elsewhere, elf->dynamic[9].d_un.d_val = UINT64_MAX - 3)
LIE(soname_endless, elf->dynamic[2].d_un.d_val = UINT64_MAX; elf->dynamic[9].d_un.d_val = UINT64_MAX - 3)
LIE(symbols_elsewhere, elf->dynamic[0].d_un.d_val = UINT64_MAX)
LIE(symbols_at_odd_place, elf->dynamic[0].d_un.d_val += 3)
LIE(symbol_names, for (int i = 0; i < ELF_SYMBOLS; i++) elf->symbol[i].st_name = UINT32_MAX)
LIE(hash_at_odd_place, elf->dynamic[3].d_un.d_val += 3)
LIE(hash_no_buckets, elf->gnu_hash.buckets = 0)
LIE(hash_many_buckets, elf->gnu_hash.buckets = UINT32_MAX)
LIE(hash_a_million_buckets, elf->gnu_hash.buckets = 1 << 20)
LIE(hash_large_filter, elf->gnu_hash.bloom = UINT32_MAX)
LIE(hash_first_symbol, elf->gnu_hash.first = UINT32_MAX)
LIE(hash_first_symbol_and_bucket, elf->gnu_hash.first = elf->gnu_hash.bucket[0] = UINT32_MAX)
LIE(hash_bucket, elf->gnu_hash.bucket[0] = UINT32_MAX - 1)
LIE(hash_chain_without_end, memset(elf->gnu_hash.chain, 0, ELF_IMAGE_SIZE - offsetof(struct elf_image, gnu_hash.chain)))
LIE(old_hash_count, elf->dynamic[3].d_tag = DT_DEBUG; elf->hash[1] = UINT32_MAX)
LIE(old_hash_a_million, elf->dynamic[3].d_tag = DT_DEBUG; elf->hash[1] = (1 << 20) - 1)
LIE(plt_size, elf->dynamic[6].d_un.d_val = UINT64_MAX)
LIE(plt_at_odd_place, elf->dynamic[5].d_un.d_val += 1)
LIE(rela_size, elf->dynamic[8].d_un.d_val = UINT64_MAX - 5)
LIE(rela_symbol, elf->rela[0].r_info = UINT64_MAX)
LIE(frames_many, elf->eh_frame_hdr.count = UINT32_MAX)
LIE(frames_some_more, elf->eh_frame_hdr.count = ELF_FUNCTIONS + 1)
LIE(frames_more_in_a_large_header, elf->eh_frame_hdr.count = 1 << 24; elf->phdr[3].p_filesz = UINT64_MAX)
LIE(frames_unsorted, elf->eh_frame_hdr.row[0].start = INT32_MAX; elf->eh_frame_hdr.row[2].start = INT32_MIN)
LIE(frames_elsewhere, elf->phdr[3].p_offset = UINT64_MAX - 3)
LIE(frames_at_odd_place, elf->phdr[3].p_offset += 1)
LIE(frames_entry_at_odd_place, for (int i = 0; i < ELF_FUNCTIONS; i++) elf->eh_frame_hdr.row[i].fde = 3)
LIE(frames_entry_elsewhere, for (int i = 0; i < ELF_FUNCTIONS; i++) elf->eh_frame_hdr.row[i].fde = INT32_MIN)
LIE(frames_pointer, elf->eh_frame_hdr.frame = INT32_MIN)
LIE(frames_none, elf->eh_frame_hdr.count = 0)
LIE(interpreter_without_end, memset(elf->interp, 'a', sizeof(elf->interp)); cr_expect_null(image.interpreter))
LIE(interpreter_elsewhere, elf->phdr[4].p_offset = UINT64_MAX)

/* Anything at all, many times, always the same. */
Test(image, ten_thousand_lies)
{
	uint64_t random = 88172645463325252;

	for (int round = 0; round < 2000; round++) {
		small();
		for (int i = 0; i < 5; i++) {
			uint8_t *byte = (uint8_t *)elf;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			byte += random % offsetof(struct elf_image, eh_frame_hdr.row[3]);
			*byte = random >> 60 & 1 ? (uint8_t)(random >> 32) : random >> 61 & 1 ? 0xff : 0;
		}
		elf_image_ask(&image);
		small_away();
	}
}

/* Any number of files may be mapped, each of any size: what is looked at is limited over all of them. */
Test(image, not_one_more_than_that, .init = small, .fini = small_away)
{
	struct images many = { .opened = IMAGES_OPEN_MAX };

	image.of = &many;
	cr_expect_not(image_open(&image));
	cr_expect_eq(symbols_find(&image, "first"), 0);
}

Test(image, not_one_byte_more_than_that, .init = small, .fini = small_away)
{
	struct images large = { .fetched = IMAGES_FETCH_MAX - 3 * 4096 };

	image.of = &large;
	cr_expect(image_open(&image));
	elf_image_ask(&image);
	large.fetched = IMAGES_FETCH_MAX;
	memset(image.have, 0, image.size / 4096);
	cr_expect_null(image_bytes(&image, 0, 1));
}

/* It is changed or taken away while it is looked at. */
Test(image, it_vanishes, .init = small)
{
	cr_assert(image_open(&image));
	elf_image_free(elf);
	elf_image_ask(&image);
	elf_image_close(&image);
}
