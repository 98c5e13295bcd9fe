/* SPDX-License-Identifier: MIT
 *
 * Regions and blocks, in this process: what is told apart, what may be filled again, and what is never believed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../inject/block.h"
#include "../../payload/embed.h"

enum { SLOT = 3, PAGE = 4096, DATA = 16 * PAGE };

static struct mr_target target;
static struct mr_error err;
static struct region all[REGION_SLOTS];
static struct request_block *block;
static uint8_t *code;

static void look(void)
{
	size_t size;

	maps_free(&target.maps);
	free(target.maps_text);
	target.maps_text = NULL;
	cr_assert_eq(proc_read(getpid(), "maps", &target.maps_text, &size), 0);
	cr_assert_eq(maps_parse(target.maps_text, size, &target.maps), 0);
}

static void setup(void)
{
	err = (struct mr_error)MR_ERROR_INIT;
	target = (struct mr_target){ .pid = getpid(), .memory = { getpid(), -1 } };
	cr_assert_eq(mr_look(getpid(), &target.facts, &err), 0);
	look();
}

/* As the stage would map it, but that we can write the code. */
static void map_slot(size_t slot)
{
	struct region region = { .at = REGION_BASE + slot * (uint64_t)REGION_STRIDE, .size = DATA };
	struct stage_call calls[STAGE_CALLS];

	cr_assert_eq(region_map_calls(&region, calls), 2);
	for (size_t i = 0; i < 2; i++) {
		void *at = mmap((void *)(uintptr_t)calls[i].arg[0], calls[i].arg[1], (int)calls[i].arg[2], (int)calls[i].arg[3],
				-1, 0);

		cr_assert_eq((uint64_t)(uintptr_t)at, calls[i].arg[0]);
		cr_assert_neq(calls[i].arg[2] & (PROT_WRITE | PROT_EXEC), PROT_WRITE | PROT_EXEC);
	}
	code = (uint8_t *)(uintptr_t)region.at;
	block = (struct request_block *)(code + REGION_CODE);
	cr_assert_eq(memory_force(&target.memory, region.at, payload_stub, (size_t)(payload_stub_end - payload_stub)), 0);
	look();
}

static void map_one(void)
{
	setup();
	map_slot(SLOT);
	*block = (struct request_block){ .magic = REQUEST_MAGIC, .version = REQUEST_VERSION, .pid = (uint32_t)getpid(),
					 .size = DATA, .phase = PHASE_DONE };
}

static void teardown(void)
{
	maps_free(&target.maps);
	free(target.maps_text);
	memory_close(&target.memory);
}

TestSuite(region, .init = map_one, .fini = teardown, .timeout = 20);
TestSuite(regions, .init = setup, .fini = teardown, .timeout = 20);

static enum region_state state(void)
{
	(void)regions_look(&target, all);
	return all[SLOT].state;
}

Test(regions, none)
{
	struct region chosen;

	cr_expect_eq(regions_look(&target, all), 0);
	cr_expect_eq(mr_target_regions(&target), 0);
	cr_expect(region_choose(all, DATA, &chosen));
	cr_expect_eq(chosen.at, REGION_BASE);
	cr_expect_eq(chosen.size, DATA);
	cr_expect_eq(chosen.state, REGION_FREE);
}

Test(region, mapped_and_idle)
{
	struct region chosen;

	cr_expect_eq(regions_look(&target, all), 1);
	cr_expect_eq(all[SLOT].state, REGION_EMPTY);
	cr_expect_eq(all[SLOT].size, DATA);
	cr_expect(region_holds(&all[SLOT], all[SLOT].at));
	cr_expect(region_holds(&all[SLOT], all[SLOT].at + REGION_CODE + DATA - 1));
	cr_expect_not(region_holds(&all[SLOT], all[SLOT].at + REGION_CODE + DATA));
	cr_expect_not(region_holds(&all[SLOT], all[SLOT].at - 1));
	cr_expect(region_choose(all, DATA + 1, &chosen));
	cr_expect_eq(chosen.state, REGION_FREE, "too small: another slot");
}

Test(region, never_filled)
{
	*block = (struct request_block){ 0 };
	cr_expect_eq(state(), REGION_EMPTY);
}

Test(region, somebody_is_in_it)
{
	block->inside = 1;
	cr_expect_eq(state(), REGION_BUSY);
	block->inside = 0;
	block->spawned = 1;
	cr_expect_eq(state(), REGION_BUSY);
}

Test(region, code_runs_from_it)
{
	block->phase = PHASE_RUNNING;
	block->inside = 1;
	cr_expect_eq(state(), REGION_RUNNING);
	block->phase = PHASE_CLAIMED;
	cr_expect_eq(state(), REGION_RUNNING);
}

/* A copy that a child has got by fork: the thread that ran there is the parent's. Nobody waits for its end here. */
Test(region, code_ran_from_it_in_the_parent)
{
	struct region chosen;

	block->phase = PHASE_RUNNING;
	block->inside = 1;
	block->pid = (uint32_t)getpid() + 1;
	cr_expect_eq(state(), REGION_BUSY);
	cr_expect(region_choose(all, DATA, &chosen));
	cr_expect_neq(chosen.at, all[SLOT].at);
}

Test(region, somebody_was_sent_and_did_not_arrive)
{
	block->sent = 4;
	block->arrived = 3;
	block->thread = 4711;
	cr_expect_eq(state(), REGION_DOUBT);
	cr_expect_eq(all[SLOT].thread, 4711);
	cr_expect_eq(all[SLOT].sent, 4);
}

Test(region, a_queued_call_that_was_taken_back)
{
	struct region chosen;

	block->phase = PHASE_READY;
	block->queued = 1;
	cr_expect_eq(state(), REGION_BUSY, "not taken back");
	block->cancel = 1;
	cr_expect_eq(state(), REGION_QUEUED);
	cr_expect(region_choose(all, DATA, &chosen));
	cr_expect_eq(chosen.at, all[SLOT].at);
	block->version = REQUEST_VERSION + 1;
	cr_expect_eq(state(), REGION_BUSY, "another version's block");
	block->version = REQUEST_VERSION;
	block->pid++;
	cr_expect_eq(state(), REGION_BUSY, "the parent's block");
	block->pid--;
	cr_assert_eq(memory_force(&target.memory, all[SLOT].at, "x", 1), 0);
	cr_expect_eq(state(), REGION_BUSY, "another version's code");
}

/* Another thread did the work; or it is the queued call that did, and is about to leave. */
Test(region, a_queued_call_that_came_too_late)
{
	block->queued = 1;
	block->phase = PHASE_DONE;
	block->way = WAY_SPAWNED;
	cr_expect_eq(state(), REGION_QUEUED);
	block->way = WAY_QUEUED;
	cr_expect_eq(state(), REGION_BUSY);
	block->cancel = 1;
	cr_expect_eq(state(), REGION_BUSY, "taken back too late");
}

Test(region, something_else_lies_there)
{
	block->magic = 1;
	cr_expect_eq(state(), REGION_BUSY);
	(void)munmap(block, DATA);
	look();
	cr_expect_eq(state(), REGION_EMPTY, "half of one, as when the thread was killed between the two calls");
	cr_expect_eq(all[SLOT].size, 0);
	cr_expect(region_choose(all, DATA, &(struct region){ 0 }));
}

Test(regions, all_are_taken)
{
	struct region chosen;

	for (size_t i = 0; i < REGION_SLOTS; i++) {
		map_slot(i);
		*block = (struct request_block){ .magic = REQUEST_MAGIC, .inside = 1 };
	}
	cr_expect_eq(regions_look(&target, all), REGION_SLOTS);
	cr_expect_not(region_choose(all, DATA, &chosen));
	(void)munmap(code, REGION_CODE + DATA);
	look();
	cr_expect_eq(regions_look(&target, all), REGION_SLOTS - 1);
	cr_expect(region_choose(all, DATA, &chosen));
	cr_expect_eq(chosen.at, (uint64_t)(uintptr_t)code);
}

Test(region, unmapping_takes_both_parts)
{
	struct stage_call calls[STAGE_CALLS];

	(void)regions_look(&target, all);
	cr_expect_eq(region_unmap_calls(&all[SLOT], calls), 1);
	cr_expect_eq(calls[0].nr, cpu_numbers.munmap);
	cr_expect_eq(munmap((void *)(uintptr_t)calls[0].arg[0], calls[0].arg[1]), 0);
	look();
	cr_expect_eq(regions_look(&target, all), 0);
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static const char input[] = "{\"schema\": 1}";

/* Tells the question back, twice; the data says how often that may be. */
static ssize_t echo(void *data, const char *question, size_t size, char *ret, size_t room)
{
	int *left = data;

	if (!(*left)-- || 2 * size > room)
		return -1;
	memcpy(ret, question, size);
	memcpy(ret + size, question, size);
	return (ssize_t)(2 * size);
}

static int echoes = 1;
static const struct mr_request request = { .input = input, .input_size = sizeof(input) - 1, .engine = true,
					   .tell = echo, .tell_data = &echoes, .answer_max = 2 * PAGE };

static void write_request(struct region *region)
{
	*region = (struct region){ .at = REGION_BASE, .size = block_size(&target, &request) };
	cr_assert_eq(region->size % PAGE, 0);
	cr_assert_neq(mmap((void *)(uintptr_t)region->at, REGION_CODE, PROT_READ | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		      MAP_FAILED);
	cr_assert_neq(mmap((void *)(uintptr_t)region_block(region), region->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		      MAP_FAILED);
	block = (struct request_block *)(uintptr_t)region_block(region);
	cr_assert_eq(block_write(&target, region, &request, &err), 0, "%s", err.what);
}

Test(regions, a_request_is_all_there_and_inside)
{
	size_t base = (size_t)(payload_base_end - payload_base), engine = (size_t)(payload_engine_end - payload_engine);
	const char *bytes, *line;
	struct region region;

	write_request(&region);
	bytes = (const char *)block;
	line = bytes + block->code_off;
	cr_expect_eq(block->magic, REQUEST_MAGIC);
	cr_expect_eq(block->pid, (uint32_t)getpid());
	cr_expect_eq(block->phase, PHASE_READY);
	cr_expect_eq(block->size, region.size);
	cr_expect_geq(block->xstate_size, cpu_xstate_size());
	cr_expect_eq(block->xstate_size % 64, 0);
	cr_expect_eq(block->input_len, sizeof(input) - 1);
	cr_expect_arr_eq(bytes + block->input_off, input, sizeof(input) - 1);
	cr_expect_eq(block->package_len, base + engine);
	cr_expect_arr_eq(bytes + block->package_off, payload_base, base);
	cr_expect_arr_eq(bytes + block->package_off + base, payload_engine, engine);
	cr_expect_geq(block->answer_off, block->package_off + block->package_len);
	cr_expect_leq(block->answer_off + block->answer_max, region.size);
	cr_expect_eq(block->answer_max, request.answer_max);
	cr_expect_not_null(strstr(line, "compile"));
	cr_expect_eq(line[strlen(line) - 1], '\n', "not cut off");
	cr_expect_lt(block->code_off + strlen(line), block->input_off);
	cr_expect_arr_eq((const char *)(uintptr_t)region.at, payload_stub, (size_t)(payload_stub_end - payload_stub));
}

__attribute__((noinline)) static void dirty_the_stack(void)
{
	volatile uint8_t bytes[65536];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0xa5;
}

Test(regions, nothing_of_our_stack_goes_along)
{
	struct region region;

	write_request(&region);
	dirty_the_stack();
	cr_assert_eq(block_write(&target, &region, &request, &err), 0);
	for (const uint8_t *at = (const uint8_t *)block + block->code_off; at < (const uint8_t *)block + block->input_off; at++)
		cr_expect_neq(*at, 0xa5);
	for (size_t i = block->package_off + block->package_len; i < block->answer_off; i++)
		cr_expect_eq(((const uint8_t *)block)[i], 0);
}

Test(regions, a_region_that_is_filled_again_keeps_its_counts)
{
	struct region region;

	write_request(&region);
	block->queued = 1;
	block->cancel = 1;
	block->sent = block->arrived = 7;
	block->refusal = REFUSAL_STARTING;
	block->interrupted = 3;
	block->answer_len = 99;
	region.state = REGION_QUEUED;
	region.sent = 7;
	cr_assert_eq(block_write(&target, &region, &request, &err), 0);
	cr_expect_eq(block->queued, 1);
	cr_expect_eq(block->sent, 7);
	cr_expect_eq(block->arrived, 7);
	cr_expect_eq(block->cancel, 0);
	cr_expect_eq(block->refusal, REFUSAL_NONE);
	cr_expect_eq(block->phase, PHASE_READY);
	cr_expect_eq(block->interrupted, 0);
	cr_expect_eq(block->answer_len, 0);
}

Test(regions, an_answer_is_as_long_as_we_allow)
{
	struct mr_answer answer = { 0 };
	struct request_block head;
	struct region region;

	write_request(&region);
	(void)strcpy((char *)block + block->answer_off, "{}");
	block->answer_len = 2;
	cr_assert_eq(block_read(&target, &region, &head, &err), 0);
	cr_assert_eq(block_answer(&target, &region, &request, &head, &answer, &err), 0);
	cr_expect_str_eq(answer.text, "{}");
	cr_expect_eq(answer.size, 2);
	mr_answer_free(&answer);
	/* lies: only what we asked for counts */
	head.answer_len = UINT64_MAX;
	head.answer_max = UINT64_MAX;
	head.answer_off = UINT64_MAX - 100;
	cr_assert_eq(block_answer(&target, &region, &request, &head, &answer, &err), 0);
	cr_expect_eq(answer.size, request.answer_max);
	cr_expect_eq(answer.text[answer.size], 0);
	mr_answer_free(&answer);
}

static uint32_t tell(const struct region *region)
{
	struct request_block head;

	block->asking = ASKING_ASKED;
	cr_assert_eq(block_read(&target, region, &head, &err), 0);
	cr_assert_eq(block_tell(&target, region, &request, &head, &err), 0);
	return (uint32_t)block->asking;
}

Test(regions, a_question_is_answered)
{
	struct region region;
	char *bytes;

	write_request(&region);
	bytes = (char *)block;
	cr_expect_geq(block->question_off, block->package_off + block->package_len);
	cr_expect_leq(block->question_off + block->question_max, block->told_off);
	cr_expect_leq(block->told_off + block->told_max, block->answer_off);
	(void)strcpy(bytes + block->question_off, "why?");
	block->question_len = 4;
	cr_expect_eq(tell(&region), ASKING_TOLD);
	cr_expect_eq(block->told_len, 8);
	cr_expect_arr_eq(bytes + block->told_off, "why?why?", 8);
	cr_expect_eq(tell(&region), ASKING_DECLINED, "not twice");
}

Test(regions, a_question_is_as_long_as_we_allow)
{
	struct region region;

	write_request(&region);
	block->question_len = 0;
	cr_expect_eq(tell(&region), ASKING_DECLINED);
	block->question_len = UINT64_MAX;
	cr_expect_eq(tell(&region), ASKING_DECLINED);
	block->question_len = block->question_max + 1;
	block->question_max = UINT64_MAX;
	cr_expect_eq(tell(&region), ASKING_DECLINED);
	block->question_len = 4;	/* lies: only the place that we gave counts */
	block->question_off = block->told_off = UINT64_MAX - 100;
	cr_expect_eq(tell(&region), ASKING_TOLD);
}

Test(regions, nobody_answers_without_being_asked_to)
{
	const struct mr_request dumb = { .input = input, .input_size = sizeof(input) - 1, .engine = true,
					 .answer_max = 2 * PAGE };

	cr_expect_lt(block_size(&target, &dumb), block_size(&target, &request));
}

Test(regions, a_region_that_is_gone)
{
	struct request_block head;
	struct region region;

	write_request(&region);
	cr_assert_eq(BLOCK_SET(&target, &region, cancel, 1, &err), 0);
	cr_expect_eq(block->cancel, 1);
	cr_expect_eq(block->refusal, REFUSAL_NONE, "a field, and no more");
	target.memory.pid = target.pid = 0x3ffffe;
	cr_expect_eq(block_read(&target, &region, &head, &err), -MR_E_ENDED);
}
