/* SPDX-License-Identifier: MIT
 *
 * What the boot code in the target gets to read: the command line and the code as one JSON text. The target parses it
 * without a JSON library: raw UTF-8, no escape but \" \\ and those of control characters. Bytes of the command line
 * stand in it as the characters of the same numbers.
 */
#ifndef MR_REQUEST_H
#define MR_REQUEST_H

#include <stddef.h>

#include "options.h"
#include "source.h"

#define REQUEST_OUTPUT_MAX 1048576	/* characters of output that come back */
#define REQUEST_VALUE_MAX 262144	/* characters of a value that come back */

/* The input for mr_run(). Errors: MEMORY. Freed with free(). */
int request_build(const struct options *options, const struct source *source, char **ret, size_t *ret_size,
		  struct mr_error *err);

#endif
