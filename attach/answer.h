/* SPDX-License-Identifier: MIT
 *
 * The answer of the boot code, which may have been written by anything that lives in the target: only what has the
 * expected name and type gets through; what is missing or of another type becomes null, or an empty list.
 */
#ifndef MR_ANSWER_H
#define MR_ANSWER_H

#include <jansson.h>
#include <stddef.h>

#include "../inject/error.h"

/*
 * Parses the text of an answer. *ret is an object with every key of an answer, each of its right type: python,
 * executable, interpreter, gil_longest, modules, excluded_stale, heap, output, value, error, history, engine, notes, and
 * status, which is 0, 1 or 7. Errors: BUG (no such JSON), MEMORY.
 */
int answer_parse(const char *text, size_t size, json_t **ret, struct mr_error *err);

/* An object with the keys of "error", all null but those given. Takes text as it is shown: bytes of any origin. */
json_t *answer_error(const char *code, const char *message, const char *hint);

#endif
