/* SPDX-License-Identifier: MIT */
#include "cursor.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

bool cursor_char(struct cursor *c, char wanted)
{
	if (c->at >= c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

void cursor_skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

static int digit_of(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : 16;
}

bool cursor_number(struct cursor *c, unsigned int base, uint64_t *ret)
{
	const char *start = c->at;
	uint64_t value = 0;

	while (c->at < c->end) {
		unsigned int digit = (unsigned int)digit_of(*c->at);

		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
		c->at++;
	}
	*ret = value;
	return c->at > start;
}

bool cursor_signed(struct cursor *c, int64_t *ret)
{
	bool negative = cursor_char(c, '-');
	uint64_t value;

	if (!cursor_number(c, 10, &value) || value > INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool cursor_u32(struct cursor *c, unsigned int base, uint32_t *ret)
{
	uint64_t value;

	if (!cursor_number(c, base, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

bool cursor_int(struct cursor *c, int *ret)
{
	int64_t value;

	if (!cursor_signed(c, &value) || value < INT_MIN || value > INT_MAX)
		return false;
	*ret = (int)value;
	return true;
}

bool cursor_line(struct cursor *c, struct cursor *ret_line)
{
	const char *newline;

	if (c->at >= c->end)
		return false;
	newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	ret_line->at = c->at;
	ret_line->end = newline ? newline : c->end;
	c->at = newline ? newline + 1 : c->end;
	return true;
}

bool cursor_word(struct cursor *c, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
		return false;
	c->at += size;
	return true;
}
