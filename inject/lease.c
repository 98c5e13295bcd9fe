/* SPDX-License-Identifier: MIT */
#include "lease.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stage.h"
#include "util.h"

enum { TIME_BITS = 44 };	/* milliseconds; above them the minor device number of the mount */

#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define KEEP_EVERY (200 * NS_PER_MS)
#define DEAD_AFTER NS_PER_S

static uint64_t mount_of(const struct mr_target *target)
{
	struct stat st;

	return target->memory.fd < 0 || fstat(target->memory.fd, &st) < 0 ? 0 : (uint64_t)minor(st.st_dev) << TIME_BITS;
}

bool lease_other(struct lease *lease, struct mr_target *target)
{
	uint64_t word = stage_lease(target), now = now_ns();

	if (!word || (word & ~TIME_MASK) == mount_of(target))
		return false;
	if (word != lease->other)
		*lease = (struct lease){ .other = word, .other_ns = now };
	lease->dead = lease->dead || now - lease->other_ns > DEAD_AFTER;
	return !lease->dead;
}

static void lease_write(struct lease *lease, struct mr_target *target)
{
	lease->fresh_ns = now_ns();
	lease->own = mount_of(target) | (lease->fresh_ns / NS_PER_MS & TIME_MASK);
	stage_lease_note(target, lease->own);
}

bool lease_take(struct lease *lease, struct mr_target *target)
{
	if (lease_other(lease, target))
		return false;
	if (!lease->own || stage_lease(target) != lease->own)
		lease_write(lease, target);
	return true;
}

void lease_keep(struct lease *lease, struct mr_target *target)
{
	if (!lease->own || now_ns() - lease->fresh_ns < KEEP_EVERY)
		return;
	if (stage_lease(target) == lease->own)
		lease_write(lease, target);
	else
		lease->own = 0;
}

void lease_give(struct lease *lease, struct mr_target *target)
{
	if (lease->own && stage_lease(target) == lease->own)
		stage_lease_note(target, 0);
	lease->own = 0;
}
