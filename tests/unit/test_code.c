/* SPDX-License-Identifier: MIT
 *
 * The compiled payload: what is carried along is found by the version of the Python that it is for.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../inject/code.h"
#include "../../payload/embed.h"

enum { NAME = 64 };

static struct mr_python carried(void)
{
	struct mr_python python = { 0 };

	cr_assert_eq(sscanf((const char *)payload_code, "%d.%d ", &python.major, &python.minor), 2, "built with PYTHONS=");
	return python;
}

static void packed(struct bytes pack, const char *first)
{
	char name[NAME];

	(void)snprintf(name, sizeof(name), "%s.code ", first);
	cr_assert_gt(pack.size, strlen(name));
	cr_expect_arr_eq(pack.at, name, strlen(name));
}

Test(code, it_is_found_by_version)
{
	struct mr_python python = carried();
	struct code code = code_for(&python);

	cr_expect_eq(strlen(code.magic), 8);
	cr_expect_eq(strspn(code.magic, "0123456789abcdef"), 8);
	cr_expect_gt(code.boot.size, 1000);
	packed(code.base, "trouble");
	packed(code.engine, "__init__");
	cr_expect_leq(code.engine.at + code.engine.size, payload_code_end);
}

Test(code, there_is_none_for_others)
{
	struct mr_python python = { .major = 3, .minor = 5 };
	struct code code = code_for(&python);

	cr_expect_eq(code.boot.size + code.base.size + code.engine.size, 0);
}
