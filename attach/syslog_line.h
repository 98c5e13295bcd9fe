/* SPDX-License-Identifier: MIT */
#ifndef MR_SYSLOG_LINE_H
#define MR_SYSLOG_LINE_H

#include "options.h"

/* The one line that a command which ran code leaves with syslog(3): who, where, which command; never the code. */
void syslog_line(const struct options *options, pid_t pid, int status);

#endif
