/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

#define DEPTH_MAX 16

static int add(struct selection *selection, pid_t pid, bool named, struct mr_error *err)
{
	struct selected *more;

	if (pid == getpid())
		return 0;
	for (size_t i = 0; i < selection->count; i++) {
		if (selection->process[i].pid == pid)
			return 0;
	}
	more = reallocarray(selection->process, selection->count + 1, sizeof(*more));
	if (!more)
		return mr_fail(err, MR_E_MEMORY, 0, "selecting processes");
	selection->process = more;
	selection->process[selection->count++] = (struct selected){ pid, named };
	return 0;
}

struct relation {
	pid_t pid, parent;
};

static int parents_read(struct relation **ret, size_t *ret_count, struct mr_error *err)
{
	DIR *proc = opendir("/proc");
	struct relation *list = NULL;
	struct dirent *entry;
	size_t count = 0;

	if (!proc)
		return mr_fail(err, MR_E_NO_PROCESS, errno, "cannot list /proc");
	while ((entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);
		struct mr_error ended = MR_ERROR_INIT;
		struct mr_facts facts;
		struct relation *more;

		if (pid <= 0 || mr_look((pid_t)pid, &facts, &ended))
			continue;
		more = reallocarray(list, count + 1, sizeof(*more));
		if (!more) {
			free(list);
			(void)closedir(proc);
			return mr_fail(err, MR_E_MEMORY, 0, "selecting processes");
		}
		list = more;
		list[count++] = (struct relation){ (pid_t)pid, facts.ppid };
	}
	(void)closedir(proc);
	*ret = list;
	*ret_count = count;
	return 0;
}

/* Adds the descendants of what is selected already; those that it adds are visited too. */
static int add_descendants(struct selection *selection, struct mr_error *err)
{
	struct relation *list = NULL;
	size_t count = 0;
	int r = parents_read(&list, &count, err);

	for (size_t i = 0; !r && i < selection->count; i++) {
		for (size_t j = 0; !r && j < count; j++) {
			if (list[j].parent == selection->process[i].pid)
				r = add(selection, list[j].pid, false, err);
		}
	}
	free(list);
	return r;
}

static int add_from_file(struct selection *selection, const char *folder, struct mr_error *err)
{
	char path[PATH_MAX], line[32];
	FILE *file;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	file = fopen(path, "re");
	if (!file)
		return mr_fail(err, MR_E_NO_PROCESS, errno, "cannot read the control group %s", path);
	while (!r && fgets(line, sizeof(line), file)) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0)	/* 0: a process of another pid namespace */
			r = add(selection, (pid_t)pid, false, err);
	}
	(void)fclose(file);
	return r;
}

/* A control group and those below it. */
static int add_group(struct selection *selection, const char *folder, struct mr_error *err)
{
	int r = add_from_file(selection, folder, err);
	DIR *dir = r ? NULL : opendir(folder);
	struct dirent *entry;

	while (dir && !r && (entry = readdir(dir))) {
		char path[PATH_MAX];
		int length;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		length = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (length > 0 && (size_t)length < sizeof(path))
			r = add_group(selection, path, err);
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

/* The control group's path as given, or below one of the places where hierarchies are mounted. */
static int add_cgroup(struct selection *selection, const char *group, struct mr_error *err)
{
	static const char *const places[] = { "", "/sys/fs/cgroup/", "/sys/fs/cgroup/unified/",
					      "/sys/fs/cgroup/systemd/" };
	char folder[PATH_MAX], file[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		(void)snprintf(folder, sizeof(folder), "%s%s", places[i], group);
		(void)snprintf(file, sizeof(file), "%s/cgroup.procs", folder);
		if (!access(file, R_OK))
			return add_group(selection, folder, err);
	}
	mr_fail(err, MR_E_NO_PROCESS, 0, "there is no control group %s", group);
	return mr_hint(err, "list them with: systemd-cgls, or find /sys/fs/cgroup -name cgroup.procs");
}

/* Looks for the folder of a unit below one folder; ret is "" when there is none. */
static void find_unit(const char *folder, const char *unit, int depth, char *ret, size_t size)
{
	DIR *dir = depth ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && !ret[0] && (entry = readdir(dir))) {
		char path[PATH_MAX];
		int length;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		length = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (length < 0 || (size_t)length >= sizeof(path))
			continue;
		if (!strcmp(entry->d_name, unit))
			(void)snprintf(ret, size, "%s", path);
		else
			find_unit(path, unit, depth - 1, ret, size);
	}
	if (dir)
		(void)closedir(dir);
}

/* systemd gives every unit a control group of its name, so neither it nor its bus need to be asked. */
static int add_unit(struct selection *selection, const char *unit, struct mr_error *err)
{
	static const char *const places[] = { "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
	char name[NAME_MAX + 1], folder[PATH_MAX] = "";

	(void)snprintf(name, sizeof(name), "%s%s", unit, strchr(unit, '.') ? "" : ".service");
	for (size_t i = 0; i < ARRAY_LEN(places) && !folder[0]; i++)
		find_unit(places[i], name, DEPTH_MAX, folder, sizeof(folder));
	if (folder[0])
		return add_group(selection, folder, err);
	mr_fail(err, MR_E_NO_PROCESS, 0, "the unit %s runs nothing here", name);
	return mr_hint(err, "see: systemctl status %s", name);
}

int selection_make(const struct options *options, struct selection *ret, struct mr_error *err)
{
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (options->unit)
		r = add_unit(ret, options->unit, err);
	else if (options->cgroup)
		r = add_cgroup(ret, options->cgroup, err);
	for (size_t i = 0; !r && i < options->pids_count; i++)
		r = add(ret, options->pids[i], true, err);
	if (!r && options->tree)
		r = add_descendants(ret, err);
	if (!r && !ret->count)
		r = mr_fail(err, MR_E_NO_PROCESS, 0, "%s has no process",
			    options->unit ? options->unit : options->cgroup);
	return r;
}

void selection_free(struct selection *selection)
{
	free(selection->process);
	selection->process = NULL;
	selection->count = 0;
}
