/* SPDX-License-Identifier: MIT */
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "../inject/inject.h"
#include "util.h"
#include "watch.h"

#define DEPTH 64	/* folders on a path */
#define TEXT_MAX (1u << 20)	/* of a source that is searched */
#define LOOK_MAX 1.5	/* seconds */
#define PLACE (O_PATH | O_CLOEXEC)
#define NS_PER_S INT64_C(1000000000)

struct asked {
	const char *path;
	size_t number;
};

/* One folder on the way, and what was found up to it; no fd where newest tells what is wrong. */
struct level {
	size_t end;	/* where its name ends in the path */
	int fd;
	int64_t newest;
};

/* The folders of the last path: paths come sorted, so the next one shares most of them. */
struct walk {
	int root;
	const char *path;
	size_t depth;
	struct level level[DEPTH];
	char text[TEXT_MAX];
};

static int64_t wrong(int error)
{
	return error == ENOENT || error == ENOTDIR ? EVIDENCE_MISSING : EVIDENCE_UNKNOWN;
}

static int64_t later(int64_t newest, const struct timespec *time)
{
	int64_t ns = time->tv_sec * NS_PER_S + time->tv_nsec;

	if (ns < 1)
		ns = 1;
	return ns > newest ? ns : newest;
}

static int in_root(const struct walk *walk, const char *path, size_t size, uint64_t flags)
{
	struct open_how how = { .flags = PLACE | flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char copy[PATH_MAX];

	if (size >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(copy, path, size);
	copy[size] = 0;
	return (int)syscall(SYS_openat2, walk->root, copy, &how, sizeof(how));
}

static void leave(struct walk *walk)
{
	struct level *last = &walk->level[--walk->depth];

	if (last->fd >= 0)
		(void)close(last->fd);
}

/* The folder NAME in the last one: found without following links; a link is followed beneath the root. */
static void enter_named(const struct walk *walk, const char *path, const char *name, int parent, struct level *level)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) {
		level->newest = wrong(errno);
		return;
	}
	if (S_ISLNK(st.st_mode) || !strcmp(name, ".."))
		level->fd = in_root(walk, path, level->end, O_DIRECTORY);
	else
		level->fd = openat(parent, name, PLACE | O_DIRECTORY | O_NOFOLLOW);
	if (level->fd < 0)
		level->newest = wrong(errno);
	else if (S_ISLNK(st.st_mode) || st.st_ctim.tv_sec != st.st_mtim.tv_sec || st.st_ctim.tv_nsec != st.st_mtim.tv_nsec)
		level->newest = later(level->newest, &st.st_ctim);
}

static void enter(struct walk *walk, const char *path, size_t start, size_t end)
{
	const struct level *before = walk->depth ? &walk->level[walk->depth - 1] : NULL;
	struct level *level = &walk->level[walk->depth++];
	char name[NAME_MAX + 1];
	size_t size = end - start - 1;

	*level = (struct level){ end, -1, before ? before->newest : 1 };
	if (before && before->fd < 0)
		return;
	if (size > NAME_MAX) {
		level->newest = EVIDENCE_UNKNOWN;
		return;
	}
	memcpy(name, path + start + 1, size);
	name[size] = 0;
	enter_named(walk, path, size ? name : ".", before ? before->fd : walk->root, level);
}

/* Makes the levels those of the folders in path[0, end). */
static bool go(struct walk *walk, const char *path, size_t end)
{
	size_t start = 0;

	while (walk->depth) {
		start = walk->level[walk->depth - 1].end;
		if (start <= end && !memcmp(walk->path, path, start) && path[start] == '/')
			break;
		leave(walk);
		start = 0;
	}
	walk->path = path;
	while (start < end) {
		const char *next = memchr(path + start + 1, '/', end - start);

		if (walk->depth == DEPTH)
			return false;
		enter(walk, path, start, (size_t)(next - path));
		start = (size_t)(next - path);
	}
	return true;
}

static int64_t look(struct walk *walk, const char *path)
{
	const char *name = strrchr(path, '/');
	const struct level top = { 0, walk->root, 1 }, *folder = &top;
	int64_t newest;
	struct stat st;

	if (path[0] != '/' || !name[1] || !go(walk, path, (size_t)(name - path)))
		return EVIDENCE_UNKNOWN;
	if (walk->depth)
		folder = &walk->level[walk->depth - 1];
	if (folder->fd < 0)
		return folder->newest;
	if (fstatat(folder->fd, name + 1, &st, AT_SYMLINK_NOFOLLOW))
		return wrong(errno);
	newest = later(folder->newest, &st.st_ctim);
	if (S_ISLNK(st.st_mode)) {
		AUTO_CLOSE int fd = in_root(walk, path, strlen(path), 0);

		if (fd < 0 || fstat(fd, &st))
			return wrong(errno);
		newest = later(newest, &st.st_ctim);
	}
	return newest;
}

/* ---- what a source mentions -------------------------------------------------------------------------------------- */

static bool in_word(unsigned char c)
{
	return c > 127 || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool has_word(const char *text, size_t size, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), word, length)); at++)
		if ((at == text || !in_word((unsigned char)at[-1])) &&
		    (at + length == text + size || !in_word((unsigned char)at[length])))
			return true;
	return false;
}

/*
 * A regular file and nothing else is opened: what the place holds is known before. In /proc, `self` is we: the target is told
 * nothing of us.
 */
static int open_regular(int place)
{
	struct statfs fs;
	char path[64];
	struct stat st;

	if (fstat(place, &st) || !S_ISREG(st.st_mode) || fstatfs(place, &fs) || fs.f_type == PROC_SUPER_MAGIC)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int64_t mentions(struct walk *walk, const char *path, const char *word)
{
	AUTO_CLOSE int place = path[0] == '/' ? in_root(walk, path, strlen(path), 0) : -1;
	AUTO_CLOSE int fd = place < 0 ? -1 : open_regular(place);
	ssize_t size = fd < 0 ? -1 : read(fd, walk->text, sizeof(walk->text));

	if (size < 0 || (size_t)size == sizeof(walk->text))
		return EVIDENCE_UNKNOWN;
	return has_word(walk->text, (size_t)size, word) && has_word(walk->text, (size_t)size, "import") ? EVIDENCE_MENTIONS :
													 EVIDENCE_SILENT;
}

static int by_path(const void *one, const void *other)
{
	return strcmp(((const struct asked *)one)->path, ((const struct asked *)other)->path);
}

/* WORD is NULL, or what the files may mention. */
static void look_at_all(struct walk *walk, struct asked *asked, size_t count, const char *word, char *ret)
{
	qsort(asked, count, sizeof(*asked), by_path);
	for (size_t i = 0; i < count; i++) {
		int64_t found = word ? mentions(walk, asked[i].path, word) : look(walk, asked[i].path);

		memcpy(ret + asked[i].number * sizeof(found), &found, sizeof(found));
	}
	while (walk->depth)
		leave(walk);
}

static size_t count_of(const char *question, size_t size)
{
	size_t count = 0;

	for (const char *at = question; (at = memchr(at, 0, size - (size_t)(at - question))); at++)
		count++;
	return count;
}

/* Of this thread alone, as setfsuid(2) is; libc's would wait for all others, and one may be left behind (watch.h). */
static int thread_groups(size_t count, const gid_t *group)
{
	return (int)syscall(SYS_setgroups, count, group);
}

/* Our groups, while we look with other ids than ours. */
struct groups {
	gid_t *group;
	int count;
	bool other;
};

static void become_ourselves(struct groups *groups)
{
	if (groups->other) {
		(void)setfsuid(geteuid());
		(void)setfsgid(getegid());
		(void)thread_groups((size_t)groups->count, groups->group);
	}
	free(groups->group);
}

/*
 * Root looks as the target's user (setfsuid(2): file capabilities go with it), so that nothing is told which the target may
 * not see. False when that is not to be had.
 */
static bool become(const struct mr_facts *facts, struct groups *groups)
{
	enum { FS = 3 };	/* the ids by which the kernel judges access to files: proc(5), status */
	uid_t uid = facts->uid[FS];

	if (geteuid() != 0)
		return geteuid() == uid;
	if (uid == 0)	/* a root without its rights, as containers have them, sees less than we do */
		return facts->cap_effective >> CAP_DAC_OVERRIDE & 1 && !facts->other_user_ns;
	groups->count = getgroups(0, NULL);
	groups->group = calloc(groups->count > 0 ? (size_t)groups->count : 1, sizeof(gid_t));
	if (!groups->group || getgroups(groups->count, groups->group) != groups->count || thread_groups(0, NULL))
		return false;
	groups->other = true;
	(void)setfsgid(facts->gid[FS]);
	(void)setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == facts->gid[FS];
}

static void tell(struct walk *walk, struct asked *asked, size_t count, const char *question, char *ret)
{
	const char *word = question[0] == '?' ? question + 1 : NULL;

	for (size_t i = 0; i < count; i++, question += strlen(question) + 1)
		asked[i] = (struct asked){ question, i };
	look_at_all(walk, asked, count, word && *word ? word : NULL, ret);
}

static ssize_t look_and_tell(const struct mr_facts *facts, const char *question, size_t size, char *ret, size_t room)
{
	size_t count = size && !question[size - 1] ? count_of(question, size) : 0;
	struct asked *asked = count && count <= room / sizeof(int64_t) ? calloc(count, sizeof(*asked)) : NULL;
	struct walk *walk = asked ? malloc(sizeof(*walk)) : NULL;
	struct groups groups = { .group = NULL };
	bool told = false;
	char root[64];

	(void)snprintf(root, sizeof(root), "/proc/%ld/root", (long)facts->pid);
	if (walk) {
		walk->depth = 0;
		walk->root = open(root, PLACE | O_DIRECTORY);
	}
	if (walk && walk->root >= 0) {
		told = become(facts, &groups);
		if (told)
			tell(walk, asked, count, question, ret);
		become_ourselves(&groups);
		(void)close(walk->root);
	}
	free(walk);
	free(asked);
	return told ? (ssize_t)(count * sizeof(int64_t)) : -1;
}

/* One question, with all that a thread needs that may be left behind with it. */
struct errand {
	struct mr_facts facts;
	double begun;
	size_t size, room;
	ssize_t told;
	char text[];	/* the question, then what is told */
};

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *errand_run(void *data)
{
	struct errand *errand = data;

	errand->told = look_and_tell(&errand->facts, errand->text, errand->size, errand->text + errand->size, errand->room);
	return NULL;
}

static bool errand_overdue(void *data)
{
	mr_tell_goes_on();
	return now() > ((const struct errand *)data)->begun + LOOK_MAX;
}

ssize_t evidence_tell(void *data, const char *question, size_t size, char *ret, size_t room)
{
	struct errand *errand = calloc(1, sizeof(*errand) + size + room);
	ssize_t told;

	if (!errand)
		return -1;
	errand->facts = *(const struct mr_facts *)data;
	errand->begun = now();
	errand->size = size;
	errand->room = room;
	memcpy(errand->text, question, size);
	if (!watch(errand_run, errand_overdue, errand))
		return MR_TELL_NEVER;
	told = errand->told;
	if (told > 0)
		memcpy(ret, errand->text + size, (size_t)told);
	free(errand);
	return told;
}
