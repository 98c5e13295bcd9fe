/* SPDX-License-Identifier: MIT
 *
 * The report for people. It is made from the same JSON object that scripts get, and from nothing else.
 */
#ifndef MR_HUMAN_H
#define MR_HUMAN_H

#include <jansson.h>

#include "options.h"
#include "terminal.h"

/* The report of one process, to stdout. titled: several processes, so output of code needs a line saying whose it is. */
void human_print(struct terminal *terminal, const struct options *options, const json_t *report, bool titled);
/* Its error and hint, traceback and notes, to stderr. */
void human_complain(struct terminal *terminal, const struct options *options, const json_t *report);
/* Its error says of each change why it cannot be made; that is not repeated beside the modules. */
bool human_is_refusal(const json_t *report);
/* Its timings, to stderr: what -v adds. */
void human_timing(struct terminal *terminal, const json_t *report);

/* "0.11 ms", "12 ms", "1.5 s" */
void human_duration(json_int_t us, char *ret, size_t size);

/* Shared by the files of the human report: fields of an object, "" where null; text written as one safe line. */
const char *human_string(const json_t *object, const char *key);
json_int_t human_integer(const json_t *object, const char *key);
void human_line(struct terminal *terminal, const json_t *string);
void human_field(struct terminal *terminal, const json_t *object, const char *key);

/* The modules of a report, one line each and what is to be said of them; how many there are in which state. */
void human_modules(struct terminal *terminal, const struct options *options, const json_t *report);
void human_module_counts(const json_t *report, char *ret, size_t size);
/* The list and stale tables. */
void human_table(struct terminal *terminal, const json_t *report);
void human_info(struct terminal *terminal, const json_t *report);

#endif
