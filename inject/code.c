/* SPDX-License-Identifier: MIT */
#include "code.h"

#include <stdio.h>
#include <string.h>

#include "../payload/embed.h"
#include "cursor.h"
#include "util.h"

/* "MAJOR.MINOR MAGIC BOOT BASE ENGINE": the line that compile.py writes before the bytes. */
static bool head_read(struct cursor *c, int *major, int *minor, struct code *code)
{
	uint64_t *sizes[] = { &code->boot.size, &code->base.size, &code->engine.size };
	size_t n = 0;

	if (!cursor_int(c, major) || !cursor_char(c, '.') || !cursor_int(c, minor) || !cursor_char(c, ' '))
		return false;
	while (c->at < c->end && *c->at != ' ' && n < sizeof(code->magic) - 1)
		code->magic[n++] = *c->at++;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (!cursor_char(c, ' ') || !cursor_number(c, 10, sizes[i]))
			return false;
	return true;
}

/* Takes the next one, and moves on. */
static bool code_next(struct cursor *all, int *major, int *minor, struct code *code)
{
	struct cursor line;

	*code = (struct code){ .magic = "" };
	if (!cursor_line(all, &line) || !head_read(&line, major, minor, code))
		return false;
	code->boot.at = (const unsigned char *)all->at;
	code->base.at = code->boot.at + code->boot.size;
	code->engine.at = code->base.at + code->base.size;
	all->at = (const char *)code->engine.at + code->engine.size;
	return true;
}

struct code code_for(const struct mr_python *python)
{
	struct cursor all = { (const char *)payload_code, (const char *)payload_code_end };
	struct code code;
	int major, minor;

	while (code_next(&all, &major, &minor, &code))
		if (major == python->major && minor == python->minor)
			return code;
	return (struct code){ .magic = "" };
}

void mr_compiled_for(char *ret, size_t size)
{
	struct cursor all = { (const char *)payload_code, (const char *)payload_code_end };
	struct code code;
	int major, minor;
	size_t n = 0;

	for (*ret = 0; n < size && code_next(&all, &major, &minor, &code);)
		n += (size_t)snprintf(ret + n, size - n, "%s%d.%d", n ? ", " : "", major, minor);
}
