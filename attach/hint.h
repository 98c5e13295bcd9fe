/* SPDX-License-Identifier: MIT
 *
 * Hints as commands that can be typed as they stand.
 */
#ifndef MR_HINT_H
#define MR_HINT_H

#include <jansson.h>

#include "options.h"

/* The command as it would be typed again for this pid: "mr-attach 42 list"; code is not repeated. */
void hint_retry(const struct options *options, pid_t pid, char *ret, size_t size);

/*
 * Completes the "hint" of an error, or of info's "attach": the word PID becomes the number. What the engine says
 * (answer) knows neither mr-attach nor the process: "reload a" becomes "mr-attach 42 reload a", "--keep X" the whole
 * command with it, and a change that no running process can take gets a hint where the engine gave none.
 * Returns 0, or -1 when out of memory.
 */
int hint_complete(json_t *error, const struct options *options, pid_t pid, bool answer);

#endif
