/* SPDX-License-Identifier: MIT
 *
 * The tracee's memory. Addresses there are numbers here, never pointers.
 */
#ifndef MR_MEMORY_H
#define MR_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory {
	pid_t pid;
	int fd;		/* /proc/PID/mem, read and write; -1 until the first forced write or the lock is taken */
};

/* Reads or writes all of it. Returns 0 or a negative errno (-EFAULT: not mapped, or not so). */
int memory_read(const struct memory *memory, uint64_t at, void *to, size_t size);
int memory_write(const struct memory *memory, uint64_t at, const void *from, size_t size);

/* Reads as much as there is from at on. Returns the count of bytes, or a negative errno. */
ssize_t memory_read_some(const struct memory *memory, uint64_t at, void *to, size_t size);

/*
 * Writes also where the tracee itself may not (private pages become a copy): through /proc/PID/mem. Works without a stop.
 * Returns -EIO, -EFAULT or -EPERM where the kernel refuses forced writes (proc_mem.force_override=never).
 */
int memory_force(struct memory *memory, uint64_t at, const void *from, size_t size);

void memory_close(struct memory *memory);

#endif
