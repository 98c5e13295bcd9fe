/* SPDX-License-Identifier: MIT
 *
 * The request and the code in it. Needs attach/{request,source,options,commands,text}.o, inject/error.o.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../attach/request.h"

static json_t *build(const struct options *options, const struct source *source)
{
	struct mr_error err = MR_ERROR_INIT;
	json_error_t where;
	size_t size;
	char *text;
	json_t *ret;

	cr_assert_eq(request_build(options, source, &text, &size, &err), 0);
	cr_assert_eq(size, strlen(text));
	cr_expect_not(strstr(text, "\\u00e"));	/* raw UTF-8: the target reads it as Python source */
	ret = json_loadb(text, size, JSON_ALLOW_NUL, &where);
	cr_assert(ret, "%s", where.text);
	free(text);
	return ret;
}

static struct options options_of(const char *command, const char **operands, size_t count)
{
	return (struct options){ .command = command_find(command), .operands = { operands, count },
				 .on_stack = "report", .timeout = 10 };
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

Test(request, keys)
{
	struct options options = options_of("stale", NULL, 0);
	struct source source = { .code = NULL };
	json_t *input = build(&options, &source), *steering = json_object_get(input, "options");

	cr_expect_eq(json_integer_value(json_object_get(input, "schema")), 1);
	cr_expect_str_eq(text_at(input, "command"), "stale");
	cr_expect_str_eq(text_at(input, "version"), MR_VERSION);
	cr_expect(json_is_null(json_object_get(input, "code")));
	cr_expect_eq(json_array_size(json_object_get(input, "targets")), 0);
	cr_expect(json_is_false(json_object_get(steering, "dry_run")));
	cr_expect_str_eq(text_at(steering, "on_stack"), "report");
	cr_expect_eq(json_real_value(json_object_get(steering, "work_timeout")), 10.0);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(input, "who"), "uid")), getuid());
	json_decref(input);
}

Test(request, targets)
{
	const char *operands[] = { "/etc/../etc/passwd", "shop.cart", "no\xff.py", "a\"b\n" };
	struct options options = options_of("reload", operands, 4);
	struct source source = { .code = NULL };
	json_t *input = build(&options, &source), *targets = json_object_get(input, "targets");
	json_t *ours = json_object_get(json_array_get(targets, 0), "ours");
	struct stat st;

	cr_assert_eq(stat("/etc/passwd", &st), 0);
	cr_expect_str_eq(text_at(json_array_get(targets, 0), "kind"), "path");
	cr_expect_str_eq(text_at(ours, "path"), "/etc/passwd");
	cr_expect_eq(json_integer_value(json_object_get(ours, "ino")), (json_int_t)st.st_ino);
	cr_expect_eq(json_integer_value(json_object_get(ours, "dev")), (json_int_t)st.st_dev);
	cr_expect_str_eq(text_at(json_array_get(targets, 1), "kind"), "name");
	cr_expect_str_eq(text_at(json_array_get(targets, 2), "kind"), "path");
	cr_expect_str_eq(text_at(json_array_get(targets, 2), "text"), "no\xc3\xbf.py");
	cr_expect(json_is_null(json_object_get(json_array_get(targets, 2), "ours")));
	cr_expect_str_eq(text_at(json_array_get(targets, 3), "text"), "a\"b\n");
	json_decref(input);
}

Test(request, code_and_arguments)
{
	const char *operands[] = { "f.py", "-x", "\xff" };
	struct options options = options_of("run", operands, 3);
	struct source source = { .code = malloc(3), .size = 3, .filename = "f.py" };
	json_t *input, *argv;

	cr_assert(source.code);
	memcpy(source.code, "a\0\xe9", 3);
	input = build(&options, &source);
	argv = json_object_get(input, "argv");
	cr_expect_eq(json_string_length(json_object_get(input, "code")), 4);
	cr_expect_str_eq(text_at(input, "filename"), "f.py");
	cr_assert_eq(json_array_size(argv), 2);
	cr_expect_str_eq(json_string_value(json_array_get(argv, 1)), "\xc3\xbf");
	json_decref(input);
	source_free(&source);
}

static int read_source(const char *command, const char *operand, struct source *ret, struct mr_error *err)
{
	const char *operands[] = { operand };
	struct options options = options_of(command, operands, 1);

	*err = (struct mr_error)MR_ERROR_INIT;
	return source_read(&options, ret, err);
}

Test(source, kinds)
{
	struct source source;
	struct mr_error err;

	cr_assert_eq(read_source("exec", "1 + 1", &source, &err), 0);
	cr_expect_str_eq(source.filename, "<exec>");
	cr_expect_eq(source.size, 5);
	source_free(&source);
	cr_assert_eq(read_source("run", "/etc/passwd", &source, &err), 0);
	cr_expect_str_eq(source.filename, "/etc/passwd");
	cr_expect_gt(source.size, 0);
	source_free(&source);
	cr_expect_eq(read_source("run", "/no/such/file", &source, &err), -MR_E_USAGE);
	cr_expect_eq(read_source("run", "/etc", &source, &err), -MR_E_USAGE);
	cr_expect_eq(read_source("run", "/dev/zero", &source, &err), -MR_E_USAGE);
	cr_expect(strstr(err.what, "larger than 64 MiB"));
	source_free(&source);
}

Test(source, standard_input)
{
	struct source source;
	struct mr_error err;

	cr_assert(freopen("/dev/null", "r", stdin));
	cr_expect_eq(read_source("exec", "-", &source, &err), -MR_E_USAGE);
	cr_expect_str_eq(err.what, "the code is empty");
	cr_expect_eq(read_source("run", "-", &source, &err), 0);
	cr_expect_str_eq(source.filename, "<stdin>");
	source_free(&source);
}
