/* SPDX-License-Identifier: MIT
 *
 * Errors: a fallible function returns 0, or a negative code of enum mr_code, and fills the caller's struct mr_error
 * once, at the place that detects the fault. The first cause wins: a second mr_fail() on the same struct changes nothing.
 */
#ifndef MR_ERROR_H
#define MR_ERROR_H

enum mr_code {
	MR_OK = 0,
#define MR_ERROR(name, code, status, text, hint) MR_E_##name,
#include "errors.def"
#undef MR_ERROR
	MR_CODES,
};

struct mr_error {
	enum mr_code code;
	int sys;	 /* errno of the step that failed, or 0 */
	char what[512];	 /* which step, on which thing; "" when the sentence of the code says it all */
	char hint[512];	 /* the cure for this machine; "" takes the one of the table */
};

#define MR_ERROR_INIT { .code = MR_OK }

/* Fills err (may be NULL) unless it is filled already. sys is an errno or 0. Returns -code. */
int mr_fail(struct mr_error *err, enum mr_code code, int sys, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Sets the hint of an error that was just made; keeps an earlier one. Returns -err->code. */
int mr_hint(struct mr_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a call failed of that looked at a process: MR_E_ENDED where it says that the process is not there. */
enum mr_code mr_code_of(int sys);

const char *mr_code_name(enum mr_code code);	 /* "no-such-process" */
const char *mr_code_text(enum mr_code code);	 /* "no such process" */
const char *mr_code_hint(enum mr_code code);	 /* the table's hint, "" if none */
int mr_code_status(enum mr_code code);		 /* the exit status, 0 for MR_OK */

#endif
