/* SPDX-License-Identifier: MIT
 *
 * The grammar of the command line. Needs attach/options.o, attach/commands.o, inject/error.o.
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../attach/options.h"

static struct options options;
static struct mr_error error;

static int parse_list(const char *first, va_list ap)
{
	const char *argv[32] = { "mr-attach" };
	int argc = 1;

	error = (struct mr_error)MR_ERROR_INIT;
	for (const char *word = first; word; word = va_arg(ap, const char *))
		argv[argc++] = word;
	return options_parse(argc, (char **)argv, &options, &error);
}

static int parse(const char *first, ...)
{
	va_list ap;
	int r;

	va_start(ap, first);
	r = parse_list(first, ap);
	va_end(ap);
	return r;
}

/* A usage error with exactly these words, and a hint that holds these. */
static void expect_usage(const char *what, const char *hint, const char *first, ...)
{
	va_list ap;

	va_start(ap, first);
	cr_expect_eq(parse_list(first, ap), -MR_E_USAGE, "%s", what);
	va_end(ap);
	cr_expect_str_eq(error.what, what);
	cr_expect(strstr(error.hint, hint), "'%s' has no '%s'", error.hint, hint);
	options_free(&options);
}

static void teardown(void)
{
	options_free(&options);
}

TestSuite(options, .fini = teardown);

Test(options, several_pids_each_once)
{
	cr_assert_eq(parse("42", "7", "42", "reload-stale", NULL), 0);
	cr_assert_eq(options.pids_count, 2);
	cr_expect_eq(options.pids[0], 42);
	cr_expect_eq(options.pids[1], 7);
	cr_expect_eq(options.command->id, COMMAND_RELOAD_STALE);
	cr_expect_eq(options.timeout, 10);
	cr_expect_str_eq(options.on_stack, "report");
}

Test(options, stand_anywhere)
{
	cr_assert_eq(parse("-n", "42", "--full", "reload", "-j", "a.b", "--keep", "X", "c.py", "--keep=m.Y", "-vt", "2.5",
			   "--on-stack=report", "--thread", "any", "-v", NULL), 0);
	cr_expect(options.dry_run && options.full && options.json && !options.dependents);
	cr_expect_eq(options.verbose, 2);
	cr_expect_eq(options.timeout, 2.5);
	cr_expect_eq(options.thread, MR_THREAD_ANY);
	cr_expect_str_eq(options.on_stack, "report");
	cr_assert_eq(options.operands.count, 2);
	cr_expect_str_eq(options.operands.word[1], "c.py");
	cr_assert_eq(options.keep.count, 2);
	cr_expect_str_eq(options.keep.word[1], "m.Y");
}

Test(options, about_what_runs_and_what_depends)
{
	cr_assert_eq(parse("42", "reload-stale", "--dependents", "--on-stack", "wait", NULL), 0);
	cr_expect(options.dependents);
	cr_expect_str_eq(options.on_stack, "wait");
	cr_assert_eq(parse("42", "--on-stack=refuse", "reload", "a", NULL), 0);
	cr_expect_str_eq(options.on_stack, "refuse");
	expect_usage("--on-stack takes report, wait or refuse, not 'x'", "", "42", "reload-stale", "--on-stack=x", NULL);
}

Test(options, end_at_the_operand_of_run)
{
	cr_assert_eq(parse("42", "-j", "run", "-v", "f.py", "-n", "--json", "--", "-x", NULL), 0);
	cr_expect_not(options.dry_run);
	cr_expect_eq(options.verbose, 1);
	cr_assert_eq(options.operands.count, 5);
	cr_expect_str_eq(options.operands.word[0], "f.py");
	cr_expect_str_eq(options.operands.word[1], "-n");
	cr_expect_str_eq(options.operands.word[3], "--");
}

Test(options, two_dashes_end_them)
{
	cr_assert_eq(parse("42", "exec", "--", "-1", NULL), 0);
	cr_expect_str_eq(options.operands.word[0], "-1");
	options_free(&options);
	cr_assert_eq(parse("--", "42", "run", "-", "-x", NULL), 0);
	cr_expect_str_eq(options.operands.word[0], "-");
	cr_expect_str_eq(options.operands.word[1], "-x");
	options_free(&options);
	cr_assert_eq(parse("42", "reload", "--", "-n", NULL), 0);
	cr_expect_not(options.dry_run);
	cr_expect_str_eq(options.operands.word[0], "-n");
}

Test(options, help_wins)
{
	cr_assert_eq(parse("--help", NULL), 0);
	cr_expect(options.help);
	cr_assert_eq(parse("--version", "frob", NULL), 0);
	cr_expect(options.version);
}

Test(options, no_pid)
{
	const char *what = "no PID given: did the pgrep find nothing?";

	expect_usage(what, "", "reload-stale", NULL);
	expect_usage(what, "", NULL);
	expect_usage(what, "", "-v", "exec", "1", NULL);
}

Test(options, our_own_pid)
{
	char pid[24];

	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	cr_expect_eq(parse(pid, "info", NULL), -MR_E_SELF);
	cr_expect_eq(mr_code_status(error.code), 2);
}

Test(options, wrong_words)
{
	expect_usage("unknown command 'reloadstale'", "did you mean reload-stale?", "42", "reloadstale", NULL);
	expect_usage("unknown command 'relod'", "did you mean reload?", "42", "relod", NULL);
	expect_usage("unknown command 'rel'", "", "42", "rel", NULL);
	expect_usage("unknown command 'x/y.py'", "--help", "42", "x/y.py", NULL);
	expect_usage("'4x' is not a PID", "", "4x", "info", NULL);
	expect_usage("'0' is not a PID", "", "0", "info", NULL);
	expect_usage("'99999999999999999999' is not a PID", "", "99999999999999999999", "info", NULL);
	expect_usage("unknown command ''", "", "42", "", NULL);
	expect_usage("no command given", "", "42", NULL);
	expect_usage("watch is not available in this version", "", "42", "watch", NULL);
}

Test(options, wrong_options)
{
	expect_usage("unknown option --tmeout", "did you mean --timeout?", "--tmeout", "4", "42", "list", NULL);
	expect_usage("unknown option -x", "--", "42", "list", "-x", NULL);
	expect_usage("unknown option -x", "", "42", "list", "-vx", NULL);
	expect_usage("the option -t needs an argument", "", "42", "list", "-t", NULL);
	expect_usage("the option --keep needs an argument", "", "42", "list", "--keep", NULL);
	expect_usage("the option --json=1 takes no argument", "", "42", "list", "--json=1", NULL);
	expect_usage("--timeout takes a number of seconds, not '-1'", "", "42", "list", "-t", "-1", NULL);
	expect_usage("--timeout takes a number of seconds, not '1s'", "", "42", "list", "-t1s", NULL);
	expect_usage("--timeout takes a number of seconds, not 'nan'", "", "42", "list", "-tnan", NULL);
	expect_usage("--timeout takes a number of seconds, not ''", "", "42", "list", "-t", "", NULL);
	expect_usage("--thread takes auto, main or any, not 'x'", "", "42", "list", "--thread=x", NULL);
	expect_usage("--errors takes prose or gcc, not 'x'", "", "42", "list", "--errors=x", NULL);
	expect_usage("--jobs takes a number from 1 on, not '0'", "", "42", "list", "--jobs=0", NULL);
	expect_usage("--all-or-nothing is not available in this version", "", "42", "list", "--all-or-nothing", NULL);
}

Test(options, that_would_be_ignored)
{
	expect_usage("--dry-run does not go with exec", "", "42", "-n", "exec", "1", NULL);
	expect_usage("--full does not go with list", "", "42", "list", "--full", NULL);
	expect_usage("--dependents does not go with stale", "", "42", "stale", "--dependents", NULL);
	expect_usage("--on-stack does not go with track", "", "42", "track", "--on-stack=report", NULL);
	cr_assert_eq(parse("42", "stale", "--all", NULL), 0);
}

Test(options, operands)
{
	expect_usage("reload needs TARGET...", "", "42", "reload", NULL);
	expect_usage("an operand of reload is empty", "", "42", "reload", "a", "", NULL);
	expect_usage("exec needs CODE", "", "42", "exec", NULL);
	expect_usage("the code is empty", "", "42", "exec", "", NULL);
	expect_usage("exec takes its code as one word, but '-j' follows it", "quotes", "42", "exec", "1", "-j", NULL);
	expect_usage("run needs FILE [ARG...]", "", "42", "run", NULL);
	expect_usage("list takes no operand, but there is 'x'", "", "42", "list", "x", NULL);
}

Test(options, selectors)
{
	cr_assert_eq(parse("--unit", "web", "stale", NULL), 0);
	cr_expect_str_eq(options.unit, "web");
	options_free(&options);
	cr_assert_eq(parse("42", "--tree", "stale", NULL), 0);
	cr_expect(options.tree);
	options_free(&options);
	expect_usage("--unit stands instead of PIDs", "", "42", "stale", "--unit=web", NULL);
	expect_usage("--unit and --cgroup do not go together", "", "--cgroup=x", "stale", "--unit=web", NULL);
	expect_usage("no PID given: did the pgrep find nothing?", "", "--tree", "stale", NULL);
}
