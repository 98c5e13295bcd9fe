/* SPDX-License-Identifier: MIT */
#include "delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../payload/embed.h"
#include "look.h"
#include "util.h"

#define TRACER_WAIT (100 * NS_PER_MS)

#define SETTLE_LIMIT NS_PER_S	/* who has no CPU stops late; left asked to stop, its wait might end with EINTR */

bool delivery_cancelled(const struct delivery *d)
{
	return d->request->cancelled && d->request->cancelled(d->request->data);
}

void delivery_tell(struct delivery *d, const char *text)
{
	uint64_t now = now_ns();

	if (!d->request->progress || now - d->begun_ns < NS_PER_S || now - d->told_ns < NS_PER_S)
		return;
	d->told_ns = now;
	d->request->progress(d->request->data, text);
}

int delivery_read(struct delivery *d, struct mr_error *err)
{
	int r;

	visits_settle(d->target, 0, &d->answer->timing);
	lease_keep(&d->lease, d->target);
	r = block_read(d->target, &d->region, &d->head, err);
	if (r < 0 || d->head.magic != REQUEST_MAGIC || d->head.token == d->region.token)
		return r;
	d->mapped = false;	/* we were thought dead */
	return mr_fail(err, MR_E_BUSY, 0, "another mr-attach has taken back what had not begun");
}

int delivery_await(struct delivery *d, struct mr_error *err)
{
	if (delivery_cancelled(d))
		return mr_fail(err, MR_E_CANCELLED, 0, "nothing ran");
	if (now_ns() > d->start_limit_ns)
		return mr_fail(err, MR_E_BUSY, 0, "process %d", (int)d->target->pid);
	delivery_tell(d, "waiting for another mr-attach to end its work there");
	sleep_ns(2 * NS_PER_MS);
	return 0;
}

bool delivery_fails(struct delivery *d, int r, const struct mr_error *error)
{
	uint64_t now = now_ns();

	if (r == 0 || error->code != MR_E_TRACED)
		d->traced_ns = 0;
	else if (!d->traced_ns)
		d->traced_ns = now;
	return r < 0 && error->code != MR_E_NO_SAFE_POINT && (!d->traced_ns || now - d->traced_ns > TRACER_WAIT);
}

/* The main thread by the number that it has for itself; the others are of no use to a later call. */
static uint64_t sent_tid(const struct delivery *d)
{
	return d->visit.thread.tid == d->target->pid ? (uint64_t)d->target->facts.ns_pid : (uint64_t)d->visit.thread.tid;
}

/* sent is counted up before the thread goes, so that a thread on its way can be told from one that never left. */
int delivery_send(struct delivery *d, uint64_t entry, struct mr_error *err)
{
	struct stage_frame *frame = &d->visit.frame.frame;
	int r = 0;

	visit_frame(&d->visit);
	frame->target = d->region.at + entry;
	frame->arg = region_block(&d->region);
	if (entry != STUB_INTERRUPT)
		r = BLOCK_SET(d->target, &d->region, sent_mask, d->visit.thread.mask, err);
	if (r == 0 && entry != STUB_INTERRUPT)
		r = BLOCK_SET(d->target, &d->region, thread, sent_tid(d), err);
	if (r == 0)
		r = BLOCK_SET(d->target, &d->region, sent, d->sent + 1, err);
	if (r < 0)
		return r;
	r = visit_redirect(&d->visit, err);
	if (r == 0)
		d->sent++;
	else	/* it never went */
		(void)BLOCK_SET(d->target, &d->region, sent, d->sent, err);
	return r;
}

/* Where the thread was at the last look, in words. */
void delivery_where(struct delivery *d)
{
	const struct scene *scene = &d->visit.scene;
	char path[PATH_MAX] = "code of no file";
	const char *name = path;

	if (!d->visit.looked)
		return;
	if (d->visit.parked && d->visit.wait_name) {
		(void)snprintf(d->answer->where, sizeof(d->answer->where), "waiting in %s", d->visit.wait_name);
		return;
	}
	for (size_t i = 0; i < scene->stack.count; i++) {
		struct image *image = scene->stack.frame[i].image;

		if (interpreter_role(&d->target->python, image) == ROLE_LIBC && i + 1 < scene->stack.count)
			continue;
		if (image && image->map->path && map_path(image->map, path, sizeof(path)) == 0)
			name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
		break;
	}
	(void)snprintf(d->answer->where, sizeof(d->answer->where), "in %.200s", name);
}

/*
 * One mr-attach at a time in a process: the lock lies on /proc/PID/mem, which only those can open who may attach anyway,
 * and goes with the one who holds it.
 */
static int lock_take(struct delivery *d, struct mr_error *err)
{
	struct memory *memory = &d->target->memory;
	char path[64];
	int r = 0;

	if (memory->fd < 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)d->target->pid);
		memory->fd = open(path, O_RDWR | O_CLOEXEC);
		if (memory->fd < 0)
			return mr_fail(err, mr_code_of(errno), errno, "opening the memory of process %d",
				       (int)d->target->pid);
	}
	while (r == 0 && flock(memory->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return mr_fail(err, MR_E_BUG, errno, "locking");
		d->target->fresh = false;
		r = delivery_await(d, err);
	}
	return r;
}

/*
 * With the lock, a tracer is no mr-attach. One that goes away soon (a profiler's sample) is waited for. A stopped process is
 * left alone: it may be stopped for a reason, and nothing could run in it anyway.
 */
static int refuse_held(struct delivery *d, struct mr_error *err)
{
	uint64_t limit = now_ns() + TRACER_WAIT;
	struct mr_facts facts;

	for (;;) {
		struct mr_error local = MR_ERROR_INIT;
		int r = look_again(d->target->pid, &facts, &local);

		if (r < 0 && local.code == MR_E_NO_PROCESS)
			return mr_fail(err, MR_E_ENDED, 0, "process %d", (int)d->target->pid);
		if (r < 0)
			return mr_fail(err, local.code, local.sys, "%s", local.what);
		if (facts.start_time != d->target->facts.start_time)
			return mr_fail(err, MR_E_ENDED, 0, "process %d, and another one has its number now", (int)facts.pid);
		if (facts.state == 'T')
			return mr_fail(err, MR_E_STOPPED, 0, "process %d (%s)", (int)facts.pid, facts.comm);
		if (!facts.tracer)
			return 0;
		if (now_ns() > limit)
			return mr_fail(err, MR_E_TRACED, 0, "%s (pid %d)", facts.tracer_comm, (int)facts.tracer);
		sleep_ns(5 * NS_PER_MS);
	}
}

static void timing_take(struct delivery *d)
{
	struct mr_timing *t = &d->answer->timing;
	const struct request_block *head = &d->head;

	t->total = (now_ns() - d->begun_ns) / 1000;
	if (!d->answer->started)
		return;
	if (head->started_ns > d->sent_ns)
		t->queued = (head->started_ns - d->sent_ns) / 1000;
	if (head->ended_ns > head->started_ns)
		t->ran = (head->ended_ns - head->started_ns) / 1000;
}

static int deliver(struct delivery *d, struct mr_error *err)
{
	int r = refuse_held(d, err);

	if (r == 0)
		r = delivery_setup(d, err);
	if (r == 0)
		r = delivery_start(d, err);
	if (r == 0)
		r = delivery_finish(d, err);
	return r;
}

int mr_run(struct mr_target *target, const struct mr_request *request, struct mr_answer *ret, struct mr_error *err)
{
	struct delivery d = { .target = target, .request = request, .answer = ret, .begun_ns = now_ns() };
	int r;

	*ret = (struct mr_answer){ 0 };
	(void)prctl(PR_SET_TIMERSLACK, 1);	/* a pause of 20 us is to be no 70 */
	d.start_limit_ns = request->start_timeout > 0 ? d.begun_ns + (uint64_t)(request->start_timeout * 1e9) : UINT64_MAX;
	if (target->python.facts.remote_debug_off && !request->force)
		return mr_fail(err, MR_E_POLICY, 0, "PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug");
	if (target->python.facts.interpreters > 1)
		return mr_fail(err, MR_E_INTERPRETERS, 0, "process %d has %d", (int)target->pid,
			       target->python.facts.interpreters);
	if (cpu_xstate_size() > XSTATE_MAX)
		return mr_fail(err, MR_E_BUG, 0, "this processor's extended state cannot be saved");
	r = lock_take(&d, err);
	if (r < 0)
		return r;
	r = deliver(&d, err);
	if (d.mapped && r != -(int)MR_E_ENDED)
		delivery_cleanup(&d);
	visit_end(&d.visit);
	visits_settle(target, now_ns() + SETTLE_LIMIT, &ret->timing);
	lease_give(&d.lease, target);
	timing_take(&d);
	ret->filter_unread = target->filters.unread;
	(void)flock(target->memory.fd, LOCK_UN);
	return r;
}
