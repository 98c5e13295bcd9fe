/* SPDX-License-Identifier: MIT */
#include "syslog_line.h"

#include <string.h>
#include <syslog.h>

#include "text.h"
#include "util.h"

void syslog_line(const struct options *options, pid_t pid, int status)
{
	const char *user = getenv("SUDO_USER");
	/* The environment is of the caller's choosing: no newline of it may forge a line of the log. */
	AUTO_FREE char *safe = text_escape(user ? user : "-", user ? strnlen(user, 64) : 1, TEXT_LINE);

	openlog("mr-attach", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "uid=%u sudo_user=%s pid=%ld command=%s status=%d", (unsigned int)getuid(),
	       safe ? safe : "-", (long)pid, options->command->name, status);
	closelog();
}
