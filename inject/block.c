/* SPDX-License-Identifier: MIT */
#include "block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../payload/embed.h"
#include "util.h"

#define ANSWER_DEFAULT (8u << 20)
#define QUESTION_MAX (1u << 20)	/* and as much for what is told */
#define PAGE 4096u
#define ENDED_TRIES 20

/*
 * What the stub evaluates, in a namespace that holds `view`; again and again, if something is raised in it from outside. An
 * engine that stayed keeps the compiled boot code; else it is compiled once, and kept in the same C call.
 */
static const char line_format[] =
	"if 'main' not in globals():\n"
	"    source = bytes(view[%llu:%llu])\n"
	"    known = getattr(__import__('sys').modules.get('_mr_attach'), 'boot', (0, 0))\n"
	"    if known[0] != source and 'boot' not in globals():\n"
	"        globals().update(zip(('boot',), map(compile, (source,), ('<mr-attach>',), ('exec',), (0,), (True,))))\n"
	"    exec(known[1] if known[0] == source else boot)\n"
	"main()\n";

struct layout {
	uint64_t code, boot, input, package, question, told, answer, end;
	uint64_t question_max, answer_max;
};

static uint64_t length(const unsigned char *from, const unsigned char *to)
{
	return (uint64_t)(to - from);
}

static uint64_t package_size(const struct mr_request *request)
{
	return request->engine ? length(payload_package, payload_package_end) :
				 length(payload_execute, payload_execute_end);
}

static struct layout layout_of(const struct mr_request *request)
{
	struct layout l = { .code = round_up(sizeof(struct request_block), 64) };

	l.boot = l.code + 512;
	l.input = l.boot + length(payload_boot, payload_boot_end);
	l.package = l.input + request->input_size;
	l.question_max = request->tell ? QUESTION_MAX : 0;
	l.question = round_up(l.package + package_size(request), PAGE);
	l.told = l.question + l.question_max;
	l.answer = l.told + l.question_max;
	l.answer_max = request->answer_max ? request->answer_max : ANSWER_DEFAULT;
	l.end = round_up(l.answer + l.answer_max, PAGE);
	return l;
}

uint64_t block_size(const struct mr_request *request)
{
	return layout_of(request).end;
}

static void head_fill(struct mr_target *target, const struct region *region, const struct mr_request *request,
		      const struct layout *l, struct request_block *head)
{
	*head = (struct request_block){
		.magic = REQUEST_MAGIC,
		.version = REQUEST_VERSION,
		.pid = (uint32_t)target->facts.ns_pid,
		.size = region->size,
		.phase = PHASE_READY,
		.sent = region->sent,
		.arrived = region->sent,
		.xstate_size = round_up(cpu_xstate_size(), 64),
		.input_off = l->input,
		.input_len = request->input_size,
		.package_off = l->package,
		.package_len = package_size(request),
		.question_off = l->question,
		.question_max = l->question_max,
		.told_off = l->told,
		.told_max = l->question_max,
		.answer_off = l->answer,
		.answer_max = l->answer_max,
		.code_off = l->code,
		.leave = target->stage + STAGE_LEAVE,
		.py = target->python.calls,
	};
}

static int failed(struct mr_target *target, const struct region *region, int r, struct mr_error *err)
{
	int again;

	for (int i = 0; i < ENDED_TRIES; i++) {	/* its memory goes a moment before /proc says so */
		if (r == -ESRCH || target_alive(target, NULL) < 0)
			return mr_fail(err, MR_E_ENDED, 0, "process %d", (int)target->pid);
		sleep_ns(NS_PER_MS);
	}
	again = target_refresh(target, err);
	if (again < 0)
		return again;
	if (!maps_find(&target->maps, region->at))
		return mr_fail(err, MR_E_ENDED, 0, "process %d began another program", (int)target->pid);
	return mr_fail(err, MR_E_BUG, -r, "the region");
}

static int refill(struct mr_target *target, const struct region *region, const uint8_t *bytes, uint64_t size,
		  struct mr_error *err)
{
	size_t from = offsetof(struct request_block, xstate_size);
	int r = BLOCK_SET(target, region, cancel, 0, err);

	if (r == 0)
		r = BLOCK_SET(target, region, refusal, 0, err);
	if (r == 0)
		r = block_set(target, region, from, bytes + from, size - from, err);
	if (r == 0)
		r = BLOCK_SET(target, region, phase, PHASE_READY, err);
	return r;
}

/*
 * One buffer, one write; the rooms for question and answer stay untouched, so no page of them exists before something is written there.
 * In a region that is filled again a call may still be queued, and fire at any moment: until phase says READY it finds
 * nothing to claim, and the words that it counts in are left alone.
 */
int block_write(struct mr_target *target, const struct region *region, const struct mr_request *request,
		struct mr_error *err)
{
	struct layout l = layout_of(request);
	_cleanup_free_ uint8_t *bytes = calloc(1, l.question);
	struct request_block head;
	int r;

	if (!bytes)
		return mr_fail(err, MR_E_MEMORY, ENOMEM, "the request");
	head_fill(target, region, request, &l, &head);
	memcpy(bytes, &head, sizeof(head));
	(void)snprintf((char *)bytes + l.code, l.boot - l.code, line_format, (unsigned long long)l.boot,
		       (unsigned long long)l.input);
	memcpy(bytes + l.boot, payload_boot, l.input - l.boot);
	memcpy(bytes + l.input, request->input, request->input_size);
	memcpy(bytes + l.package, request->engine ? payload_package : payload_execute, head.package_len);
	r = memory_force(&target->memory, region->at, payload_stub, length(payload_stub, payload_stub_end));
	if (region->state == REGION_QUEUED)
		return refill(target, region, bytes, l.question, err);
	if (r == 0)
		r = memory_write(&target->memory, region_block(region), bytes, l.question);
	return r < 0 ? failed(target, region, r, err) : 0;
}

int block_read(struct mr_target *target, const struct region *region, struct request_block *ret, struct mr_error *err)
{
	int r = memory_read(&target->memory, region_block(region), ret, sizeof(*ret));

	return r < 0 ? failed(target, region, r, err) : 0;
}

int block_set(struct mr_target *target, const struct region *region, size_t offset, const void *value, size_t size,
	      struct mr_error *err)
{
	int r = memory_write(&target->memory, region_block(region) + offset, value, size);

	return r < 0 ? failed(target, region, r, err) : 0;
}

int block_answer(struct mr_target *target, const struct region *region, const struct mr_request *request,
		 const struct request_block *block, struct mr_answer *ret, struct mr_error *err)
{
	struct layout l = layout_of(request);
	uint64_t size = block->answer_len < l.answer_max ? block->answer_len : l.answer_max;
	int r;

	ret->text = malloc(size + 1);
	if (!ret->text)
		return mr_fail(err, MR_E_MEMORY, ENOMEM, "the answer");
	r = memory_read(&target->memory, region_block(region) + l.answer, ret->text, size);
	if (r < 0)
		return failed(target, region, r, err);
	ret->text[size] = 0;
	ret->size = size;
	return 0;
}

/* Returns how many bytes were told, -1 for none. */
static ssize_t tell(struct mr_target *target, const struct region *region, const struct mr_request *request, uint64_t size,
		    char *question, char *told)
{
	struct layout l = layout_of(request);
	uint64_t at = region_block(region);
	ssize_t n;

	if (!size || size > l.question_max || memory_read(&target->memory, at + l.question, question, size) < 0)
		return -1;
	n = request->tell(request->tell_data, question, size, told, l.question_max);
	return n >= 0 && memory_write(&target->memory, at + l.told, told, (size_t)n) < 0 ? -1 : n;
}

int block_tell(struct mr_target *target, const struct region *region, const struct mr_request *request,
	       const struct request_block *block, struct mr_error *err)
{
	char *question = malloc(QUESTION_MAX), *told = malloc(QUESTION_MAX);
	ssize_t n = -1;
	int r = BLOCK_SET(target, region, asking, ASKING_TAKEN, err);

	if (r == 0 && question && told)
		n = tell(target, region, request, block->question_len, question, told);
	free(question);
	free(told);
	if (r == 0 && n >= 0)
		r = BLOCK_SET(target, region, told_len, (uint64_t)n, err);
	return r < 0 ? r : BLOCK_SET(target, region, asking, n < 0 ? ASKING_DECLINED : ASKING_TOLD, err);
}

void mr_answer_free(struct mr_answer *answer)
{
	free(answer->text);
	*answer = (struct mr_answer){ 0 };
}
