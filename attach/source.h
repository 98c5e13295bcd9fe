/* SPDX-License-Identifier: MIT
 *
 * The code that exec and run carry along, read on our side.
 */
#ifndef MR_SOURCE_H
#define MR_SOURCE_H

#include <stddef.h>

#include "options.h"

#define SOURCE_MAX (64u << 20)

struct source {
	char *code;		/* bytes; NULL when the command carries none */
	size_t size;
	const char *filename;	/* what tracebacks show: "<exec>", "<stdin>", or the operand */
};

/* Errors: USAGE (the file cannot be read, is too large, or there is no code), MEMORY. Freed with source_free(). */
int source_read(const struct options *options, struct source *ret, struct mr_error *err);
void source_free(struct source *source);

#endif
