/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct row {
	const char *name, *text, *hint;
	int status;
};

static const struct row rows[MR_CODES] = {
	[MR_OK] = { "ok", "done", "", 0 },
#define MR_ERROR(code, name, status, text, hint) [MR_E_##code] = { name, text, hint, status },
#include "errors.def"
#undef MR_ERROR
};

int mr_fail(struct mr_error *err, enum mr_code code, int sys, const char *fmt, ...)
{
	if (err && err->code == MR_OK) {
		va_list ap;

		err->code = code;
		err->sys = sys;
		va_start(ap, fmt);
		(void)vsnprintf(err->what, sizeof(err->what), fmt, ap);
		va_end(ap);
	}
	return -(int)code;
}

int mr_hint(struct mr_error *err, const char *fmt, ...)
{
	if (!err)
		return -(int)MR_E_BUG;
	if (!err->hint[0]) {
		va_list ap;

		va_start(ap, fmt);
		(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
		va_end(ap);
	}
	return -(int)err->code;
}

enum mr_code mr_code_of(int sys)
{
	switch (sys) {
	case ENOENT:
	case ESRCH:
		return MR_E_ENDED;
	case EACCES:
	case EPERM:
		return MR_E_NOT_PERMITTED;
	case EMFILE:
	case ENFILE:
		return MR_E_FILES;
	case ENOMEM:
		return MR_E_MEMORY;
	default:
		return MR_E_BUG;
	}
}

static const struct row *row_of(enum mr_code code)
{
	return &rows[(unsigned int)code < MR_CODES ? code : MR_E_BUG];
}

const char *mr_code_name(enum mr_code code)
{
	return row_of(code)->name;
}

const char *mr_code_text(enum mr_code code)
{
	return row_of(code)->text;
}

const char *mr_code_hint(enum mr_code code)
{
	return row_of(code)->hint;
}

int mr_code_status(enum mr_code code)
{
	return row_of(code)->status;
}
