/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t transfer(const struct memory *memory, uint64_t at, void *local, size_t size, int write)
{
	struct iovec here = { local, size };
	struct iovec there = { (void *)(uintptr_t)at, size };
	ssize_t n = write ? process_vm_writev(memory->pid, &here, 1, &there, 1, 0) :
			    process_vm_readv(memory->pid, &here, 1, &there, 1, 0);

	if (n < 0 && errno == EPERM && memory->fd >= 0)	/* it may change its mind, but what is open stays open */
		n = write ? pwrite(memory->fd, local, size, (off_t)at) : pread(memory->fd, local, size, (off_t)at);
	return n < 0 ? -errno : n;
}

static int transfer_all(const struct memory *memory, uint64_t at, void *local, size_t size, int write)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = transfer(memory, at + done, (char *)local + done, size - done, write);

		if (n <= 0)
			return n ? (int)n : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

ssize_t memory_read_some(const struct memory *memory, uint64_t at, void *to, size_t size)
{
	return transfer(memory, at, to, size, 0);
}

int memory_read(const struct memory *memory, uint64_t at, void *to, size_t size)
{
	return transfer_all(memory, at, to, size, 0);
}

int memory_write(const struct memory *memory, uint64_t at, const void *from, size_t size)
{
	return transfer_all(memory, at, (void *)(uintptr_t)from, size, 1);
}

static int mem_open(struct memory *memory)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)memory->pid);
	memory->fd = open(path, O_RDWR | O_CLOEXEC);
	return memory->fd < 0 ? -errno : 0;
}

int memory_force(struct memory *memory, uint64_t at, const void *from, size_t size)
{
	int r = memory->fd < 0 ? mem_open(memory) : 0;
	size_t done = 0;

	while (r == 0 && done < size) {
		ssize_t n = pwrite(memory->fd, (const char *)from + done, size - done, (off_t)(at + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n ? -errno : -ESRCH;	/* 0: there is no memory any more */
	}
	return r;
}

void memory_close(struct memory *memory)
{
	if (memory->fd >= 0)
		(void)close(memory->fd);
	memory->fd = -1;
}
