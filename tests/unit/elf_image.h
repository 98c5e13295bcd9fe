/* SPDX-License-Identifier: MIT
 *
 * A small ELF image in our own memory, as a loader would have put it there, to be lied in.
 */
#ifndef MR_TEST_ELF_IMAGE_H
#define MR_TEST_ELF_IMAGE_H

#include <elf.h>

#include "../../inject/image.h"

enum { ELF_IMAGE_SIZE = 0x4000, ELF_SYMBOLS = 4, ELF_FUNCTIONS = 3, ELF_DYNAMIC = 12 };

/* Everything lies where its address says: file offsets and addresses are the same. */
struct elf_image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[5];	/* text, data, dynamic, eh_frame_hdr, interp */
	char interp[32];
	Elf64_Dyn dynamic[ELF_DYNAMIC];
	Elf64_Sym symbol[ELF_SYMBOLS];	/* none, "imported", "first", "second" */
	char strings[64];
	struct {
		uint32_t buckets, first, bloom, shift;
		uint64_t filter[1];
		uint32_t bucket[1], chain[2];
	} gnu_hash;
	uint32_t hash[2 + 1 + ELF_SYMBOLS];
	Elf64_Rela plt[1], rela[1];
	struct {
		uint8_t version, pointer, count_form, table_form;
		int32_t frame;
		uint32_t count;
		struct {
			int32_t start, fde;
		} row[ELF_FUNCTIONS];
	} eh_frame_hdr;
	uint8_t code[256] __attribute__((aligned(4096)));	/* three functions of 64 bytes each, then a PLT entry */
	uint64_t slot[2] __attribute__((aligned(4096)));
};

/* In fresh memory; look at it through ret. Free it with elf_image_free. */
struct elf_image *elf_image_new(void);
void elf_image_open(struct elf_image *elf, struct image *ret);
void elf_image_close(struct image *image);
void elf_image_free(struct elf_image *elf);

/* Asks every question that inject/ asks of an image. Returns when it has not crashed. */
void elf_image_ask(struct image *image);

#endif
