/* SPDX-License-Identifier: MIT */
#include "fake_memory.h"

#include <errno.h>
#include <string.h>

#include "../../inject/memory.h"

static const struct stretch *all;
static size_t all_count;

void fake_memory(const struct stretch *stretches, size_t count)
{
	all = stretches;
	all_count = count;
}

/* What there is at the address, and how much up to the end of its stretch. */
static uint8_t *find(uint64_t at, size_t *room)
{
	for (size_t i = 0; i < all_count; i++)
		if (at >= all[i].at && at - all[i].at < all[i].size) {
			*room = all[i].size - (size_t)(at - all[i].at);
			return all[i].bytes + (at - all[i].at);
		}
	return NULL;
}

ssize_t memory_read_some(const struct memory *memory, uint64_t at, void *to, size_t size)
{
	size_t room = 0;
	const uint8_t *from = find(at, &room);

	(void)memory;
	if (!from)
		return size ? -EFAULT : 0;
	if (size > room)
		size = room;
	memcpy(to, from, size);
	return (ssize_t)size;
}

int memory_read(const struct memory *memory, uint64_t at, void *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = memory_read_some(memory, at + done, (char *)to + done, size - done);

		if (n <= 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

int memory_write(const struct memory *memory, uint64_t at, const void *from, size_t size)
{
	size_t room = 0;
	uint8_t *to = find(at, &room);

	(void)memory;
	if (!to || size > room)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

int memory_force(struct memory *memory, uint64_t at, const void *from, size_t size)
{
	return memory_write(memory, at, from, size);
}

void memory_close(struct memory *memory)
{
	(void)memory;
}
