/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cursor.h"

/* ---- status: "Key:\tvalue" lines; the kernel escapes newlines in Name, so no line can be forged ---- */

static bool take_ids(struct cursor *c, uint32_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		cursor_skip_blanks(c);
		if (!cursor_u32(c, 10, &ret[i]))
			return false;
	}
	return true;
}

static bool take_ns_pids(struct cursor *c, struct proc_status *ret)
{
	ret->ns_depth = 0;
	for (cursor_skip_blanks(c); c->at < c->end; cursor_skip_blanks(c)) {
		if (!cursor_int(c, &ret->ns_pid))
			return false;
		ret->ns_depth++;
	}
	return ret->ns_depth > 0;
}

static bool has_feature(struct cursor c, const char *feature)
{
	size_t size = strlen(feature);

	for (cursor_skip_blanks(&c); c.at < c.end; cursor_skip_blanks(&c)) {
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
		if (!cursor_word(line, keys[i].key))
			continue;
		cursor_skip_blanks(line);
		if (keys[i].number ? !cursor_int(line, keys[i].number) : !cursor_number(line, 16, keys[i].mask))
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
	if (cursor_word(&line, "Uid:"))
		return take_ids(&line, ret->uid) ? 0 : -EINVAL;
	if (cursor_word(&line, "Gid:"))
		return take_ids(&line, ret->gid) ? 0 : -EINVAL;
	if (cursor_word(&line, "NSpid:"))
		return take_ns_pids(&line, ret) ? 0 : -EINVAL;
	if (cursor_word(&line, "State:")) {
		cursor_skip_blanks(&line);
		ret->state = line.at < line.end ? *line.at : '?';
	} else if (cursor_word(&line, "x86_Thread_features:")) {
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
	while (cursor_line(&c, &line)) {
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
	if (!close || !cursor_int(&c, &ret->pid) || !cursor_word(&c, " (") || close < c.at)
		return -EINVAL;
	length = (size_t)(close - c.at);
	if (length >= sizeof(ret->comm))
		length = sizeof(ret->comm) - 1;
	memcpy(ret->comm, c.at, length);
	c.at = close + 1;
	if (!cursor_char(&c, ' ') || c.at >= c.end)
		return -EINVAL;
	ret->state = *c.at++;
	for (int field = 4; field <= 22; field++) {	/* numbered as in proc(5) */
		int64_t value = 0;

		if (!cursor_char(&c, ' '))
			return -EINVAL;
		/* Some are negative, start_time and flags never. */
		if (c.at < c.end && *c.at == '-' ? !cursor_signed(&c, &value) : !cursor_number(&c, 10, &fields[field]))
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
	return cursor_char(c, ' ') && cursor_word(c, "0x") && cursor_number(c, 16, ret);
}

int syscall_parse(const char *text, size_t size, struct proc_syscall *ret)
{
	struct cursor c = { text, text + size };
	int64_t nr;

	memset(ret, 0, sizeof(*ret));
	ret->nr = -1;
	if (cursor_word(&c, "running"))
		return 0;
	if (!cursor_signed(&c, &nr))
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

	while (cursor_line(&c, &line)) {
		uint64_t id;
		const char *colon;
		size_t length;

		if (!cursor_number(&line, 10, &id) || !cursor_char(&line, ':'))
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

	while (cursor_line(&c, &line)) {
		if (cursor_word(&line, "frozen 1") || cursor_word(&line, "FROZEN"))
			return line.at == line.end;
	}
	return false;
}
