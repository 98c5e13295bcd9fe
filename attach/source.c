/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

static int read_all(int fd, const char *name, struct source *ret, struct mr_error *err)
{
	size_t room = 65536;
	AUTO_FREE char *code = malloc(room);

	while (code) {
		ssize_t got = read(fd, code + ret->size, room - ret->size);
		char *more;

		if (got < 0 && errno == EINTR)
			return mr_fail(err, MR_E_CANCELLED, 0, "reading %s", name);
		if (got < 0)
			return mr_fail(err, MR_E_USAGE, errno, "cannot read %s", name);
		ret->size += (size_t)got;
		if (ret->size > SOURCE_MAX)
			return mr_fail(err, MR_E_USAGE, 0, "%s is larger than %u MiB", name, SOURCE_MAX >> 20);
		if (!got) {
			ret->code = code;
			code = NULL;
			return 0;
		}
		if (ret->size < room)
			continue;
		more = realloc(code, room * 2);
		if (!more)
			break;
		code = more;
		room *= 2;
	}
	return mr_fail(err, MR_E_MEMORY, 0, "reading %s", name);
}

static int read_file(const char *path, struct source *ret, struct mr_error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		mr_fail(err, MR_E_USAGE, errno, "cannot read %s", path);
	else if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		mr_fail(err, MR_E_USAGE, EISDIR, "cannot read %s", path);
	else
		return read_all(fd, path, ret, err);
	return mr_hint(err, "run takes a file of this side, where mr-attach runs");
}

int source_read(const struct options *options, struct source *ret, struct mr_error *err)
{
	const char *operand;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!options->command->code)
		return 0;
	operand = options->operands.word[0];
	if (!strcmp(operand, "-")) {
		ret->filename = "<stdin>";
		r = read_all(STDIN_FILENO, "standard input", ret, err);
		if (!r && !ret->size && options->command->id == COMMAND_EXEC)
			r = mr_fail(err, MR_E_USAGE, 0, "the code is empty");
		return r;
	}
	if (options->command->id == COMMAND_RUN) {
		ret->filename = operand;
		return read_file(operand, ret, err);
	}
	ret->filename = "<exec>";
	ret->size = strlen(operand);
	ret->code = strdup(operand);
	return ret->code ? 0 : mr_fail(err, MR_E_MEMORY, 0, "taking the code");
}

void source_free(struct source *source)
{
	free(source->code);
	source->code = NULL;
}
