/* SPDX-License-Identifier: MIT
 *
 * The process that was looked at is the one that is opened, though its pid may belong to another one by then.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/target.h"

static pid_t python(int *says)
{
	int pipes[2];
	pid_t pid;

	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		(void)dup2(pipes[1], 1);
		(void)execl("/usr/bin/python3", "python3", "-Sc", "import time; print(1, flush=True); time.sleep(600)", NULL);
		_exit(127);
	}
	(void)close(pipes[1]);
	*says = pipes[0];
	return pid;
}

Test(target, is_the_process_that_was_looked_at)
{
	struct mr_error err = MR_ERROR_INIT;
	struct mr_target *target;
	struct mr_facts facts;
	char said[1];
	int says;
	pid_t pid = python(&says);

	cr_assert_eq(read(says, said, 1), 1);
	cr_assert_eq(mr_look(pid, &facts, &err), 0);
	cr_assert_eq(mr_target_open(&facts, &target, &err), 0, "%s", err.what);
	cr_assert_eq(mr_target_facts(target)->start_time, facts.start_time);
	mr_target_close(target);
	facts.start_time--;	/* as if the pid had been another's then */
	cr_expect_lt(mr_target_open(&facts, &target, &err), 0);
	cr_expect_eq(err.code, MR_E_ENDED);
	cr_expect_null(target);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(says);
}
