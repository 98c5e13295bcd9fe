/* SPDX-License-Identifier: MIT
 *
 * One command in one process: may we, look, run, and the report of it.
 */
#ifndef MR_RUN_H
#define MR_RUN_H

#include <jansson.h>

#include "select.h"
#include "terminal.h"

/* What is the same for every process of a command. */
struct run {
	const struct options *options;
	struct terminal *terminal;
	const char *input;	/* the request, see request.h */
	size_t input_size;
};

/*
 * What came of the work there: begun is what began and was not seen to end; failed is what said no; lost is what was
 * interrupted, or failed, and could not be put back in all.
 */
enum work { WORK_NONE, WORK_BEGUN, WORK_INTERRUPTED, WORK_FAILED, WORK_LOST, WORK_DONE };

struct outcome {
	json_t *report;		/* NULL when the process was skipped, or out of memory */
	bool skipped;		/* a selector found it, and it is not Python */
	enum work work;
	int status;
};

void run_process(const struct run *run, const struct selected *process, struct outcome *ret);

#endif
