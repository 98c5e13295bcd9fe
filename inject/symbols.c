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
enum { ENTRY_MAX = 1 << 16, HDR_SIZE = 12, ENC_PCREL_SDATA4 = 0x1b, ENC_UDATA4 = 0x03, ENC_DATAREL_SDATA4 = 0x3b };

struct hdr_row {
	int32_t start, fde;
};

struct hdr_table {
	const struct hdr_row *row;
	uint32_t count;
	uint64_t base;		/* the address of the header */
};

static bool table_read(struct image *image, struct hdr_table *ret)
{
	const struct image_span *span = &image->eh_frame_hdr;
	const uint8_t *hdr = image_open(image) && span->size >= HDR_SIZE ? image_bytes(image, span->offset, HDR_SIZE) : NULL;

	if (!hdr || hdr[0] != 1 || hdr[1] != ENC_PCREL_SDATA4 || hdr[2] != ENC_UDATA4 || hdr[3] != ENC_DATAREL_SDATA4)
		return false;
	memcpy(&ret->count, hdr + 8, sizeof(ret->count));
	if (!ret->count || ret->count > (span->size - HDR_SIZE) / sizeof(*ret->row))
		return false;
	ret->row = image_bytes(image, span->offset + HDR_SIZE, ret->count * sizeof(*ret->row));
	ret->base = image->start + span->offset; /* the first load begins at the start: same distance in file and memory */
	for (size_t i = 0; i < image->loads; i++)
		if (span->offset >= image->load[i].offset && span->offset - image->load[i].offset < image->load[i].size)
			ret->base = image->bias + image->load[i].vaddr + (span->offset - image->load[i].offset);
	return ret->row != NULL;
}

/* The row of the function that covers pc, or -1. */
static int64_t table_find(const struct hdr_table *table, uint64_t pc)
{
	int64_t wanted = (int64_t)(pc - table->base);
	uint32_t low = 0, high = table->count;

	if (wanted < table->row[0].start)
		return -1;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (table->row[middle].start <= wanted)
			low = middle;
		else
			high = middle;
	}
	return low;
}

bool symbols_function(struct image *image, uint64_t pc, uint64_t *start, uint64_t *end)
{
	struct hdr_table table;
	int64_t i = table_read(image, &table) ? table_find(&table, pc) : -1;

	if (i < 0)
		return false;
	*start = table.base + (uint64_t)(int64_t)table.row[i].start;
	*end = i + 1 < table.count ? table.base + (uint64_t)(int64_t)table.row[i + 1].start : pc + image_room(image, pc);
	return image_executable(image, pc);
}

/*
 * An entry of .eh_frame: its length (4 bytes, which 0xffffffff makes 8 more), then what it says. It may lie anywhere. NULL:
 * not there.
 */
static const uint8_t *entry_fetch(struct image *image, uint64_t at)
{
	const uint8_t *bytes = image_code(image, at, sizeof(uint32_t));
	uint32_t length = ENTRY_MAX;

	if (bytes)
		memcpy(&length, bytes, sizeof(length));
	return length < ENTRY_MAX ? image_code(image, at, sizeof(length) + length) : NULL;
}

/* The function's own entry (FDE), and the common one (CIE) to which its second word leads back. */
static bool entries_fetch(struct image *image, uint64_t pc)
{
	struct hdr_table table;
	int64_t i = table_read(image, &table) ? table_find(&table, pc) : -1;
	uint64_t at = i < 0 ? 0 : table.base + (uint64_t)(int64_t)table.row[i].fde;
	const uint8_t *fde = at ? entry_fetch(image, at) : NULL;
	uint32_t back;

	if (!fde || image_room(image, at) < 8)
		return false;
	memcpy(&back, fde + 4, sizeof(back));
	return entry_fetch(image, at + 4 - back) != NULL;
}

void symbols_unwind(struct image *image, uint64_t pc)
{
	uint64_t offset;

	if (!image_open(image) || !image->eh_frame_hdr.size || entries_fetch(image, pc))
		return;
	offset = image->eh_frame_hdr.offset;
	for (size_t i = 0; i < image->loads; i++) {
		const struct image_load *l = &image->load[i];

		if (offset >= l->offset && offset - l->offset < l->size)
			(void)image_bytes(image, offset, l->size - (offset - l->offset));
	}
}
