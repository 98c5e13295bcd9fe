/* SPDX-License-Identifier: MIT
 *
 * The whole program but for the part that touches processes: words in, report and exit status out.
 * Needs all of attach/ but main.o, and inject/{error,look,proc,proc_read,maps,cursor}.o; the rest of inject/ is the fake included here.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../attach/program.h"
#include "../../attach/signals.h"
#include "fake/inject.c"

#define ARGS_MAX 24

static char out[65536], err[65536];
static pid_t sleeper;
static char sleeper_pid[24];

static void setup(void)
{
	sleeper = fork();
	if (!sleeper) {
		execlp("sleep", "sleep", "60", NULL);
		_exit(127);
	}
	(void)snprintf(sleeper_pid, sizeof(sleeper_pid), "%ld", (long)sleeper);
}

static void teardown(void)
{
	(void)kill(sleeper, SIGKILL);
	(void)waitpid(sleeper, NULL, 0);
}

TestSuite(program, .init = setup, .fini = teardown, .timeout = 20);

static void slurp(int fd, char *ret, size_t size)
{
	ssize_t got;
	size_t used = 0;

	while (used + 1 < size && (got = read(fd, ret + used, size - used - 1)) > 0)
		used += (size_t)got;
	ret[used] = '\0';
	(void)close(fd);
}

/* The child's side of run_to(). stdout_path: where stdout goes, NULL for our pipe, "" for a closed descriptor. */
static void child(int argc, const char **argv, const char *stdout_path, int out_fd, int err_fd)
{
	(void)dup2(err_fd, 2);
	(void)dup2(out_fd, 1);
	if (stdout_path && stdout_path[0]) {
		int fd = open(stdout_path, O_WRONLY);

		(void)dup2(fd, 1);
	} else if (stdout_path) {
		(void)close(1);
	}
	(void)close(0);
	(void)open("/dev/null", O_RDONLY);
	exit(program_main(argc, (char **)argv));
}

static int run_argv(const char *stdout_path, int argc, const char **argv)
{
	int out_pipe[2], err_pipe[2], status;
	pid_t pid;

	cr_assert_eq(pipe2(out_pipe, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(err_pipe, O_CLOEXEC), 0);
	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		child(argc, argv, stdout_path, out_pipe[1], err_pipe[1]);
	(void)close(out_pipe[1]);
	(void)close(err_pipe[1]);
	slurp(out_pipe[0], out, sizeof(out));
	slurp(err_pipe[0], err, sizeof(err));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Runs mr-attach with these words, up to NULL; "PID" stands for that of a process which sleeps. */
static int run_to(const char *stdout_path, ...)
{
	const char *argv[ARGS_MAX + 1] = { "mr-attach" }, *word;
	int argc = 1;
	va_list ap;

	va_start(ap, stdout_path);
	while (argc < ARGS_MAX && (word = va_arg(ap, const char *)))
		argv[argc++] = strcmp(word, "PID") ? word : sleeper_pid;
	va_end(ap);
	argv[argc] = NULL;
	return run_argv(stdout_path, argc, argv);
}

#define run(...) run_to(NULL, __VA_ARGS__, NULL)

static void answer(const char *text)
{
	char path[64] = "/tmp/mr-answer-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	/* Read through the descriptor, so that no file is left behind. */
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	(void)setenv("MR_FAKE_ANSWER", path, 1);
}

static json_t *json(void)
{
	json_error_t where;
	json_t *ret = json_loads(out, 0, &where);

	cr_assert(ret, "%s: %s", where.text, out);
	return ret;
}

Test(program, exec)
{
	answer("{\"status\":0,\"output\":\"hello\\n\",\"value\":\"2\"}");
	cr_expect_eq(run("PID", "exec", "1 + 1"), 0);
	cr_expect_str_eq(out, "hello\n2\n");
	cr_expect_str_eq(err, "");
}

Test(program, quiet)
{
	answer("{\"status\":0,\"output\":\"hello\\n\",\"value\":\"2\"}");
	cr_expect_eq(run("-q", "PID", "exec", "1 + 1"), 0);
	cr_expect_str_eq(out, "");
	cr_expect_str_eq(err, "");
}

Test(program, json_line)
{
	json_t *report;

	answer("{\"status\":0,\"value\":\"2\"}");
	cr_expect_eq(run("PID", "-j", "exec", "1 + 1"), 0);
	cr_expect_eq(strchr(out, '\n'), out + strlen(out) - 1);
	report = json();
	cr_expect_eq(json_integer_value(json_object_get(report, "pid")), sleeper);
	cr_expect_str_eq(json_string_value(json_object_get(report, "delivery")), "parked-main");
	cr_expect_str_eq(json_string_value(json_object_get(report, "value")), "2");
}

Test(program, refusal)
{
	answer("{\"status\":1,\"error\":{\"code\":\"refused\",\"message\":\"no\",\"hint\":\"yes\"}}");
	cr_expect_eq(run("PID", "reload-stale"), 1);
	cr_expect(strstr(err, ": no\nhint: yes\n"));
}

Test(program, usage)
{
	cr_expect_eq(run("reload-stale"), 2);
	cr_expect_str_eq(err, "mr-attach: no PID given: did the pgrep find nothing?\nhint: mr-attach --help\n");
	cr_expect_str_eq(out, "");
	cr_expect_eq(run("PID", "reload", "-j"), 2);
	cr_expect_str_eq(out, "");
	cr_expect_eq(run("PID", "exec", "-"), 2);
	cr_expect_eq(run("PID", "run", "/no/such/file"), 2);
}

Test(program, statuses_from_the_error_table)
{
	static const struct {
		const char *variable, *code;
		int status;
	} rows[] = {
		{ "MR_FAKE_OPEN", "not-python", 5 }, { "MR_FAKE_OPEN", "ended", 3 },
		{ "MR_FAKE_RUN", "no-safe-point", 6 }, { "MR_FAKE_RUN", "work-timeout", 7 },
		{ "MR_FAKE_RUN", "policy", 4 }, { "MR_FAKE_RUN", "bug", 70 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *report, *error;

		(void)setenv(rows[i].variable, rows[i].code, 1);
		cr_expect_eq(run("PID", "--json", "list"), rows[i].status, "%s", rows[i].code);
		report = json();
		error = json_object_get(report, "error");
		cr_expect_str_eq(json_string_value(json_object_get(error, "code")), rows[i].code);
		cr_expect_eq(json_integer_value(json_object_get(report, "status")), rows[i].status);
		json_decref(report);
		(void)unsetenv(rows[i].variable);
	}
}

Test(program, hints_for_a_loose_pgrep)
{
	char shell[24];

	(void)snprintf(shell, sizeof(shell), "%ld", (long)getpid());	/* the parent of mr-attach here */
	(void)setenv("MR_FAKE_OPEN", "not-python", 1);
	cr_expect_eq(run(shell, "exec", "1"), 5);
	cr_expect(strstr(err, "hint: mr-attach runs in it; pgrep -f '[g]unicorn' leaves out the command itself\n"), "%s", err);
	cr_expect_eq(run("PID", "exec", "1"), 5);
	cr_expect_not(strstr(err, "pgrep"));
}

Test(program, no_turn_for_us)
{
	(void)setenv("MR_FAKE_RUN", "no-safe-point", 1);
	(void)setenv("MR_FAKE_WHERE", "in python3.11", 1);
	(void)setenv("MR_FAKE_DOING", "running", 1);
	cr_expect_eq(run("PID", "exec", "1"), 6);
	cr_expect(strstr(err, ": the main thread was running in python3.11 (a C call that holds the GIL?)\n"), "%s", err);
	(void)setenv("MR_FAKE_DOING", "waiting in futex", 1);
	cr_expect_eq(run("PID", "exec", "1"), 6);
	cr_expect_not(strstr(err, "GIL"));
}

Test(program, hint_of_a_busy_process)
{
	char hint[96];

	(void)setenv("MR_FAKE_RUN", "busy", 1);
	cr_expect_eq(run("PID", "exec", "1"), 6);
	cr_expect(strstr(err, "hint: try again when it is done\n"), "%s", err);
	(void)setenv("MR_FAKE_WHAT", "thread 5 still runs an earlier request", 1);
	cr_expect_eq(run("PID", "exec", "1"), 6);
	(void)snprintf(hint, sizeof(hint), "hint: that code waits in a call of its own; mr-attach %s info shows where\n",
		       sleeper_pid);
	cr_expect(strstr(err, hint), "%s", err);
}

Test(program, no_such_process)
{
	cr_expect_eq(run("2147483646", "info"), 3);
	cr_expect_str_eq(err, "mr-attach: pid 2147483646: no such process\nhint: list the candidates with: pgrep -a python\n");
	cr_expect_eq(run("2147483646", "-j", "list"), 3);
	json_decref(json());
}

Test(program, several_processes)
{
	answer("{\"status\":0,\"value\":\"2\"}");
	cr_expect_eq(run("PID", "2147483646", "exec", "1"), 8);
	cr_expect(strstr(out, ":\n2\n"));
	cr_expect_eq(run("2147483645", "2147483646", "exec", "1"), 3);
	cr_expect_eq(run("PID", "PID", "-j", "exec", "1"), 0);
	json_decref(json());	/* once, though named twice */
}

Test(program, info_tells_a_refusal_as_data)
{
	json_t *report, *attach;

	(void)setenv("MR_FAKE_OPEN", "not-python", 1);
	cr_expect_eq(run("PID", "info", "-j"), 0);
	report = json();
	attach = json_object_get(json_object_get(report, "info"), "attach");
	cr_expect(json_is_false(json_object_get(attach, "allowed")));
	cr_expect_str_eq(json_string_value(json_object_get(attach, "code")), "not-python");
	cr_expect(json_is_null(json_object_get(report, "error")));
	cr_expect_eq(run("PID", "info"), 0);
	cr_expect(strstr(out, "attaching   not possible: not a CPython process"));
	(void)unsetenv("MR_FAKE_OPEN");
	cr_expect_eq(run("PID", "info"), 0);
	cr_expect(strstr(out, "CPython 3.11.7"));
	cr_expect(strstr(out, "attaching   allowed\n"));
	(void)setenv("MR_FAKE_POLICY", "1", 1);
	cr_expect_eq(run("PID", "info"), 0);
	cr_expect(strstr(out, "--force"));
}

Test(program, stopped)
{
	(void)kill(sleeper, SIGSTOP);
	(void)waitpid(sleeper, NULL, WUNTRACED);
	cr_expect_eq(run("PID", "list"), 6);
	cr_expect(strstr(err, "kill -CONT"));
}

Test(program, zombie)
{
	(void)kill(sleeper, SIGKILL);
	(void)waitid(P_PID, (id_t)sleeper, NULL, WEXITED | WNOWAIT);
	cr_expect_eq(run("PID", "list"), 3);
	cr_expect(strstr(err, "its parent is pid"));
}

Test(program, report_cannot_be_written)
{
	answer("{\"status\":0,\"value\":\"2\"}");
	cr_expect_eq(run_to("/dev/full", "PID", "exec", "1", NULL), 74);
	cr_expect_str_eq(err, "mr-attach: the report could not be written: No space left on device\n");
	cr_expect_eq(run_to("", "PID", "exec", "1", NULL), 74);
	cr_expect_eq(run_to("/dev/full", "--help", NULL), 74);
	cr_expect_eq(run_to("/dev/full", "-q", "PID", "exec", "1", NULL), 0);
}

Test(program, answers_that_are_none)
{
	static const char *const answers[] = { "", "{", "[1,2]", "{\"status\":0,\"x\":\"\\ud800\"}" };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		answer(answers[i]);
		cr_expect_eq(run("PID", "list"), 70, "%s", answers[i]);
	}
	(void)unsetenv("MR_FAKE_ANSWER");
	cr_expect_eq(run("PID", "list"), 70);
}

/* A command that is sent SIGTERM while its work goes on. What it says goes to err. */
static void expect_ended(int argc, const char **argv, const char *last_line)
{
	int err_pipe[2], status;
	pid_t pid;

	(void)setenv("MR_FAKE_WAIT", "10", 1);
	cr_assert_eq(pipe2(err_pipe, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		child(argc, argv, "/dev/null", err_pipe[1], err_pipe[1]);
	(void)close(err_pipe[1]);
	(void)usleep(300000);
	(void)kill(pid, SIGTERM);
	slurp(err_pipe[0], err, sizeof(err));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 128 + SIGTERM);
	cr_expect(strstr(err, last_line), "%s", err);
}

static void expect_one_ended(const char *command, const char *last_line)
{
	const char *argv[] = { "mr-attach", sleeper_pid, command, "1", NULL };

	expect_ended(strcmp(command, "exec") ? 3 : 4, argv, last_line);
}

Test(program, free_threaded)
{
	static const char said[] = ": a free-threaded CPython has no moment in which code can be exchanged\n"
				   "hint: --force does it all the same\n";

	(void)setenv("MR_FAKE_NO_GIL", "1", 1);
	answer("{\"status\":0}");
	cr_expect_eq(run("PID", "reload-stale"), 4);
	cr_expect(strstr(err, said), "%s", err);
	cr_expect_eq(run("PID", "undo"), 4);
	cr_expect_eq(run("PID", "reload", "a"), 4);
	cr_expect_eq(run("PID", "stale"), 0);
	cr_expect_eq(run("PID", "reload-stale", "--force"), 0);
}

Test(program, inherited_dispositions)
{
	struct sigaction now;

	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	signals_install();
	cr_assert_eq(sigaction(SIGCHLD, NULL, &now), 0);
	cr_expect(now.sa_handler == SIG_DFL);
	cr_assert_eq(sigaction(SIGHUP, NULL, &now), 0);
	cr_expect(now.sa_handler == SIG_IGN);	/* nohup */
}

Test(program, ended_by_signal)
{
	expect_one_ended("list", "mr-attach: ended by SIGTERM: nothing was done\n");
	(void)setenv("MR_FAKE_STARTED", "1", 1);
	expect_one_ended("list", "mr-attach: ended by SIGTERM: the work had begun, and was not seen to end\n");
}

Test(program, ended_by_signal_in_the_midst)
{
	const char *interrupted = "{\"status\":7,\"error\":{\"code\":\"interrupted\",\"message\":\"x\"}}";
	const char *several[] = { "mr-attach", "2147483646", sleeper_pid, "exec", "1", NULL };
	char last[160];

	(void)setenv("MR_FAKE_ENDS", "1", 1);
	answer(interrupted);
	expect_one_ended("exec", "ended by SIGTERM: the code was interrupted; what it did stays\n");
	answer(interrupted);
	expect_one_ended("reload-stale", "ended by SIGTERM: it was interrupted and put back\n");
	answer("{\"status\":7,\"notes\":[\"could not be put back: a\"],\"error\":{\"code\":\"interrupted\"}}");
	expect_one_ended("undo", "ended by SIGTERM: it was interrupted, and not everything could be put back\n");
	answer("{\"status\":1,\"error\":{\"code\":\"refused\"}}");
	expect_one_ended("reload-stale", "ended by SIGTERM: it had failed before, and was put back\n");
	answer("{\"status\":0}");
	expect_one_ended("exec", "ended by SIGTERM: all of the work was done\n");
	answer(interrupted);
	(void)snprintf(last, sizeof(last), "the work was done in 0 of 2 processes; pid %s: the code was interrupted; "
					   "what it did stays; nothing in the others\n", sleeper_pid);
	expect_ended(5, several, last);
}

Test(program, help_and_version)
{
	cr_expect_eq(run("--help"), 0);
	cr_expect_str_eq(err, "");
	cr_expect(strstr(out, "usage: mr-attach [OPTIONS] PID... COMMAND [ARG...]\n"));
	cr_expect(strstr(out, "reload-stale"));
	cr_expect_eq(run("--version"), 0);
	cr_expect(strstr(out, "mr-attach " MR_VERSION));
}

Test(program, colour)
{
	(void)setenv("TERM", "xterm", 1);
	answer("{\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"reloaded\"}]}");
	cr_expect_eq(run("PID", "reload-stale", "--color=always"), 0);
	cr_expect(strstr(out, "\033[32mreloaded\033[0m"));
	answer("{\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"reloaded\"}]}");
	cr_expect_eq(run("PID", "reload-stale"), 0);
	cr_expect_not(strstr(out, "\033"));
}
