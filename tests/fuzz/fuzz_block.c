/* SPDX-License-Identifier: MIT
 *
 * What a tracee that lies has put into our places: the regions with their blocks and answers, and the page that the stage
 * lies in. The input is a byte of choices, then the data part of the first region, which the others share from an offset on.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../inject/block.h"
#include "../../inject/stage.h"
#include "../../payload/embed.h"
#include "fake_memory.h"

#define PAGE 4096u
#define VDSO UINT64_C(0x7ffff7fc1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char maps_text[] =
	"6d7200000000-6d7200001000 r-xp 00000000 00:00 0\n"
	"6d7200001000-6d7200010000 rw-p 00000000 00:00 0\n"
	"6d7300000000-6d7300001000 r-xp 00000000 00:00 0\n"
	"6d7300001000-6d7300002000 rw-p 00000000 00:00 0\n"
	"6d7400000000-6d7400009000 rw-p 00000000 00:00 0\n"
	"7ffff7fc1000-7ffff7fc2000 r-xp 00000000 00:00 0 [vdso]\n";

/* Says back what it is asked, so that all of it is read. */
static ssize_t echo(void *data, const char *question, size_t size, char *ret, size_t room)
{
	(void)data;
	if (size > room)
		abort();
	memcpy(ret, question, size);
	return size % 7 ? (ssize_t)size : -1;
}

static void try_regions(struct mr_target *target, const struct mr_request *request)
{
	struct mr_error error = MR_ERROR_INIT;
	struct mr_answer answer = { .text = NULL };
	struct region all[REGION_SLOTS], chosen;
	struct stage_call calls[STAGE_CALLS];
	struct request_block block;

	if (regions_look(target, all) > REGION_SLOTS)
		abort();
	for (size_t i = 0; i < REGION_SLOTS; i++) {
		if (all[i].state == REGION_FREE)
			continue;
		if (region_unmap_calls(&all[i], calls) > STAGE_CALLS || calls[0].arg[0] != all[i].at)
			abort();
		if (block_read(target, &all[i], &block, &error) == 0 &&
		    block_answer(target, &all[i], request, &block, &answer, &error) == 0 &&
		    (answer.size > request->answer_max || answer.text[answer.size]))
			abort();
		if (block.asking == ASKING_ASKED)
			(void)block_tell(target, &all[i], request, &block, &error);
		mr_answer_free(&answer);
	}
	if (region_choose(all, block_size(target, request), &chosen) && chosen.state == REGION_QUEUED &&
	    chosen.size < block_size(target, request))
		abort();
}

static void try_stage(struct mr_target *target, uint8_t *page)
{
	struct mr_error error = MR_ERROR_INIT;
	uint8_t before[PAGE];

	memcpy(before, page, PAGE);
	(void)mr_target_engine(target);
	if (memcmp(before, page, PAGE) != 0)
		abort();	/* looking writes nothing */
	target->stage = 0;
	if (stage_place(target, NULL, &error) < 0)
		return;
	if (!stage_there(target) || target->stage < VDSO || target->stage >= VDSO + PAGE)
		abort();
	for (size_t i = 0; i < target->stage - VDSO; i++)
		if (before[i] != page[i])
			abort();	/* what was there stays */
	stage_engine_note(target, true);
	if (!stage_engine(target))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[16 * PAGE], second[2 * PAGE], third[9 * PAGE], page[PAGE];
	const struct stretch stretches[] = { { 0x6d7200000000, first, sizeof(first) },
					     { 0x6d7300000000, second, sizeof(second) },
					     { 0x6d7400000000, third, sizeof(third) },
					     { VDSO, page, sizeof(page) } };
	const struct mr_request request = { .input = "{}", .input_size = 2, .answer_max = 64, .tell = echo };
	struct mr_target target = { .pid = getpid(), .memory = { getpid(), -1 }, .facts = { .ns_pid = 42 } };
	size_t stub = (size_t)(payload_stub_end - payload_stub);

	if (size < 1)
		return 0;
	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	memset(third, 0, sizeof(third));
	memset(page, 0, sizeof(page));
	memcpy(first, payload_stub, data[0] & 1 ? stub : stub / 2);
	memcpy(first + PAGE, data + 1, size - 1 < 15 * PAGE ? size - 1 : 15 * PAGE);
	memcpy(second + PAGE, data + 1, size - 1 < PAGE ? size - 1 : PAGE);
	memcpy(third, data + 1, size - 1 < sizeof(third) ? size - 1 : sizeof(third));
	memcpy(page + (size - 1 < PAGE ? PAGE - (size - 1) : 0), data + 1, size - 1 < PAGE ? size - 1 : PAGE);
	fake_memory(stretches, sizeof(stretches) / sizeof(*stretches));
	if (maps_parse(maps_text, sizeof(maps_text) - 1, &target.maps))
		abort();
	try_regions(&target, &request);
	try_stage(&target, page);
	maps_free(&target.maps);
	return 0;
}
