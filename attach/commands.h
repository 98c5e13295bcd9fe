/* SPDX-License-Identifier: MIT
 *
 * The commands: one row each, read by the option parser, the request and the report.
 */
#ifndef MR_COMMANDS_H
#define MR_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum command_id {
	COMMAND_INFO,
	COMMAND_TRACK,
	COMMAND_UNTRACK,
	COMMAND_LIST,
	COMMAND_STALE,
	COMMAND_RELOAD,
	COMMAND_RELOAD_STALE,
	COMMAND_UNDO,
	COMMAND_HISTORY,
	COMMAND_EXEC,
	COMMAND_RUN,
	COMMAND_WATCH,
	COMMAND_REPL,
};

/* Options that steer what happens in the target: one that a command does not know must not be taken in silence. */
enum command_option {
	OPTION_DRY_RUN = 1 << 0,
	OPTION_FULL = 1 << 1,
	OPTION_KEEP = 1 << 2,
	OPTION_REINIT = 1 << 3,
	OPTION_DEPENDENTS = 1 << 4,
	OPTION_ON_STACK = 1 << 5,
	OPTION_ALL = 1 << 6,
	OPTION_RELOADING = OPTION_DRY_RUN | OPTION_FULL | OPTION_KEEP | OPTION_REINIT | OPTION_DEPENDENTS |
			   OPTION_ON_STACK | OPTION_ALL,
};

struct command {
	enum command_id id;
	unsigned int options;	/* enum command_option */
	const char *name;
	const char *operands;	/* as in the synopsis: "TARGET...", "" for none */
	const char *what;	/* one line of help */
	bool targets;		/* its operands are TARGETs, at least one */
	bool code;		/* its first operand is code or a file with code; what follows is not ours */
	bool engine;		/* the engine goes along into the target */
	bool reloads;		/* changes code: its report is about modules */
	bool later;		/* in the contract, not in this version */
};

extern const struct command commands[];
extern const size_t commands_count;

const struct command *command_find(const char *name);	/* NULL when there is none of this name */

/* The known word nearest to a mistyped one, or NULL when none is near. */
const char *word_nearest(const char *word, const char *const *known, size_t count);
const char *command_nearest(const char *name);

#endif
