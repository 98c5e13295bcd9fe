/* SPDX-License-Identifier: MIT */
#include "block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../payload/embed.h"
#include "code.h"
#include "util.h"

#define ANSWER_DEFAULT (8u << 20)
#define QUESTION_MAX (1u << 20)	/* and as much for what is told */
#define PAGE 4096u
#define ENDED_TRIES 20
#define LINE_MAX_SIZE 1024u

/*
 * What the stub evaluates, in a namespace that holds `view`; again and again, if something is raised in it from outside. The
 * code of boot.py comes from an engine that stayed, or is compiled now; it is kept in the same C call that makes it.
 */
static const char line_source[] =
	"if 'main' not in globals():\n"
	"    compiled, source = False, bytes(view[%llu:%llu])\n"
	"    known = getattr(__import__('sys').modules.get('_mr_attach'), 'boot', (0, 0))\n"
	"    if known[0] != source and 'boot' not in globals():\n"
	"        globals().update(zip(('boot',), map(compile, (source,), ('<mr-attach>',), ('exec',), (0,), (True,))))\n"
	"    exec(known[1] if known[0] == source else boot)\n"
	"main()\n";

/* Where code comes along that may be for this Python. It is brief, for it is most of what is compiled then. */
static const char line_code[] =
	"if 'main' not in globals():\n"
	"    modules = __import__('sys').modules\n"
	"    magic = getattr(modules.get('_frozen_importlib_external'), 'MAGIC_NUMBER', b'').hex()\n"
	"    compiled = magic == '%s' and 'marshal' in modules\n"
	"    make = ((modules['marshal'].loads, (view[%llu:%llu],)) if compiled else\n"
	"            (compile, (bytes(view[%llu:%llu]),), ('<mr-attach>',), ('exec',), (0,), (True,)))\n"
	"    if 'boot' not in globals():\n"
	"        globals().update(zip(('boot',), map(*make)))\n"
	"    exec(boot)\n"
	"main()\n";

/* What lies one after the other; from BASE on it is the package. */
enum piece { BOOT, BOOT_CODE, INPUT, BASE, ENGINE, BASE_CODE, ENGINE_CODE, PIECES };

struct layout {
	struct code code;
	struct bytes piece[PIECES];
	uint64_t line, at[PIECES + 1], question, told, answer, end;
	uint64_t question_max, answer_max;
};

static struct bytes from_to(const unsigned char *from, const unsigned char *to)
{
	return (struct bytes){ from, (uint64_t)(to - from) };
}

static void pieces_fill(struct layout *l, const struct mr_request *request)
{
	l->piece[BOOT] = from_to(payload_boot, payload_boot_end);
	l->piece[BOOT_CODE] = l->code.boot;
	l->piece[INPUT] = (struct bytes){ (const unsigned char *)request->input, request->input_size };
	l->piece[BASE] = from_to(payload_base, payload_base_end);
	l->piece[BASE_CODE] = l->code.base;
	if (request->engine) {
		l->piece[ENGINE] = from_to(payload_engine, payload_engine_end);
		l->piece[ENGINE_CODE] = l->code.engine;
	}
}

static struct layout layout_of(const struct mr_target *target, const struct mr_request *request)
{
	struct layout l = { .code = code_for(&target->python.facts), .line = round_up(sizeof(struct request_block), 64) };

	pieces_fill(&l, request);
	l.at[0] = l.line + LINE_MAX_SIZE;
	for (size_t i = 0; i < PIECES; i++)
		l.at[i + 1] = l.at[i] + l.piece[i].size;
	l.question_max = request->tell ? QUESTION_MAX : 0;
	l.question = round_up(l.at[PIECES], PAGE);
	l.told = l.question + l.question_max;
	l.answer = l.told + l.question_max;
	l.answer_max = request->answer_max ? request->answer_max : ANSWER_DEFAULT;
	l.end = round_up(l.answer + l.answer_max, PAGE);
	return l;
}

uint64_t block_size(const struct mr_target *target, const struct mr_request *request)
{
	return layout_of(target, request).end;
}

static void head_fill(struct mr_target *target, const struct region *region, const struct layout *l,
		      struct request_block *head)
{
	*head = (struct request_block){
		.magic = REQUEST_MAGIC,
		.version = REQUEST_VERSION,
		.pid = (uint32_t)target->facts.ns_pid,
		.size = region->size,
		.phase = PHASE_READY,
		.sent = region->sent,
		.arrived = region->sent,
		.token = region->token,
		.xstate_size = round_up(cpu_xstate_size(), 64),
		.input_off = l->at[INPUT],
		.input_len = l->piece[INPUT].size,
		.package_off = l->at[BASE],
		.package_len = l->at[PIECES] - l->at[BASE],
		.question_off = l->question,
		.question_max = l->question_max,
		.told_off = l->told,
		.told_max = l->question_max,
		.answer_off = l->answer,
		.answer_max = l->answer_max,
		.code_off = l->line,
		.leave = target->stage + STAGE_LEAVE,
		.ask = target->filters.may_ask,
		.blocked = interpreter_blocked(&target->python),
		.tracing = interpreter_tracing(&target->python),
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
	return mr_fail(err, mr_code_of(-r), -r, "the region");
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

static void line_write(char *text, const struct layout *l)
{
	unsigned long long source = l->at[BOOT], code = l->at[BOOT_CODE], end = l->at[INPUT];

	if (code == end)
		(void)snprintf(text, LINE_MAX_SIZE, line_source, source, code);
	else
		(void)snprintf(text, LINE_MAX_SIZE, line_code, l->code.magic, code, end, source, code);
}

/*
 * One buffer, one write; the rooms for question and answer stay untouched, so no page of them exists before something is
 * written there.
 * In a region that is filled again a call may still be queued, and fire at any moment: until phase says READY it finds
 * nothing to claim, and the words that it counts in are left alone.
 */
int block_write(struct mr_target *target, const struct region *region, const struct mr_request *request,
		struct mr_error *err)
{
	struct layout l = layout_of(target, request);
	_cleanup_free_ uint8_t *data = calloc(1, l.question);
	struct request_block head;
	int r;

	if (!data)
		return mr_fail(err, MR_E_MEMORY, ENOMEM, "the request");
	head_fill(target, region, &l, &head);
	memcpy(data, &head, sizeof(head));
	line_write((char *)data + l.line, &l);
	for (size_t i = 0; i < PIECES; i++)
		if (l.piece[i].size)
			memcpy(data + l.at[i], l.piece[i].at, l.piece[i].size);
	r = memory_force(&target->memory, region->at, payload_stub, from_to(payload_stub, payload_stub_end).size);
	if (region->state == REGION_QUEUED)
		return refill(target, region, data, l.question, err);
	if (r == 0)
		r = memory_write(&target->memory, region_block(region), data, l.question);
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
	struct layout l = layout_of(target, request);
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

static _Thread_local struct {
	struct mr_target *target;	/* NULL: nobody asks */
	const struct region *region;
	uint64_t beats;
} telling;

void mr_tell_goes_on(void)
{
	struct mr_error ignored = MR_ERROR_INIT;

	if (telling.target && ++telling.beats)
		(void)BLOCK_SET(telling.target, telling.region, told_len, telling.beats, &ignored);
}

/* Returns how many bytes were told, or what the one who tells returned. */
static ssize_t tell(struct mr_target *target, const struct region *region, const struct mr_request *request, uint64_t size,
		    char *question, char *told)
{
	struct layout l = layout_of(target, request);
	uint64_t at = region_block(region);
	ssize_t n;

	if (!size || size > l.question_max || memory_read(&target->memory, at + l.question, question, size) < 0)
		return -1;
	telling.target = target;
	telling.region = region;
	n = request->tell(request->tell_data, question, size, told, l.question_max);
	telling.target = NULL;
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
	if (r < 0 || n == MR_TELL_NEVER)	/* then the question stays taken, until who asked gives up */
		return r;
	return BLOCK_SET(target, region, asking, n < 0 ? ASKING_DECLINED : ASKING_TOLD, err);
}

void mr_answer_free(struct mr_answer *answer)
{
	free(answer->text);
	*answer = (struct mr_answer){ 0 };
}
