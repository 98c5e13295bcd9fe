/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "cpu.h"
#include "util.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* The option that limits the call, or 0. */
static int option_of(long nr)
{
	const struct cpu_numbers *n = &cpu_numbers;

	if (nr == n->recvfrom || nr == n->recvmsg || nr == n->recvmmsg || nr == n->accept || nr == n->accept4 ||
	    nr == n->read || nr == n->readv)
		return SO_RCVTIMEO;
	if (nr == n->sendto || nr == n->sendmsg || nr == n->sendmmsg || nr == n->connect || nr == n->write ||
	    nr == n->writev)
		return SO_SNDTIMEO;
	return 0;
}

static bool is_socket(pid_t pid, uint64_t fd)
{
	static const char kind[] = "socket:";
	char path[64], link[sizeof(kind)] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, (unsigned long long)fd);
	return readlink(path, link, sizeof(link) - 1) > 0 && strcmp(link, kind) == 0;
}

/* Our own descriptor of the socket lives for the one question. */
static bool ask(pid_t pid, uint64_t fd, int option, void *ret, socklen_t size)
{
	bool known = false;
	int process, own;

	if (!option || !is_socket(pid, fd))
		return false;
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		return false;
	own = (int)syscall(SYS_pidfd_getfd, process, (int)fd, 0);
	if (own >= 0) {
		known = getsockopt(own, SOL_SOCKET, option, ret, &size) == 0;
		(void)close(own);
	}
	(void)close(process);
	return known;
}

bool socket_finite(pid_t pid, long nr, uint64_t fd)
{
	struct timeval limit = { 0 };

	return ask(pid, fd, option_of(nr), &limit, sizeof(limit)) && (limit.tv_sec || limit.tv_usec);
}

bool socket_whole(pid_t pid, uint64_t fd)
{
	int type = 0;

	return ask(pid, fd, SO_TYPE, &type, sizeof(type)) && type != SOCK_STREAM;
}
