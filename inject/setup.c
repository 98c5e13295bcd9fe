/* SPDX-License-Identifier: MIT
 *
 * The region, into the tracee and out again. Mapping and unmapping are raw system calls, harmless at any stop: the thread
 * makes them on its way through the stage, and the tool only watches from outside whether they are done.
 */
#include <errno.h>
#include <string.h>

#include "delivery.h"
#include "util.h"

enum { CLEANUP_TRIES = 40, WATCH_TRIES = 400 };

/* Until the region can be read (want), or no longer; the stage's calls take microseconds once the thread has a CPU. */
static bool watch(struct delivery *d, const struct region *region, bool want, uint64_t limit_ns)
{
	uint64_t pause = 20000;

	for (;;) {
		uint64_t word;
		bool there = memory_read(&d->target->memory, region_block(region), &word, sizeof(word)) == 0;

		if (there == want)
			return true;
		if (now_ns() > limit_ns || delivery_cancelled(d))
			return false;
		sleep_ns(pause);
		if (pause < NS_PER_MS)
			pause += pause / 2;
	}
}

/*
 * What others left goes along with a visit. In doubt: the thread that was sent is the one that is held now, and is neither
 * in the stage nor in the region, so it never went (the tool died before it let it go) or has long been home.
 */
static size_t stale_calls(struct delivery *d, const struct region *all, struct stage_call *calls, size_t room)
{
	bool is_main = d->visit.thread.tid == d->target->pid;
	size_t n = 0;

	for (size_t i = 0; i < REGION_SLOTS && n < room; i++) {
		const struct region *region = &all[i];
		bool ours = is_main && region->thread == d->target->facts.ns_pid;

		if (region->at != d->region.at && !visit_on_its_way(&d->visit, region) &&
		    (region->state == REGION_EMPTY || (region->state == REGION_DOUBT && ours)))
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
		int r = visit_begin(&d->visit, d->target, d->target->pid, limit_ns, &d->answer->timing, &local);

		if (r == 0 && !visit_on_its_way(&d->visit, &d->region) && visit_room(&d->visit, 4096))
			return 0;
		visit_end(&d->visit);
		if (r < 0 && local.code != MR_E_NO_SAFE_POINT) {
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

static int region_map(struct delivery *d, const struct region *all, struct mr_error *err)
{
	struct stage_call *calls = d->visit.frame.frame.calls;
	size_t n;
	int r;

	r = visit_any(d, d->start_limit_ns, err);
	if (r < 0)
		return r;
	if (!d->target->stage) {
		r = stage_place(d->target, &d->visit.thread, err);
		if (r < 0)
			return r;
	}
	visit_frame(&d->visit);
	n = region_map_calls(&d->region, calls);
	(void)stale_calls(d, all, calls + n, STAGE_CALLS - n);
	r = visit_redirect(&d->visit, err);
	if (r < 0)
		return r;
	d->mapped = true;
	if (!watch(d, &d->region, true, d->start_limit_ns))
		return mr_fail(err, delivery_cancelled(d) ? MR_E_CANCELLED : MR_E_NO_SAFE_POINT, 0,
			       "the thread did not map the region");
	return 0;
}

/*
 * A queued call may fire while its region is filled again. It must find nothing to claim, and must not be between its claim
 * and its look at cancel when cancel is cleared: so the word is changed while the main thread is held outside the region.
 */
static int region_disarm(struct delivery *d, struct mr_error *err)
{
	int r = visit_any(d, d->start_limit_ns, err);

	if (r == 0)
		r = BLOCK_SET(d->target, &d->region, phase, PHASE_NONE, err);
	visit_end(&d->visit);
	return r;
}

int delivery_setup(struct delivery *d, struct mr_error *err)
{
	struct region all[REGION_SLOTS];
	int r = target_refresh(d->target, err);

	if (r < 0)
		return r;
	(void)stage_place(d->target, NULL, NULL);
	(void)regions_look(d->target, all);
	if (!region_choose(all, block_size(d->request), &d->region))
		return mr_fail(err, MR_E_BUSY, 0, "all %d places are taken by requests that have not ended", REGION_SLOTS);
	if (d->region.state == REGION_FREE || !d->target->stage)
		r = region_map(d, all, err);
	else if (d->region.state == REGION_QUEUED)
		r = region_disarm(d, err);
	d->mapped = d->mapped || d->region.state != REGION_FREE;
	d->sent = d->region.sent;
	if (r == 0)
		r = block_write(d->target, &d->region, d->request, err);
	return r;
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

void delivery_cleanup(struct delivery *d)
{
	struct mr_error ignored = MR_ERROR_INIT;
	uint64_t limit = now_ns() + NS_PER_S / 4;
	struct region all[REGION_SLOTS];

	visit_end(&d->visit);
	d->answer->leftover = true;
	for (int i = 0; i < CLEANUP_TRIES && !nobody_inside(d); i++)
		sleep_ns(i < 20 ? 50000 : 5 * NS_PER_MS);
	if (!nobody_inside(d) || target_refresh(d->target, &ignored) < 0)
		return;
	(void)regions_look(d->target, all);
	if (visit_any(d, limit, &ignored) < 0)
		return;
	if (!nobody_inside(d)) {
		visit_end(&d->visit);
		return;
	}
	visit_frame(&d->visit);
	(void)region_unmap_calls(&d->region, d->visit.frame.frame.calls);
	(void)stale_calls(d, all, d->visit.frame.frame.calls + 1, STAGE_CALLS - 1);
	if (visit_redirect(&d->visit, &ignored) == 0)
		d->answer->leftover = !watch(d, &d->region, false, limit);
}
