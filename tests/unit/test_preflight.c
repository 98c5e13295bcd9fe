/* SPDX-License-Identifier: MIT
 *
 * May we attach, on machines and to processes that are made up. Needs attach/{preflight,hint,text,commands}.o, inject/{error,look,proc,
 * proc_read,maps,cursor}.o.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "../../attach/preflight.h"

#define PTRACE_CAPABILITY (UINT64_C(1) << CAP_SYS_PTRACE)

/* A user's process, and the same user. */
static struct preflight usual(void)
{
	struct preflight facts = { .sudo = true, .retry = "mr-attach 42 list" };

	facts.target = (struct mr_facts){ .pid = 42, .ppid = 7, .state = 'S', .yama = -1 };
	for (int i = 0; i < 4; i++)
		facts.target.uid[i] = facts.target.gid[i] = facts.self.uid[i] = facts.self.gid[i] = 1000;
	return facts;
}

static void expect_refusal(const struct preflight *facts, enum mr_code code, const char *what, const char *hint)
{
	struct mr_error err = MR_ERROR_INIT;

	cr_expect_eq(preflight_decide(facts, &err), -(int)code, "%s", what);
	cr_expect(strstr(err.what, what), "'%s' has no '%s'", err.what, what);
	cr_expect(strstr(err.hint, hint), "'%s' has no '%s'", err.hint, hint);
}

Test(preflight, allowed)
{
	struct preflight facts = usual();
	struct mr_error err = MR_ERROR_INIT;

	cr_expect_eq(preflight_decide(&facts, &err), 0);
}

Test(preflight, kinds_of_processes)
{
	struct preflight facts = usual();

	facts.target.state = 'Z';
	expect_refusal(&facts, MR_E_ZOMBIE, "its parent is pid 7", "pgrep");
	facts = usual();
	facts.target.kernel_thread = true;
	strcpy(facts.target.comm, "kthreadd");
	expect_refusal(&facts, MR_E_KERNEL_THREAD, "kthreadd", "");
	facts = usual();
	facts.target.state = 'T';
	expect_refusal(&facts, MR_E_STOPPED, "by a signal", "kill -CONT 42");
	facts = usual();
	facts.target.frozen = true;
	expect_refusal(&facts, MR_E_STOPPED, "frozen", "thaw");
	facts = usual();
	facts.target.tracer = 977;
	facts.target.state = 't';
	strcpy(facts.target.tracer_comm, "gdb");
	expect_refusal(&facts, MR_E_TRACED, "gdb (pid 977)", "detach");
}

Test(preflight, another_user)
{
	struct preflight facts = usual();

	facts.target.attach_errno = EACCES;
	facts.target.uid[2] = 0;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "it belongs to uid 1000, and you are uid 1000", "sudo mr-attach 42 list");
	facts.target.uid[1] = 0;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "it belongs to uid 0, and you are uid 1000", "sudo mr-attach 42 list");
	facts.sudo = false;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "uid 0", "as root: mr-attach 42 list");
	facts = usual();
	facts.target.attach_errno = EACCES;
	facts.target.gid[0] = 5;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "gid", "sudo");
}

Test(preflight, root_of_a_container)
{
	struct preflight facts = usual();

	facts.target.attach_errno = EPERM;
	memset(facts.self.uid, 0, sizeof(facts.self.uid));
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "uid 1000", "--cap-add=SYS_PTRACE");
	facts.self.cap_effective = PTRACE_CAPABILITY;
	facts.target.other_user_ns = true;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "user namespace", "outside");
}

Test(preflight, yama)
{
	struct preflight facts = usual();

	facts.target.attach_errno = EPERM;
	facts.target.yama = 1;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "kernel.yama.ptrace_scope is 1",
		       "sudo sysctl kernel.yama.ptrace_scope=0");
	facts.target.yama = 2;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "kernel.yama.ptrace_scope is 2", "sudo mr-attach 42 list");
	facts.target.yama = 3;
	facts.self.cap_effective = PTRACE_CAPABILITY;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "kernel.yama.ptrace_scope is 3", "boot");
}

Test(preflight, other_reasons)
{
	struct preflight facts = usual();

	facts.target.attach_errno = EPERM;
	facts.target.not_dumpable = true;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "dumpable", "sudo");
	facts.target.not_dumpable = false;
	facts.target.cap_permitted = 1;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "capabilities", "sudo");
	facts.self.cap_effective = PTRACE_CAPABILITY;
	expect_refusal(&facts, MR_E_NOT_PERMITTED, "security module", "dmesg");
}

Test(preflight, of_a_process_that_is_there)
{
	struct options options = { .program = "mr-attach", .command = command_find("exec") };
	const char *operands[] = { "secret", NULL };
	struct mr_error err = MR_ERROR_INIT;
	struct preflight facts;

	options.operands = (struct words){ operands, 1 };
	(void)preflight_run(&options, getppid(), &facts, &err);
	cr_expect_eq(facts.target.pid, getppid());
	cr_expect(strstr(facts.retry, "exec ..."));
	cr_expect_not(strstr(facts.retry, "secret"));
	err = (struct mr_error)MR_ERROR_INIT;
	cr_expect_eq(preflight_run(&options, 0x7ffffff0, &facts, &err), -MR_E_NO_PROCESS);
	options.command = command_find("reload");
	operands[0] = "a b";
	err = (struct mr_error)MR_ERROR_INIT;
	(void)preflight_run(&options, getppid(), &facts, &err);
	cr_expect(strstr(facts.retry, "reload 'a b'"));
	operands[0] = "it's";
	err = (struct mr_error)MR_ERROR_INIT;
	(void)preflight_run(&options, getppid(), &facts, &err);
	cr_expect(strstr(facts.retry, "reload ..."));
}
