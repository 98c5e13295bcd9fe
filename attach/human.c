/* SPDX-License-Identifier: MIT */
#include "human.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "util.h"

const char *human_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t human_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void human_line(struct terminal *terminal, const json_t *string)
{
	if (json_is_string(string))
		text_write(terminal->out, json_string_value(string), json_string_length(string), TEXT_LINE);
}

void human_field(struct terminal *terminal, const json_t *object, const char *key)
{
	human_line(terminal, json_object_get(object, key));
}

void human_duration(json_int_t us, char *ret, size_t size)
{
	double ms = (double)us / 1e3;

	if (us < 1000)
		(void)snprintf(ret, size, "%.2f ms", ms);
	else if (us < 10000)
		(void)snprintf(ret, size, "%.1f ms", ms);
	else if (us < 1000000)
		(void)snprintf(ret, size, "%.0f ms", ms);
	else
		(void)snprintf(ret, size, "%.1f s", ms / 1e3);
}

static void title(struct terminal *terminal, const json_t *report)
{
	(void)fprintf(terminal->out, "pid %" JSON_INTEGER_FORMAT ":\n", human_integer(report, "pid"));
}

/* exec and run: what was printed, then the value, as an interactive Python would show them; nothing to strip off. */
static void print_result(struct terminal *terminal, const json_t *report, bool titled)
{
	const json_t *output = json_object_get(report, "output"), *value = json_object_get(report, "value");
	size_t size = json_string_length(output);
	const char *text = json_string_value(output);

	if (titled && (size || json_is_string(value)))
		title(terminal, report);
	text_write(terminal->out, text, size, terminal->out_keep);
	if (size && text[size - 1] != '\n' && json_is_string(value))
		(void)fputc('\n', terminal->out);
	if (json_is_string(value)) {
		text_write(terminal->out, json_string_value(value), json_string_length(value), terminal->out_keep);
		(void)fputc('\n', terminal->out);
	}
}

/* The last line: whose, what happened, how long it stood still. */
static void print_summary(struct terminal *terminal, const json_t *report, const char *what)
{
	const json_t *timing = json_object_get(report, "timing_us");
	char stopped[32], ran[32];

	(void)fprintf(terminal->out, "pid %" JSON_INTEGER_FORMAT ": %s", human_integer(report, "pid"), what);
	human_duration(human_integer(timing, "stopped"), stopped, sizeof(stopped));
	human_duration(human_integer(timing, "ran"), ran, sizeof(ran));
	if (!json_is_null(json_object_get(report, "delivery")))
		(void)fprintf(terminal->out, "; stopped %s, ran %s", stopped, ran);
	(void)fputc('\n', terminal->out);
}

static void print_list(struct terminal *terminal, const json_t *list, const char *before, const char *after)
{
	const json_t *item;
	size_t i;

	if (!json_array_size(list))
		return;
	(void)fputs(before, terminal->out);
	json_array_foreach(list, i, item) {
		(void)fputs(i ? ", " : "", terminal->out);
		human_line(terminal, item);
	}
	(void)fputs(after, terminal->out);
}

static void print_entry(struct terminal *terminal, const json_t *entry)
{
	const json_t *modules = json_object_get(entry, "modules"), *module;
	const json_t *at = json_object_get(entry, "at");
	double seconds = json_number_value(at);
	char when[32] = "unknown time       ";
	struct tm tm;
	time_t t;
	size_t i;

	if (seconds > 0 && seconds < 1e11) {
		t = (time_t)seconds;
		if (localtime_r(&t, &tm))
			(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	}
	terminal_paint(terminal, human_integer(entry, "status") ? PAINT_BAD : PAINT_GOOD,
		       human_integer(entry, "status") ? "failed" : "done  ");
	(void)fprintf(terminal->out, "  %3" JSON_INTEGER_FORMAT "  %s  uid %" JSON_INTEGER_FORMAT,
		      human_integer(entry, "id"), when, human_integer(entry, "uid"));
	if (json_is_string(json_object_get(entry, "sudo_user"))) {
		(void)fputs(" (", terminal->out);
		human_field(terminal, entry, "sudo_user");
		(void)fputc(')', terminal->out);
	}
	(void)fputs("  ", terminal->out);
	human_field(terminal, entry, "command");
	json_array_foreach(modules, i, module) {
		(void)fputs(i ? ", " : "  ", terminal->out);
		human_line(terminal, json_is_object(module) ? json_object_get(module, "name") : module);
	}
	(void)fputc('\n', terminal->out);
}

static void print_history(struct terminal *terminal, const json_t *report)
{
	const json_t *history = json_object_get(report, "history"), *entry;
	size_t count = json_array_size(history), i;
	char what[64];

	json_array_foreach(history, i, entry)
		print_entry(terminal, entry);
	(void)snprintf(what, sizeof(what), count ? "%zu command%s" : "nothing was reloaded here", count,
		       count == 1 ? "" : "s");
	print_summary(terminal, report, what);
}

/* A failed reload puts everything back; what could not be is told by a note. */
static const char *failure_words(const json_t *report)
{
	if (report_lost(report))
		return "failed, and not everything could be put back";
	if (!json_array_size(json_object_get(report, "modules")))
		return "failed, and nothing was changed";
	if (report_beyond(report))
		return report_interrupted(report) ? "interrupted, and put back but for what the note names" :
						    "failed, and put back but for what the note names";
	if (report_interrupted(report))
		return "interrupted, and everything is as it was before";
	return "failed, and everything is as it was before";
}

static void print_modules(struct terminal *terminal, const struct options *options, const json_t *report)
{
	char counts[256];

	human_modules(terminal, options, report);
	print_list(terminal, json_object_get(report, "excluded_stale"), "also stale, and left alone without --all: ",
		   "\n");
	human_module_counts(report, counts, sizeof(counts));
	if (human_integer(report, "status"))
		(void)snprintf(counts, sizeof(counts), "%s", failure_words(report));
	else if (!counts[0])
		(void)snprintf(counts, sizeof(counts), options->command->id == COMMAND_UNDO ? "nothing to undo" :
											     "nothing was stale");
	print_summary(terminal, report, counts);
}

static void print_table(struct terminal *terminal, const struct options *options, const json_t *report)
{
	char counts[256];

	human_table(terminal, report);
	print_list(terminal, json_object_get(report, "excluded_stale"), "also stale, and seen only with --all: ", "\n");
	human_module_counts(report, counts, sizeof(counts));
	if (!counts[0])
		(void)snprintf(counts, sizeof(counts),
			       options->command->id == COMMAND_STALE ? "nothing is stale" : "no user modules");
	print_summary(terminal, report, counts);
}

static void print_tracked(struct terminal *terminal, const json_t *report)
{
	size_t count = json_array_size(json_object_get(report, "modules"));
	char what[96];

	(void)snprintf(what, sizeof(what), "tracked: %zu module%s, and all that is loaded later", count,
		       count == 1 ? "" : "s");
	print_summary(terminal, report, what);
}

void human_print(struct terminal *terminal, const struct options *options, const json_t *report, bool titled)
{
	json_int_t status = human_integer(report, "status");

	switch (options->command->id) {
	case COMMAND_EXEC:
	case COMMAND_RUN: print_result(terminal, report, titled); return;
	case COMMAND_INFO:
		if (!status)
			human_info(terminal, report);
		return;
	default: break;
	}
	if (status && !(options->command->reloads && (status == 1 || report_interrupted(report))))
		return;	/* the error says it all */
	switch (options->command->id) {
	case COMMAND_TRACK: print_tracked(terminal, report); return;
	case COMMAND_UNTRACK: print_summary(terminal, report, "untracked: nothing of mr-attach is left there"); return;
	case COMMAND_LIST:
	case COMMAND_STALE: print_table(terminal, options, report); return;
	case COMMAND_HISTORY: print_history(terminal, report); return;
	default: print_modules(terminal, options, report); return;
	}
}

void human_timing(struct terminal *terminal, const json_t *report)
{
	static const char *const keys[] = { "total", "stopped", "stopped_sum", "queued", "ran", "gil_longest" };
	const json_t *timing = json_object_get(report, "timing_us");
	const char *delivery = human_string(report, "delivery");
	char line[256] = "", duration[32];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t used = strlen(line);

		if (!json_is_integer(json_object_get(timing, keys[i])))
			continue;
		human_duration(human_integer(timing, keys[i]), duration, sizeof(duration));
		(void)snprintf(line + used, sizeof(line) - used, ", %s %s", keys[i], duration);
	}
	terminal_say(terminal, "pid %" JSON_INTEGER_FORMAT ": %s%s, stops %" JSON_INTEGER_FORMAT,
		     human_integer(report, "pid"), delivery[0] ? delivery : "nothing ran", line,
		     human_integer(timing, "stops"));
}
