/* SPDX-License-Identifier: MIT
 *
 * Reading a text of unknown origin from its front, within its bounds. Each function takes what it names and moves on, or
 * returns false; where it then stands is not defined, but for cursor_char, cursor_word and cursor_line, which do not move.
 */
#ifndef MR_CURSOR_H
#define MR_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor {
	const char *at, *end;
};

bool cursor_char(struct cursor *c, char wanted);
bool cursor_word(struct cursor *c, const char *word);
void cursor_skip_blanks(struct cursor *c);
/* The next line, without its newline; false at the end of the text. */
bool cursor_line(struct cursor *c, struct cursor *ret_line);
/* An unsigned number without a sign or prefix; false when there is no digit, or when it does not fit. */
bool cursor_number(struct cursor *c, unsigned int base, uint64_t *ret);
bool cursor_u32(struct cursor *c, unsigned int base, uint32_t *ret);
/* A decimal number that may be negative. */
bool cursor_signed(struct cursor *c, int64_t *ret);
bool cursor_int(struct cursor *c, int *ret);

#endif
