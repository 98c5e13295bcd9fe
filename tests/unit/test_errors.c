/* SPDX-License-Identifier: MIT
 *
 * The table of errors and what is made of it. Needs inject/error.o, attach/report.o and what they need.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../attach/report.h"
#include "../../inject/error.h"

Test(errors, every_row_is_sound)
{
	static const int statuses[] = { 1, 2, 3, 4, 5, 6, 7, 8, 70, 74, 128 };

	for (int code = 1; code < MR_CODES; code++) {
		const char *name = mr_code_name((enum mr_code)code), *text = mr_code_text((enum mr_code)code);
		bool known = false;

		cr_assert(name && name[0], "%d", code);
		cr_assert(text && text[0], "%s", name);
		for (const char *at = name; *at; at++)
			cr_expect(islower(*at) || isdigit(*at) || *at == '-', "%s", name);
		cr_expect_neq(text[strlen(text) - 1], '.', "%s", name);
		for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
			known |= mr_code_status((enum mr_code)code) == statuses[i];
		cr_expect(known, "%s", name);
		for (int other = 1; other < code; other++)
			cr_expect_str_neq(name, mr_code_name((enum mr_code)other));
	}
}

Test(errors, first_cause_wins)
{
	struct mr_error err = MR_ERROR_INIT;

	cr_expect_eq(mr_fail(&err, MR_E_TRACED, 0, "%s (pid %d)", "gdb", 977), -MR_E_TRACED);
	cr_expect_eq(mr_hint(&err, "first"), -MR_E_TRACED);
	mr_fail(&err, MR_E_BUG, EPERM, "later");
	mr_hint(&err, "second");
	cr_expect_eq(err.code, MR_E_TRACED);
	cr_expect_eq(err.sys, 0);
	cr_expect_str_eq(err.what, "gdb (pid 977)");
	cr_expect_str_eq(report_hint(&err), "first");
	cr_expect_eq(mr_fail(NULL, MR_E_BUG, 0, "x"), -MR_E_BUG);
}

Test(errors, out_of_range_is_our_bug)
{
	cr_expect_str_eq(mr_code_name((enum mr_code)9999), "bug");
	cr_expect_eq(mr_code_status((enum mr_code)-3), 70);
}

static void expect_sentence(enum mr_code code, int sys, const char *what, const char *sentence)
{
	struct mr_error err = MR_ERROR_INIT;
	char *text;

	mr_fail(&err, code, sys, "%s", what);
	text = report_sentence(&err);
	cr_expect_str_eq(text, sentence);
	free(text);
}

Test(errors, sentences)
{
	expect_sentence(MR_E_NO_PROCESS, 0, "", "no such process");
	expect_sentence(MR_E_TRACED, 0, "gdb (pid 977)", "another tracer holds the process: gdb (pid 977)");
	expect_sentence(MR_E_USAGE, ENOENT, "cannot read x", "cannot read x: No such file or directory");
	expect_sentence(MR_E_REPORT, ENOSPC, "", "the report could not be written: No space left on device");
}
