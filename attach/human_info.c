/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "human.h"
#include "util.h"

static void label(struct terminal *terminal, const char *name)
{
	(void)fprintf(terminal->out, "%-12s", name);
}

static void print_python(struct terminal *terminal, const json_t *python, const json_t *report)
{
	label(terminal, "python");
	if (json_is_object(python)) {
		(void)fprintf(terminal->out, "CPython %s, %s%s%s, %s\n", human_string(python, "version"),
			      json_is_true(json_object_get(python, "shared")) ? "shared libpython" :
										"built into its executable",
			      json_is_true(json_object_get(python, "debug")) ? ", debug build" : "",
			      json_is_true(json_object_get(python, "free_threaded")) ? ", free-threaded" : "",
			      human_string(python, "libc"));
		label(terminal, "image");
		human_field(terminal, python, "image");
	} else {
		(void)fputs("none that could be seen from here", terminal->out);
	}
	(void)fputc('\n', terminal->out);
	if (human_string(report, "executable")[0]) {
		label(terminal, "executable");
		human_field(terminal, report, "executable");
		(void)fputc('\n', terminal->out);
	}
}

static const char *state_words(const char *state)
{
	static const struct {
		const char *state, *words;
	} rows[] = {
		{ "R", "running" },	{ "S", "sleeping" },   { "D", "in an uninterruptible wait" },
		{ "T", "stopped" },	{ "t", "held by a tracer" }, { "Z", "a zombie" },
		{ "X", "dead" },	{ "I", "idle" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].state, state))
			return rows[i].words;
	}
	return "in an unknown state";
}

static void print_process(struct terminal *terminal, const json_t *process)
{
	double seconds = json_number_value(json_object_get(process, "started_at"));
	json_int_t threads = human_integer(process, "threads");
	char when[32] = "";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	label(terminal, "process");
	human_field(terminal, process, "comm");
	(void)fprintf(terminal->out,
		      ", uid %" JSON_INTEGER_FORMAT ", parent %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
		      " thread%s, started %s, %s%s\n",
		      human_integer(process, "euid"), human_integer(process, "ppid"), threads, threads == 1 ? "" : "s",
		      when, state_words(human_string(process, "state")),
		      json_is_true(json_object_get(process, "frozen")) ? ", frozen" : "");
	if (human_integer(process, "tracer")) {
		label(terminal, "tracer");
		human_field(terminal, process, "tracer_comm");
		(void)fprintf(terminal->out, " (pid %" JSON_INTEGER_FORMAT ")\n", human_integer(process, "tracer"));
	}
	if (human_integer(process, "seccomp") > 0) {
		label(terminal, "seccomp");
		(void)fputs(human_integer(process, "seccomp") == 1 ? "strict\n" : "filtered\n", terminal->out);
	}
}

static void print_namespaces(struct terminal *terminal, const json_t *info)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "pid", "pid" }, { "mnt", "mount" }, { "user", "user" }, { "net", "network" }, { "root", "root folder" },
	};
	const json_t *namespaces = json_object_get(info, "namespaces"), *process = json_object_get(info, "process");
	const char *between = "its own ";

	label(terminal, "namespaces");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!json_is_true(json_object_get(namespaces, rows[i].key)))
			continue;
		(void)fprintf(terminal->out, "%s%s", between, rows[i].name);
		between = ", ";
	}
	if (between[0] == 'i')
		(void)fputs("as ours", terminal->out);
	if (json_is_true(json_object_get(namespaces, "pid")))
		(void)fprintf(terminal->out, "; pid %" JSON_INTEGER_FORMAT " there", human_integer(process, "ns_pid"));
	(void)fputc('\n', terminal->out);
}

void human_info(struct terminal *terminal, const json_t *report)
{
	const json_t *info = json_object_get(report, "info"), *attach = json_object_get(info, "attach");
	bool allowed = json_is_true(json_object_get(attach, "allowed"));
	json_int_t regions = human_integer(info, "regions");
	bool engine = json_is_true(json_object_get(info, "engine"));

	print_python(terminal, json_object_get(info, "python"), report);
	if (human_integer(info, "interpreters") > 1) {
		label(terminal, "interpreters");
		(void)fprintf(terminal->out, "%" JSON_INTEGER_FORMAT "\n", human_integer(info, "interpreters"));
	}
	print_process(terminal, json_object_get(info, "process"));
	if (human_string(info, "doing")[0]) {
		label(terminal, "main thread");
		human_field(terminal, info, "doing");
		(void)fputc('\n', terminal->out);
	}
	print_namespaces(terminal, info);
	if (json_is_integer(json_object_get(info, "regions"))) {
		label(terminal, "ours");
		(void)fputs(engine ? "the engine" : regions ? "" : "nothing", terminal->out);
		if (regions)
			(void)fprintf(terminal->out, "%s%" JSON_INTEGER_FORMAT " idle region%s, freed by the next call",
				      engine ? ", " : "", regions, regions == 1 ? "" : "s");
		(void)fputc('\n', terminal->out);
	}
	label(terminal, "attaching");
	terminal_paint(terminal, allowed ? PAINT_GOOD : PAINT_BAD, allowed ? "allowed" : "not possible");
	if (!allowed) {
		(void)fputs(": ", terminal->out);
		human_field(terminal, attach, "message");
	}
	(void)fputc('\n', terminal->out);
	if (human_string(attach, "hint")[0]) {
		label(terminal, "cure");
		human_field(terminal, attach, "hint");
		(void)fputc('\n', terminal->out);
	}
}
