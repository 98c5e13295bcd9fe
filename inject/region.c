/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <string.h>
#include <sys/mman.h>

#include "util.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static uint64_t slot_at(size_t slot)
{
	return REGION_BASE + slot * (uint64_t)REGION_STRIDE;
}

/* Our shape: the code page at the slot's address, and private writable memory right behind it, both of no file. */
static bool shape_look(struct mr_target *target, size_t slot, struct region *ret)
{
	const struct mr_map *code = maps_find(&target->maps, slot_at(slot));
	const struct mr_map *data = maps_find(&target->maps, slot_at(slot) + REGION_CODE);

	if (!code || code->start != slot_at(slot) || code->inode)
		return false;
	*ret = (struct region){ .at = code->start, .mapped = true };
	if (data && data != code && !data->inode && data->start == code->start + REGION_CODE)
		ret->size = data->end - data->start;
	return true;
}

bool region_quiet(struct mr_target *target, const struct region *region)
{
	struct request_block block;

	if (!region->size || memory_read(&target->memory, region_block(region), &block, sizeof(block)) < 0)
		return true;
	return block.magic != REQUEST_MAGIC || (!block.inside && !block.queued && !block.spawned);
}

size_t regions_look(struct mr_target *target, struct region *ret)
{
	size_t count = 0;

	for (size_t slot = 0; slot < REGION_SLOTS; slot++) {
		struct request_block block;

		ret[slot] = (struct region){ .at = slot_at(slot) };
		if (!shape_look(target, slot, &ret[slot]))
			continue;
		count++;
		ret[slot].idle = region_quiet(target, &ret[slot]);
		if (ret[slot].size &&
		    memory_read(&target->memory, region_block(&ret[slot]), &block, sizeof(block)) == 0 &&
		    block.magic == REQUEST_MAGIC)
			ret[slot].thread = (pid_t)block.thread;
	}
	return count;
}

bool region_choose(const struct region *all, uint64_t size, struct region *ret)
{
	for (size_t slot = 0; slot < REGION_SLOTS; slot++)
		if (!all[slot].mapped) {
			*ret = (struct region){ .at = all[slot].at, .size = size };
			return true;
		}
	return false;
}

/*
 * Read and execute from the start: never writable and executable at once, and no mprotect to executable, which MDWE and
 * systemd's MemoryDenyWriteExecute refuse. The tool fills the code page by a forced write.
 */
size_t region_map_calls(const struct region *region, struct stage_call *calls)
{
	uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	calls[0] = (struct stage_call){ .nr = cpu_numbers.mmap,
					.arg = { region->at, REGION_CODE, PROT_READ | PROT_EXEC, flags, ~UINT64_C(0), 0 } };
	calls[1] = (struct stage_call){ .nr = cpu_numbers.mmap,
					.arg = { region_block(region), region->size, PROT_READ | PROT_WRITE,
						 flags | MAP_NORESERVE, ~UINT64_C(0), 0 } };
	return 2;
}

size_t region_unmap_calls(const struct region *region, struct stage_call *calls)
{
	calls[0] = (struct stage_call){ .nr = cpu_numbers.munmap, .arg = { region->at, REGION_CODE + region->size } };
	return 1;
}

bool region_holds(const struct region *region, uint64_t pc)
{
	return pc >= region->at && pc < region->at + REGION_CODE + region->size;
}

size_t mr_target_regions(struct mr_target *target)
{
	struct region all[REGION_SLOTS];

	return regions_look(target, all);
}
