/* SPDX-License-Identifier: MIT
 *
 * The way of one command: argv, request, the processes one after the other, reports, exit status.
 */
#include "program.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "help.h"
#include "human.h"
#include "report.h"
#include "request.h"
#include "run.h"
#include "signals.h"
#include "util.h"
#include "watch.h"

#define STATUS_DIFFER 8

/* What became of the processes so far. One at most is interrupted: the last one. */
struct tally {
	size_t done, failed, reported;
	enum work last;
	pid_t last_pid;
	int status;
};

static int complain(struct terminal *terminal, const struct mr_error *error)
{
	AUTO_FREE char *sentence = report_sentence(error);

	terminal_say(terminal, "%s", sentence ? sentence : mr_code_text(error->code));
	terminal_hint(terminal, report_hint(error));
	return mr_code_status(error->code);
}

static void tally_add(struct tally *tally, const struct outcome *outcome, pid_t pid)
{
	tally->done += outcome->work == WORK_DONE;
	tally->failed += outcome->work == WORK_FAILED;
	tally->last = outcome->work;
	tally->last_pid = pid;
	if (outcome->skipped)
		return;
	if (!tally->reported++)
		tally->status = outcome->status;
	else if (tally->status != outcome->status)
		tally->status = STATUS_DIFFER;
}

static void print_outcome(const struct run *run, const struct outcome *outcome, bool titled)
{
	const struct options *options = run->options;
	struct terminal *terminal = run->terminal;

	if (!outcome->report)
		return;
	if (options->json) {
		AUTO_FREE char *line = report_json(outcome->report);

		if (line)
			(void)fprintf(terminal->out, "%s\n", line);
	} else if (!options->quiet || outcome->status) {
		human_print(terminal, options, outcome->report, titled);
	}
	(void)terminal_flush(terminal);
	human_complain(terminal, options, outcome->report);
	if (options->verbose)
		human_timing(terminal, outcome->report);
}

static bool over_a_second(const struct timespec *start)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec > 1 || (now.tv_sec - start->tv_sec == 1 && now.tv_nsec >= start->tv_nsec);
}

static void run_all(const struct run *run, const struct selection *selection, struct tally *tally)
{
	struct timespec start;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < selection->count && !signals_caught(); i++) {
		struct outcome outcome;
		char line[64];

		if (selection->count > 1 && over_a_second(&start)) {
			(void)snprintf(line, sizeof(line), "%zu of %zu processes", i, selection->count);
			terminal_progress(run->terminal, line);
		}
		run_process(run, &selection->process[i], &outcome);
		terminal_progress_end(run->terminal);
		print_outcome(run, &outcome, selection->count > 1);
		tally_add(tally, &outcome, selection->process[i].pid);
		json_decref(outcome.report);
	}
}

/* What came of the work in one process, as the last line after a signal has it. */
static const char *work_words(enum work work, const struct command *command)
{
	bool changes = command->reloads;

	switch (work) {
	case WORK_DONE: return "all of the work was done";
	case WORK_BEGUN: return "the work had begun, and was not seen to end";
	case WORK_LOST: return "it was interrupted, and not everything could be put back";
	case WORK_INTERRUPTED:
		return command->code ? "the code was interrupted; what it did stays" :
		       changes	     ? "it was interrupted and put back" :
				       "it was interrupted";
	case WORK_FAILED: return changes ? "it had failed before, and was put back" : "it had failed before";
	default: return "nothing was done";
	}
}

/* The last line after a signal: was the work done, and where? */
static int end_by_signal(const struct run *run, const struct tally *tally, size_t count)
{
	const struct command *command = run->options->command;
	int number = signals_caught();
	const char *name = sigabbrev_np(number);
	bool odd = tally->last == WORK_BEGUN || tally->last == WORK_LOST || tally->last == WORK_INTERRUPTED;
	char failed[64] = "", last[160] = "";

	name = name ? name : "?";
	if (tally->failed)
		(void)snprintf(failed, sizeof(failed), ", it failed in %zu", tally->failed);
	if (odd)
		(void)snprintf(last, sizeof(last), "; pid %ld: %s", (long)tally->last_pid,
			       work_words(tally->last, command));
	if (count > 1)
		terminal_say(run->terminal, "ended by SIG%s: the work was done in %zu of %zu processes%s%s%s", name,
			     tally->done, count, failed, last,
			     tally->done + tally->failed + odd < count ? "; nothing in the others" : "");
	else
		terminal_say(run->terminal, "ended by SIG%s: %s", name, work_words(tally->last, command));
	return 128 + number;
}

static int run_selection(const struct run *run, struct mr_error *err)
{
	struct selection selection;
	struct tally tally = { 0 };
	int r = selection_make(run->options, &selection, err);
	size_t count = selection.count;

	if (!r)
		run_all(run, &selection, &tally);
	selection_free(&selection);
	if (signals_caught())
		return end_by_signal(run, &tally, count);
	if (!r && !tally.reported)
		r = mr_fail(err, MR_E_NO_PROCESS, 0, "none of the %zu processes is a Python that can be attached to",
			    count);
	return r ? complain(run->terminal, err) : tally.status;
}

static int run_command(const struct options *options, struct terminal *terminal)
{
	struct mr_error err = MR_ERROR_INIT;
	struct source source = { .code = NULL };
	AUTO_FREE char *input = NULL;
	struct run run = { .options = options, .terminal = terminal };
	int r = source_read(options, &source, &err);

	if (!r)
		r = request_build(options, &source, &input, &run.input_size, &err);
	source_free(&source);
	if (r && signals_caught())
		return end_by_signal(&run, &(struct tally){ 0 }, 1);
	if (r)
		return complain(terminal, &err);
	run.input = input;
	r = run_selection(&run, &err);
	if (watch_left_any())
		input = NULL;	/* not ours to free */
	return r;
}

static int run_options(const struct options *options, struct terminal *terminal)
{
	struct mr_error err = MR_ERROR_INIT;
	int status = 0;

	if (options->help)
		help_print(terminal->out);
	else if (options->version)
		version_print(terminal->out);
	else
		status = run_command(options, terminal);
	if (terminal_close(terminal, &err) && !signals_caught())
		return complain(terminal, &err);
	return status;
}

int program_main(int argc, char **argv)
{
	struct mr_error err = MR_ERROR_INIT;
	struct terminal terminal;
	struct options options;
	int status;

	terminal_reserve();
	signals_install();
	status = options_parse(argc, argv, &options, &err);
	terminal_open(&terminal, &options);
	status = status ? complain(&terminal, &err) : run_options(&options, &terminal);
	if (!watch_left_any())
		options_free(&options);
	return status;
}
