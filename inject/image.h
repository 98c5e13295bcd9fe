/* SPDX-License-Identifier: MIT
 *
 * An ELF image as it stands in the tracee's memory. No file is ever opened: so it does not matter what lies on disk now,
 * in which mount namespace, or who may read it. Bytes are fetched page by page when somebody asks for them.
 * The only file that uses libelf, which checks the bounds; all counts and offsets are the tracee's word and limited here.
 */
#ifndef MR_IMAGE_H
#define MR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "proc.h"

#define IMAGE_SIZE_MAX (UINT64_C(1) << 30)
#define IMAGE_SYMBOLS_MAX (1u << 20)
#define IMAGE_LOADS_MAX 16

/* Of all images of a process together: it may map as many as the kernel grants, each of any size. */
#define IMAGES_OPEN_MAX 4096
#define IMAGES_FETCH_MAX (UINT64_C(512) << 20)

struct image_load {
	uint64_t vaddr, offset, size;
	bool executable;
};

/* An address range of the file layout */
struct image_span {
	uint64_t offset, size;
};

struct image_symbol {
	uint64_t address;	/* in the tracee, 0 when undefined */
	const char *name;	/* into the image, NUL-terminated */
	bool function;
};

struct image {
	const struct memory *memory;
	struct images *of;		/* which keeps count; NULL: nobody does */
	const struct mr_map *map;	/* the first one, for its path */
	uint64_t start, end;		/* of all its mappings */
	int state;			/* 0 not looked at yet, 1 good, -1 not an ELF image that can be used */
	uint64_t bias;
	uint8_t *bytes;			/* in file layout, NULL before use */
	uint8_t *have;			/* one byte a page */
	size_t size;
	void *elf;
	struct image_load load[IMAGE_LOADS_MAX];
	size_t loads;
	struct image_span symtab, strtab, gnu_hash, hash, jmprel, rela, eh_frame_hdr;
	const char *soname;		/* DT_SONAME, or NULL */
	const char *interpreter;	/* PT_INTERP, or NULL */
};

struct images {
	struct image *image;
	size_t count;
	struct memory memory;
	size_t opened;
	uint64_t fetched;		/* bytes */
	int trouble;			/* errno of a read that failed although something may be there; or 0 */
};

/* One image for each run of mappings of the same file, and the vdso. Opens none yet. Returns 0 or -ENOMEM. */
int images_find(const struct mr_maps *maps, pid_t pid, struct images *ret);
void images_free(struct images *images);
/* The image that covers the address, or NULL. */
struct image *images_at(struct images *images, uint64_t address);

/* Reads the headers, once. Returns false when it is not a 64-bit ELF image of this machine. */
bool image_open(struct image *image);

/* Bytes of the file layout, fetched if need be; NULL when they are not there. */
const void *image_bytes(struct image *image, uint64_t offset, uint64_t size);
/* Bytes at an address of the tracee. */
const void *image_code(struct image *image, uint64_t address, uint64_t size);
/* From the address to the end of its segment. */
uint64_t image_room(const struct image *image, uint64_t address);
bool image_executable(const struct image *image, uint64_t address);

/* How many dynamic symbols there are, and each of them. */
size_t image_symbols(struct image *image);
bool image_symbol(struct image *image, size_t i, struct image_symbol *ret);

/* A second handle for libdw, which will close it: an Elf *, or NULL. */
void *image_elf(struct image *image);

#endif
