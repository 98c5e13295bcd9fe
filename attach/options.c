/* SPDX-License-Identifier: MIT
 *
 * mr-attach [OPTIONS] PID... COMMAND [ARG...]
 *
 * getopt_long hands out the words in the order in which they stand ("-" at the front of the short options), so options
 * may stand anywhere, and reading can end at the operand of exec and run, after which nothing is ours.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

enum {
	LONG_FULL = 256,
	LONG_KEEP,
	LONG_REINIT,
	LONG_DEPENDENTS,
	LONG_ON_STACK,
	LONG_ALL,
	LONG_THREAD,
	LONG_ERRORS,
	LONG_JOBS,
	LONG_ALL_OR_NOTHING,
	LONG_COLOR,
	LONG_FORCE,
	LONG_VERSION,
	LONG_TREE,
	LONG_UNIT,
	LONG_CGROUP,
};

static const struct option long_options[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "full", no_argument, NULL, LONG_FULL },
	{ "keep", required_argument, NULL, LONG_KEEP },
	{ "reinit", required_argument, NULL, LONG_REINIT },
	{ "dependents", no_argument, NULL, LONG_DEPENDENTS },
	{ "on-stack", required_argument, NULL, LONG_ON_STACK },
	{ "all", no_argument, NULL, LONG_ALL },
	{ "thread", required_argument, NULL, LONG_THREAD },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "errors", required_argument, NULL, LONG_ERRORS },
	{ "jobs", required_argument, NULL, LONG_JOBS },
	{ "all-or-nothing", no_argument, NULL, LONG_ALL_OR_NOTHING },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "color", required_argument, NULL, LONG_COLOR },
	{ "force", no_argument, NULL, LONG_FORCE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, LONG_VERSION },
	{ "tree", no_argument, NULL, LONG_TREE },
	{ "unit", required_argument, NULL, LONG_UNIT },
	{ "cgroup", required_argument, NULL, LONG_CGROUP },
	{ NULL, 0, NULL, 0 },
};

static const char short_options[] = "-:nt:jqvh";

#define TIMEOUT_MAX 1e6	/* seconds; more is a typing error */

#define usage(err, ...) mr_fail((err), MR_E_USAGE, 0, __VA_ARGS__)

static int no_memory(struct mr_error *err)
{
	return mr_fail(err, MR_E_MEMORY, 0, "reading the command line");
}

static int words_add(struct words *words, const char *word, struct mr_error *err)
{
	const char **more = reallocarray(words->word, words->count + 1, sizeof(*more));

	if (!more)
		return no_memory(err);
	words->word = more;
	words->word[words->count++] = word;
	return 0;
}

static int parse_seconds(const char *text, double *ret, struct mr_error *err)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(value) || value < 0 || value > TIMEOUT_MAX)
		return usage(err, "--timeout takes a number of seconds, not '%s'", text);
	*ret = value;
	return 0;
}

static int parse_jobs(const char *text, long *ret, struct mr_error *err)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end || errno || value < 1)
		return usage(err, "--jobs takes a number from 1 on, not '%s'", text);
	*ret = value;
	return 0;
}

/* Which of the words it is; names them all when it is none. */
static int parse_choice(const char *option, const char *text, const char *const *choices, size_t count,
			struct mr_error *err)
{
	char list[128] = "";

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(text, choices[i]))
			return (int)i;
		(void)strncat(list, i ? i + 1 < count ? ", " : " or " : "", sizeof(list) - strlen(list) - 1);
		(void)strncat(list, choices[i], sizeof(list) - strlen(list) - 1);
	}
	return mr_fail(err, MR_E_USAGE, 0, "%s takes %s, not '%s'", option, list, text);
}

static int parse_on_stack(const char *text, struct options *ret, struct mr_error *err)
{
	static const char *const choices[] = { "report", "wait", "refuse" };
	int choice = parse_choice("--on-stack", text, choices, ARRAY_LEN(choices), err);

	if (choice < 0)
		return choice;
	ret->on_stack = choices[choice];
	return 0;
}

static int parse_thread(const char *text, struct options *ret, struct mr_error *err)
{
	static const char *const choices[] = { "auto", "main", "any" };
	int choice = parse_choice("--thread", text, choices, ARRAY_LEN(choices), err);

	if (choice < 0)
		return choice;
	ret->thread = (enum mr_thread)choice;
	return 0;
}

static int parse_color(const char *text, struct options *ret, struct mr_error *err)
{
	static const char *const choices[] = { "auto", "always", "never" };
	int choice = parse_choice("--color", text, choices, ARRAY_LEN(choices), err);

	if (choice < 0)
		return choice;
	ret->color = (enum when)choice;
	return 0;
}

static int parse_errors(const char *text, struct options *ret, struct mr_error *err)
{
	static const char *const choices[] = { "prose", "gcc" };
	int choice = parse_choice("--errors", text, choices, ARRAY_LEN(choices), err);

	if (choice < 0)
		return choice;
	ret->errors_gcc = choice == 1;
	return 0;
}

/* The options without an argument. Returns false when it is none of them. */
static bool parse_flag(int option, struct options *ret)
{
	bool *flag = NULL;

	switch (option) {
	case 'n': flag = &ret->dry_run; break;
	case 'j': flag = &ret->json; break;
	case 'q': flag = &ret->quiet; break;
	case 'h': flag = &ret->help; break;
	case LONG_VERSION: flag = &ret->version; break;
	case LONG_FULL: flag = &ret->full; break;
	case LONG_DEPENDENTS: flag = &ret->dependents; break;
	case LONG_ALL: flag = &ret->all; break;
	case LONG_FORCE: flag = &ret->force; break;
	case LONG_TREE: flag = &ret->tree; break;
	case 'v': ret->verbose++; return true;
	default: return false;
	}
	*flag = true;
	return true;
}

static int parse_option(int option, struct options *ret, struct mr_error *err)
{
	if (parse_flag(option, ret))
		return 0;
	switch (option) {
	case 't': return parse_seconds(optarg, &ret->timeout, err);
	case LONG_JOBS: return parse_jobs(optarg, &ret->jobs, err);
	case LONG_KEEP: return words_add(&ret->keep, optarg, err);
	case LONG_REINIT: return words_add(&ret->reinit, optarg, err);
	case LONG_ON_STACK: return parse_on_stack(optarg, ret, err);
	case LONG_THREAD: return parse_thread(optarg, ret, err);
	case LONG_ERRORS: return parse_errors(optarg, ret, err);
	case LONG_COLOR: return parse_color(optarg, ret, err);
	case LONG_UNIT: ret->unit = optarg; return 0;
	case LONG_CGROUP: ret->cgroup = optarg; return 0;
	case LONG_ALL_OR_NOTHING: return usage(err, "--all-or-nothing is not available in this version");
	default: return mr_fail(err, MR_E_BUG, 0, "option %d has no meaning", option);
	}
}

/* getopt says ':' for a missing argument, '?' for an unknown, ambiguous or unwanted one; word is what was typed. */
static int wrong_option(int what, const char *word, struct mr_error *err)
{
	const char *names[ARRAY_LEN(long_options)], *nearest;
	bool is_long = !strncmp(word, "--", 2);
	size_t count = 0;

	if (what == ':' && is_long)
		return usage(err, "the option %s needs an argument", word);
	if (what == ':')
		return usage(err, "the option -%c needs an argument", optopt);
	if (!is_long)
		usage(err, "unknown option -%c", optopt);
	else if (optopt)
		return usage(err, "the option %s takes no argument", word);
	else
		usage(err, "unknown option %s", word);
	for (size_t i = 0; long_options[i].name; i++)
		names[count++] = long_options[i].name;
	nearest = is_long ? word_nearest(word + 2, names, count) : NULL;
	if (nearest)
		return mr_hint(err, "did you mean --%s?", nearest);
	return mr_hint(err, "put -- in front of a word that begins with '-' and is no option; see mr-attach --help");
}

static int add_pid(const char *word, struct options *ret, struct mr_error *err)
{
	char *end;
	long value;
	pid_t *more;

	errno = 0;
	value = strtol(word, &end, 10);
	if (*end || errno || value < 1 || value > INT_MAX)
		return usage(err, "'%s' is not a PID", word);
	if (value == getpid())
		return mr_fail(err, MR_E_SELF, 0, "%ld", value);
	for (size_t i = 0; i < ret->pids_count; i++) {
		if (ret->pids[i] == value)
			return 0;
	}
	more = reallocarray(ret->pids, ret->pids_count + 1, sizeof(*more));
	if (!more)
		return no_memory(err);
	ret->pids = more;
	ret->pids[ret->pids_count++] = (pid_t)value;
	return 0;
}

static int set_command(const char *word, struct options *ret, struct mr_error *err)
{
	const char *nearest;

	ret->command = command_find(word);
	if (ret->command && ret->command->later)
		return usage(err, "%s is not available in this version", word);
	if (ret->command)
		return 0;
	usage(err, "unknown command '%s'", word);
	nearest = command_nearest(word);
	if (nearest)
		return mr_hint(err, "did you mean %s?", nearest);
	return mr_hint(err, "the commands are listed by mr-attach --help");
}

/* A word that is no option: a PID, then the command, then its operands. */
static int parse_word(const char *word, struct options *ret, struct mr_error *err)
{
	if (ret->command)
		return words_add(&ret->operands, word, err);
	if (word[0] >= '0' && word[0] <= '9')
		return add_pid(word, ret, err);
	return set_command(word, ret, err);
}

static bool operands_are_foreign(const struct options *options)
{
	return options->command && options->command->code && options->operands.count;
}

static int parse_words(int argc, char **argv, struct options *ret, struct mr_error *err)
{
	int r = 0;

	optind = 0;	/* glibc: begin anew */
	opterr = 0;
	while (!r && !operands_are_foreign(ret)) {
		int at = optind ? optind : 1;
		int option = getopt_long(argc, argv, short_options, long_options, NULL);

		if (option < 0)
			break;
		if (option == 1)
			r = parse_word(optarg, ret, err);
		else if (option == '?' || option == ':')
			r = wrong_option(option, argv[at], err);
		else
			r = parse_option(option, ret, err);
	}
	while (!r && optind < argc)
		r = parse_word(argv[optind++], ret, err);
	return r;
}

/* An option that this command would ignore may be the one that the user relies on: exec --dry-run must not run. */
static int check_options(const struct options *options, struct mr_error *err)
{
	const struct {
		bool given;
		unsigned int option;
		const char *name;
	} rows[] = {
		{ options->dry_run, OPTION_DRY_RUN, "--dry-run" },
		{ options->full, OPTION_FULL, "--full" },
		{ options->keep.count > 0, OPTION_KEEP, "--keep" },
		{ options->reinit.count > 0, OPTION_REINIT, "--reinit" },
		{ options->dependents, OPTION_DEPENDENTS, "--dependents" },
		{ options->on_stack != NULL, OPTION_ON_STACK, "--on-stack" },
		{ options->all, OPTION_ALL, "--all" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].given && !(options->command->options & rows[i].option))
			return mr_fail(err, MR_E_USAGE, 0, "%s does not go with %s", rows[i].name,
				       options->command->name);
	}
	return 0;
}

static int check_operands(const struct options *options, struct mr_error *err)
{
	const struct command *command = options->command;
	const struct words *operands = &options->operands;

	if ((command->targets || command->code) && !operands->count)
		return mr_fail(err, MR_E_USAGE, 0, "%s needs %s", command->name, command->operands);
	if (!command->targets && !command->code && operands->count)
		return mr_fail(err, MR_E_USAGE, 0, "%s takes no operand, but there is '%s'", command->name,
			       operands->word[0]);
	for (size_t i = 0; command->targets && i < operands->count; i++) {
		if (!operands->word[i][0])
			return usage(err, "an operand of %s is empty", command->name);
	}
	if (command->id == COMMAND_EXEC && operands->count > 1) {
		usage(err, "exec takes its code as one word, but '%s' follows it", operands->word[1]);
		return mr_hint(err, "options go before the code, and the code in quotes");
	}
	if (command->id == COMMAND_EXEC && !operands->word[0][0])
		return usage(err, "the code is empty");
	return 0;
}

static int check_selection(const struct options *options, struct mr_error *err)
{
	const char *selector = options->unit ? "--unit" : "--cgroup";
	bool selected = options->unit || options->cgroup;

	if (options->unit && options->cgroup)
		return usage(err, "--unit and --cgroup do not go together");
	if (selected && (options->pids_count || options->tree))
		return usage(err, "%s stands instead of PIDs", selector);
	if (!selected && !options->pids_count)
		return usage(err, "no PID given: did the pgrep find nothing?");
	return 0;
}

static int check(const struct options *options, struct mr_error *err)
{
	int r = check_selection(options, err);

	if (!r && !options->command)
		r = usage(err, "no command given");
	if (!r)
		r = check_operands(options, err);
	if (!r)
		r = check_options(options, err);
	return r;
}

int options_parse(int argc, char **argv, struct options *ret, struct mr_error *err)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->program = argc > 0 ? argv[0] : "mr-attach";
	ret->timeout = 10;
	r = parse_words(argc, argv, ret, err);
	/* What stands before a mistake counts: `mr-attach --help frob` is a wish for help. */
	if (ret->help || ret->version) {
		*err = (struct mr_error)MR_ERROR_INIT;
		return 0;
	}
	if (!r)
		r = check(ret, err);
	if (!ret->on_stack)
		ret->on_stack = "report";
	return r;
}

void options_free(struct options *options)
{
	free(options->pids);
	free(options->operands.word);
	free(options->keep.word);
	free(options->reinit.word);
	memset(options, 0, sizeof(*options));
}
