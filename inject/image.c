/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu.h"
#include "util.h"

#define PAGE 4096u

static bool same_file(const struct mr_map *a, const struct mr_map *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* A file may be mapped twice at different places (two images): each begins with offset 0. */
static bool begins(const struct mr_map *map)
{
	return (map->inode && map->offset == 0 && map->perms[0] == 'r') || map_path_is(map, "[vdso]");
}

int images_find(const struct mr_maps *maps, pid_t pid, struct images *ret)
{
	*ret = (struct images){ .memory = { pid, -1 } };
	ret->image = calloc(maps->count ? maps->count : 1, sizeof(*ret->image));
	if (!ret->image)
		return -ENOMEM;
	for (size_t i = 0; i < maps->count; i++) {
		const struct mr_map *map = &maps->map[i];
		struct image *last = ret->count ? &ret->image[ret->count - 1] : NULL;

		bool same = last && last->map && same_file(last->map, map);

		if (begins(map) && !(same && map->start == last->end))
			ret->image[ret->count++] = (struct image){
				.memory = &ret->memory, .of = ret, .map = map, .start = map->start, .end = map->end,
			};
		else if (same && map->inode)
			last->end = map->end;
	}
	return 0;
}

static void image_close(struct image *image)
{
	if (image->elf)
		(void)elf_end(image->elf);
	if (image->bytes)
		(void)munmap(image->bytes, image->size);
	free(image->have);
}

void images_free(struct images *images)
{
	for (size_t i = 0; i < images->count; i++)
		image_close(&images->image[i]);
	free(images->image);
	memory_close(&images->memory);
	*images = (struct images){ .memory = { 0, -1 } };
}

struct image *images_at(struct images *images, uint64_t address)
{
	size_t low = 0, high = images->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (address >= images->image[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == images->count || address < images->image[low].start)
		return NULL;
	return &images->image[low];
}

static int fetch(struct image *image, uint64_t at, void *to, size_t size)
{
	int r = memory_read(image->memory, at, to, size);

	if (r < 0 && r != -EFAULT && image->of)
		image->of->trouble = -r;
	return r;
}

/* The header and the program headers as the first page shows them; sections are not in memory and are struck out. */
static bool headers_read(struct image *image, Elf64_Ehdr *ehdr, Elf64_Phdr *phdr)
{
	size_t size;

	if (fetch(image, image->start, ehdr, sizeof(*ehdr)) < 0 ||
	    memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_ident[EI_DATA] != CPU_ELF_DATA ||
	    ehdr->e_machine != CPU_ELF_MACHINE || ehdr->e_phentsize != sizeof(*phdr) || ehdr->e_phnum > 64 ||
	    ehdr->e_phoff > PAGE)
		return false;
	size = ehdr->e_phnum * sizeof(*phdr);
	return fetch(image, image->start + ehdr->e_phoff, phdr, size) == 0;
}

static bool loads_read(struct image *image, const Elf64_Phdr *phdr, size_t count)
{
	uint64_t size = PAGE;

	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *p = &phdr[i];

		if (p->p_type != PT_LOAD || !p->p_filesz)
			continue;
		if (image->loads == IMAGE_LOADS_MAX || p->p_offset > IMAGE_SIZE_MAX || p->p_filesz > IMAGE_SIZE_MAX)
			return false;
		if (image->loads == 0)
			image->bias = image->start - (p->p_vaddr & ~(uint64_t)(PAGE - 1));
		image->load[image->loads++] = (struct image_load){ p->p_vaddr, p->p_offset, p->p_filesz,
								   (p->p_flags & PF_X) != 0 };
		if (p->p_offset + p->p_filesz > size)
			size = p->p_offset + p->p_filesz;
	}
	image->size = round_up(size, PAGE);
	return image->loads > 0 && image->size <= IMAGE_SIZE_MAX;
}

static bool offset_of(const struct image *image, uint64_t vaddr, uint64_t *ret)
{
	for (size_t i = 0; i < image->loads; i++) {
		const struct image_load *l = &image->load[i];

		if (vaddr >= l->vaddr && vaddr - l->vaddr < l->size) {
			*ret = l->offset + (vaddr - l->vaddr);
			return true;
		}
	}
	return false;
}

/* Fetches a stretch of the file layout from where its segments stand in the tracee. */
static bool stretch_fetch(struct image *image, uint64_t from, uint64_t to)
{
	if (image->of && (image->of->fetched += to - from) > IMAGES_FETCH_MAX)
		return false;
	for (size_t i = 0; i < image->loads; i++) {
		const struct image_load *l = &image->load[i];
		uint64_t low = from > l->offset ? from : l->offset;
		uint64_t high = to < l->offset + l->size ? to : l->offset + l->size;

		if (low < high &&
		    fetch(image, image->bias + l->vaddr + (low - l->offset), image->bytes + low, high - low) < 0)
			return false;
	}
	return true;
}

const void *image_bytes(struct image *image, uint64_t offset, uint64_t size)
{
	uint64_t page, last, end;

	if (!image->bytes || offset > image->size || size > image->size - offset)
		return NULL;
	last = size ? (offset + size - 1) / PAGE + 1 : 0;
	for (page = offset / PAGE; page < last; page = end) {
		for (end = page; end < last && !image->have[end];)
			end++;
		if (end == page) {
			end++;
			continue;
		}
		if (!stretch_fetch(image, page * PAGE, end * PAGE))
			return NULL;
		memset(image->have + page, 1, end - page);
	}
	return image->bytes + offset;
}

const void *image_code(struct image *image, uint64_t address, uint64_t size)
{
	uint64_t offset;

	if (!image_open(image) || size > image_room(image, address) ||
	    !offset_of(image, address - image->bias, &offset))
		return NULL;
	return image_bytes(image, offset, size);
}

uint64_t image_room(const struct image *image, uint64_t address)
{
	uint64_t vaddr = address - image->bias;

	for (size_t i = 0; i < image->loads; i++)
		if (vaddr >= image->load[i].vaddr && vaddr - image->load[i].vaddr < image->load[i].size)
			return image->load[i].size - (vaddr - image->load[i].vaddr);
	return 0;
}

bool image_executable(const struct image *image, uint64_t address)
{
	uint64_t vaddr = address - image->bias;

	for (size_t i = 0; i < image->loads; i++)
		if (vaddr >= image->load[i].vaddr && vaddr - image->load[i].vaddr < image->load[i].size)
			return image->load[i].executable;
	return false;
}

/* Pointers in the dynamic section: relocated by glibc, not by musl or in the vdso. A table at an odd place is none. */
static void span_set(const struct image *image, struct image_span *span, uint64_t pointer, uint64_t align)
{
	uint64_t vaddr = pointer >= image->bias ? pointer - image->bias : pointer;
	uint64_t offset;

	if (!offset_of(image, vaddr, &offset) || offset % align)
		return;
	span->offset = offset;
	if (!span->size)
		span->size = image_room(image, image->bias + vaddr);
}

static void dynamic_entry(struct image *image, const GElf_Dyn *dyn, uint64_t *soname)
{
	uint64_t value = dyn->d_un.d_val;

	switch (dyn->d_tag) {
	case DT_SYMTAB:
		span_set(image, &image->symtab, value, sizeof(uint64_t));
		break;
	case DT_STRTAB:
		span_set(image, &image->strtab, value, 1);
		break;
	case DT_STRSZ:
		image->strtab.size = value;
		break;
	case DT_GNU_HASH:
		span_set(image, &image->gnu_hash, value, sizeof(uint32_t));
		break;
	case DT_HASH:
		span_set(image, &image->hash, value, sizeof(uint32_t));
		break;
	case DT_JMPREL:
		span_set(image, &image->jmprel, value, sizeof(uint64_t));
		break;
	case DT_PLTRELSZ:
		image->jmprel.size = value;
		break;
	case DT_RELA:
		span_set(image, &image->rela, value, sizeof(uint64_t));
		break;
	case DT_RELASZ:
		image->rela.size = value;
		break;
	case DT_SONAME:
		*soname = value;
		break;
	default:
		break;
	}
}

/* A string of the string table, or NULL. */
static const char *string_at(struct image *image, uint64_t at)
{
	uint64_t room = at < image->strtab.size ? image->strtab.size - at : 0;
	const char *s;

	if (room > 4096)
		room = 4096;
	s = room ? image_bytes(image, image->strtab.offset + at, room) : NULL;
	return s && memchr(s, 0, room) ? s : NULL;
}

static Elf_Data *chunk(struct image *image, const struct image_span *span, uint64_t size, Elf_Type type)
{
	if (!size || size > span->size || !image_bytes(image, span->offset, size))
		return NULL;
	return elf_getdata_rawchunk(image->elf, (int64_t)span->offset, size, type);
}

static void dynamic_read(struct image *image, const Elf64_Phdr *phdr)
{
	struct image_span span = { phdr->p_offset, phdr->p_filesz };
	Elf_Data *data = phdr->p_filesz <= 1u << 16 ? chunk(image, &span, span.size, ELF_T_DYN) : NULL;
	uint64_t soname = 0;
	GElf_Dyn dyn;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		dynamic_entry(image, &dyn, &soname);
	if (soname)
		image->soname = string_at(image, soname);
}

static void segments_read(struct image *image, const Elf64_Phdr *phdr, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *p = &phdr[i];

		if (p->p_type == PT_DYNAMIC)
			dynamic_read(image, p);
		else if (p->p_type == PT_GNU_EH_FRAME && p->p_offset % sizeof(uint32_t) == 0)
			image->eh_frame_hdr = (struct image_span){ p->p_offset, p->p_filesz };
		else if (p->p_type == PT_INTERP && p->p_filesz > 0 && p->p_filesz < 256) {
			const char *s = image_bytes(image, p->p_offset, p->p_filesz);

			if (s && memchr(s, 0, p->p_filesz))
				image->interpreter = s;
		}
	}
}

static bool layout_make(struct image *image)
{
	void *bytes = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bytes == MAP_FAILED) {
		if (image->of)
			image->of->trouble = errno;
		return false;
	}
	image->bytes = bytes;
	image->have = calloc(image->size / PAGE, 1);
	return image->have != NULL;
}

static bool open_now(struct image *image)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[64];

	if (!headers_read(image, &ehdr, phdr) || !loads_read(image, phdr, ehdr.e_phnum) ||
	    (image->of && ++image->of->opened > IMAGES_OPEN_MAX) || !layout_make(image) || !image_bytes(image, 0, PAGE))
		return false;
	ehdr.e_shoff = 0;
	ehdr.e_shnum = ehdr.e_shstrndx = 0;
	memcpy(image->bytes, &ehdr, sizeof(ehdr));
	memcpy(image->bytes + ehdr.e_phoff, phdr, ehdr.e_phnum * sizeof(*phdr) < PAGE - ehdr.e_phoff ?
							  ehdr.e_phnum * sizeof(*phdr) : PAGE - ehdr.e_phoff);
	(void)elf_version(EV_CURRENT);
	image->elf = elf_memory((char *)image->bytes, image->size);
	if (!image->elf)
		return false;
	segments_read(image, phdr, ehdr.e_phnum);
	return true;
}

bool image_open(struct image *image)
{
	if (image->state == 0)
		image->state = open_now(image) ? 1 : -1;
	return image->state > 0;
}

/* DT_GNU_HASH does not say how many symbols there are: the longest chain ends at the last one. */
static size_t gnu_hash_count(struct image *image)
{
	const struct image_span *span = &image->gnu_hash;
	const uint32_t *head = image_bytes(image, span->offset, 16);
	uint64_t buckets, chains, last = 0;
	const uint32_t *bucket;

	if (!head || !head[0] || head[0] > IMAGE_SYMBOLS_MAX || head[1] > IMAGE_SYMBOLS_MAX ||
	    head[2] > IMAGE_SYMBOLS_MAX)
		return 0;
	buckets = span->offset + 16 + 8 * (uint64_t)head[2];
	chains = buckets + 4 * (uint64_t)head[0];
	bucket = image_bytes(image, buckets, 4 * (uint64_t)head[0]);
	for (uint32_t i = 0; bucket && i < head[0]; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (!bucket || last < head[1])
		return head[1];
	while (last < IMAGE_SYMBOLS_MAX) {
		const uint32_t *link = image_bytes(image, chains + 4 * (last - head[1]), 4);

		if (!link)
			return 0;
		last++;
		if (*link & 1)
			return last;
	}
	return 0;
}

size_t image_symbols(struct image *image)
{
	const uint32_t *hash;

	if (!image_open(image) || !image->symtab.size)
		return 0;
	if (image->gnu_hash.size)
		return gnu_hash_count(image);
	hash = image->hash.size ? image_bytes(image, image->hash.offset, 8) : NULL;
	return hash && hash[1] < IMAGE_SYMBOLS_MAX ? hash[1] : 0;
}

bool image_symbol(struct image *image, size_t i, struct image_symbol *ret)
{
	struct image_span one = { image->symtab.offset + i * sizeof(Elf64_Sym), sizeof(Elf64_Sym) };
	const Elf64_Sym *sym = i < IMAGE_SYMBOLS_MAX ? image_bytes(image, one.offset, one.size) : NULL;
	int type;

	if (!sym)
		return false;
	type = GELF_ST_TYPE(sym->st_info);
	ret->name = string_at(image, sym->st_name);
	ret->address = sym->st_shndx == SHN_UNDEF || type == STT_TLS ? 0 : image->bias + sym->st_value;
	ret->function = type == STT_FUNC || type == STT_GNU_IFUNC;
	return ret->name != NULL;
}

/* libdw reads without asking: the table of functions here, and the entry of each before it is needed (symbols_unwind). */
void *image_elf(struct image *image)
{
	if (!image_open(image))
		return NULL;
	(void)image_bytes(image, image->eh_frame_hdr.offset, image->eh_frame_hdr.size);
	return elf_begin(-1, ELF_C_READ, image->elf);
}
