/* SPDX-License-Identifier: MIT
 *
 * The parsers of /proc, over text. Needs inject/proc.o and inject/{maps,cursor,proc_read}.o.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../inject/proc.h"

static int parse_maps(const char *text, struct mr_maps *ret)
{
	return maps_parse(text, strlen(text), ret);
}

Test(maps, one_file)
{
	struct mr_maps maps;

	cr_assert_eq(parse_maps("55d1c6a00000-55d1c6a01000 r-xp 00002000 fd:01 123456                     "
				"/usr/bin/python3.11\n", &maps), 0);
	cr_assert_eq(maps.count, 1);
	cr_expect_eq(maps.map[0].start, 0x55d1c6a00000);
	cr_expect_eq(maps.map[0].end, 0x55d1c6a01000);
	cr_expect_eq(maps.map[0].offset, 0x2000);
	cr_expect_eq(maps.map[0].dev_major, 0xfd);
	cr_expect_eq(maps.map[0].dev_minor, 1);
	cr_expect_eq(maps.map[0].inode, 123456);
	cr_expect_str_eq(maps.map[0].perms, "r-xp");
	cr_expect(map_path_is(&maps.map[0], "/usr/bin/python3.11"));
	cr_expect_not(map_path_is(&maps.map[0], "/usr/bin/python3.1"));
	maps_free(&maps);
	cr_expect_eq(maps.count, 0);
}

Test(maps, paths_of_any_bytes)
{
	struct mr_maps maps;
	char path[64];

	cr_assert_eq(parse_maps("1000-2000 rw-p 0 00:00 0 \n"
				"2000-3000 r--p 0 08:01 5      /a b\\012c \xff (deleted)\n"
				"3000-4000 r--p 0 08:01 5      /x (deleted) y\n"
				"4000-5000 r-xp 0 00:00 0      [vdso]", &maps), 0);
	cr_assert_eq(maps.count, 4);
	cr_expect_null(maps.map[0].path);
	cr_expect(map_deleted(&maps.map[1]));
	cr_expect_eq(map_path(&maps.map[1], path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/a b\nc \xff");
	cr_expect_eq(map_path(&maps.map[1], path, 8), -E2BIG);
	cr_expect_not(map_deleted(&maps.map[2]));
	cr_expect(map_path_is(&maps.map[3], "[vdso]"));
	cr_expect_eq(map_path(&maps.map[0], path, 1), 0);
	cr_expect_eq(map_path(&maps.map[0], path, 0), -E2BIG);
	maps_free(&maps);
}

Test(maps, find)
{
	struct mr_maps maps;

	cr_assert_eq(parse_maps("1000-2000 r--p 0 0:0 0\n3000-4000 r--p 0 0:0 0\nffffffffff600000-ffffffffff601000 --xp 0 "
				"00:00 0 [vsyscall]\n", &maps), 0);
	cr_expect_null(maps_find(&maps, 0xfff));
	cr_expect_eq(maps_find(&maps, 0x1000), &maps.map[0]);
	cr_expect_eq(maps_find(&maps, 0x1fff), &maps.map[0]);
	cr_expect_null(maps_find(&maps, 0x2000));
	cr_expect_eq(maps_find(&maps, 0x3800), &maps.map[1]);
	cr_expect_eq(maps_find(&maps, 0xffffffffff600800), &maps.map[2]);
	cr_expect_null(maps_find(&maps, UINT64_MAX));
	maps_free(&maps);
}

/* Between two reads of the file the process may have moved a mapping: the later line counts. */
Test(maps, overlapping_lines)
{
	struct mr_maps maps;

	cr_assert_eq(parse_maps("1000-2000 r--p 0 0:0 0\n2000-9000 r--p 0 0:0 0\n3000-4000 rw-p 0 0:0 0\n", &maps), 0);
	cr_assert_eq(maps.count, 2);
	cr_expect_eq(maps_find(&maps, 0x3000)->perms[1], 'w');
	maps_free(&maps);
}

Test(maps, empty)
{
	struct mr_maps maps;

	cr_assert_eq(parse_maps("", &maps), 0);
	cr_expect_eq(maps.count, 0);
	cr_expect_null(maps_find(&maps, 0));
	maps_free(&maps);
}

Test(maps, not_maps)
{
	static const char *const texts[] = {
		"\n",
		"x",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r-",
		"1000-2000 r-xp",
		"1000-2000 r-xp 0",
		"1000-2000 r-xp 0 8",
		"1000-2000 r-xp 0 8:1",
		"1000-2000 r-xp 0 8:1 ",
		"1000-2000 r-xp 0 8:1 5x",
		"2000-1000 r-xp 0 8:1 5",
		"11112222333344445-2 r-xp 0 8:1 5",
		"1000-2000 r-xp 0 fffffffff:1 5",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct mr_maps maps;

		cr_expect_eq(parse_maps(texts[i], &maps), -EINVAL, "%s", texts[i]);
	}
}

Test(maps, too_many)
{
	static const char line[] = "1-1 r--p 0 0:0 0\n";
	size_t size = sizeof(line) - 1, count = PROC_MAPS_MAX + 1;
	char *text = malloc(size * count);
	struct mr_maps maps;

	cr_assert(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * size, line, size);
	cr_expect_eq(maps_parse(text, size * count, &maps), -E2BIG);
	cr_assert_eq(maps_parse(text, size * (count - 1), &maps), 0);
	cr_expect_eq(maps.count, PROC_MAPS_MAX);
	maps_free(&maps);
	free(text);
}

Test(status, typical)
{
	static const char text[] =
		"Name:\tpython3\\nTgid:\\t1\nState:\tS (sleeping)\nTgid:\t4242\nPid:\t4242\nPPid:\t1\nTracerPid:\t977\n"
		"Uid:\t1000\t1001\t1002\t1003\nGid:\t100\t101\t102\t103\nGroups:\t4 24 \nNSpid:\t4242\t17\t1\n"
		"Threads:\t5\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\tfffffffe7ffbba37\n"
		"SigIgn:\t0000000001001000\nSigCgt:\t0000000000000002\nCapPrm:\t000001ffffffffff\n"
		"CapEff:\t0000000000080000\nSeccomp:\t2\nx86_Thread_features:\tshstk wrss \n"
		"x86_Thread_features_locked:\tshstk \n";
	struct proc_status st;

	cr_assert_eq(status_parse(text, sizeof(text) - 1, &st), 0);
	cr_expect_eq(st.tgid, 4242);
	cr_expect_eq(st.pid, 4242);
	cr_expect_eq(st.ppid, 1);
	cr_expect_eq(st.tracer, 977);
	cr_expect_eq(st.uid[0], 1000);
	cr_expect_eq(st.uid[3], 1003);
	cr_expect_eq(st.gid[1], 101);
	cr_expect_eq(st.ns_pid, 1);
	cr_expect_eq(st.ns_depth, 3);
	cr_expect_eq(st.threads, 5);
	cr_expect_eq(st.seccomp, 2);
	cr_expect_eq(st.state, 'S');
	cr_expect_eq(st.sig_pending, 1);
	cr_expect_eq(st.shared_pending, 2);
	cr_expect_eq(st.sig_blocked, 0xfffffffe7ffbba37);
	cr_expect_eq(st.sig_ignored, 0x1001000);
	cr_expect_eq(st.sig_caught, 2);
	cr_expect_eq(st.cap_permitted, 0x1ffffffffff);
	cr_expect_eq(st.cap_effective, 0x80000);
	cr_expect(st.shadow_stack);
}

Test(status, little_said)
{
	static const char text[] = "Name:\tx\nTgid:\t7\nPid:\t8\nx86_Thread_features:\tshstkx\n";
	struct proc_status st;

	cr_assert_eq(status_parse(text, sizeof(text) - 1, &st), 0);
	cr_expect_eq(st.tracer, -1);
	cr_expect_eq(st.seccomp, -1);
	cr_expect_eq(st.ns_pid, 8);
	cr_expect_eq(st.uid[0], (uid_t)-1);
	cr_expect_not(st.shadow_stack);
}

Test(status, not_status)
{
	static const char *const texts[] = {
		"", "Name:\tx\n", "Tgid:\tx\nPid:\t1\n", "Tgid:\t1\nPid:\t99999999999\n", "Tgid:\t1\nPid:\t1\nUid:\t1 2\n",
		"Tgid:\t1\nPid:\t1\nNSpid:\n", "Tgid:\t1\nPid:\t1\nSigBlk:\t\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct proc_status st;

		cr_expect_eq(status_parse(texts[i], strlen(texts[i]), &st), -EINVAL, "%s", texts[i]);
	}
}

#define STAT_TAIL " S 1 4242 4242 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 3 0 103305 1000 20 1844"

Test(stat, names_of_any_bytes)
{
	static const struct {
		const char *text, *comm;
	} rows[] = {
		{ "4242 (python3)" STAT_TAIL, "python3" },
		{ "4242 (a) S 9 (b)" STAT_TAIL, "a) S 9 (b" },
		{ "4242 (x\ny \xff)" STAT_TAIL, "x\ny \xff" },
		{ "4242 ()" STAT_TAIL, "" },
		{ "4242 ())))" STAT_TAIL, ")))" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct proc_stat st;

		cr_assert_eq(stat_parse(rows[i].text, strlen(rows[i].text), &st), 0, "%s", rows[i].text);
		cr_expect_str_eq(st.comm, rows[i].comm);
		cr_expect_eq(st.pid, 4242);
		cr_expect_eq(st.ppid, 1);
		cr_expect_eq(st.state, 'S');
		cr_expect_eq(st.flags, 4194560);
		cr_expect_eq(st.start_time, 103305);
	}
}

Test(stat, long_name_is_cut)
{
	char text[256];
	struct proc_stat st;

	(void)snprintf(text, sizeof(text), "1 (%0100d)" STAT_TAIL, 7);
	cr_assert_eq(stat_parse(text, strlen(text), &st), 0);
	cr_expect_eq(strlen(st.comm), sizeof(st.comm) - 1);
}

Test(stat, cut_short)
{
	static const char text[] = "4242 (python3)" STAT_TAIL;
	size_t whole = (size_t)(strstr(text, " 1000 20") - text);
	struct proc_stat st;

	for (size_t size = 0; size < whole - 6; size++)
		cr_expect_eq(stat_parse(text, size, &st), -EINVAL, "%zu", size);
	cr_expect_eq(stat_parse(text, whole, &st), 0);
}

Test(syscall, kinds)
{
	static const char in[] = "232 0x5 0x7ffd1 0x2 0xffffffffffffffff 0x0 0x8 0x7ffd7a30 0x7f12345678\n";
	static const char none[] = "-1 0x7ffd7a30 0x7f12345678\n";
	struct proc_syscall sc;

	cr_assert_eq(syscall_parse("running\n", 8, &sc), 0);
	cr_expect_eq(sc.kind, PROC_SYSCALL_RUNNING);
	cr_assert_eq(syscall_parse(none, sizeof(none) - 1, &sc), 0);
	cr_expect_eq(sc.kind, PROC_SYSCALL_NONE);
	cr_expect_eq(sc.pc, 0x7f12345678);
	cr_assert_eq(syscall_parse(in, sizeof(in) - 1, &sc), 0);
	cr_expect_eq(sc.kind, PROC_SYSCALL_IN);
	cr_expect_eq(sc.nr, 232);
	cr_expect_eq(sc.arg[0], 5);
	cr_expect_eq(sc.arg[3], UINT64_MAX);
	cr_expect_eq(sc.sp, 0x7ffd7a30);
}

Test(syscall, not_syscall)
{
	static const char *const texts[] = { "", "x", "-1", "-1 0x1", "1 0x1 0x2\n", "0 1 2 3 4 5 6 7 8", "-" };
	struct proc_syscall sc;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(syscall_parse(texts[i], strlen(texts[i]), &sc), -EINVAL, "%s", texts[i]);
}

Test(cgroup, paths)
{
	static const char text[] = "9:name=systemd:/\n6:freezer:/jobs/a:b\n4:cpu,memory:/x\n0::/user.slice/a.service\n";
	char path[64];

	cr_expect_eq(cgroup_parse(text, sizeof(text) - 1, "", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/user.slice/a.service");
	cr_expect_eq(cgroup_parse(text, sizeof(text) - 1, "freezer", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/jobs/a:b");
	cr_expect_eq(cgroup_parse(text, sizeof(text) - 1, "memory", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/x");
	cr_expect_eq(cgroup_parse(text, sizeof(text) - 1, "mem", path, sizeof(path)), -ENOENT);
	cr_expect_eq(cgroup_parse(text, sizeof(text) - 1, "freezer", path, 5), -E2BIG);
	cr_expect_eq(cgroup_parse("x", 1, "", path, sizeof(path)), -EINVAL);
}

Test(cgroup, frozen)
{
	cr_expect(cgroup_frozen("populated 1\nfrozen 1\n", 21));
	cr_expect_not(cgroup_frozen("populated 1\nfrozen 0\n", 21));
	cr_expect_not(cgroup_frozen("frozen 10\n", 10));
	cr_expect(cgroup_frozen("FROZEN\n", 7));
	cr_expect_not(cgroup_frozen("THAWED\n", 7));
	cr_expect_not(cgroup_frozen("", 0));
}

Test(proc_read, ourselves)
{
	struct proc_stat st;
	struct mr_maps maps;
	char *text;
	size_t size;

	cr_assert_eq(proc_read(getpid(), "stat", &text, &size), 0);
	cr_assert_eq(stat_parse(text, size, &st), 0);
	cr_expect_eq(st.pid, getpid());
	free(text);
	cr_assert_eq(proc_read(getpid(), "maps", &text, &size), 0);
	cr_assert_eq(maps_parse(text, size, &maps), 0);
	cr_expect(maps_find(&maps, (uint64_t)(uintptr_t)&proc_read));
	maps_free(&maps);
	free(text);
	cr_expect_eq(proc_read(getpid(), "no-such-file", &text, &size), -ENOENT);
	cr_expect_eq(proc_read(0x7fffffff, "stat", &text, &size), -ENOENT);
}
