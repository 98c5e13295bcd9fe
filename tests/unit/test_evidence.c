/* SPDX-License-Identifier: MIT
 *
 * What is told of paths: the newest of all that may have changed, missing, or unknown; and what a target may ask.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../attach/evidence.h"
#include "../../inject/inject.h"

static char top[PATH_MAX];
static struct mr_facts us;

static void setup(void)
{
	(void)snprintf(top, sizeof(top), "/tmp/mr-evidence-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	us = (struct mr_facts){ .pid = getpid(), .cap_effective = UINT64_MAX, .uid = { 0, 0, 0, geteuid() }, .gid = { 0, 0, 0, getegid() } };
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	cr_expect_eq(system(command), 0); /* NOLINT(cert-env33-c): a path of our own */
}

TestSuite(evidence, .init = setup, .fini = teardown, .timeout = 20);

static const char *below(const char *name)
{
	static char path[8][PATH_MAX];
	static unsigned int turn;

	turn = (turn + 1) % 8;
	(void)snprintf(path[turn], PATH_MAX, "%.60s/%s", top, name);
	return path[turn];
}

static void make_file(const char *name)
{
	int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "x\n", 2), 2);
	(void)close(fd);
}

static int64_t ctime_of(const char *name)
{
	struct stat st;

	cr_assert_eq(lstat(below(name), &st), 0);
	return st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
}

/* A clock tick of the file system goes by, so that what follows has another ctime. */
static void tick(void)
{
	(void)usleep(20000);
}

static int64_t told(const char *path)
{
	int64_t ret = 42;
	ssize_t size = evidence_tell(&us, path, strlen(path) + 1, (char *)&ret, sizeof(ret));

	cr_assert_eq(size, (ssize_t)sizeof(ret));
	return ret;
}

Test(evidence, a_file)
{
	make_file("a.py");
	cr_expect_eq(told(below("a.py")), ctime_of("a.py"));
	tick();
	make_file("a.py");
	cr_expect_eq(told(below("a.py")), ctime_of("a.py"));
	cr_expect_eq(told(below("none.py")), EVIDENCE_MISSING);
	cr_expect_eq(told(below("a.py/b.py")), EVIDENCE_MISSING);
	cr_expect_eq(told(below("none/b.py")), EVIDENCE_MISSING);
	cr_expect_eq(told(below("none/c/b.py")), EVIDENCE_MISSING);
	cr_expect_eq(told("a.py"), EVIDENCE_UNKNOWN, "relative to what?");
	cr_expect_eq(told(""), EVIDENCE_UNKNOWN);
	cr_expect_eq(told("/"), EVIDENCE_UNKNOWN);
}

Test(evidence, a_link_that_was_switched)
{
	cr_assert_eq(mkdir(below("one"), 0700), 0);
	make_file("one/a.py");
	tick();
	cr_assert_eq(symlink("one", below("now")), 0);
	cr_assert_eq(symlink("one/a.py", below("b.py")), 0);
	cr_expect_eq(told(below("now/a.py")), ctime_of("now"));
	cr_expect_eq(told(below("b.py")), ctime_of("b.py"));
	tick();
	make_file("one/a.py");
	cr_expect_eq(told(below("now/a.py")), ctime_of("one/a.py"));
	cr_expect_eq(told(below("b.py")), ctime_of("one/a.py"));
	cr_assert_eq(symlink("none", below("c.py")), 0);
	cr_expect_eq(told(below("c.py")), EVIDENCE_MISSING);
	cr_assert_eq(symlink("d.py", below("d.py")), 0);
	cr_expect_eq(told(below("d.py")), EVIDENCE_UNKNOWN, "a loop");
}

Test(evidence, a_folder_that_was_renamed)
{
	cr_assert_eq(mkdir(below("one"), 0700), 0);
	cr_assert_eq(mkdir(below("one/two"), 0700), 0);
	make_file("one/two/a.py");
	cr_expect_eq(told(below("one/two/a.py")), ctime_of("one/two/a.py"));
	tick();
	cr_assert_eq(rename(below("one"), below("other")), 0);
	cr_expect_eq(told(below("other/two/a.py")), ctime_of("other"));
	cr_expect_eq(told(below("other//two/./a.py")), ctime_of("other"));
	cr_expect_eq(told(below("other/two/../two/a.py")), ctime_of("other"));
}

Test(evidence, nothing_is_opened)
{
	cr_assert_eq(mkfifo(below("a.py"), 0600), 0);
	cr_expect_eq(told(below("a.py")), ctime_of("a.py"));
	cr_expect_gt(told("/dev/tty"), 0);
	cr_expect_eq(told("/proc/self/cwd/a.py"), EVIDENCE_UNKNOWN, "that would be ours");
	cr_expect_eq(told("/proc/self/root/etc/passwd"), EVIDENCE_UNKNOWN);
}

/* Answers stand in the order of the question, whatever order they were found in. */
Test(evidence, many)
{
	enum { COUNT = 1000 };
	static char question[COUNT * 96];
	static int64_t ret[COUNT];
	size_t size = 0;

	cr_assert_eq(mkdir(below("a"), 0700), 0);
	make_file("a/a.py");
	tick();
	cr_assert_eq(mkdir(below("b"), 0700), 0);
	make_file("b/a.py");
	for (int i = 0; i < COUNT; i++)
		size += (size_t)sprintf(question + size, "%s", below(i % 3 == 0 ? "b/a.py" : i % 3 == 1 ? "a/a.py" : "a/b")) + 1;
	cr_assert_eq(evidence_tell(&us, question, size, (char *)ret, sizeof(ret)), (ssize_t)sizeof(ret));
	for (int i = 0; i < COUNT; i++)
		cr_assert_eq(ret[i], i % 3 == 0 ? ctime_of("b/a.py") : i % 3 == 1 ? ctime_of("a/a.py") : EVIDENCE_MISSING);
	cr_expect_eq(evidence_tell(&us, question, size, (char *)ret, sizeof(ret) - 1), -1, "no room");
}

static void write_file(const char *name, const char *text)
{
	int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static int64_t told_of(const char *word, const char *path)
{
	static char question[2 * PATH_MAX];
	int64_t ret[2];
	int size = snprintf(question, sizeof(question), "?%s%c%s", word, 0, path) + 1;

	cr_assert_eq(evidence_tell(&us, question, (size_t)size, (char *)ret, sizeof(ret)), (ssize_t)sizeof(ret));
	return ret[1];
}

Test(evidence, what_a_source_mentions)
{
	write_file("a.py", "from pkg.cart import total\n");
	cr_expect_eq(told_of("cart", below("a.py")), EVIDENCE_MENTIONS);
	cr_expect_eq(told_of("pkg", below("a.py")), EVIDENCE_MENTIONS);
	cr_expect_eq(told_of("total", below("a.py")), EVIDENCE_MENTIONS, "at the end of a line");
	cr_expect_eq(told_of("car", below("a.py")), EVIDENCE_SILENT);
	cr_expect_eq(told_of("art", below("a.py")), EVIDENCE_SILENT);
	write_file("b.py", "cart = 'important'\n");
	cr_expect_eq(told_of("cart", below("b.py")), EVIDENCE_SILENT, "nothing is imported");
	write_file("c.py", "import cart_\xc3\xa9, cart\xc3\xa9, xcart");
	cr_expect_eq(told_of("cart", below("c.py")), EVIDENCE_SILENT);
	write_file("c.py", "import xcart, cart");
	cr_expect_eq(told_of("cart", below("c.py")), EVIDENCE_MENTIONS, "the second time, and at the end");
	write_file("d.py", "");
	cr_expect_eq(told_of("cart", below("d.py")), EVIDENCE_SILENT);
	cr_assert_eq(symlink("a.py", below("e.py")), 0);
	cr_expect_eq(told_of("cart", below("e.py")), EVIDENCE_MENTIONS);
	cr_expect_eq(told_of("cart", below("none.py")), EVIDENCE_UNKNOWN);
}

Test(evidence, only_regular_files_are_read)
{
	static char large[(1 << 20) + 1];

	cr_assert_eq(mkfifo(below("a.py"), 0600), 0);
	cr_expect_eq(told_of("cart", below("a.py")), EVIDENCE_UNKNOWN);
	cr_expect_eq(told_of("cart", "/dev/tty"), EVIDENCE_UNKNOWN);
	cr_expect_eq(told_of("cart", top), EVIDENCE_UNKNOWN);
	cr_expect_eq(told_of("cart", "/proc/self/cmdline"), EVIDENCE_UNKNOWN);
	memset(large, ' ', sizeof(large) - 1);
	write_file("b.py", large);
	cr_expect_eq(told_of("cart", below("b.py")), EVIDENCE_UNKNOWN, "too large to be sure");
}

/* A target may ask what it likes. */
Test(evidence, hostile_questions)
{
	static char question[65536];
	int64_t ret[4];
	struct mr_facts none = { .pid = 1 << 30 };

	cr_expect_eq(evidence_tell(&us, question, 0, (char *)ret, sizeof(ret)), -1);
	cr_expect_eq(evidence_tell(&us, "/a", 2, (char *)ret, sizeof(ret)), -1, "no end");
	cr_expect_eq(evidence_tell(&us, question, sizeof(question), (char *)ret, sizeof(ret)), -1, "too many");
	cr_expect_eq(evidence_tell(&none, "/a", 3, (char *)ret, sizeof(ret)), -1, "no such process");
	memset(question, 'x', sizeof(question));
	question[0] = '/';
	question[sizeof(question) - 1] = 0;
	cr_expect_eq(told(question), EVIDENCE_UNKNOWN, "a name too long");
	question[40000] = '/';
	cr_expect_eq(told(question), EVIDENCE_UNKNOWN);
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(question + i, "/.", 2);
	question[2000] = 0;
	cr_expect_eq(told(question), EVIDENCE_UNKNOWN, "too deep");
	cr_expect_eq(told("/../../../none"), EVIDENCE_MISSING);
}

/* Nothing outside of the root of the target is seen. */
Test(evidence, beneath_the_root)
{
	int ends[2];
	char byte;
	struct mr_facts them;
	pid_t child;
	int64_t ret[3];
	static const char question[] = "/a.py\0/../../../../etc/passwd\0/out/passwd";

	if (geteuid() != 0)
		cr_skip_test("needs root");
	make_file("a.py");
	cr_assert_eq(symlink("/etc", below("out")), 0);
	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		if (chroot(top) || write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	cr_assert_eq(read(ends[0], &byte, 1), 1);
	them = us;
	them.pid = child;
	cr_expect_eq(evidence_tell(&them, question, sizeof(question), (char *)ret, sizeof(ret)), (ssize_t)sizeof(ret));
	cr_expect_eq(ret[0], ctime_of("a.py"));
	cr_expect_eq(ret[1], EVIDENCE_MISSING);
	cr_expect_eq(ret[2], EVIDENCE_MISSING);
	(void)kill(child, SIGKILL);
}

/* Root tells another user no more than that user can see, and is root again afterwards. */
Test(evidence, as_the_user_of_the_target)
{
	struct mr_facts them = us;
	int64_t ret = 42;
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s", below("private/a.py"));

	if (geteuid() != 0)
		cr_skip_test("needs root");
	them.uid[3] = them.gid[3] = 65534;
	cr_assert_eq(chmod(top, 0755), 0);
	cr_assert_eq(mkdir(below("private"), 0750), 0);
	make_file("private/a.py");
	cr_expect_eq(evidence_tell(&them, path, (size_t)size + 1, (char *)&ret, sizeof(ret)), (ssize_t)sizeof(ret));
	cr_expect_eq(ret, EVIDENCE_UNKNOWN);
	cr_expect_eq(told(path), ctime_of("private/a.py"), "seen by root again");
	cr_assert_eq(chmod(below("private"), 0755), 0);
	cr_expect_eq(evidence_tell(&them, path, (size_t)size + 1, (char *)&ret, sizeof(ret)), (ssize_t)sizeof(ret));
	cr_expect_geq(ret, ctime_of("private/a.py"));
}

/* A root that may not look everywhere is told nothing; another thread of ours that never answers holds up nobody. */
static void *never_end(void *data)
{
	sigset_t all;

	(void)data;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	/* Signals that libc keeps for itself, too: as in a call from which nothing comes back. */
	(void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &(uint64_t){ UINT64_MAX }, NULL, 8);
	for (;;)
		(void)pause();
	return NULL;
}

Test(evidence, as_a_root_without_rights, .timeout = 20)
{
	static const char question[] = "/etc/passwd";
	struct mr_facts them = us;
	int64_t ret;
	pthread_t thread;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	them.cap_effective = 0;
	cr_expect_eq(evidence_tell(&them, question, sizeof(question), (char *)&ret, sizeof(ret)), -1);
	them = us;
	them.other_user_ns = true;
	cr_expect_eq(evidence_tell(&them, question, sizeof(question), (char *)&ret, sizeof(ret)), -1);
	cr_assert_eq(pthread_create(&thread, NULL, never_end, NULL), 0);
	(void)usleep(20000);
	them.uid[3] = 65534;
	cr_expect_eq(evidence_tell(&them, question, sizeof(question), (char *)&ret, sizeof(ret)), (ssize_t)sizeof(ret));
}
