/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

size_t text_decode(const char *text, size_t size, unsigned int *ret)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = size ? (unsigned char)text[0] : 0xff;
	unsigned int value;
	size_t length;

	if (first < 0x80) {
		*ret = first;
		return 1;
	}
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (size < length)
		return 0;
	value = first & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)text[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*ret = value;
	return length;
}

/* Two bytes of UTF-8, for U+0080..U+00FF. */
static char *put_latin1(char *at, unsigned char byte)
{
	if (byte < 0x80) {
		*at++ = (char)byte;
	} else {
		*at++ = (char)(0xc0 | byte >> 6);
		*at++ = (char)(0x80 | (byte & 0x3f));
	}
	return at;
}

/* Four bytes of UTF-8, for U+10DC80..U+10DCFF. */
static char *put_private(char *at, unsigned char byte)
{
	unsigned int value = 0x10dc00u | byte;

	*at++ = (char)(0xf0 | value >> 18);
	*at++ = (char)(0x80 | (value >> 12 & 0x3f));
	*at++ = (char)(0x80 | (value >> 6 & 0x3f));
	*at++ = (char)(0x80 | (value & 0x3f));
	return at;
}

json_t *text_json(const char *bytes, size_t size)
{
	char *text = malloc(size * 4 + 1);
	char *at = text;
	json_t *ret;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size;) {
		unsigned int value;
		size_t length = text_decode(bytes + i, size - i, &value);

		if (length) {
			memcpy(at, bytes + i, length);
			at += length;
			i += length;
		} else {
			at = put_private(at, (unsigned char)bytes[i++]);
		}
	}
	ret = json_stringn(text, (size_t)(at - text));
	free(text);
	return ret;
}

json_t *text_json_latin1(const char *bytes, size_t size)
{
	char *text = malloc(size * 2 + 1);
	char *at = text;
	json_t *ret;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i++)
		at = put_latin1(at, (unsigned char)bytes[i]);
	ret = json_stringn_nocheck(text, (size_t)(at - text));
	free(text);
	return ret;
}

/* Characters that a terminal acts on, or that make text look like other text. */
static bool is_unsafe(unsigned int value)
{
	static const struct {
		unsigned int first, last;
	} ranges[] = {
		{ 0x00, 0x1f },	      { 0x7f, 0x9f },	    { 0xad, 0xad },	  { 0x61c, 0x61c },
		{ 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },	  { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },   { 0xe0000, 0xe007f }, { 0xe000, 0xf8ff },
		{ 0xf0000, 0x10ffff },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (value >= ranges[i].first && value <= ranges[i].last)
			return true;
	}
	return false;
}

static void write_escape(FILE *out, unsigned int value)
{
	if (value == '\n')
		(void)fputs("\\n", out);
	else if (value == '\t')
		(void)fputs("\\t", out);
	else if (value == '\r')
		(void)fputs("\\r", out);
	else if (value < 0x100)
		(void)fprintf(out, "\\x%02x", value);
	else if (value >= TEXT_BYTE_FIRST && value <= TEXT_BYTE_LAST)
		(void)fprintf(out, "\\x%02x", value & 0xff);
	else
		(void)fprintf(out, value > 0xffff ? "\\U%08x" : "\\u%04x", value);
}

void text_write(FILE *out, const char *text, size_t size, enum text_keep keep)
{
	for (size_t i = 0; i < size;) {
		unsigned int value;
		size_t length = text_decode(text + i, size - i, &value);
		bool stays = length && !is_unsafe(value);

		if (!length) {
			value = TEXT_BYTE_FIRST - 0x80u + (unsigned char)text[i];
			length = 1;
		}
		if (keep == TEXT_LINES && (value == '\n' || value == '\t'))
			stays = true;
		if (keep == TEXT_RAW && value >= TEXT_BYTE_FIRST && value <= TEXT_BYTE_LAST)
			(void)fputc((int)(value & 0xff), out);
		else if (stays || keep == TEXT_RAW)
			(void)fwrite(text + i, 1, length, out);
		else
			write_escape(out, value);
		i += length;
	}
}

char *text_escape(const char *text, size_t size, enum text_keep keep)
{
	char *ret = NULL;
	size_t length;
	FILE *out = open_memstream(&ret, &length);

	if (!out)
		return NULL;
	text_write(out, text, size, keep);
	if (fclose(out)) {
		free(ret);
		return NULL;
	}
	return ret;
}
