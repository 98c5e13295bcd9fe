/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "human.h"
#include "util.h"

#define INDENT_MAX 40

/* What is known of each state: its colour, and how the last line counts modules in it. */
static const struct state {
	const char *name;
	enum paint paint;
	const char *counted;
} states[] = {
	{ "reloaded", PAINT_GOOD, "reloaded" },	       { "restored", PAINT_GOOD, "restored" },
	{ "would-reload", PAINT_CHANGED, "would be reloaded" }, { "unchanged", PAINT_NONE, "unchanged" },
	{ "skipped", PAINT_CHANGED, "skipped" },       { "failed", PAINT_BAD, "failed" },
	{ "stale", PAINT_CHANGED, "stale" },	       { "missing", PAINT_CHANGED, "whose source is gone" },
	{ "sourceless", PAINT_DIM, "sourceless" },     { "fresh", PAINT_NONE, "fresh" },
};

static enum paint state_paint(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (!strcmp(states[i].name, name))
			return states[i].paint;
	}
	return PAINT_NONE;
}

static size_t state_count(const json_t *modules, const char *name)
{
	const json_t *module;
	size_t count = 0, i;

	json_array_foreach(modules, i, module)
		count += !strcmp(human_string(module, "state"), name);
	return count;
}

void human_module_counts(const json_t *report, char *ret, size_t size)
{
	const json_t *modules = json_object_get(report, "modules");
	bool first = true;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		size_t count = state_count(modules, states[i].name), used = strlen(ret);

		if (!count)
			continue;
		(void)snprintf(ret + used, size - used, "%s%zu %s%s", first ? "" : ", ", count,
			       !first ? "" : count == 1 ? "module " : "modules ", states[i].counted);
		first = false;
	}
}

/* Width of the column for this key, so that what follows it is aligned. */
static int width_of(const json_t *modules, const char *key, int most)
{
	const json_t *module;
	size_t i;
	int width = 0;

	json_array_foreach(modules, i, module) {
		size_t length = strlen(human_string(module, key));

		if (length <= (size_t)most && (int)length > width)
			width = (int)length;
	}
	return width;
}

static void pad(struct terminal *terminal, size_t used, int width)
{
	(void)fprintf(terminal->out, "%*s", used < (size_t)width ? width - (int)used : 0, "");
}

/* The first two columns: "reloaded  shop.cart". names_width 0 for a line that ends there. */
static void print_head(struct terminal *terminal, const json_t *module, int states_width, int names_width)
{
	AUTO_FREE char *state = text_escape(human_string(module, "state"), strlen(human_string(module, "state")),
					    TEXT_LINE);
	AUTO_FREE char *name = text_escape(human_string(module, "name"), strlen(human_string(module, "name")),
					   TEXT_LINE);

	if (!state || !name)
		return;
	terminal_paint(terminal, state_paint(state), state);
	pad(terminal, strlen(state), states_width);
	(void)fprintf(terminal->out, "  %s", name);
	pad(terminal, strlen(name), names_width);
}

static void print_names(struct terminal *terminal, const json_t *list, const char *what, const char **between)
{
	const json_t *item;
	size_t i;

	if (!json_array_size(list))
		return;
	(void)fprintf(terminal->out, "%s%s ", *between, what);
	json_array_foreach(list, i, item) {
		(void)fputs(i ? ", " : "", terminal->out);
		human_line(terminal, json_is_object(item) ? json_object_get(item, "name") : item);
	}
	*between = "; ";
}

/* Begins a line of detail below its module: what it is about, and then the caller's text. */
static void begin_detail(struct terminal *terminal, int indent, const char *what)
{
	(void)fprintf(terminal->out, "%*s%s ", indent, "", what);
}

static void print_executed(struct terminal *terminal, const json_t *module, int indent)
{
	bool planned = !strcmp(human_string(module, "state"), "would-reload");
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(module, "executed"), i, item) {
		begin_detail(terminal, indent, planned ? "would run" : "ran");
		(void)fprintf(terminal->out, "line %" JSON_INTEGER_FORMAT ": ", human_integer(item, "line"));
		human_field(terminal, item, "text");
		(void)fputc('\n', terminal->out);
	}
}

static void print_old_code(struct terminal *terminal, const json_t *module, bool refused, int indent)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(module, "kept_old"), i, item) {
		if (refused)
			break;
		begin_detail(terminal, indent, "old code stays in");
		human_field(terminal, item, "name");
		(void)fputs(": ", terminal->out);
		human_field(terminal, item, "reason");
		(void)fputc('\n', terminal->out);
	}
	json_array_foreach(json_object_get(module, "running_old"), i, item) {
		bool async = !strcmp(human_string(item, "kind"), "async_generator");

		begin_detail(terminal, indent, async ? "old code goes on in an asynchronous" : "old code goes on in a");
		if (async)
			(void)fputs("generator", terminal->out);
		else
			human_field(terminal, item, "kind");
		(void)fputs(" of ", terminal->out);
		human_field(terminal, item, "function");
		if (human_string(item, "thread")[0]) {
			(void)fputs(", thread ", terminal->out);
			human_field(terminal, item, "thread");
		}
		if (human_string(item, "name")[0]) {
			(void)fputs(", ", terminal->out);
			human_field(terminal, item, "name");
		}
		(void)fputs(" (", terminal->out);
		human_field(terminal, item, "file");
		(void)fprintf(terminal->out, ":%" JSON_INTEGER_FORMAT ")\n", human_integer(item, "line"));
	}
}

/* Names, of other modules with the module's. */
static void print_items(struct terminal *terminal, const json_t *module, const char *key, int indent, const char *what)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(module, key), i, item) {
		const char *of = human_string(item, "module");

		begin_detail(terminal, indent, what);
		if (of[0] && strcmp(of, human_string(module, "name")) != 0) {
			human_field(terminal, item, "module");
			(void)fputc('.', terminal->out);
		}
		human_line(terminal, json_is_object(item) ? json_object_get(item, "name") : item);
		(void)fputc('\n', terminal->out);
	}
}

/* Remarks that are no warnings, as people read them; NULL for all others. */
static const char *remark_words(const char *text)
{
	if (!text)
		return NULL;
	if (!strncmp(text, "only lines moved", strlen("only lines moved")))
		return "nothing but line numbers changed";
	if (strstr(text, ": No such file or directory"))
		return "its source is gone; the loaded code stays";
	return NULL;
}

static void print_warnings(struct terminal *terminal, const json_t *module, int indent)
{
	const char *state = human_string(module, "state");
	bool reason = !strcmp(state, "failed") || !strcmp(state, "skipped");	/* of the state: no more than that */
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(module, "warnings"), i, item) {
		const char *words = remark_words(json_string_value(item));

		(void)fprintf(terminal->out, "%*s%s", indent, "", reason || words ? "" : "warning: ");
		if (words)
			(void)fputs(words, terminal->out);
		else
			human_line(terminal, item);
		(void)fputc('\n', terminal->out);
	}
}

static void print_diff(struct terminal *terminal, const json_t *module)
{
	const json_t *diff = json_object_get(module, "diff");

	if (!json_string_length(diff))
		return;
	text_write(terminal->out, json_string_value(diff), json_string_length(diff), TEXT_LINES);
	if (json_string_value(diff)[json_string_length(diff) - 1] != '\n')
		(void)fputc('\n', terminal->out);
}

/* With which code the source was compared. */
static void print_baseline(struct terminal *terminal, const json_t *module, int indent)
{
	static const struct {
		const char *baseline, *words;
	} rows[] = {
		{ "tracked", "the source that was kept when it was loaded" },
		{ "pyc", "its .pyc" },
		{ "frame", "the code of its frame, which is running" },
		{ "none", "what is loaded: no earlier source is known" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].baseline, human_string(module, "baseline")))
			(void)fprintf(terminal->out, "%*scompared with %s\n", indent, "", rows[i].words);
	}
}

static bool print_all_names(struct terminal *terminal, const json_t *module)
{
	const char *between = "  ";

	print_names(terminal, json_object_get(module, "changed"), "changed", &between);
	print_names(terminal, json_object_get(module, "added"), "added", &between);
	print_names(terminal, json_object_get(module, "removed"), "removed", &between);
	return between[0] == ';';
}

static bool has_names(const json_t *module)
{
	return json_array_size(json_object_get(module, "changed")) || json_array_size(json_object_get(module, "added")) ||
	       json_array_size(json_object_get(module, "removed"));
}

/* The error names one module, and says why it failed. */
static bool is_told(const json_t *report, const json_t *module)
{
	return !strcmp(human_string(module, "state"), "failed") &&
	       !strcmp(human_string(json_object_get(report, "error"), "module"), human_string(module, "name"));
}

struct widths {
	int state, name;
};

static void print_module(struct terminal *terminal, const struct options *options, const json_t *report,
			 const json_t *module, const struct widths *widths)
{
	int indent = widths->state + 4;

	print_head(terminal, module, widths->state, has_names(module) ? widths->name : 0);
	(void)print_all_names(terminal, module);
	(void)fputc('\n', terminal->out);
	print_executed(terminal, module, indent);
	print_items(terminal, module, "rebound", indent, "rebound");
	print_items(terminal, module, "derived", indent, "computed from it before, and left as it is:");
	print_old_code(terminal, module, human_is_refusal(report), indent);
	if (!is_told(report, module))
		print_warnings(terminal, module, indent);
	if (options->verbose)
		print_baseline(terminal, module, indent);
	if (options->verbose && options->dry_run)
		print_diff(terminal, module);
}

/* What the search for old code in all objects cost. */
static void print_heap(struct terminal *terminal, const json_t *heap)
{
	json_int_t walks = human_integer(heap, "walks");
	double ms = json_number_value(json_object_get(heap, "ms"));
	char duration[32];

	if (walks < 1 || ms < 0 || ms > 1e11)
		return;
	human_duration((json_int_t)(ms * 1e3), duration, sizeof(duration));
	if (walks == 1)
		(void)fprintf(terminal->out, "looked at the heap once, %s\n", duration);
	else
		(void)fprintf(terminal->out, "looked at the heap %" JSON_INTEGER_FORMAT " times, %s\n", walks, duration);
}

void human_modules(struct terminal *terminal, const struct options *options, const json_t *report)
{
	const json_t *modules = json_object_get(report, "modules"), *item;
	const struct widths widths = { width_of(modules, "state", INDENT_MAX), width_of(modules, "name", INDENT_MAX) };
	size_t i;

	json_array_foreach(modules, i, item)
		print_module(terminal, options, report, item, &widths);
	if (options->verbose)
		print_heap(terminal, json_object_get(report, "heap"));
}

/* "2024-05-01 14:02:11", marked as an estimate unless tracking saw it happen. */
static void print_loaded(struct terminal *terminal, const json_t *module)
{
	double seconds = json_number_value(json_object_get(module, "loaded_at"));
	bool exact = json_is_true(json_object_get(module, "exact"));
	char when[32] = "";
	struct tm tm;
	time_t t;

	if (seconds > 0 && seconds < 1e11) {
		t = (time_t)seconds;
		if (localtime_r(&t, &tm))
			(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	}
	(void)fprintf(terminal->out, "  %c%-19s", when[0] && !exact ? '~' : ' ', when);
}

/* Without tracking no load time may be known at all: then there is no column for it. */
static bool any_loaded(const json_t *modules)
{
	const json_t *module;
	size_t i;

	json_array_foreach(modules, i, module) {
		if (json_is_number(json_object_get(module, "loaded_at")))
			return true;
	}
	return false;
}

void human_table(struct terminal *terminal, const json_t *report)
{
	const json_t *modules = json_object_get(report, "modules"), *module;
	int states_width = width_of(modules, "state", INDENT_MAX), names_width = width_of(modules, "name", INDENT_MAX);
	bool times = any_loaded(modules);
	size_t i;

	json_array_foreach(modules, i, module) {
		print_head(terminal, module, states_width, names_width);
		if (times)
			print_loaded(terminal, module);
		(void)fputs("  ", terminal->out);
		human_field(terminal, module, "path");
		if (!print_all_names(terminal, module) && human_string(module, "why")[0] &&
		    strcmp(human_string(module, "why"), "content") != 0) {
			(void)fputs("  (", terminal->out);
			human_field(terminal, module, "why");
			(void)fputc(')', terminal->out);
		}
		(void)fputc('\n', terminal->out);
		print_warnings(terminal, module, states_width + 4);
	}
}
