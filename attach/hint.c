/* SPDX-License-Identifier: MIT */
#include "hint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "util.h"

/* Appends a word as a shell would need it. Returns false when there is no room. */
static bool append_word(char *line, size_t size, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-";
	bool quote = !word[0] || strspn(word, plain) != strlen(word);
	size_t used = strlen(line);
	int length;

	if (strchr(word, '\''))
		return false;
	length = snprintf(line + used, size - used, quote ? "%s'%s'" : "%s%s", used ? " " : "", word);
	if (length >= 0 && (size_t)length < size - used)
		return true;
	line[used] = '\0';
	return false;
}

static void spell_program(const struct options *options, pid_t pid, char *ret, size_t size)
{
	char number[24];

	ret[0] = '\0';
	(void)snprintf(number, sizeof(number), "%ld", (long)pid);
	(void)append_word(ret, size, options->program);
	(void)append_word(ret, size, number);
}

static bool append_each(char *line, size_t size, const char *option, const struct words *words)
{
	bool all = true;

	for (size_t i = 0; all && i < words->count; i++)
		all = append_word(line, size, option) && append_word(line, size, words->word[i]);
	return all;
}

/* What was asked for stays asked for: a hint to add an option must not take away others. */
static bool append_options(char *line, size_t size, const struct options *options)
{
	return (!options->dry_run || append_word(line, size, "-n")) && (!options->all || append_word(line, size, "--all")) &&
	       (!options->full || append_word(line, size, "--full")) &&
	       (!options->dependents || append_word(line, size, "--dependents")) &&
	       append_each(line, size, "--keep", &options->keep) &&
	       append_each(line, size, "--reinit", &options->reinit);
}

void hint_retry(const struct options *options, pid_t pid, char *ret, size_t size)
{
	const struct words *operands = &options->operands;
	bool all = !options->command->code;

	spell_program(options, pid, ret, size);
	(void)append_word(ret, size, options->command->name);
	for (size_t i = 0; all && i < operands->count; i++)
		all = append_word(ret, size - 4, operands->word[i]);
	if (!options->command->code)
		all = all && append_options(ret, size - 4, options);
	if (!all)
		(void)append_word(ret, size, "...");
}

static bool is_word_end(char c)
{
	return !isalnum((unsigned char)c) && c != '_' && c != '-';
}

/* What has to stand before this part of a hint to make a command of it; "" for prose. */
static void spell_before(const char *part, const struct options *options, pid_t pid, char *ret, size_t size)
{
	ret[0] = '\0';
	if (!strncmp(part, "--", 2) && !options->command->code)
		hint_retry(options, pid, ret, size);
	for (size_t i = 0; i < commands_count; i++) {
		size_t length = strlen(commands[i].name);

		if (!commands[i].code && !strncmp(part, commands[i].name, length) && is_word_end(part[length]))
			spell_program(options, pid, ret, size);
	}
}

static bool is_pid_word(const char *hint, const char *at)
{
	return !strncmp(at, "PID", 3) && is_word_end(at[3]) && (at == hint || is_word_end(at[-1]));
}

static void write_hint(FILE *out, const char *hint, const struct options *options, pid_t pid, bool answer)
{
	for (const char *at = hint; *at;) {
		char before[512] = "";

		if (answer && (at == hint || (at >= hint + 2 && at[-2] == ';' && at[-1] == ' ')))
			spell_before(at, options, pid, before, sizeof(before));
		(void)fprintf(out, "%s%s", before, before[0] ? " " : "");
		if (is_pid_word(hint, at)) {
			(void)fprintf(out, "%ld", (long)pid);
			at += 3;
		} else {
			(void)fputc(*at++, out);
		}
	}
}

/* Changes that the objects of a running process cannot follow. */
static const char *hint_lacking(const json_t *error)
{
	static const char *const words[] = { "enum", "EnumType", "__slots__", "the bases" };
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (!code || !message || strcmp(code, "refused") != 0 || strstr(message, "--reinit"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strstr(message, words[i]))
			return "this change needs a restart of the process";
	}
	return NULL;
}

int hint_complete(json_t *error, const struct options *options, pid_t pid, bool answer)
{
	const char *hint = json_string_value(json_object_get(error, "hint"));
	AUTO_FREE char *whole = NULL;
	size_t size;
	FILE *out;

	if (!hint && answer)
		hint = hint_lacking(error);
	if (!hint)
		return 0;
	out = open_memstream(&whole, &size);
	if (!out)
		return -1;
	write_hint(out, hint, options, pid, answer);
	if (fclose(out))
		return -1;
	return json_object_set_new(error, "hint", text_json(whole, size));
}
