/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "text.h"
#include "util.h"

json_t *report_new(const char *command, pid_t pid)
{
	return json_pack("{s:i, s:i, s:s, s:i, s:n, s:n, s:n, s:n,"
			 " s:{s:i, s:i, s:i, s:i, s:i, s:i, s:n},"
			 " s:[], s:[], s:n, s:s, s:n, s:n, s:n, s:n, s:n, s:[]}",
			 "schema", 1, "pid", (int)pid, "command", command, "status", 0, "python", "executable",
			 "interpreter", "delivery", "timing_us", "total", 0, "stopped", 0, "stopped_sum", 0, "stops", 0,
			 "queued", 0, "ran", 0, "gil_longest", "modules", "excluded_stale", "heap", "output", "",
			 "value", "error", "history", "info", "engine", "notes");
}

int report_take_answer(json_t *report, json_t *answer)
{
	const char *key;
	json_t *value;

	json_object_foreach(answer, key, value) {
		json_t *where = report;

		if (!strcmp(key, "gil_longest"))
			where = json_object_get(report, "timing_us");
		if (json_is_null(value))	/* what was seen from outside stays */
			continue;
		if (json_object_set(where, key, value))
			return -1;
	}
	return 0;
}

int report_take_timing(json_t *report, const struct mr_answer *answer)
{
	const struct mr_timing *t = &answer->timing;
	const char *delivery = mr_delivery_name(answer->delivery);
	AUTO_JSON json_t *timing = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "total", (json_int_t)t->total, "stopped",
					     (json_int_t)t->stopped, "stopped_sum", (json_int_t)t->stopped_sum,
					     "stops", (json_int_t)t->stops, "queued", (json_int_t)t->queued, "ran",
					     (json_int_t)t->ran);

	if (!timing || json_object_update(json_object_get(report, "timing_us"), timing))
		return -1;
	return json_object_set_new(report, "delivery", delivery ? json_string(delivery) : json_null());
}

void report_version(const struct mr_python *python, char *ret, size_t size)
{
	if (python->micro < 0)
		(void)snprintf(ret, size, "%d.%d", python->major, python->minor);
	else
		(void)snprintf(ret, size, "%d.%d.%d", python->major, python->minor, python->micro);
}

int report_take_look(json_t *report, const struct mr_facts *facts, const struct mr_python *python)
{
	const char *executable = facts->executable;
	char version[48];
	int r = 0;

	if (executable[0])
		r = json_object_set_new(report, "executable", text_json(executable, strlen(executable)));
	if (!r && python) {
		report_version(python, version, sizeof(version));
		r = json_object_set_new(report, "python", json_string(version));
	}
	return r;
}

/* What the place that found the error says is the whole sentence; the table's would be of something else. */
static bool is_sentence(const struct mr_error *error)
{
	return (error->code == MR_E_USAGE && error->what[0]) ||
	       (error->code == MR_E_POLICY && !strcmp(error->what, REPORT_NO_MOMENT));
}

char *report_sentence(const struct mr_error *error)
{
	char *ret = NULL;
	const char *text = mr_code_text(error->code);
	bool whole = is_sentence(error);
	int length = asprintf(&ret, "%s%s%s%s%s", whole ? "" : text, !whole && error->what[0] ? ": " : "", error->what,
			      error->sys ? ": " : "", error->sys ? strerror(error->sys) : "");

	return length < 0 ? NULL : ret;
}

const char *report_hint(const struct mr_error *error)
{
	return error->hint[0] ? error->hint : mr_code_hint(error->code);
}

int report_note(json_t *report, const char *text)
{
	return json_array_append_new(json_object_get(report, "notes"), json_string(text));
}

int report_take_error(json_t *report, const struct mr_error *error)
{
	AUTO_FREE char *sentence = report_sentence(error);
	json_t *value;

	if (!json_is_null(json_object_get(report, "error")))
		return 0;
	value = sentence ? answer_error(mr_code_name(error->code), sentence, report_hint(error)) : NULL;
	if (!value || json_object_set_new(report, "error", value))
		return -1;
	return json_object_set_new(report, "status", json_integer(mr_code_status(error->code)));
}

int report_status(const json_t *report)
{
	return (int)json_integer_value(json_object_get(report, "status"));
}

bool report_is_error(const json_t *report, const char *code)
{
	const char *found = json_string_value(json_object_get(json_object_get(report, "error"), "code"));

	return found && !strcmp(found, code);
}

bool report_interrupted(const json_t *report)
{
	return report_is_error(report, "interrupted");
}

int report_waited(json_t *report)
{
	if (json_object_set_new(json_object_get(report, "error"), "hint",
				json_string("--timeout SECS waits longer; --on-stack report goes on all the same")))
		return -1;
	return json_object_set_new(report, "status", json_integer(mr_code_status(MR_E_WORK_TIMEOUT)));
}

static bool has_note(const json_t *report, const char *begins)
{
	const json_t *note;
	size_t i;

	json_array_foreach(json_object_get(report, "notes"), i, note) {
		if (json_is_string(note) && !strncmp(json_string_value(note), begins, strlen(begins)))
			return true;
	}
	return false;
}

bool report_lost(const json_t *report)
{
	return has_note(report, "could not be put back");
}

bool report_beyond(const json_t *report)
{
	return has_note(report, "not taken back");
}

static bool is_byte_escape(const char *at)
{
	unsigned int low;
	char digits[5] = "";

	if (strncmp(at, "\\uDBF7\\uDC", 10) != 0)
		return false;
	(void)strncpy(digits, at + 8, 4);
	low = (unsigned int)strtoul(digits, NULL, 16);
	return low >= 0xdc80 && low <= 0xdcff;
}

/*
 * A private character that stands for a byte is written by jansson as the pair \uDBF7\uDCXX: without its first half it
 * is the lone escape that Python's surrogateescape means. Backslashes are stepped over in pairs, so that text which
 * merely spells such an escape is left alone.
 */
char *report_json(const json_t *report)
{
	char *text = json_dumps(report, JSON_COMPACT | JSON_ENSURE_ASCII);
	char *to = text;

	for (const char *at = text; at && *at;) {
		if (*at == '\\' && is_byte_escape(at)) {
			at += 6;
			memmove(to, at, 6);
			at += 6;
			to += 6;
		} else if (*at == '\\') {
			*to++ = *at++;
			*to++ = *at++;
		} else {
			*to++ = *at++;
		}
	}
	if (to)
		*to = '\0';
	return text;
}
