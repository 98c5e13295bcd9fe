/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <sys/utsname.h>

#include "../inject/inject.h"
#include "commands.h"

static const char head[] =
	"usage: mr-attach [OPTIONS] PID... COMMAND [ARG...]\n"
	"\n"
	"Looks into running Python programs and reloads their changed modules, without a restart.\n"
	"\n"
	"  mr-attach 4242 info                 what is it, and may I?\n"
	"  mr-attach 4242 stale                which modules run other code than their source says?\n"
	"  mr-attach 4242 reload-stale         reload them, all or nothing\n"
	"  mr-attach 4242 reload shop/cart.py  reload one\n"
	"  mr-attach 4242 exec 'print(1 + 1)'  run Python in there\n"
	"\n"
	"commands:\n";

static const char options_text[] =
	"\n"
	"TARGET is a path (with a / in it, or ending in .py) or a dotted name.\n"
	"\n"
	"options, anywhere before the operand of exec and run:\n"
	"  -n, --dry-run            plan and compile, say what would change, change nothing\n"
	"      --full               run every module-level statement again, not only the changed ones\n"
	"      --keep [MODULE.]NAME     never run the statement that binds this name\n"
	"      --reinit [MODULE.]NAME   always run it\n"
	"      --dependents         make values elsewhere again that were computed from what changes\n"
	"      --on-stack report|wait|refuse   what is running while its code changes (default report)\n"
	"      --all                also the standard library and installed packages\n"
	"      --thread auto|main|any   which thread runs our code\n"
	"  -t, --timeout SECS       to find a safe point, and again for the work; 0 for none (default 10)\n"
	"      --tree               each PID and its Python descendants\n"
	"      --unit NAME          the processes of a systemd unit, instead of PIDs\n"
	"      --cgroup PATH        the processes of a control group, instead of PIDs\n"
	"  -j, --json               one JSON object per process\n"
	"      --errors=gcc         errors in source as file:line: message\n"
	"      --color auto|always|never\n"
	"  -q, --quiet              nothing on success\n"
	"  -v, --verbose            steps and timings on stderr\n"
	"      --force              go on where policy says no\n"
	"  -h, --help, --version\n"
	"\n"
	"exit status: 0 done, 1 the program said no, 2 usage, 3 no such process, 4 not permitted, 5 not a supported\n"
	"Python, 6 no safe point in time, 7 the work did not end in time, 8 several processes that differ, 70 our bug,\n"
	"74 the report could not be written, 128+n ended by signal n. More in mr-attach(1).\n";

void help_print(FILE *out)
{
	(void)fputs(head, out);
	for (size_t i = 0; i < commands_count; i++) {
		char spelled[64];

		if (commands[i].later)
			continue;
		(void)snprintf(spelled, sizeof(spelled), "%s %s", commands[i].name, commands[i].operands);
		(void)fprintf(out, "  %-20s %s\n", spelled, commands[i].what);
	}
	(void)fputs(options_text, out);
}

void version_print(FILE *out)
{
	struct utsname system;
	char compiled[128];

	(void)fprintf(out, "mr-attach %s (%s)\n", MR_VERSION, uname(&system) ? "unknown" : system.machine);
	mr_compiled_for(compiled, sizeof(compiled));
	(void)fprintf(out, "compiled for CPython: %s\n", *compiled ? compiled : "none, it is compiled in the process");
	(void)fprintf(out, "jansson %s, glibc %s\n", jansson_version_str(), gnu_get_libc_version());
}
