/* SPDX-License-Identifier: MIT
 *
 * The bytes that are placed end in a trailer, so that another version of mr-attach steps over them and places its own:
 * a thread may still be on its way through the old ones.
 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#include "../payload/embed.h"
#include "util.h"

#define HOLE_PAGE 4096u
#define TRAILER_MAGIC UINT64_C(0x006567617473726d) /* "mrstage" */

struct trailer {
	uint64_t engine, lease;	/* the words that change: see stage.h */
	uint64_t magic, size;
};

static size_t stage_size(void)
{
	return round_up((uint64_t)(payload_stage_end - payload_stage), 16) + sizeof(struct trailer);
}

static void stage_bytes(uint8_t *ret)
{
	struct trailer trailer = { 0, 0, TRAILER_MAGIC, stage_size() };

	memset(ret, 0, stage_size());
	memcpy(ret, payload_stage, (size_t)(payload_stage_end - payload_stage));
	memcpy(ret + stage_size() - sizeof(trailer), &trailer, sizeof(trailer));
}

/* From the end of the page: over stages that are there already, ours among them; then there must be zeros. */
static bool hole_find(const uint8_t *page, const uint8_t *wanted, size_t size, size_t *ret, bool *there)
{
	size_t end = HOLE_PAGE;

	for (;;) {
		struct trailer trailer;

		memcpy(&trailer, page + end - sizeof(trailer), sizeof(trailer));
		if (trailer.magic != TRAILER_MAGIC || trailer.size > end || trailer.size < sizeof(trailer))
			break;
		if (trailer.size == size && memcmp(page + end - size, wanted, size - sizeof(trailer)) == 0) {
			*ret = end - size;
			*there = true;
			return true;
		}
		end -= trailer.size;
		if (end < HOLE_PAGE / 4)
			return false;
	}
	for (size_t i = end < size + 16 ? 0 : end - size - 16; i < end; i++)
		if (page[i] || end < size + 16)
			return false;
	*ret = end - size;
	*there = false;
	return true;
}

static int write_and_check(struct mr_target *target, const struct thread *holder, uint64_t at, const uint8_t *bytes,
			   size_t size)
{
	uint8_t back[2048];

	if (memory_force(&target->memory, at, bytes, size) < 0 &&
	    (!holder || thread_poke(holder, at, bytes, size) < 0))
		return -1;
	if (size > sizeof(back) || memory_read(&target->memory, at, back, size) < 0)
		return -1;
	return memcmp(back, bytes, size) == 0 ? 0 : -1;
}

/* With `look`, nothing is written: only finds one that is there. */
static bool place_in(struct mr_target *target, const struct thread *holder, const struct mr_map *map, bool look)
{
	uint8_t page[HOLE_PAGE], bytes[2048];
	uint64_t at = map->end - HOLE_PAGE;
	size_t offset = 0, size = stage_size();
	bool there = false;

	if (size > sizeof(bytes) || strncmp(map->perms, "r-xp", 4) != 0)
		return false;
	stage_bytes(bytes);
	if (memory_read(&target->memory, at, page, sizeof(page)) < 0 ||
	    !hole_find(page, bytes, size, &offset, &there))
		return false;
	if (!there && (look || write_and_check(target, holder, at + offset, bytes, size) < 0))
		return false;
	target->stage = at + offset;
	return true;
}

/* The vdso, which every process has to itself; else the zero padding behind the code of any file. */
static bool place_anywhere(struct mr_target *target, const struct thread *holder, bool look)
{
	for (size_t i = 0; !target->stage && i < target->maps.count; i++)
		if (map_path_is(&target->maps.map[i], "[vdso]"))
			(void)place_in(target, holder, &target->maps.map[i], look);
	for (size_t i = 0; !target->stage && i < target->maps.count; i++)
		if (target->maps.map[i].inode)
			(void)place_in(target, holder, &target->maps.map[i], look);
	return target->stage != 0;
}

bool mr_target_engine(struct mr_target *target)
{
	return place_anywhere(target, NULL, true) && stage_engine(target);
}

int stage_place(struct mr_target *target, const struct thread *holder, struct mr_error *err)
{
	if (place_anywhere(target, holder, false))
		return 0;
	if (!holder)
		return -(int)MR_E_NO_SAFE_POINT;
	return mr_fail(err, MR_E_BUG, 0, "no code page of process %d has room for the way in", (int)target->pid);
}

bool stage_there(const struct mr_target *target)
{
	size_t size = (size_t)(payload_stage_end - payload_stage);
	uint8_t bytes[2048];

	return target->stage && size <= sizeof(bytes) &&
	       memory_read(&target->memory, target->stage, bytes, size) == 0 && memcmp(bytes, payload_stage, size) == 0;
}

static uint64_t note_read(const struct mr_target *target, size_t offset)
{
	uint64_t at = target->stage + stage_size() - sizeof(struct trailer) + offset, note = 0;

	return target->stage && memory_read(&target->memory, at, &note, sizeof(note)) == 0 ? note : 0;
}

static void note_write(struct mr_target *target, size_t offset, uint64_t note)
{
	uint64_t at = target->stage + stage_size() - sizeof(struct trailer) + offset;

	if (target->stage)
		(void)memory_force(&target->memory, at, &note, sizeof(note));
}

bool stage_engine(const struct mr_target *target)
{
	return note_read(target, offsetof(struct trailer, engine)) != 0;
}

void stage_engine_note(struct mr_target *target, bool engine)
{
	if (stage_engine(target) != engine)
		note_write(target, offsetof(struct trailer, engine), engine);
}

uint64_t stage_lease(const struct mr_target *target)
{
	return note_read(target, offsetof(struct trailer, lease));
}

void stage_lease_note(struct mr_target *target, uint64_t lease)
{
	note_write(target, offsetof(struct trailer, lease), lease);
}

bool stage_holds(const struct mr_target *target, uint64_t pc)
{
	return target->stage && pc >= target->stage && pc < target->stage + stage_size();
}
