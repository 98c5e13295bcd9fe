/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <string.h>

#include "util.h"

const struct command commands[] = {
	{ COMMAND_INFO, 0, "info", "", "what it is, what it does, and whether attaching is allowed; never stops it",
	  .engine = false },
	{ COMMAND_TRACK, 0, "track", "", "install tracking: later loads are timed, their source is kept",
	  .engine = true },
	{ COMMAND_UNTRACK, 0, "untrack", "", "remove all that mr-attach ever put there; reloaded code stays",
	  .engine = true },
	{ COMMAND_LIST, OPTION_ALL, "list", "", "user modules: name, source, load time, state", .engine = true },
	{ COMMAND_STALE, OPTION_ALL, "stale", "", "modules whose code differs from their source, and why",
	  .engine = true },
	{ COMMAND_RELOAD, OPTION_RELOADING, "reload", "TARGET...", "reload the named modules, if stale",
	  .targets = true, .engine = true, .reloads = true },
	{ COMMAND_RELOAD_STALE, OPTION_RELOADING, "reload-stale", "",
	  "reload every stale user module, in dependency order", .engine = true, .reloads = true },
	{ COMMAND_UNDO, 0, "undo", "", "put back what the newest command not yet undone replaced", .engine = true,
	  .reloads = true },
	{ COMMAND_HISTORY, 0, "history", "", "what was reloaded or undone in this process", .engine = true },
	{ COMMAND_EXEC, 0, "exec", "CODE", "run Python there; output and value come back; - reads standard input",
	  .code = true },
	{ COMMAND_RUN, 0, "run", "FILE [ARG...]", "the same from a file of ours", .code = true },
	{ COMMAND_WATCH, OPTION_RELOADING, "watch", "", "reload-stale whenever a source changes", .engine = true,
	  .reloads = true, .later = true },
	{ COMMAND_REPL, 0, "repl", "", "an interactive Python prompt inside the process", .later = true },
};

const size_t commands_count = ARRAY_LEN(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < commands_count; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) from one word to the other; WORD_MAX for long words. */
static size_t word_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t a_size = strlen(a), b_size = strlen(b);

	if (a_size > WORD_MAX || b_size > WORD_MAX)
		return WORD_MAX;
	memset(rows, 0, sizeof(rows));
	for (size_t j = 0; j <= b_size; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_size];
}

const char *word_nearest(const char *word, const char *const *known, size_t count)
{
	size_t best = strlen(word) / 3 + 2;
	const char *ret = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t distance = word_distance(word, known[i]);

		if (distance < best && distance < strlen(known[i])) {
			ret = known[i];
			best = distance;
		}
	}
	return ret;
}

const char *command_nearest(const char *name)
{
	const char *names[ARRAY_LEN(commands)];
	size_t count = 0;

	for (size_t i = 0; i < commands_count; i++) {
		if (!commands[i].later)
			names[count++] = commands[i].name;
	}
	return word_nearest(name, names, count);
}
