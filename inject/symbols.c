/* SPDX-License-Identifier: MIT */
#include "symbols.h"

#include <elf.h>
#include <string.h>

/* The hash of DT_GNU_HASH. */
static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

static uint64_t named(struct image *image, size_t i, const char *name)
{
	struct image_symbol symbol;

	return image_symbol(image, i, &symbol) && strcmp(symbol.name, name) == 0 ? symbol.address : 0;
}

static uint64_t find_hashed(struct image *image, const char *name)
{
	const struct image_span *span = &image->gnu_hash;
	const uint32_t *head = image_bytes(image, span->offset, 16), *bucket;
	uint32_t hash = gnu_hash(name);
	uint64_t at;

	if (!head || !head[0] || head[0] > IMAGE_SYMBOLS_MAX || head[2] > IMAGE_SYMBOLS_MAX)
		return 0;
	at = span->offset + 16 + 8 * (uint64_t)head[2];
	bucket = image_bytes(image, at + 4 * (uint64_t)(hash % head[0]), 4);
	if (!bucket || *bucket < head[1])
		return 0;
	for (uint64_t i = *bucket; i < IMAGE_SYMBOLS_MAX; i++) {
		const uint32_t *link = image_bytes(image, at + 4 * (uint64_t)head[0] + 4 * (i - head[1]), 4);
		uint64_t address = link && (*link | 1) == (hash | 1) ? named(image, i, name) : 0;

		if (address || !link || *link & 1)
			return address;
	}
	return 0;
}

uint64_t symbols_find(struct image *image, const char *name)
{
	size_t count;

	if (!image_open(image) || !image->symtab.size)
		return 0;
	if (image->gnu_hash.size)
		return find_hashed(image, name);
	count = image_symbols(image);
	for (size_t i = 0; i < count; i++) {
		uint64_t address = named(image, i, name);

		if (address)
			return address;
	}
	return 0;
}

static const char *slot_in(struct image *image, const struct image_span *table, uint64_t slot)
{
	size_t count = table->size / sizeof(Elf64_Rela);
	const Elf64_Rela *rela = count ? image_bytes(image, table->offset, count * sizeof(*rela)) : NULL;
	struct image_symbol symbol;

	for (size_t i = 0; rela && i < count; i++)
		if (image->bias + rela[i].r_offset == slot)
			return image_symbol(image, ELF64_R_SYM(rela[i].r_info), &symbol) ? symbol.name : NULL;
	return NULL;
}

const char *symbols_slot(struct image *image, uint64_t slot)
{
	const char *name;

	if (!image_open(image))
		return NULL;
	name = slot_in(image, &image->jmprel, slot);
	return name ? name : slot_in(image, &image->rela, slot);
}

/*
 * .eh_frame_hdr (LSB Core, "Exception Frames"): version 1, then the encodings of three values: a pointer to .eh_frame
 * (4 bytes, relative to itself), the count of FDEs (4 bytes), and a sorted table of pairs (start of the function, its FDE),
 * 4 bytes each, relative to the header. That is the one form that linkers write.
 */
enum { HDR_SIZE = 12, ENC_PCREL_SDATA4 = 0x1b, ENC_UDATA4 = 0x03, ENC_DATAREL_SDATA4 = 0x3b };

struct hdr_row {
	int32_t start, fde;
};

bool symbols_function(struct image *image, uint64_t pc, uint64_t *start, uint64_t *end)
{
	const struct image_span *span = &image->eh_frame_hdr;
	const uint8_t *hdr = image_open(image) && span->size >= HDR_SIZE ? image_bytes(image, span->offset, HDR_SIZE) : NULL;
	const struct hdr_row *row;
	uint32_t count, low = 0, high;
	uint64_t base;
	int64_t wanted;

	if (!hdr || hdr[0] != 1 || hdr[1] != ENC_PCREL_SDATA4 || hdr[2] != ENC_UDATA4 || hdr[3] != ENC_DATAREL_SDATA4)
		return false;
	memcpy(&count, hdr + 8, sizeof(count));
	if (!count || count > (span->size - HDR_SIZE) / sizeof(*row))
		return false;
	row = image_bytes(image, span->offset + HDR_SIZE, count * sizeof(*row));
	base = image->start + span->offset; /* the first load begins at the start: same distance in file and memory */
	for (size_t i = 0; i < image->loads; i++)
		if (span->offset >= image->load[i].offset && span->offset - image->load[i].offset < image->load[i].size)
			base = image->bias + image->load[i].vaddr + (span->offset - image->load[i].offset);
	wanted = (int64_t)(pc - base);
	high = count;
	if (!row || wanted < row[0].start)
		return false;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (row[middle].start <= wanted)
			low = middle;
		else
			high = middle;
	}
	*start = base + (uint64_t)(int64_t)row[low].start;
	*end = low + 1 < count ? base + (uint64_t)(int64_t)row[low + 1].start : pc + image_room(image, pc);
	return image_executable(image, pc);
}
