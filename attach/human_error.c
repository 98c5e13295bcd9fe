/* SPDX-License-Identifier: MIT
 *
 * What went wrong, on stderr: once, with its file and line, after its traceback, before its hint.
 */
#include <inttypes.h>
#include <string.h>

#include "human.h"
#include "report.h"
#include "util.h"

/*
 * "file:line: message", or without a line "file: message", as compilers write it and editors read it. Needs a file; returns
 * false without one.
 */
static bool complain_gcc(struct terminal *terminal, const json_t *error)
{
	if (!human_string(error, "file")[0])
		return false;
	terminal_progress_end(terminal);
	text_write(terminal->err, human_string(error, "file"), strlen(human_string(error, "file")), TEXT_LINE);
	if (json_is_integer(json_object_get(error, "line")))
		(void)fprintf(terminal->err, ":%" JSON_INTEGER_FORMAT, human_integer(error, "line"));
	(void)fputs(": ", terminal->err);
	text_write(terminal->err, human_string(error, "message"), strlen(human_string(error, "message")), TEXT_LINE);
	(void)fputc('\n', terminal->err);
	return true;
}

/* Its last line is the message, which is said below: how much of it is left to be shown. */
static size_t traceback_size(const char *traceback, const char *message)
{
	size_t size = strlen(traceback), length = strlen(message), end = size;

	while (end && traceback[end - 1] == '\n')
		end--;
	if (!length || end < length || memcmp(traceback + end - length, message, length) != 0)
		return size;
	return end == length || traceback[end - length - 1] == '\n' ? end - length : size;
}

static void complain_traceback(struct terminal *terminal, const json_t *error)
{
	const char *traceback = human_string(error, "traceback");
	size_t size = traceback_size(traceback, human_string(error, "message"));

	terminal_progress_end(terminal);
	text_write(terminal->err, traceback, size, TEXT_LINES);
	if (size && traceback[size - 1] != '\n')
		(void)fputc('\n', terminal->err);
}

/* "pid 42: shop.cart: message (file:line)", without what the message says already. */
static void complain_prose(struct terminal *terminal, const json_t *report, const json_t *error)
{
	const char *module = human_string(error, "module"), *file = human_string(error, "file");
	const char *message = human_string(error, "message");
	char line[32] = "";

	/* The exception is ours, and names only how it was done. */
	if (report_interrupted(report))
		message = report_status(report) == 7 ? "it did not end before the timeout, and was interrupted" : "interrupted";
	if (!strncmp(message, module, strlen(module)))
		module = "";
	if (strstr(message, file))
		file = "";
	if (file[0] && json_is_integer(json_object_get(error, "line")))
		(void)snprintf(line, sizeof(line), ":%" JSON_INTEGER_FORMAT, human_integer(error, "line"));
	terminal_say(terminal, "pid %" JSON_INTEGER_FORMAT ": %s%s%s%s%s%s%s", human_integer(report, "pid"), module,
		     module[0] ? ": " : "", message, file[0] ? " (" : "", file, line, file[0] ? ")" : "");
}

bool human_is_refusal(const json_t *report)
{
	const char *code = human_string(json_object_get(report, "error"), "code");

	return !strcmp(code, "refused") || !strcmp(code, "undecided");
}

/* One line for each change that was refused; the message of the error has them all in one. Returns false for one. */
static bool complain_refusals(struct terminal *terminal, const json_t *report)
{
	const json_t *modules = json_object_get(report, "modules"), *module, *item;
	size_t count = 0, i, j;

	json_array_foreach(modules, i, module)
		count += json_array_size(json_object_get(module, "kept_old"));
	if (count < 2 || !human_is_refusal(report))
		return false;
	json_array_foreach(modules, i, module) {
		const char *name = human_string(module, "name"), *path = human_string(module, "path");

		json_array_foreach(json_object_get(module, "kept_old"), j, item) {
			const char *what = human_string(item, "name");
			bool whole = !strcmp(what, name);	/* the module itself */

			terminal_say(terminal, "pid %" JSON_INTEGER_FORMAT ": %s%s%s: %s%s%s%s",
				     human_integer(report, "pid"), name, whole ? "" : ".", whole ? "" : what,
				     human_string(item, "reason"), path[0] ? " (" : "", path, path[0] ? ")" : "");
		}
	}
	return true;
}

void human_complain(struct terminal *terminal, const struct options *options, const json_t *report)
{
	const json_t *error = json_object_get(report, "error"), *note;
	size_t i;

	json_array_foreach(json_object_get(report, "notes"), i, note) {
		if (!options->quiet && !options->json)	/* the JSON has them */
			terminal_say(terminal, "pid %" JSON_INTEGER_FORMAT ": note: %s", human_integer(report, "pid"),
				     json_string_value(note));
	}
	if (!json_is_object(error))
		return;
	if (options->errors_gcc && complain_gcc(terminal, error))
		return;
	complain_traceback(terminal, error);
	if (!complain_refusals(terminal, report))
		complain_prose(terminal, report, error);
	terminal_hint(terminal, human_string(error, "hint"));
}
