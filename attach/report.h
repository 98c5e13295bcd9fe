/* SPDX-License-Identifier: MIT
 *
 * The report of one process: one JSON object, the same for scripts and for people, with every key always there.
 */
#ifndef MR_REPORT_H
#define MR_REPORT_H

#include <jansson.h>

#include "options.h"

/* A report of which nothing is known yet but pid and command. NULL when out of memory. */
json_t *report_new(const char *command, pid_t pid);

/* Takes over what an answer says (see answer.h); its status becomes the report's. */
int report_take_answer(json_t *report, json_t *answer);
/* How it went: delivery and timings. */
int report_take_timing(json_t *report, const struct mr_answer *answer);
/* What was seen from outside; an answer that comes later knows better. */
int report_take_look(json_t *report, const struct mr_facts *facts, const struct mr_python *python);
/* One more of the notes. Returns 0, or -1 when out of memory. */
int report_note(json_t *report, const char *text);
/* Sets error and status; one that is there already stays. */
int report_take_error(json_t *report, const struct mr_error *error);

/* The policy of ours that is no policy of the process; a whole sentence. */
#define REPORT_NO_MOMENT "a free-threaded CPython has no moment in which code can be exchanged"

/* The whole sentence of an error: what is wrong, with which thing, why. Freed with free(); NULL when out of memory. */
char *report_sentence(const struct mr_error *error);
/* The hint for it, "" for none. */
const char *report_hint(const struct mr_error *error);

int report_status(const json_t *report);
bool report_is_error(const json_t *report, const char *code);
/* What --on-stack wait waited for did not come before the timeout. */
int report_waited(json_t *report);
/* The work ended because it was interrupted, by the timeout or by a signal to us. */
bool report_interrupted(const json_t *report);
/* A reload failed, and not everything could be put back. */
bool report_lost(const json_t *report);
/* Code of the program ran, and may have done more than bind names, which is all that is put back. */
bool report_beyond(const json_t *report);

/* One line of JSON (without the newline) as scripts get it. NULL when out of memory. Freed with free(). */
char *report_json(const json_t *report);

/* "3.11.7", or "3.11" where only a run can tell more. */
void report_version(const struct mr_python *python, char *ret, size_t size);

#endif
