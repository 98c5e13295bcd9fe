/* SPDX-License-Identifier: MIT
 *
 * From the answer of a target to the JSON of a report. Needs attach/{answer,report,text}.o and mr_delivery_name().
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../attach/answer.h"
#include "../../attach/hint.h"
#include "../../attach/report.h"

static json_t *take(const char *text)
{
	struct mr_error err = MR_ERROR_INIT;
	json_t *answer = NULL;

	cr_assert_eq(answer_parse(text, strlen(text), &answer, &err), 0, "%s: %s", text, err.what);
	return answer;
}

static void expect_status(const char *text, int status, const char *code)
{
	json_t *answer = take(text);
	const char *got = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));

	cr_expect_eq(json_integer_value(json_object_get(answer, "status")), status, "%s", text);
	cr_expect_str_eq(got ? got : "none", code, "%s", text);
	json_decref(answer);
}

Test(answer, unreadable)
{
	static const char *const texts[] = { "", "{", "[]", "\"x\"", "{\"a\":\"\\ud800\"}", "{\"a\":1e999}", "nonsense",
					     "{\"a\":99999999999999999999}", "\xff" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct mr_error err = MR_ERROR_INIT;
		json_t *answer = NULL;

		cr_expect_eq(answer_parse(texts[i], strlen(texts[i]), &answer, &err), -MR_E_BUG, "%s", texts[i]);
		cr_expect_null(answer);
	}
}

Test(answer, too_deep)
{
	struct mr_error err = MR_ERROR_INIT;
	char *text = malloc(1 << 20);
	json_t *answer = NULL;

	memset(text, '[', 1 << 20);
	cr_expect_eq(answer_parse(text, 1 << 20, &answer, &err), -MR_E_BUG);
	free(text);
}

Test(answer, none_came)
{
	struct mr_error err = MR_ERROR_INIT;
	json_t *answer = NULL;

	cr_expect_eq(answer_parse(NULL, 0, &answer, &err), -MR_E_BUG);
}

Test(answer, status_and_error_agree)
{
	expect_status("{\"status\":0}", 0, "none");
	expect_status("{\"status\":0,\"error\":{\"code\":\"refused\"}}", 1, "refused");
	expect_status("{\"status\":1}", 1, "engine");
	expect_status("{\"status\":7,\"error\":{\"code\":\"interrupted\"}}", 7, "interrupted");
	expect_status("{\"status\":42,\"error\":{}}", 1, "engine");
	expect_status("{\"status\":\"0\"}", 1, "engine");
	expect_status("{}", 1, "engine");
	expect_status("{\"status\":-1,\"error\":[1]}", 1, "engine");
}

Test(answer, wrong_types_become_nothing)
{
	json_t *answer = take("{\"status\":0,\"python\":3,\"interpreter\":\"0\",\"gil_longest\":1.5,\"output\":7,\"value\":[],"
			      "\"heap\":{\"a\":[1],\"b\":2},\"notes\":[1,\"x\",null],\"excluded_stale\":{},"
			      "\"history\":3,\"extra\":1,\"modules\":[1,{\"name\":2,\"changed\":[[]],\"executed\":[{}],"
			      "\"derived\":[\"a\",{\"name\":\"b\",\"c\":[]},3],\"loaded_at\":1.5,\"exact\":1}]}");
	json_t *module = json_array_get(json_object_get(answer, "modules"), 0);

	cr_expect(json_is_null(json_object_get(answer, "python")));
	cr_expect(json_is_null(json_object_get(answer, "interpreter")));
	cr_expect(json_is_null(json_object_get(answer, "gil_longest")));
	cr_expect_str_eq(json_string_value(json_object_get(answer, "output")), "");
	cr_expect(json_is_null(json_object_get(answer, "value")));
	cr_expect_eq(json_object_size(json_object_get(answer, "heap")), 1);
	cr_expect_eq(json_array_size(json_object_get(answer, "notes")), 1);
	cr_expect(json_is_array(json_object_get(answer, "excluded_stale")));
	cr_expect(json_is_null(json_object_get(answer, "history")));
	cr_expect_null(json_object_get(answer, "extra"));
	cr_assert_eq(json_array_size(json_object_get(answer, "modules")), 1);
	cr_expect(json_is_null(json_object_get(module, "name")));
	cr_expect_eq(json_array_size(json_object_get(module, "changed")), 0);
	cr_expect_eq(json_array_size(json_object_get(module, "executed")), 1);
	cr_expect_eq(json_array_size(json_object_get(module, "derived")), 2);
	cr_expect_eq(json_object_size(json_array_get(json_object_get(module, "derived"), 1)), 1);
	cr_expect_eq(json_number_value(json_object_get(module, "loaded_at")), 1.5);
	cr_expect(json_is_null(json_object_get(module, "exact")));
	cr_expect(json_is_null(json_object_get(module, "diff")));
	json_decref(answer);
}

/* Every key of the contract is there, whatever happened. */
Test(report, every_key_always)
{
	static const char *const keys[] = { "schema", "pid", "command", "status", "python", "executable", "interpreter",
					    "delivery", "timing_us", "modules", "excluded_stale", "heap", "output",
					    "value", "error", "history", "info", "engine", "notes" };
	static const char *const timings[] = { "total", "stopped", "stopped_sum", "stops", "queued", "ran",
					       "gil_longest" };
	static const char *const errors[] = { "code", "message", "module", "file", "line", "traceback", "hint" };
	struct mr_error err = MR_ERROR_INIT;
	json_t *report = report_new("list", 42);

	mr_fail(&err, MR_E_TRACED, 0, "gdb");
	cr_assert_eq(report_take_error(report, &err), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_expect(json_object_get(report, keys[i]), "%s", keys[i]);
	for (size_t i = 0; i < sizeof(timings) / sizeof(timings[0]); i++)
		cr_expect(json_object_get(json_object_get(report, "timing_us"), timings[i]), "%s", timings[i]);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		cr_expect(json_object_get(json_object_get(report, "error"), errors[i]), "%s", errors[i]);
	cr_expect_eq(report_status(report), 4);
	json_decref(report);
}

Test(report, first_error_stays)
{
	json_t *report = report_new("list", 42), *answer = take("{\"status\":1,\"error\":{\"code\":\"refused\"}}");
	struct mr_error err = MR_ERROR_INIT;

	cr_assert_eq(report_take_answer(report, answer), 0);
	mr_fail(&err, MR_E_WORK_TIMEOUT, 0, "x");
	cr_assert_eq(report_take_error(report, &err), 0);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(report, "error"), "code")), "refused");
	json_decref(answer);
	json_decref(report);
}

Test(report, what_was_seen_stays)
{
	json_t *report = report_new("exec", 42), *answer = take("{\"status\":0,\"executable\":null,\"python\":\"3.11.7\"}");
	struct mr_facts facts = { .executable = "/opt/\xff/python" };
	struct mr_python python = { .major = 3, .minor = 11, .micro = -1 };

	cr_assert_eq(report_take_look(report, &facts, &python), 0);
	cr_expect_str_eq(json_string_value(json_object_get(report, "python")), "3.11");
	cr_assert_eq(report_take_answer(report, answer), 0);
	cr_expect_str_eq(json_string_value(json_object_get(report, "python")), "3.11.7");
	cr_expect(json_is_string(json_object_get(report, "executable")));
	json_decref(answer);
	json_decref(report);
}

static void expect_json(const char *string, const char *wanted)
{
	json_t *object = json_pack("{s:s}", "a", string);
	char *line = report_json(object);

	cr_expect_str_eq(line, wanted);
	free(line);
	json_decref(object);
}

Test(report, bytes_are_lone_escapes)
{
	expect_json("\xf4\x8d\xb3\xbf", "{\"a\":\"\\uDCFF\"}");
	expect_json("\xf4\x8d\xb2\x80\xf4\x8d\xb2\x80", "{\"a\":\"\\uDC80\\uDC80\"}");
	expect_json("\xf4\x8d\xb1\xbf", "{\"a\":\"\\uDBF7\\uDC7F\"}");		/* beside the range */
	expect_json("\xf4\x8d\xb4\x80", "{\"a\":\"\\uDBF7\\uDD00\"}");
	expect_json("\\uDBF7\\uDCFF", "{\"a\":\"\\\\uDBF7\\\\uDCFF\"}");	/* only spelled out */
	expect_json("\\\xf4\x8d\xb3\xbf\n", "{\"a\":\"\\\\\\uDCFF\\n\"}");
	expect_json("\xc3\xa9", "{\"a\":\"\\u00E9\"}");
}

static void expect_hint(const char *error, bool answer, const char *wanted)
{
	const char *operands[] = { "shop.cart", "a b" };
	struct options options = { .program = "mr-attach", .command = command_find("reload"), .operands = { operands, 2 } };
	json_t *object = json_loads(error, 0, NULL);
	const char *hint;

	cr_assert_eq(hint_complete(object, &options, 42, answer), 0);
	hint = json_string_value(json_object_get(object, "hint"));
	cr_expect_str_eq(hint ? hint : "none", wanted);
	json_decref(object);
}

Test(hint, can_be_typed_as_it_stands)
{
	expect_hint("{\"hint\":\"mr-attach PID list shows it\"}", true, "mr-attach 42 list shows it");
	expect_hint("{\"hint\":\"reload a takes the others\"}", true, "mr-attach 42 reload a takes the others");
	expect_hint("{\"hint\":\"--keep X leaves it; reload-stale\"}", true,
		    "mr-attach 42 reload shop.cart 'a b' --keep X leaves it; mr-attach 42 reload-stale");
	expect_hint("{\"hint\":\"reloading helps; PIDS, _PID\"}", true, "reloading helps; PIDS, _PID");
	expect_hint("{\"hint\":\"list the candidates; kill -CONT PID\"}", false, "list the candidates; kill -CONT 42");
	expect_hint("{\"hint\":null}", true, "none");
}

Test(hint, keeps_what_was_asked_for)
{
	const char *kept[] = { "A", "m.B" };
	struct options options = { .program = "mr-attach", .command = command_find("reload-stale"), .keep = { kept, 2 },
				   .dry_run = true };
	char line[256];

	hint_retry(&options, 42, line, sizeof(line));
	cr_expect_str_eq(line, "mr-attach 42 reload-stale -n --keep A --keep m.B");
}

Test(hint, what_needs_a_restart)
{
	const char *restart = "this change needs a restart of the process";

	expect_hint("{\"code\":\"refused\",\"message\":\"members of an enum changed\"}", true, restart);
	expect_hint("{\"code\":\"refused\",\"message\":\"__slots__ of a class\"}", true, restart);
	expect_hint("{\"code\":\"refused\",\"message\":\"the bases changed\"}", true, restart);
	expect_hint("{\"code\":\"refused\",\"message\":\"the bases changed; --reinit C\"}", true, "none");
	expect_hint("{\"code\":\"refused\",\"message\":\"the bases changed\",\"hint\":\"x\"}", true, "x");
	expect_hint("{\"code\":\"exception\",\"message\":\"enum\"}", true, "none");
}
