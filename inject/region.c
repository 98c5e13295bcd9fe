/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <string.h>
#include <sys/mman.h>

#include "../payload/embed.h"
#include "util.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static uint64_t slot_at(size_t slot)
{
	return REGION_BASE + slot * (uint64_t)REGION_STRIDE;
}

/* Our shape: the code page at the slot's address, and private writable memory right behind it, both of no file. */
static bool shape_look(struct mr_target *target, struct region *region)
{
	const struct mr_map *code = maps_find(&target->maps, region->at);
	const struct mr_map *data = maps_find(&target->maps, region_block(region));

	if (!code || code->start != region->at || code->inode)
		return false;
	if (data && data != code && !data->inode && data->start == region_block(region))
		region->size = data->end - data->start;
	return true;
}

/* Is it this version's stub that lies there? Another one's region cannot be filled again. */
static bool code_same(struct mr_target *target, const struct region *region)
{
	size_t size = (size_t)(payload_stub_end - payload_stub);
	uint8_t code[REGION_CODE];

	return memory_read(&target->memory, region->at, code, size) == 0 && memcmp(code, payload_stub, size) == 0;
}

/* Of this version, for this process and not for the one that it was forked from. */
static bool block_ours(const struct mr_target *target, const struct request_block *block)
{
	return block->version == REQUEST_VERSION && block->pid == (uint32_t)target->facts.ns_pid;
}

/* Has the call in CPython's queue nothing to do any more? It was taken back, or others did it; if it did, it is about to leave. */
static bool queue_idle(const struct request_block *block)
{
	return block->phase == PHASE_DONE ? block->way != WAY_QUEUED : block->cancel;
}

enum region_state region_state(struct mr_target *target, struct region *region)
{
	struct request_block block;

	if (!region->size || memory_read(&target->memory, region_block(region), &block, sizeof(block)) < 0 ||
	    block.magic == 0)
		return REGION_EMPTY;
	if (block.magic != REQUEST_MAGIC)
		return REGION_BUSY;
	region->thread = (pid_t)block.thread;
	region->sent = block.sent;
	region->unbegun = block_ours(target, &block) && !block.cancel && block.phase <= PHASE_CLAIMED;
	if (block.phase == PHASE_CLAIMED || block.phase == PHASE_RUNNING)	/* in a copy by fork: here for ever */
		return block.pid == (uint32_t)target->facts.ns_pid ? REGION_RUNNING : REGION_BUSY;
	if (block.inside || block.spawned)
		return REGION_BUSY;
	if (block.sent != block.arrived)
		return REGION_DOUBT;
	if (block.queued)
		return queue_idle(&block) && block_ours(target, &block) && code_same(target, region) ? REGION_QUEUED : REGION_BUSY;
	return REGION_EMPTY;
}

size_t regions_look(struct mr_target *target, struct region *ret)
{
	size_t count = 0;

	for (size_t slot = 0; slot < REGION_SLOTS; slot++) {
		ret[slot] = (struct region){ .at = slot_at(slot) };
		if (!shape_look(target, &ret[slot]))
			continue;
		count++;
		ret[slot].state = region_state(target, &ret[slot]);
	}
	return count;
}

bool region_choose(const struct region *all, uint64_t size, struct region *ret)
{
	for (size_t slot = 0; slot < REGION_SLOTS; slot++)
		if (all[slot].state == REGION_QUEUED && all[slot].size >= size) {
			*ret = all[slot];
			return true;
		}
	for (size_t slot = 0; slot < REGION_SLOTS; slot++)
		if (all[slot].state == REGION_FREE) {
			*ret = all[slot];
			ret->size = size;
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
