/* SPDX-License-Identifier: MIT
 *
 * Text of unknown origin: between bytes, JSON strings and what may be shown to people.
 *
 * A byte that is no UTF-8 stands in our JSON strings as one of the private characters U+10DC80..U+10DCFF, because
 * jansson refuses the lone surrogates that Python uses for it. json_line() turns them into lone escapes at the end.
 */
#ifndef MR_TEXT_H
#define MR_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TEXT_BYTE_FIRST 0x10dc80u
#define TEXT_BYTE_LAST 0x10dcffu

/*
 * Reads one character of UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). Returns its size, or 0 when
 * the text does not begin with one.
 */
size_t text_decode(const char *text, size_t size, unsigned int *ret);

/* Bytes as a JSON string: UTF-8 where they are UTF-8, one private character for each byte that is not. */
json_t *text_json(const char *bytes, size_t size);

/* Bytes as a JSON string of the characters with the same numbers (latin-1): how bytes travel into the target. */
json_t *text_json_latin1(const char *bytes, size_t size);

enum text_keep {
	TEXT_LINE,	/* one line: newlines and tabs are escaped as well */
	TEXT_LINES,	/* newlines and tabs stay */
	TEXT_RAW,	/* everything stays, and private characters are bytes again: for files and pipes */
};

/*
 * Writes text from a target for people: control characters, terminal escapes and characters that reorder or hide text
 * (bidi controls, zero-width ones) as \xXX, \uXXXX or \UXXXXXXXX.
 */
void text_write(FILE *out, const char *text, size_t size, enum text_keep keep);

/* The same into a fresh string; NULL when out of memory. Freed with free(). */
char *text_escape(const char *text, size_t size, enum text_keep keep);

#endif
