/* SPDX-License-Identifier: MIT
 *
 * Bytes, JSON strings and what may be shown. Needs attach/text.o.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../attach/text.h"

static void expect_escape(const char *text, enum text_keep keep, const char *wanted)
{
	char *got = text_escape(text, strlen(text), keep);

	cr_expect_str_eq(got, wanted);
	free(got);
}

Test(text, decode_takes_utf8_only)
{
	unsigned int value;

	cr_expect_eq(text_decode("a", 1, &value), 1);
	cr_expect_eq(text_decode("\xc3\xa9", 2, &value), 2);
	cr_expect_eq(value, 0xe9);
	cr_expect_eq(text_decode("\xf4\x8f\xbf\xbf", 4, &value), 4);
	cr_expect_eq(value, 0x10ffff);
	cr_expect_eq(text_decode("", 0, &value), 0);
	cr_expect_eq(text_decode("\xc3", 1, &value), 0);		/* cut */
	cr_expect_eq(text_decode("\xc0\x80", 2, &value), 0);		/* overlong */
	cr_expect_eq(text_decode("\xe0\x80\x80", 3, &value), 0);	/* overlong */
	cr_expect_eq(text_decode("\xed\xa0\x80", 3, &value), 0);	/* a surrogate */
	cr_expect_eq(text_decode("\xf4\x90\x80\x80", 4, &value), 0);	/* beyond the end */
	cr_expect_eq(text_decode("\x80", 1, &value), 0);
	cr_expect_eq(text_decode("\xff", 1, &value), 0);
}

Test(text, escapes)
{
	expect_escape("plain \xc3\xa9 \xe2\x82\xac", TEXT_LINE, "plain \xc3\xa9 \xe2\x82\xac");
	expect_escape("\033[31m", TEXT_LINE, "\\x1b[31m");
	expect_escape("a\nb\tc\rd", TEXT_LINE, "a\\nb\\tc\\rd");
	expect_escape("a\nb\tc\rd", TEXT_LINES, "a\nb\tc\\rd");
	expect_escape("\xc2\x9b" "31m", TEXT_LINES, "\\x9b31m");		/* the one-byte CSI */
	expect_escape("\xe2\x80\xae" "evil", TEXT_LINES, "\\u202eevil");	/* right to left */
	expect_escape("\xf3\xa0\x81\x81", TEXT_LINES, "\\U000e0041");		/* invisible tags */
	expect_escape("\xff\x80", TEXT_LINES, "\\xff\\x80");
	expect_escape("\xf4\x8d\xb3\xbf", TEXT_LINES, "\\xff");			/* the private character of a byte */
	expect_escape("\xf4\x8d\xb3\xbf\033", TEXT_RAW, "\xff\033");
}

static void expect_json(json_t *string, const char *wanted)
{
	cr_assert(string);
	cr_expect_str_eq(json_string_value(string), wanted);
	json_decref(string);
}

Test(text, bytes_to_json)
{
	expect_json(text_json("\xc3\xa9\xff", 3), "\xc3\xa9\xf4\x8d\xb3\xbf");
	expect_json(text_json_latin1("a\xc3\xa9\xff", 4), "a\xc3\x83\xc2\xa9\xc3\xbf");
	expect_json(text_json("", 0), "");
}

Test(text, nul_bytes_stay)
{
	json_t *string = text_json_latin1("a\0b", 3);

	cr_expect_eq(json_string_length(string), 3);
	json_decref(string);
}
