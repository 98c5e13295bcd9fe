/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What is left to read of a text. Every take_* moves it on only over what it took. */
struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *c, char wanted)
{
	if (c->at >= c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

static int digit_of(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : 16;
}

/* An unsigned number; false when there is no digit or it does not fit. */
static bool take_number(struct cursor *c, unsigned int base, uint64_t *ret)
{
	const char *start = c->at;
	uint64_t value = 0;

	while (c->at < c->end) {
		unsigned int digit = (unsigned int)digit_of(*c->at);

		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
		c->at++;
	}
	*ret = value;
	return c->at > start;
}

static bool take_signed(struct cursor *c, int64_t *ret)
{
	bool negative = take_char(c, '-');
	uint64_t value;

	if (!take_number(c, 10, &value) || value > INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool take_u32(struct cursor *c, unsigned int base, uint32_t *ret)
{
	uint64_t value;

	if (!take_number(c, base, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool take_int(struct cursor *c, int *ret)
{
	int64_t value;

	if (!take_signed(c, &value) || value < INT_MIN || value > INT_MAX)
		return false;
	*ret = (int)value;
	return true;
}

/* The next line, without its newline; false at the end of the text. */
static bool take_line(struct cursor *c, struct cursor *ret_line)
{
	const char *newline;

	if (c->at >= c->end)
		return false;
	newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	ret_line->at = c->at;
	ret_line->end = newline ? newline : c->end;
	c->at = newline ? newline + 1 : c->end;
	return true;
}

static bool take_word(struct cursor *c, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
		return false;
	c->at += size;
	return true;
}

/* ---- maps: "start-end perms offset major:minor inode      path" ---- */

int map_parse(const char *line, size_t size, struct mr_map *ret)
{
	struct cursor c = { line, line + size };

	memset(ret, 0, sizeof(*ret));
	if (!take_number(&c, 16, &ret->start) || !take_char(&c, '-') || !take_number(&c, 16, &ret->end) ||
	    !take_char(&c, ' ') || c.end - c.at < 4 || ret->end < ret->start)
		return -EINVAL;
	memcpy(ret->perms, c.at, 4);
	c.at += 4;
	if (!take_char(&c, ' ') || !take_number(&c, 16, &ret->offset) || !take_char(&c, ' ') ||
	    !take_u32(&c, 16, &ret->dev_major) || !take_char(&c, ':') || !take_u32(&c, 16, &ret->dev_minor) ||
	    !take_char(&c, ' ') || !take_number(&c, 10, &ret->inode))
		return -EINVAL;
	/*
	 * The kernel pads to a fixed column and then writes the path, which always begins with '/', '[' or a letter:
	 * blanks here are padding, blanks later belong to the path.
	 */
	if (c.at < c.end && *c.at != ' ')
		return -EINVAL;
	skip_blanks(&c);
	if (c.at < c.end) {
		ret->path = c.at;
		ret->path_size = (size_t)(c.end - c.at);
	}
	return 0;
}

static int maps_append(struct mr_maps *maps, size_t *room, const struct mr_map *map)
{
	if (maps->count >= PROC_MAPS_MAX)
		return -E2BIG;
	if (maps->count == *room) {
		size_t wanted = *room ? *room * 2 : 256;
		struct mr_map *more = reallocarray(maps->map, wanted, sizeof(*more));

		if (!more)
			return -ENOMEM;
		maps->map = more;
		*room = wanted;
	}
	maps->map[maps->count++] = *map;
	return 0;
}

int maps_parse(const char *text, size_t size, struct mr_maps *ret)
{
	struct cursor c = { text, text + size }, line;
	struct mr_maps maps = { NULL, 0 };
	uint64_t floor = 0;
	size_t room = 0;
	int r = 0;

	while (!r && take_line(&c, &line)) {
		struct mr_map map;

		r = map_parse(line.at, (size_t)(line.end - line.at), &map);
		/*
		 * The file is read in pieces while the process runs on: a mapping may grow or move between two reads and
		 * then shows up again. The later line is the newer truth; keep the order that maps_find relies on.
		 */
		if (!r && map.start < floor) {
			while (maps.count && maps.map[maps.count - 1].end > map.start)
				maps.count--;
		}
		if (!r)
			r = maps_append(&maps, &room, &map);
		if (!r)
			floor = map.end;
	}
	if (r) {
		maps_free(&maps);
		return r;
	}
	*ret = maps;
	return 0;
}

void maps_free(struct mr_maps *maps)
{
	free(maps->map);
	maps->map = NULL;
	maps->count = 0;
}

const struct mr_map *maps_find(const struct mr_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mr_map *map = &maps->map[middle];

		if (addr < map->start)
			high = middle;
		else if (addr >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

static const char deleted[] = " (deleted)";

bool map_deleted(const struct mr_map *map)
{
	size_t size = sizeof(deleted) - 1;

	return map->path_size > size && !memcmp(map->path + map->path_size - size, deleted, size);
}

bool map_path_is(const struct mr_map *map, const char *path)
{
	return map->path_size == strlen(path) && map->path_size && !memcmp(map->path, path, map->path_size);
}

int map_path(const struct mr_map *map, char *ret, size_t size)
{
	size_t length = map->path_size - (map_deleted(map) ? sizeof(deleted) - 1 : 0), used = 0;

	for (size_t i = 0; i < length; i++) {
		char ch = map->path[i];

		if (used + 1 >= size)
			return -E2BIG;
		if (ch == '\\' && length - i >= 4 && !memcmp(map->path + i, "\\012", 4)) {
			ch = '\n';
			i += 3;
		}
		ret[used++] = ch;
	}
	if (!size)
		return -E2BIG;
	ret[used] = '\0';
	return 0;
}

/* ---- status: "Key:\tvalue" lines; the kernel escapes newlines in Name, so no line can be forged ---- */

static bool take_ids(struct cursor *c, uint32_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		skip_blanks(c);
		if (!take_u32(c, 10, &ret[i]))
			return false;
	}
	return true;
}

static bool take_ns_pids(struct cursor *c, struct proc_status *ret)
{
	ret->ns_depth = 0;
	for (skip_blanks(c); c->at < c->end; skip_blanks(c)) {
		if (!take_int(c, &ret->ns_pid))
			return false;
		ret->ns_depth++;
	}
	return ret->ns_depth > 0;
}

static bool has_feature(struct cursor c, const char *feature)
{
	size_t size = strlen(feature);

	for (skip_blanks(&c); c.at < c.end; skip_blanks(&c)) {
		const char *start = c.at;

		while (c.at < c.end && *c.at != ' ' && *c.at != '\t')
			c.at++;
		if ((size_t)(c.at - start) == size && !memcmp(start, feature, size))
			return true;
	}
	return false;
}

/* The lines that hold one number each. Returns 1 when it was one of them, 0 when not, -EINVAL. */
static int status_number(struct cursor *line, struct proc_status *ret)
{
	const struct {
		const char *key;
		int *number;
		uint64_t *mask;
	} keys[] = {
		{ "Tgid:", &ret->tgid, NULL },
		{ "Pid:", &ret->pid, NULL },
		{ "PPid:", &ret->ppid, NULL },
		{ "TracerPid:", &ret->tracer, NULL },
		{ "Threads:", &ret->threads, NULL },
		{ "Seccomp:", &ret->seccomp, NULL },
		{ "SigPnd:", NULL, &ret->sig_pending },
		{ "ShdPnd:", NULL, &ret->shared_pending },
		{ "SigBlk:", NULL, &ret->sig_blocked },
		{ "SigIgn:", NULL, &ret->sig_ignored },
		{ "SigCgt:", NULL, &ret->sig_caught },
		{ "CapPrm:", NULL, &ret->cap_permitted },
		{ "CapEff:", NULL, &ret->cap_effective },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!take_word(line, keys[i].key))
			continue;
		skip_blanks(line);
		if (keys[i].number ? !take_int(line, keys[i].number) : !take_number(line, 16, keys[i].mask))
			return -EINVAL;
		return 1;
	}
	return 0;
}

static int status_line(struct cursor line, struct proc_status *ret)
{
	int r = status_number(&line, ret);

	if (r)
		return r < 0 ? r : 0;
	if (take_word(&line, "Uid:"))
		return take_ids(&line, ret->uid) ? 0 : -EINVAL;
	if (take_word(&line, "Gid:"))
		return take_ids(&line, ret->gid) ? 0 : -EINVAL;
	if (take_word(&line, "NSpid:"))
		return take_ns_pids(&line, ret) ? 0 : -EINVAL;
	if (take_word(&line, "State:")) {
		skip_blanks(&line);
		ret->state = line.at < line.end ? *line.at : '?';
	} else if (take_word(&line, "x86_Thread_features:")) {
		ret->shadow_stack = has_feature(line, "shstk");
	}
	return 0;
}

int status_parse(const char *text, size_t size, struct proc_status *ret)
{
	struct cursor c = { text, text + size }, line;

	memset(ret, 0, sizeof(*ret));
	ret->tgid = ret->pid = ret->ppid = ret->tracer = ret->ns_pid = -1;
	ret->threads = ret->seccomp = -1;
	ret->state = '?';
	for (int i = 0; i < 4; i++) {
		ret->uid[i] = (uid_t)-1;
		ret->gid[i] = (gid_t)-1;
	}
	while (take_line(&c, &line)) {
		int r = status_line(line, ret);

		if (r)
			return r;
	}
	if (ret->ns_pid == -1)	/* a kernel without namespaces */
		ret->ns_pid = ret->pid;
	return ret->tgid > 0 && ret->pid > 0 ? 0 : -EINVAL;
}

/* ---- stat: "pid (comm) state ppid …"; comm may hold anything, so its end is the last ')' of the text ---- */

int stat_parse(const char *text, size_t size, struct proc_stat *ret)
{
	struct cursor c = { text, text + size };
	const char *close = memrchr(text, ')', size);
	uint64_t fields[23] = { 0 };
	size_t length;

	memset(ret, 0, sizeof(*ret));
	if (!close || !take_int(&c, &ret->pid) || !take_word(&c, " (") || close < c.at)
		return -EINVAL;
	length = (size_t)(close - c.at);
	if (length >= sizeof(ret->comm))
		length = sizeof(ret->comm) - 1;
	memcpy(ret->comm, c.at, length);
	c.at = close + 1;
	if (!take_char(&c, ' ') || c.at >= c.end)
		return -EINVAL;
	ret->state = *c.at++;
	for (int field = 4; field <= 22; field++) {	/* numbered as in proc(5) */
		int64_t value = 0;

		if (!take_char(&c, ' '))
			return -EINVAL;
		/* Some are negative, start_time and flags never. */
		if (c.at < c.end && *c.at == '-' ? !take_signed(&c, &value) : !take_number(&c, 10, &fields[field]))
			return -EINVAL;
	}
	if (fields[4] > INT_MAX || fields[9] > UINT32_MAX)
		return -EINVAL;
	ret->ppid = (pid_t)fields[4];
	ret->flags = (uint32_t)fields[9];
	ret->start_time = fields[22];
	return 0;
}

/* ---- syscall: "running", "-1 sp pc", or "nr a0 a1 a2 a3 a4 a5 sp pc" ---- */

static bool take_hex(struct cursor *c, uint64_t *ret)
{
	return take_char(c, ' ') && take_word(c, "0x") && take_number(c, 16, ret);
}

int syscall_parse(const char *text, size_t size, struct proc_syscall *ret)
{
	struct cursor c = { text, text + size };
	int64_t nr;

	memset(ret, 0, sizeof(*ret));
	ret->nr = -1;
	if (take_word(&c, "running"))
		return 0;
	if (!take_signed(&c, &nr))
		return -EINVAL;
	ret->kind = nr == -1 ? PROC_SYSCALL_NONE : PROC_SYSCALL_IN;
	ret->nr = (long)nr;
	for (int i = 0; nr != -1 && i < 6; i++) {
		if (!take_hex(&c, &ret->arg[i]))
			return -EINVAL;
	}
	return take_hex(&c, &ret->sp) && take_hex(&c, &ret->pc) ? 0 : -EINVAL;
}

/* ---- cgroup: "id:controller,controller:/path" ---- */

static bool has_controller(const char *list, size_t size, const char *controller)
{
	size_t wanted = strlen(controller);

	if (!wanted)
		return !size;
	while (size) {
		const char *comma = memchr(list, ',', size);
		size_t length = comma ? (size_t)(comma - list) : size;

		if (length == wanted && !memcmp(list, controller, wanted))
			return true;
		list += length + (comma ? 1 : 0);
		size -= length + (comma ? 1 : 0);
	}
	return false;
}

int cgroup_parse(const char *text, size_t size, const char *controller, char *ret, size_t ret_size)
{
	struct cursor c = { text, text + size }, line;

	while (take_line(&c, &line)) {
		uint64_t id;
		const char *colon;
		size_t length;

		if (!take_number(&line, 10, &id) || !take_char(&line, ':'))
			return -EINVAL;
		colon = memchr(line.at, ':', (size_t)(line.end - line.at));
		if (!colon)
			return -EINVAL;
		if (!has_controller(line.at, (size_t)(colon - line.at), controller))
			continue;
		length = (size_t)(line.end - colon - 1);
		if (length >= ret_size)
			return -E2BIG;
		memcpy(ret, colon + 1, length);
		ret[length] = '\0';
		return 0;
	}
	return -ENOENT;
}

bool cgroup_frozen(const char *text, size_t size)
{
	struct cursor c = { text, text + size }, line;

	while (take_line(&c, &line)) {
		if (take_word(&line, "frozen 1") || take_word(&line, "FROZEN"))
			return line.at == line.end;
	}
	return false;
}
