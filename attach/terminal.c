/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "util.h"

void terminal_reserve(void)
{
	/*
	 * With descriptor 1 closed, the next file opened would be "stdout", and it might be the memory of the target.
	 * Opened for reading, it makes every write fail with EBADF, just as the closed one would have.
	 */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			return;
	}
}

static bool is_dumb(void)
{
	const char *term = getenv("TERM");

	return !term || !strcmp(term, "dumb") || !term[0];
}

static bool wants_color(enum when when, int fd)
{
	const char *no_color = getenv("NO_COLOR");

	if (when != WHEN_AUTO)
		return when == WHEN_ALWAYS;
	return isatty(fd) && !is_dumb() && !(no_color && no_color[0]);
}

void terminal_open(struct terminal *ret, const struct options *options)
{
	memset(ret, 0, sizeof(*ret));
	ret->out = stdout;
	ret->err = stderr;
	ret->out_color = wants_color(options->color, STDOUT_FILENO);
	ret->err_color = wants_color(options->color, STDERR_FILENO);
	ret->out_keep = isatty(STDOUT_FILENO) ? TEXT_LINES : TEXT_RAW;
	ret->progress = isatty(STDERR_FILENO) && !is_dumb() && !options->quiet;
	(void)setvbuf(stdout, NULL, _IOFBF, 65536);
	(void)setvbuf(stderr, NULL, _IOLBF, 4096);
}

void terminal_paint(struct terminal *terminal, enum paint paint, const char *word)
{
	static const char *const codes[] = {
		[PAINT_NONE] = "", [PAINT_GOOD] = "32", [PAINT_CHANGED] = "33", [PAINT_BAD] = "31", [PAINT_DIM] = "2",
	};

	if (terminal->out_color && codes[paint][0])
		(void)fprintf(terminal->out, "\033[%sm%s\033[0m", codes[paint], word);
	else
		(void)fputs(word, terminal->out);
}

void terminal_progress(struct terminal *terminal, const char *text)
{
	if (!terminal->progress)
		return;
	(void)fputs("\r\033[K", terminal->err);
	text_write(terminal->err, text, strlen(text), TEXT_LINE);
	(void)fflush(terminal->err);
	terminal->line_open = true;
}

void terminal_progress_end(struct terminal *terminal)
{
	if (!terminal->line_open)
		return;
	(void)fputs("\r\033[K", terminal->err);
	(void)fflush(terminal->err);
	terminal->line_open = false;
}

void terminal_say(struct terminal *terminal, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vasprintf(&text, fmt, ap);
	va_end(ap);
	terminal_progress_end(terminal);
	if (length < 0) {
		text = NULL;
		(void)fputs("mr-attach: out of memory\n", terminal->err);
		return;
	}
	(void)fputs(terminal->err_color ? "\033[1mmr-attach:\033[0m " : "mr-attach: ", terminal->err);
	text_write(terminal->err, text, (size_t)length, TEXT_LINE);
	(void)fputc('\n', terminal->err);
}

void terminal_hint(struct terminal *terminal, const char *hint)
{
	if (!hint || !hint[0])
		return;
	(void)fputs(terminal->err_color ? "\033[36mhint:\033[0m " : "hint: ", terminal->err);
	text_write(terminal->err, hint, strlen(hint), TEXT_LINE);
	(void)fputc('\n', terminal->err);
}

int terminal_flush(struct terminal *terminal)
{
	errno = 0;
	if ((fflush(terminal->out) || ferror(terminal->out)) && !terminal->failed)
		terminal->failed = errno ? errno : EIO;
	return terminal->failed ? -MR_E_REPORT : 0;
}

int terminal_close(struct terminal *terminal, struct mr_error *err)
{
	terminal_progress_end(terminal);
	(void)terminal_flush(terminal);
	errno = 0;
	/* A full disk behind NFS shows only here. */
	if (fclose(terminal->out) && !terminal->failed)
		terminal->failed = errno ? errno : EIO;
	if (terminal->failed)
		return mr_fail(err, MR_E_REPORT, terminal->failed, "%s", "");
	return 0;
}
