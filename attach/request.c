/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "text.h"
#include "util.h"

static json_t *bytes(const char *text)
{
	return text ? text_json_latin1(text, strlen(text)) : json_null();
}

static json_t *bytes_list(const struct words *words, size_t from)
{
	json_t *list = json_array();

	for (size_t i = from; list && i < words->count; i++) {
		if (json_array_append_new(list, bytes(words->word[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool is_path(const char *text)
{
	size_t size = strlen(text);

	return strchr(text, '/') || (size >= 3 && !strcmp(text + size - 3, ".py"));
}

/* The file as we see it: device and inode tell it from one of the same name in the target's root. */
static json_t *ours(const char *path)
{
	struct stat st;
	AUTO_FREE char *real = realpath(path, NULL);

	if (!real || stat(real, &st))
		return json_null();
	return json_pack("{s:I, s:I, s:o}", "dev", (json_int_t)st.st_dev, "ino", (json_int_t)st.st_ino, "path",
			 bytes(real));
}

static json_t *target(const char *text)
{
	bool path = is_path(text);

	return json_pack("{s:o, s:s, s:o}", "text", bytes(text), "kind", path ? "path" : "name", "ours",
			 path ? ours(text) : json_null());
}

static json_t *targets(const struct options *options)
{
	json_t *list = json_array();

	for (size_t i = 0; list && options->command->targets && i < options->operands.count; i++) {
		if (json_array_append_new(list, target(options->operands.word[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *steering(const struct options *options)
{
	return json_pack("{s:b, s:b, s:o, s:o, s:b, s:s, s:b, s:b, s:i, s:f}", "dry_run", options->dry_run, "full",
			 options->full, "keep", bytes_list(&options->keep, 0), "reinit",
			 bytes_list(&options->reinit, 0), "dependents", options->dependents, "on_stack",
			 options->on_stack, "all", options->all, "force", options->force, "verbose",
			 options->verbose, "work_timeout", options->timeout);
}

static json_t *argv_of(const struct options *options)
{
	return options->command->id == COMMAND_RUN ? bytes_list(&options->operands, 1) : json_array();
}

int request_build(const struct options *options, const struct source *source, char **ret, size_t *ret_size,
		  struct mr_error *err)
{
	bool code = options->command->code;
	AUTO_JSON json_t *input = json_pack(
		"{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:o}, s:{s:i, s:i}}", "schema", 1, "version",
		MR_VERSION, "command", options->command->name, "args",
		code ? json_array() : bytes_list(&options->operands, 0), "targets", targets(options), "code",
		source->code ? text_json_latin1(source->code, source->size) : json_null(), "filename",
		bytes(source->filename), "argv", argv_of(options), "options", steering(options), "who", "uid",
		(json_int_t)getuid(), "sudo_user", bytes(getenv("SUDO_USER")), "limits", "output", REQUEST_OUTPUT_MAX,
		"value", REQUEST_VALUE_MAX);

	*ret_size = input ? json_dumpb(input, NULL, 0, JSON_COMPACT) : 0;
	*ret = *ret_size ? calloc(1, *ret_size + 1) : NULL;	/* of the size that it needs: nothing of it is ever lacking */
	if (!*ret || json_dumpb(input, *ret, *ret_size, JSON_COMPACT) != *ret_size)
		return mr_fail(err, MR_E_MEMORY, 0, "building the request");
	return 0;
}
