/* SPDX-License-Identifier: MIT
 *
 * The region, into the tracee and out again. Mapping and unmapping are raw system calls, harmless at any stop: the thread
 * makes them on its way through the stage, and the tool only watches from outside whether they are done.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "delivery.h"
#include "util.h"

#define VISIT_LIMIT (50 * NS_PER_MS)
#define UNDER_WAY_LIMIT (100 * NS_PER_MS)
#define LEAVE_LIMIT NS_PER_S	/* on a busy machine a thread may wait long for the CPU to take its last steps, or for the GIL */

/* What the kernel said to call number i of the stage, if no. The frame is dead memory once the thread is home. */
static int call_refused(const struct delivery *d, size_t i)
{
	const struct stage_call *made = &d->visit.frame.frame.calls[i];
	struct stage_call seen;
	uint64_t at = d->visit.frame.at + offsetof(struct stage_frame, calls) + i * sizeof(seen);

	if (memory_read(&d->target->memory, at, &seen, sizeof(seen)) < 0 || seen.nr != made->nr ||
	    memcmp(seen.arg, made->arg, sizeof(seen.arg)) != 0)
		return 0;
	return seen.result < 0 && seen.result > -4096 ? (int)-seen.result : 0;
}

/* Until the region can be read (want), or no longer; the stage's calls take microseconds once the thread has a CPU. */
static bool watch(struct delivery *d, const struct region *region, bool want, uint64_t limit_ns)
{
	uint64_t pause = 20000;

	for (;;) {
		uint64_t word;
		bool there = memory_read(&d->target->memory, region_block(region), &word, sizeof(word)) == 0;

		if (there == want)
			return true;
		if (now_ns() > limit_ns || delivery_cancelled(d) || !stage_there(d->target) || (want && call_refused(d, 1)))
			return false;
		sleep_ns(pause);
		if (pause < NS_PER_MS)
			pause += pause / 2;
	}
}

/*
 * A thread was sent to this region and has not arrived. The main thread is held now, and on its way nowhere, or a handler has
 * interrupted it there; another one has ended, or is seen to wait elsewhere.
 */
static bool never_went(struct delivery *d, const struct region *region)
{
	struct proc_syscall blocked;
	char path[64];

	if (region->thread == d->target->facts.ns_pid)
		return d->visit.thread.tid == d->target->pid && !visit_in_handler(&d->visit);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)d->target->pid, (int)region->thread);
	if (access(path, F_OK) < 0)
		return true;
	target_syscall(d->target, region->thread, &blocked);
	return blocked.kind != PROC_SYSCALL_RUNNING && !region_holds(region, blocked.pc) &&
	       !stage_holds(d->target, blocked.pc);
}

/*
 * What others left goes along with a visit: nothing is under way there now that the thread is held. In doubt, the thread
 * that was sent is this one and neither in the stage nor in the region: so it never went, as the tool died before.
 */
static size_t stale_calls(struct delivery *d, struct region *all, struct stage_call *calls, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < REGION_SLOTS && n < room; i++) {
		struct region *region = &all[i];

		if (region->state == REGION_FREE || region->at == d->region.at || visit_on_its_way(&d->visit, region))
			continue;
		region->state = region_state(d->target, region);
		if (region->state == REGION_EMPTY || (region->state == REGION_DOUBT && never_went(d, region)))
			n += region_unmap_calls(region, calls + n);
	}
	return n;
}

/* A visit whose thread may be redirected: held, not on its way, with room. Tries again until the limit. */
static int visit_any(struct delivery *d, uint64_t limit_ns, struct mr_error *err)
{
	uint64_t pause = 50000;

	for (;;) {
		struct mr_error local = MR_ERROR_INIT;
		uint64_t soon = now_ns() + VISIT_LIMIT;	/* so that a cancel is seen while it does not stop */
		int r = visit_begin(&d->visit, d->target, d->target->pid, soon < limit_ns ? soon : limit_ns,
				    &d->answer->timing, &local);

		if (r == 0 && !visit_on_its_way(&d->visit, &d->region) && visit_room(&d->visit, 4096))
			return 0;
		visit_end(&d->visit);
		if (delivery_fails(d, r, &local)) {
			*err = local;
			return r;
		}
		if (delivery_cancelled(d))
			return mr_fail(err, MR_E_CANCELLED, 0, "nothing ran");
		if (now_ns() > limit_ns)
			return mr_fail(err, MR_E_NO_SAFE_POINT, 0, "%s",
				       local.what[0] ? local.what : "the thread could not be redirected");
		delivery_tell(d, "waiting for a safe point");
		sleep_ns(pause);
		pause = pause < 20 * NS_PER_MS ? pause * 2 : pause;
	}
}

/* A thread that a dead tool had sent may have mapped the slot since we looked. */
static bool slot_free(struct delivery *d)
{
	uint64_t word;

	return memory_read(&d->target->memory, d->region.at, &word, sizeof(word)) < 0;
}

/* The stage is no more: it has ended, or begun another program. */
static int gone(struct delivery *d, struct mr_error *err)
{
	int r = target_alive(d->target, err);

	if (r < 0 || stage_there(d->target))
		return r;
	return mr_fail(err, MR_E_ENDED, 0, "process %d runs another program now", (int)d->target->pid);
}

/* Executable memory may be denied for itself: by SELinux (execmem), or by a filter that we could not read. */
static int code_mapped(struct delivery *d, struct mr_error *err)
{
	int refused = call_refused(d, 0), r;
	uint64_t word;

	if (memory_read(&d->target->memory, d->region.at, &word, sizeof(word)) == 0)
		return 0;
	r = gone(d, err);
	if (r < 0)
		return r;
	r = mr_fail(err, MR_E_SECCOMP, refused, "mmap of executable memory");
	if (refused == EACCES)	/* a filter would rather say EPERM */
		return mr_hint(err, "where SELinux denies it, a boolean of the process's domain permits it: getsebool -a | grep execmem");
	return r;
}

/* Returns 1 when the slot was taken meanwhile, or another mr-attach is at work. */
static int region_map(struct delivery *d, struct region *all, struct mr_error *err)
{
	struct stage_call *calls = d->visit.frame.frame.calls;
	size_t n;
	int r = visit_any(d, d->start_limit_ns, err);

	if (r == 0 && !d->target->stage)
		r = stage_place(d->target, &d->visit.thread, err);
	if (r < 0 || !lease_take(&d->lease, d->target) || !slot_free(d)) {
		visit_end(&d->visit);
		return r < 0 ? r : 1;
	}
	visit_frame(&d->visit);
	n = region_map_calls(&d->region, calls);
	(void)stale_calls(d, all, calls + n, STAGE_CALLS - n);
	r = visit_redirect(&d->visit, err);
	if (r < 0)
		return r;
	d->mapped = true;
	if (watch(d, &d->region, true, d->start_limit_ns) && stage_there(d->target))
		return code_mapped(d, err);
	r = gone(d, err);
	if (r == 0 && call_refused(d, 1))
		r = mr_fail(err, MR_E_NO_ROOM, call_refused(d, 1), "%u MiB", (unsigned int)(d->region.size >> 20));
	if (r == 0)
		r = mr_fail(err, delivery_cancelled(d) ? MR_E_CANCELLED : MR_E_NO_SAFE_POINT, 0,
			    "the thread did not map the region");
	return r;
}

/*
 * A queued call may fire while its region is filled again. It must find nothing to claim, and must not be between its claim
 * and its look at cancel when cancel is cleared: so the word is changed while the main thread is held outside the region.
 */
static int region_disarm(struct delivery *d, struct mr_error *err)
{
	int r = visit_any(d, d->start_limit_ns, err);

	if (r == 0 && !lease_take(&d->lease, d->target))
		r = 1;
	if (r == 0)
		r = BLOCK_SET(d->target, &d->region, phase, PHASE_NONE, err);
	visit_end(&d->visit);
	return r;
}

/*
 * Where the mr-attach of an earlier request was killed, or gave up at the time-out. What has not begun is taken back, as its own
 * would have done: nobody waits for it any more. Its place is left to the next call, as its mr-attach may live after all
 * where it cannot see our lock. What runs is waited for: ours could be started inside it, while it waits; but no request is to
 * run in the middle of another.
 */
static int others_end(struct delivery *d, struct region *all, struct mr_error *err)
{
	struct mr_error ignored = MR_ERROR_INIT;

	for (struct region *other = all; other < all + REGION_SLOTS; other++) {
		if (other->unbegun) {
			(void)BLOCK_SET(d->target, other, cancel, 1, &ignored);
			other->state = region_state(d->target, other) == REGION_RUNNING ? REGION_RUNNING : REGION_BUSY;
		}
		while (other->state == REGION_RUNNING) {
			if (delivery_cancelled(d))
				return mr_fail(err, MR_E_CANCELLED, 0, "nothing ran");
			if (now_ns() > d->start_limit_ns)
				return mr_fail(err, MR_E_BUSY, 0, "thread %d still runs an earlier request",
					       (int)other->thread);
			delivery_tell(d, "waiting for an earlier request to end there");
			sleep_ns(2 * NS_PER_MS);
			other->state = region_state(d->target, other);
		}
	}
	return 0;
}

/* Gone: what ran here, ran in the thread that is held, or in one that has ended. */
static bool nobody_inside(struct delivery *d)
{
	struct mr_error ignored = MR_ERROR_INIT;

	if (delivery_read(d, &ignored) < 0)
		return true;
	if (d->head.magic != REQUEST_MAGIC)
		return true;
	return !d->head.inside && !d->head.queued && !d->head.spawned && d->head.sent == d->head.arrived;
}

/* Takes out what can be taken out, as much as one visit can. Returns how many regions. */
static size_t unmap(struct delivery *d, uint64_t limit_ns)
{
	struct mr_error ignored = MR_ERROR_INIT;
	struct stage_call *calls = d->visit.frame.frame.calls;
	struct region all[REGION_SLOTS] = { { .state = REGION_FREE } };
	bool own = nobody_inside(d) && d->mapped;
	size_t n = 0;

	if (!(own && d->alone) && (target_refresh(d->target, &ignored) < 0 ||
				   regions_look(d->target, all) == (own || !d->mapped ? 0 : 1)))
		return 0;
	if (visit_any(d, limit_ns, &ignored) < 0)
		return 0;
	if (!lease_take(&d->lease, d->target)) {
		visit_end(&d->visit);
		return 0;
	}
	visit_frame(&d->visit);
	own = own && nobody_inside(d);
	if (own)
		n = region_unmap_calls(&d->region, calls);
	n += stale_calls(d, all, calls + n, STAGE_CALLS - n);
	if (n == 0 || visit_redirect(&d->visit, &ignored) < 0) {
		visit_end(&d->visit);
		return 0;
	}
	if (own && watch(d, &d->region, false, limit_ns))
		d->mapped = false;
	return n;
}

/* Of another mount of /proc. Returns 1 when there was one: much may have changed. */
static int another_ends(struct delivery *d, struct mr_error *err)
{
	int r = 0;

	if (!lease_other(&d->lease, d->target))
		return 0;
	while (r == 0 && lease_other(&d->lease, d->target))
		r = delivery_await(d, err);
	return r < 0 ? r : 1;
}

static int region_get(struct delivery *d, struct mr_error *err)
{
	struct region all[REGION_SLOTS];
	int r = d->target->fresh ? 0 : target_refresh(d->target, err);

	d->target->fresh = false;
	if (r < 0)
		return r;
	(void)stage_place(d->target, NULL, NULL);
	r = another_ends(d, err);
	if (r != 0)
		return r;
	d->alone = regions_look(d->target, all) == 0;
	if (lease_other(&d->lease, d->target))	/* what was seen may be in the making */
		return 1;
	r = others_end(d, all, err);
	if (r < 0)
		return r;
	if (!region_choose(all, block_size(d->target, d->request), &d->region)) {
		if (unmap(d, d->start_limit_ns) > 0)
			return 1;
		return mr_fail(err, MR_E_BUSY, 0, "all %d places are taken by requests that have not ended", REGION_SLOTS);
	}
	if (d->region.state == REGION_FREE)
		return region_map(d, all, err);
	d->mapped = true;
	return region_disarm(d, err);
}

int delivery_setup(struct delivery *d, struct mr_error *err)
{
	int r;

	do
		r = region_get(d, err);
	while (r == 1);
	d->sent = d->region.sent;
	d->region.token = now_ns();
	if (r == 0)
		__atomic_store_n(&d->answer->placed, true, __ATOMIC_RELAXED);
	return r == 0 ? block_write(d->target, &d->region, d->request, err) : r;
}

/* The work has ended, and who did it, or came too late for it, is about to leave: on a busy machine that may take a while. */
static bool about_to_leave(const struct delivery *d)
{
	const struct request_block *head = &d->head;

	return d->answer->ended && (head->inside || head->spawned || (head->queued && head->way == WAY_QUEUED));
}

/* Until nobody is in the region or on the way to it; what waits in CPython's queue may take for ever. */
static void wait_empty(struct delivery *d)
{
	uint64_t now = now_ns(), under_way = now + UNDER_WAY_LIMIT, leave = now + LEAVE_LIMIT;

	for (uint64_t pause = 20000; !nobody_inside(d); pause = pause < 5 * NS_PER_MS ? pause + pause / 4 : pause) {
		now = now_ns();
		if (now > leave || (now > under_way && !about_to_leave(d)))
			return;
		sleep_ns(pause);
	}
}

void delivery_cleanup(struct delivery *d)
{
	visit_end(&d->visit);
	wait_empty(d);
	while (unmap(d, now_ns() + NS_PER_S / 4) == STAGE_CALLS)
		;
	d->answer->leftover = d->mapped;
}
