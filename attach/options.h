/* SPDX-License-Identifier: MIT
 *
 * The command line as data. Nothing here looks at a process.
 */
#ifndef MR_OPTIONS_H
#define MR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../inject/inject.h"
#include "commands.h"

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

/* A list of words of the command line; the words themselves belong to argv. */
struct words {
	const char **word;
	size_t count;
};

struct options {
	const char *program;	/* argv[0] */
	pid_t *pids;		/* as typed, each once */
	size_t pids_count;
	bool tree;
	const char *unit, *cgroup;

	const struct command *command;
	struct words operands;	/* TARGETs, or CODE, or FILE and its ARGs */

	bool dry_run, full, dependents, all, force;
	struct words keep, reinit;
	const char *on_stack;	/* "report", "wait", "refuse" */

	enum mr_thread thread;
	double timeout;		/* seconds, 0 for none */
	long jobs;

	bool json, errors_gcc, quiet;
	int verbose;
	enum when color;
	bool help, version;	/* asked for: nothing else counts then */
};

/*
 * Parses the command line. Returns 0, or the negative code of err (MR_E_USAGE, MR_E_SELF, MR_E_MEMORY) with the
 * sentence to show. options_free() is needed in every case.
 */
int options_parse(int argc, char **argv, struct options *ret, struct mr_error *err);
void options_free(struct options *options);

#endif
