/* SPDX-License-Identifier: MIT
 *
 * While our Python code runs: wait for its end, from outside; answer what it asks; interrupt it when its time is over.
 */
#include <stdio.h>

#include "../payload/embed.h"
#include "delivery.h"
#include "util.h"

#define INTERRUPT_EVERY (100 * NS_PER_MS)
#define INTERRUPT_AGAIN (10 * NS_PER_MS)	/* when the thread could not do it */
#define PAUSE_LEAST (NS_PER_MS / 50)
#define PAUSE_MOST NS_PER_MS
#define GRACE (2 * NS_PER_S)

static enum mr_delivery way_of(const struct delivery *d)
{
	if ((pid_t)d->head.thread != d->target->facts.ns_pid)
		return MR_OWN_THREAD;
	return d->head.way == WAY_QUEUED ? MR_PENDING_MAIN : MR_PARKED_MAIN;
}

/*
 * Raises KeyboardInterrupt in our code. PyThreadState_SetAsyncExc needs the GIL and takes a lock of the interpreter, so
 * the same moments serve as for a start: parked, or where no frame can hold such a lock. In the latter the thread may be
 * waiting for the GIL: then nothing is done, and a later look finds it elsewhere.
 */
static void interrupt(struct delivery *d)
{
	struct mr_error ignored = MR_ERROR_INIT;

	(void)BLOCK_SET(d->target, &d->region, interrupt, INTERRUPT_HOLDER, &ignored);
	if (visit_begin(&d->visit, d->target, d->target->pid, now_ns() + INTERRUPT_EVERY, &d->answer->timing, &ignored) == 0) {
		visit_look(&d->visit, SCENE_DEPTH);
		if (!visit_on_its_way(&d->visit, NULL) && visit_room(&d->visit, 64u << 10) &&
		    (d->visit.parked || moment_queue(&d->visit.scene)) &&
		    (!d->visit.parked ||
		     BLOCK_SET(d->target, &d->region, interrupt, INTERRUPT_PARKED, &ignored) == 0))
			(void)delivery_send(d, STUB_INTERRUPT, &ignored);
		delivery_where(d);
	}
	visit_end(&d->visit);
}

/* Short beside what has passed already, so that the end is seen soon after it comes, and the looks stay few. */
static uint64_t pause_after(uint64_t ns)
{
	return ns < 32 * PAUSE_LEAST ? PAUSE_LEAST : ns > 32 * PAUSE_MOST ? PAUSE_MOST : ns / 32;
}

/* It could not be interrupted: it waits in a call of its own. */
static int work_timeout(struct delivery *d, struct mr_error *err)
{
	char at[WHERE_MAX + 32] = "";

	d->head.file[WHERE_MAX - 1] = 0;
	if (d->head.line)
		(void)snprintf(at, sizeof(at), ", %s:%u", d->head.file, (unsigned int)d->head.line);
	return mr_fail(err, delivery_cancelled(d) ? MR_E_CANCELLED : MR_E_WORK_TIMEOUT, 0, "thread %d still runs it%s%s%s",
		       (int)d->head.thread, at, d->answer->where[0] ? ": " : "", d->answer->where);
}

static int read_and_tell(struct delivery *d, struct mr_error *err)
{
	int r = delivery_read(d, err);

	if (r < 0 || d->head.asking != ASKING_ASKED || !d->request->tell)
		return r;
	return block_tell(d->target, &d->region, d->request, &d->head, err);
}

int delivery_finish(struct delivery *d, struct mr_error *err)
{
	uint64_t began = now_ns(), limit = UINT64_MAX, next = 0;
	bool interrupted = false;
	uint64_t times = 0;

	if (d->request->work_timeout > 0)
		limit = began + (uint64_t)(d->request->work_timeout * 1e9);
	d->answer->delivery = way_of(d);
	while (d->head.phase != PHASE_DONE) {
		uint64_t now = now_ns();
		int r;

		if (!interrupted && (now > limit || delivery_cancelled(d))) {
			interrupted = true;
			limit = now < limit ? now : limit;
		}
		if (interrupted && now > limit + GRACE)
			return work_timeout(d, err);
		if (interrupted && now >= next) {
			interrupt(d);
			next = now_ns() + INTERRUPT_AGAIN;
		}
		if (d->head.interrupted != times) {
			times = d->head.interrupted;
			next = now_ns() + INTERRUPT_EVERY;
		}
		delivery_tell(d, "the work goes on");
		sleep_ns(pause_after(now - began));
		r = read_and_tell(d, err);
		if (r < 0)
			return r;
	}
	d->answer->ended = true;
	stage_engine_note(d->target, d->head.engine != 0);
	return block_answer(d->target, &d->region, d->request, &d->head, d->answer, err);
}
