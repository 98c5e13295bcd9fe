/* SPDX-License-Identifier: MIT
 *
 * Until our Python code runs: the main thread where it waits, or through CPython's queue of pending calls where it runs;
 * and after a while another thread. The first entry that gets there claims the request, so they need not be taken back.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "../payload/embed.h"
#include "delivery.h"
#include "util.h"

#define OTHER_AFTER (200 * NS_PER_MS)
#define LOOK_AGAIN (50 * NS_PER_MS)
#define DECISION_LIMIT NS_PER_S
#define STACK_FOR_PYTHON (128u << 10)

struct starter {
	struct delivery *d;
	uint64_t next_look_ns, other_ns, pause;
	bool queued, spawned, in_flight;
	bool held;		/* the last one that was sent waits with the GIL held */
	bool cramped;		/* the main thread was on a stack too small for us */
};

static int terminal(struct starter *s, struct mr_error *err)
{
	if (s->d->head.cancel)	/* by one that sees another lock: setup.c */
		return mr_fail(err, MR_E_BUSY, 0, "process %d", (int)s->d->target->pid);
	switch (s->d->head.refusal) {
	case REFUSAL_STARTING:
		if (!interpreter_finalizing(&s->d->target->python))
			return 0;
		/* fall through */
	case REFUSAL_FINALIZING:
		return mr_fail(err, MR_E_FINALIZING, 0, "process %d", (int)s->d->target->pid);
	case REFUSAL_INTERPRETERS:
		return mr_fail(err, MR_E_INTERPRETERS, 0, "process %d", (int)s->d->target->pid);
	default:
		return 0;
	}
}

/* The main thread is parked. With the GIL in its hands it may be sent only from outside the interpreter. */
static int main_send(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;

	if (s->held) {
		visit_look(&d->visit, UNWIND_FRAMES_MAX);
		if (!moment_outside(&d->visit.scene))
			return 0;
	}
	s->in_flight = true;
	d->sent_ns = now_ns();
	return delivery_send(d, s->held ? STUB_OUTSIDE : STUB_PARKED, err);
}

/* The main thread is held. Sends it off if this is a moment for it. */
static int main_try(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;

	visit_look(&d->visit, SCENE_DEPTH);
	s->cramped = !visit_room(&d->visit, STACK_FOR_PYTHON);
	if (s->cramped || visit_on_its_way(&d->visit, &d->region))
		return 0;
	if (d->visit.parked)
		return main_send(s, err);
	if (!s->queued && moment_queue(&d->visit.scene)) {
		s->queued = true;
		d->sent_ns = now_ns();
		return delivery_send(d, STUB_QUEUE, err);
	}
	return 0;
}

static int visit_main(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;
	struct mr_error local = MR_ERROR_INIT;
	int r = visit_begin(&d->visit, d->target, d->target->pid, now_ns() + LOOK_AGAIN, &d->answer->timing, &local);

	if (r == 0)
		r = main_try(s, &local);
	visit_end(&d->visit);
	if (delivery_fails(d, r, &local)) {
		*err = local;
		return r;
	}
	return 0;
}

/* Another thread is held: parked Python code runs there; else it may start a thread for us. */
static int other_try(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;

	visit_look(&d->visit, SCENE_DEPTH);
	if (visit_room(&d->visit, STACK_FOR_PYTHON) && d->visit.parked && d->visit.thread.tid != d->target->pid) {
		s->in_flight = true;
		d->sent_ns = now_ns();
		return delivery_send(d, STUB_PARKED, err);
	}
	visit_look(&d->visit, UNWIND_FRAMES_MAX);
	if (!s->spawned && d->target->python.calls.pthread_create && visit_room(&d->visit, STACK_FOR_PYTHON / 4) &&
	    moment_spawn(&d->visit.scene)) {
		s->spawned = true;
		d->sent_ns = now_ns();
		return delivery_send(d, STUB_SPAWN, err);
	}
	return 0;
}

static int visit_other(struct starter *s, pid_t tid, struct mr_error *err)
{
	struct delivery *d = s->d;
	struct mr_error local = MR_ERROR_INIT;
	int r = visit_begin(&d->visit, d->target, tid, now_ns() + LOOK_AGAIN, &d->answer->timing, &local);

	if (r == 0)
		r = other_try(s, &local);
	visit_end(&d->visit);
	if (tid != d->target->pid && (local.code == MR_E_ENDED || local.code == MR_E_TRACED))
		return 0;
	if (delivery_fails(d, r, &local)) {
		*err = local;
		return r;
	}
	return 0;
}

/* The main thread first: a thread that it starts is a thread of its own anyhow. A few threads in one go, no more. */
static int visit_others(struct starter *s, struct mr_error *err)
{
	char path[64];
	DIR *dir;
	struct dirent *entry;
	int r = visit_other(s, s->d->target->pid, err), left = 16;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)s->d->target->pid);
	dir = r == 0 && !s->in_flight && !s->spawned ? opendir(path) : NULL;
	while (dir && r == 0 && !s->in_flight && !s->spawned && left > 0 && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0 && tid != s->d->target->pid) {
			r = visit_other(s, tid, err);
			left--;
		}
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

static bool may_use_others(const struct starter *s)
{
	const struct delivery *d = s->d;
	uint64_t now = now_ns();

	if (d->request->thread == MR_THREAD_MAIN || s->spawned || now < s->other_ns)
		return false;
	/* 3.6 makes its GIL when the first thread is started from Python; before, two threads would not exclude each other. */
	return d->target->python.facts.minor > 6 || d->target->facts.threads > 1;
}

/* Looks at once, and then ever more seldom: each look is a stop. */
static int look(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;
	int r = d->head.refusal ? BLOCK_SET(d->target, &d->region, refusal, 0, err) : 0;

	s->held = d->head.refusal == REFUSAL_HOLDS_GIL;
	s->queued = d->head.queued;
	s->spawned = d->head.spawned;
	s->in_flight = d->head.sent != d->head.arrived || d->head.inside;
	if (r < 0 || s->in_flight)
		return r;
	if (d->request->thread != MR_THREAD_ANY || now_ns() < s->other_ns)
		r = visit_main(s, err);
	if (r == 0 && !s->in_flight && !s->held && may_use_others(s))
		r = visit_others(s, err);
	s->pause = s->pause < LOOK_AGAIN ? s->pause * 2 : LOOK_AGAIN;
	s->next_look_ns = now_ns() + (s->queued || s->spawned ? LOOK_AGAIN : s->pause);
	return r;
}

/*
 * Takes the request back. We write cancel and then look: a claim made before that has seen no cancel and runs, one made
 * later sees it. A claim just made is decided in a moment; if it is not (the thread may have been stopped right there), we
 * cannot say that nothing ran. Returns whether nothing ran and nothing will.
 */
static bool taken_back(struct delivery *d)
{
	struct mr_error ignored = MR_ERROR_INIT;
	uint64_t limit = now_ns() + DECISION_LIMIT;

	if (!d->mapped || BLOCK_SET(d->target, &d->region, cancel, 1, &ignored) < 0)
		return true;
	while (delivery_read(d, &ignored) == 0) {
		if (d->head.phase >= PHASE_RUNNING)
			return false;
		if (d->head.phase != PHASE_CLAIMED)
			return true;
		if (now_ns() > limit)
			return false;
		sleep_ns(20000);
	}
	return true;
}

/* An error while entries may be under way: it stands if they could be taken back. */
static int give_up(struct delivery *d, int r, struct mr_error *err)
{
	if (taken_back(d))
		return r;
	*err = (struct mr_error)MR_ERROR_INIT;
	return 0;
}

static int too_late(struct starter *s, struct mr_error *err)
{
	struct delivery *d = s->d;
	enum mr_code code = delivery_cancelled(d) ? MR_E_CANCELLED : MR_E_NO_SAFE_POINT;
	bool held = s->held || d->head.refusal == REFUSAL_HOLDS_GIL;

	delivery_where(d);
	if (!taken_back(d))
		return 0;
	if (d->head.refusal == REFUSAL_STARTING)
		return mr_fail(err, MR_E_STARTING, 0, "process %d", (int)d->target->pid);
	if (code == MR_E_CANCELLED)
		return mr_fail(err, code, 0, "nothing ran; nothing will");
	if (s->cramped)
		return mr_fail(err, MR_E_NO_ROOM, 0, "the stack of the main thread");
	return mr_fail(err, code, 0, "the main thread was %s%s", d->answer->where[0] ? d->answer->where : "not seen",
		       held ? " with the GIL held" : "");
}

int delivery_start(struct delivery *d, struct mr_error *err)
{
	struct starter s = { .d = d, .pause = 200000, .other_ns = d->begun_ns + OTHER_AFTER,
			     .queued = d->region.state == REGION_QUEUED };
	uint64_t pause = 20000;
	int r;

	if (d->request->thread == MR_THREAD_ANY)
		s.other_ns = 0;
	for (;;) {
		r = delivery_read(d, err);
		if (r == 0 && d->head.phase >= PHASE_RUNNING)
			break;
		if (r == 0 && (delivery_cancelled(d) || now_ns() > d->start_limit_ns)) {
			r = too_late(&s, err);
			if (r < 0)
				return r;
			break;
		}
		if (r == 0)
			r = terminal(&s, err);
		if (r == 0 && now_ns() >= s.next_look_ns) {
			r = look(&s, err);
			pause = 20000;
		}
		if (r < 0) {
			r = give_up(d, r, err);
			if (r < 0)
				return r;
			break;
		}
		delivery_tell(d, "waiting for a safe point");
		sleep_ns(pause);
		pause = pause < 2 * NS_PER_MS ? pause + pause / 2 : pause;
	}
	d->answer->started = true;
	return 0;
}
