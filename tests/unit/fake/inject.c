/* SPDX-License-Identifier: MIT
 *
 * A stand-in for the part of inject/ that touches a process, so that attach/ can be tried without one: included by
 * test_program.c, or linked with attach/ and inject/{error,look,proc,proc_read,maps,cursor}.o for a program to play with.
 * The environment says what happens:
 *
 *	MR_FAKE_OPEN	code that mr_target_open() fails with ("not-python")
 *	MR_FAKE_RUN	code that mr_run() fails with ("no-safe-point")
 *	MR_FAKE_WHAT	what is said then of the thing in question
 *	MR_FAKE_ANSWER	file whose content is the answer; "" or unset: no answer
 *	MR_FAKE_INPUT	file that gets the input of the request
 *	MR_FAKE_WAIT	seconds that mr_run() takes, with progress, until it is cancelled
 *	MR_FAKE_ENDS	the work that is cancelled comes to its end, with the answer
 *	MR_FAKE_STARTED	what the answer says with MR_FAKE_RUN set: 1 when the work began
 *	MR_FAKE_DOING	what the main thread does, as /proc tells
 *	MR_FAKE_WHERE	where it was last seen by mr_run()
 *	MR_FAKE_POLICY	the process has remote debugging switched off
 *	MR_FAKE_NO_GIL	it is a free-threaded build
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../inject/inject.h"

struct mr_target {
	struct mr_facts facts;
	struct mr_python python;
};

const char *mr_delivery_name(enum mr_delivery delivery)
{
	static const char *const names[] = { NULL, "parked-main", "pending-main", "own-thread" };

	return names[delivery];
}

static int fail_as(const char *variable, struct mr_error *err)
{
	const char *wanted = getenv(variable), *what = getenv("MR_FAKE_WHAT");

	if (!wanted || !wanted[0])
		return 0;
	for (int code = 1; code < MR_CODES; code++) {
		if (!strcmp(mr_code_name((enum mr_code)code), wanted))
			return mr_fail(err, (enum mr_code)code, 0, "%s", what ? what : "as the test wants it");
	}
	return mr_fail(err, MR_E_BUG, 0, "%s is %s", variable, wanted);
}

int mr_target_open(const struct mr_facts *facts, struct mr_target **ret, struct mr_error *err)
{
	struct mr_target *target;
	int r = fail_as("MR_FAKE_OPEN", err);

	if (r)
		return r;
	target = calloc(1, sizeof(*target));
	if (!target)
		return mr_fail(err, MR_E_MEMORY, 0, "fake");
	target->facts = *facts;
	target->python = (struct mr_python){ .major = 3, .minor = 11, .micro = 7, .shared = true,
					     .image = "/usr/lib/libpython3.11.so.1.0",
					     .free_threaded = getenv("MR_FAKE_NO_GIL") != NULL,
					     .interpreters = 1,
					     .remote_debug_off = getenv("MR_FAKE_POLICY") != NULL };
	*ret = target;
	return 0;
}

void mr_target_close(struct mr_target *target)
{
	free(target);
}

const struct mr_facts *mr_target_facts(const struct mr_target *target)
{
	return &target->facts;
}

const struct mr_python *mr_target_python(const struct mr_target *target)
{
	return &target->python;
}

bool mr_target_engine(struct mr_target *target)
{
	(void)target;
	return false;
}

size_t mr_target_regions(struct mr_target *target)
{
	(void)target;
	return 1;
}

void mr_target_doing(struct mr_target *target, char *ret, size_t size)
{
	(void)target;
	(void)snprintf(ret, size, "%s", getenv("MR_FAKE_DOING") ? getenv("MR_FAKE_DOING") : "waiting in select");
}

static char *read_file(const char *path, size_t *ret_size)
{
	FILE *file = path && path[0] ? fopen(path, "re") : NULL;
	char *text = NULL;
	size_t room;

	if (!file)
		return NULL;
	if (getdelim(&text, &room, EOF, file) < 0)
		*ret_size = 0;
	else
		*ret_size = (size_t)ftell(file);
	(void)fclose(file);
	return text;
}

static void write_file(const char *path, const char *text, size_t size)
{
	FILE *file = path ? fopen(path, "we") : NULL;

	if (!file)
		return;
	(void)fwrite(text, 1, size, file);
	(void)fclose(file);
}

static int wait_for(const struct mr_request *request, struct mr_error *err)
{
	const char *seconds = getenv("MR_FAKE_WAIT");
	const struct timespec step = { 0, 50 * 1000000 };

	for (int i = 0; seconds && i < atoi(seconds) * 20; i++) {
		(void)nanosleep(&step, NULL);
		if (request->cancelled && request->cancelled(request->data))
			return getenv("MR_FAKE_ENDS") ? 0 : mr_fail(err, MR_E_CANCELLED, 0, "%s", "");
		if (i % 20 == 19 && request->progress)
			request->progress(request->data, "waiting for a safe point");
	}
	return 0;
}

int mr_run(struct mr_target *target, const struct mr_request *request, struct mr_answer *ret, struct mr_error *err)
{
	int r;

	(void)target;
	memset(ret, 0, sizeof(*ret));
	write_file(getenv("MR_FAKE_INPUT"), request->input, request->input_size);
	r = wait_for(request, err);
	if (!r)
		r = fail_as("MR_FAKE_RUN", err);
	ret->started = !r || getenv("MR_FAKE_STARTED");
	ret->ended = !r;
	(void)snprintf(ret->where, sizeof(ret->where), "%s", getenv("MR_FAKE_WHERE") ? getenv("MR_FAKE_WHERE") : "");
	ret->timing = (struct mr_timing){ 2140, 112, 130, 2, 35, 1490 };
	ret->delivery = r ? MR_DELIVERY_NONE : MR_PARKED_MAIN;
	ret->text = read_file(getenv("MR_FAKE_ANSWER"), &ret->size);
	return r;
}

void mr_answer_free(struct mr_answer *answer)
{
	free(answer->text);
	answer->text = NULL;
}

void mr_tell_goes_on(void)
{
}
