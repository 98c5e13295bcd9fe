/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Files of /proc have no size: read until there is no more. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
	size_t room = 4096, size = 0;
	char *text = malloc(room + 1);

	while (text) {
		ssize_t got = read(fd, text + size, room - size);
		char *more;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;

			free(text);
			return -error;
		}
		if (!got) {
			text[size] = '\0';
			*ret = text;
			*ret_size = size;
			return 0;
		}
		size += (size_t)got;
		if (size < room)
			continue;
		if (room >= PROC_FILE_MAX) {
			free(text);
			return -EFBIG;
		}
		room *= 2;
		more = realloc(text, room + 1);
		if (!more)
			free(text);
		text = more;
	}
	return -ENOMEM;
}

int proc_read_path(const char *path, char **ret, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = read_all(fd, ret, ret_size);
	(void)close(fd);
	return r;
}

int proc_read(pid_t pid, const char *name, char **ret, size_t *ret_size)
{
	char path[128];
	int length = snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	return proc_read_path(path, ret, ret_size);
}
