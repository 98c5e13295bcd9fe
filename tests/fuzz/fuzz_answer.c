/* SPDX-License-Identifier: MIT
 *
 * Any bytes as the answer of a target: through the checks into the report, as JSON and for people. What comes out must
 * be one line of JSON, and must hold nothing that a terminal acts on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../attach/answer.h"
#include "../../attach/hint.h"
#include "../../attach/human.h"
#include "../../attach/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const json_t *report)
{
	char *line = report_json(report);

	if (!line || strchr(line, '\n') || strchr(line, '\033'))
		abort();
	free(line);
}

static void check_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
			abort();
	}
}

static void show(const json_t *report, const struct command *command)
{
	struct options options = { .program = "mr-attach", .command = command, .verbose = 1 };
	char *out = NULL, *err = NULL;
	size_t out_size, err_size;
	struct terminal terminal = { .out_keep = TEXT_LINES };

	terminal.out = open_memstream(&out, &out_size);
	terminal.err = open_memstream(&err, &err_size);
	if (!terminal.out || !terminal.err)
		abort();
	human_print(&terminal, &options, report, true);
	human_complain(&terminal, &options, report);
	human_timing(&terminal, report);
	(void)fclose(terminal.out);
	(void)fclose(terminal.err);
	check_text(out, out_size);
	check_text(err, err_size);
	free(out);
	free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_error error = MR_ERROR_INIT;
	const struct options options = { .program = "mr-attach", .command = &commands[size ? data[0] % commands_count : 0] };
	json_t *answer = NULL, *report;

	if (!size || answer_parse((const char *)data + 1, size - 1, &answer, &error))
		return 0;
	report = report_new("list", 42);
	if (!report || report_take_answer(report, answer))
		abort();
	if (hint_complete(json_object_get(report, "error"), &options, 42, true))
		abort();
	check_json(report);
	show(report, options.command);
	json_decref(report);
	json_decref(answer);
	return 0;
}
