/* SPDX-License-Identifier: MIT
 *
 * Where the words go: the report to stdout, errors, hints, notes, steps and progress to stderr.
 */
#ifndef MR_TERMINAL_H
#define MR_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "options.h"
#include "text.h"

struct terminal {
	FILE *out, *err;
	bool out_color, err_color;
	enum text_keep out_keep;	/* how a program's own output goes out: escaped on a terminal, as it is in a pipe */
	bool progress;			/* stderr is a terminal that can go back to the start of a line */
	bool line_open;			/* a line of progress stands there */
	int failed;			/* errno of the first write to stdout that failed */
};

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_CHANGED, PAINT_BAD, PAINT_DIM };

/* Makes the three standard descriptors exist, so that no other file can take their place. Call it first of all. */
void terminal_reserve(void);

void terminal_open(struct terminal *ret, const struct options *options);
/* A word of the report, in colour where that is wanted. */
void terminal_paint(struct terminal *terminal, enum paint paint, const char *word);
/* One line on stderr that the next one replaces; nothing when stderr is no terminal. */
void terminal_progress(struct terminal *terminal, const char *text);
void terminal_progress_end(struct terminal *terminal);
/* "mr-attach: …" on stderr, escaped. */
void terminal_say(struct terminal *terminal, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void terminal_hint(struct terminal *terminal, const char *hint);
/* Writes out what stdout holds. Returns 0, or MR_E_REPORT when anything was lost. */
int terminal_flush(struct terminal *terminal);
int terminal_close(struct terminal *terminal, struct mr_error *err);

#endif
