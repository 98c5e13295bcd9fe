/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "evidence.h"
#include "hint.h"
#include "human.h"
#include "info.h"
#include "preflight.h"
#include "report.h"
#include "signals.h"
#include "syslog_line.h"
#include "util.h"
#include "watch.h"

static void cleanup_target(struct mr_target **target)
{
	mr_target_close(*target);
}

#define AUTO_TARGET __attribute__((cleanup(cleanup_target)))

#define NOTE_FILTER "its seccomp filter can be read by root only, and was not asked whether it lets our calls pass"
#define OVERDUE_AFTER 3.0	/* seconds beyond the limits that inject/ keeps by itself */

/* One process; see watch.h for why it is a thread. */
struct job {
	const struct run *run;
	struct selected process;
	double begun;
	double asked;		/* when a signal asked for an end; 0: none did */
	int left;		/* behind: it changes nothing any more, and says nothing */
	struct mr_answer answer;
	struct outcome outcome;
};

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool is_left(const struct job *job)
{
	return __atomic_load_n(&job->left, __ATOMIC_RELAXED);
}

static bool on_asked(void *data)
{
	return signals_caught() || is_left(data);
}

static void on_progress(void *data, const char *text)
{
	const struct job *job = data;
	char line[512];

	if (is_left(job))
		return;
	(void)snprintf(line, sizeof(line), "pid %ld: %s", (long)job->process.pid, text);
	terminal_progress(job->run->terminal, line);
}

static void say_target(const struct run *run, pid_t pid, const struct mr_target *target)
{
	const struct mr_python *python = mr_target_python(target);
	char version[48];

	if (!run->options->verbose || !python)
		return;
	report_version(python, version, sizeof(version));
	terminal_say(run->terminal, "pid %ld: CPython %s in %s; the request has %zu bytes", (long)pid, version,
		     python->image, run->input_size);
}

/* The error of an interrupted run says what became of it; the answer's own error, when there is one, says more. */
static int take_answer(json_t *report, const struct mr_answer *answer, int result, struct mr_error *err)
{
	AUTO_JSON json_t *parsed = NULL;
	struct mr_error unread = MR_ERROR_INIT;
	int r;

	if (report_take_timing(report, answer))
		return mr_fail(err, MR_E_MEMORY, 0, "making the report");
	if (result && !answer->text)
		return result;
	r = answer_parse(answer->text, answer->size, &parsed, result ? &unread : err);
	if (r)
		return result ? result : r;
	if (report_take_answer(report, parsed))
		return mr_fail(err, MR_E_MEMORY, 0, "making the report");
	return result;
}

/*
 * No turn came up, and the main thread runs: Python code would have given one, and without the GIL another thread.
 * Whether the thread still runs can be told from /proc; that it holds the GIL cannot.
 */
static void explain_no_turn(struct mr_target *target, const struct mr_answer *answer, struct mr_error *err)
{
	char doing[256] = "";

	if (err->code != MR_E_NO_SAFE_POINT || strncmp(answer->where, "in ", 3) != 0)
		return;
	mr_target_doing(target, doing, sizeof(doing));
	if (!strcmp(doing, "running"))
		(void)snprintf(err->what, sizeof(err->what),
			       "the main thread was running %s (a C call that holds the GIL?)", answer->where);
}

static enum work work_of(const struct mr_answer *answer, const json_t *report, int result)
{
	if (!answer->ended || result)
		return answer->started || answer->ended ? WORK_BEGUN : WORK_NONE;
	if (!report_status(report))
		return WORK_DONE;
	if (report_lost(report))
		return WORK_LOST;
	return report_interrupted(report) ? WORK_INTERRUPTED : WORK_FAILED;
}

static int run_request(struct job *job, struct mr_target *target, struct mr_error *err)
{
	const struct options *options = job->run->options;
	struct mr_facts facts = *mr_target_facts(target);
	struct mr_answer *answer = &job->answer;
	const struct mr_request request = {
		.input = job->run->input,
		.input_size = job->run->input_size,
		.engine = options->command->engine,
		.start_timeout = options->timeout,
		.work_timeout = options->timeout,
		.thread = options->thread,
		.force = options->force,
		.tell = options->command->engine ? evidence_tell : NULL,
		.tell_data = &facts,
		.cancelled = on_asked,
		.progress = on_progress,
		.data = job,
	};
	int r = mr_run(target, &request, answer, err);

	if (is_left(job))
		return r;
	terminal_progress_end(job->run->terminal);
	explain_no_turn(target, answer, err);
	r = take_answer(job->outcome.report, answer, r, err);
	if (answer->filter_unread && report_note(job->outcome.report, NOTE_FILTER))
		terminal_say(job->run->terminal, "%s", mr_code_text(MR_E_MEMORY));
	job->outcome.work = work_of(answer, job->outcome.report, r);
	return r;
}

/* What a selector found by the way, and is nothing for us. */
static bool is_passed_over(enum mr_code code)
{
	switch (code) {
	case MR_E_NO_PROCESS:
	case MR_E_ZOMBIE:
	case MR_E_NOT_PYTHON:
	case MR_E_PYPY:
	case MR_E_PYTHON2:
	case MR_E_NOT_64BIT:
	case MR_E_KERNEL_THREAD: return true;
	default: return false;
	}
}

static void skip(const struct run *run, const struct selected *process, const struct mr_error *error,
		 struct outcome *ret)
{
	AUTO_FREE char *sentence = report_sentence(error);

	if (!run->options->quiet)
		terminal_say(run->terminal, "pid %ld: note: skipped: %s", (long)process->pid, sentence ? sentence : "");
	json_decref(ret->report);
	ret->report = NULL;
	ret->skipped = true;
}

/* info: a refusal is what it tells, not its failure. Only of a process that is not there nothing can be told. */
static int run_info(const struct preflight *facts, int refused, struct outcome *ret, struct mr_error *err)
{
	AUTO_TARGET struct mr_target *target = NULL;
	struct mr_error unopened = MR_ERROR_INIT;

	if (refused && err->code == MR_E_NO_PROCESS)
		return refused;
	if (mr_target_open(&facts->target, &target, &unopened))
		target = NULL;
	/* The preflight's reason comes first: it is why the rest could not be seen. */
	if (info_fill(ret->report, &facts->target, target, refused ? err : &unopened))
		return mr_fail(err, MR_E_MEMORY, 0, "making the report");
	return 0;
}

/* Nothing of ours is in the process yet, and nothing will be. */
static int refuse_no_moment(const struct options *options, const struct mr_target *target, struct mr_error *err)
{
	const struct mr_python *python = mr_target_python(target);

	if (!python || !python->free_threaded || !options->command->reloads || options->force)
		return 0;
	mr_fail(err, MR_E_POLICY, 0, REPORT_NO_MOMENT);
	return mr_hint(err, "--force does it all the same");
}

/* --on-stack wait: the engine changed nothing, because what it would replace is running. */
static bool is_on_stack(const struct job *job)
{
	return !strcmp(job->run->options->on_stack, "wait") && report_is_error(job->outcome.report, "on-stack");
}

static int run_once(struct job *job, const struct mr_facts *facts, struct mr_error *err)
{
	const struct run *run = job->run;
	pid_t pid = job->process.pid;
	AUTO_TARGET struct mr_target *target = NULL;
	int r = mr_target_open(facts, &target, err);

	if (r) {
		target = NULL;
		return r;
	}
	say_target(run, pid, target);
	if (report_take_look(job->outcome.report, mr_target_facts(target), mr_target_python(target)))
		return mr_fail(err, MR_E_MEMORY, 0, "making the report");
	r = refuse_no_moment(run->options, target, err);
	if (r)
		return r;
	r = run_request(job, target, err);
	if (r || !is_on_stack(job))
		syslog_line(run->options, pid, r ? mr_code_status(err->code) : report_status(job->outcome.report));
	return r;
}

/* Waits a little, and makes room for another report. Returns false when the time for the work, from start on, is over. */
static bool wait_for_another(struct job *job, double start)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	double timeout = job->run->options->timeout, again;
	json_t *report;

	on_progress(job, "waiting until nothing runs what would change");
	(void)nanosleep(&pause, NULL);
	again = now();
	job->outcome.work = WORK_NONE;
	if (on_asked(job) || (timeout > 0 && again > start + timeout))
		return false;
	report = report_new(job->run->options->command->name, job->process.pid);
	if (!report)
		return false;
	json_decref(job->outcome.report);
	job->outcome.report = report;
	__atomic_store(&job->begun, &again, __ATOMIC_RELAXED);
	mr_answer_free(&job->answer);
	return true;
}

/* All that an attempt needs is looked at anew: between two of them the process goes on. */
static int look_anew(struct mr_facts *facts, struct mr_error *err)
{
	struct mr_facts before = *facts;
	int r = mr_look(before.pid, facts, err);

	if (!r && facts->start_time != before.start_time)
		return mr_fail(err, MR_E_ENDED, 0, "process %ld", (long)before.pid);
	return r;
}

static int run_command(struct job *job, struct mr_error *err)
{
	const struct options *options = job->run->options;
	double start = now();
	struct preflight facts;
	int r = preflight_run(options, job->process.pid, &facts, err);

	if (options->command->id == COMMAND_INFO)
		return run_info(&facts, r, &job->outcome, err);
	if (r)
		return r;
	do
		r = run_once(job, &facts.target, err);
	while (!r && is_on_stack(job) && wait_for_another(job, start) && !(r = look_anew(&facts.target, err)));
	terminal_progress_end(job->run->terminal);
	if (r || is_left(job) || !is_on_stack(job))
		return r;
	if (report_waited(job->outcome.report))
		return mr_fail(err, MR_E_MEMORY, 0, "making the report");
	syslog_line(options, job->process.pid, report_status(job->outcome.report));
	return 0;
}

/* Is it a process that we run in: a shell, say, whose command line has the words that its own pgrep looks for? */
static bool is_above_us(pid_t pid)
{
	struct mr_facts facts = { .ppid = getppid() };
	struct mr_error ended = MR_ERROR_INIT;

	for (pid_t above = facts.ppid; above > 1; above = facts.ppid) {
		if (above == pid)
			return true;
		if (mr_look(above, &facts, &ended))
			return false;
	}
	return false;
}

/* What the layer below cannot know to advise. */
static void add_hint(pid_t pid, struct mr_error *err)
{
	if (err->code == MR_E_NOT_PYTHON && is_above_us(pid))
		mr_hint(err, "mr-attach runs in it; %s", mr_code_hint(MR_E_SELF));
	if (err->code == MR_E_BUSY && strstr(err->what, "request"))
		mr_hint(err, "that code waits in a call of its own; mr-attach PID info shows where");
}

/* The hints of the table of errors do not know the process. */
static void complete_own_hints(const struct run *run, pid_t pid, json_t *report)
{
	if (hint_complete(json_object_get(report, "error"), run->options, pid, false) ||
	    hint_complete(json_object_get(json_object_get(report, "info"), "attach"), run->options, pid, false))
		terminal_say(run->terminal, "%s", mr_code_text(MR_E_MEMORY));
}

static void *job_work(void *data)
{
	struct job *job = data;
	const struct run *run = job->run;
	const struct selected *process = &job->process;
	struct outcome *ret = &job->outcome;
	struct mr_error err = MR_ERROR_INIT;
	int r = run_command(job, &err);

	if (is_left(job))
		return NULL;
	add_hint(process->pid, &err);
	if (r && !process->named && is_passed_over(err.code)) {
		skip(run, process, &err, ret);
		return NULL;
	}
	if (hint_complete(json_object_get(ret->report, "error"), run->options, process->pid, true))
		terminal_say(run->terminal, "%s", mr_code_text(MR_E_MEMORY));
	ret->status = r ? mr_code_status(err.code) : report_status(ret->report);
	if (err.code == MR_E_CANCELLED)
		ret->status += signals_caught();
	else if (ret->work == WORK_INTERRUPTED && signals_caught())	/* by us, not by the timeout */
		ret->status = mr_code_status(MR_E_CANCELLED) + signals_caught();
	if ((r && report_take_error(ret->report, &err)) ||
	    json_object_set_new(ret->report, "status", json_integer(ret->status)))
		terminal_say(run->terminal, "%s", mr_code_text(MR_E_MEMORY));
	complete_own_hints(run, process->pid, ret->report);
	return NULL;
}

/* Longer than the limits allow: inject/ looks at them all the time, so the kernel has not come back from a call. */
static bool job_overdue(void *data)
{
	struct job *job = data;
	double timeout = job->run->options->timeout;
	double limit;

	__atomic_load(&job->begun, &limit, __ATOMIC_RELAXED);
	limit += timeout + OVERDUE_AFTER;
	if (__atomic_load_n(&job->answer.placed, __ATOMIC_RELAXED))
		limit += timeout + OVERDUE_AFTER;
	if (signals_caught() && job->asked <= 0)
		job->asked = now();
	return (timeout > 0 && now() > limit) || (job->asked > 0 && now() > job->asked + 2 * OVERDUE_AFTER);
}

static void run_left(const struct run *run, struct job *job, struct outcome *ret)
{
	bool placed = __atomic_load_n(&job->answer.placed, __ATOMIC_RELAXED);
	struct mr_error err = MR_ERROR_INIT;

	__atomic_store_n(&job->left, 1, __ATOMIC_RELAXED);
	if (placed)
		mr_fail(&err, MR_E_WORK_TIMEOUT, 0, "%s; it may have run, or run yet", mr_code_text(MR_E_STUCK));
	else
		mr_fail(&err, MR_E_STUCK, 0, "nothing ran, and nothing will");
	ret->report = report_new(run->options->command->name, job->process.pid);
	ret->work = placed ? WORK_BEGUN : WORK_NONE;
	ret->status = mr_code_status(err.code);
	if (!ret->report || report_take_error(ret->report, &err) ||
	    json_object_set_new(ret->report, "status", json_integer(ret->status)))
		terminal_say(run->terminal, "%s", mr_code_text(MR_E_MEMORY));
}

void run_process(const struct run *run, const struct selected *process, struct outcome *ret)
{
	struct job *job = calloc(1, sizeof(*job));

	memset(ret, 0, sizeof(*ret));
	ret->status = mr_code_status(MR_E_MEMORY);
	if (job)
		*job = (struct job){ .run = run, .process = *process, .begun = now(),
				     .outcome.report = report_new(run->options->command->name, process->pid) };
	if (!job || !job->outcome.report) {
		terminal_say(run->terminal, "%s", mr_code_text(MR_E_MEMORY));
		free(job);
		return;
	}
	signals_hold_stops(true);	/* stopped ourselves, we would keep the thread stopped that we hold */
	if (!watch(job_work, job_overdue, job)) {
		run_left(run, job, ret);
		return;
	}
	signals_hold_stops(watch_left_any());
	*ret = job->outcome;
	mr_answer_free(&job->answer);
	free(job);
}
