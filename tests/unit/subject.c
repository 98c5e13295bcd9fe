/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/proc.h"

uint64_t test_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

void test_sleep(uint64_t ms)
{
	struct timespec ts = { (time_t)(ms / 1000), (long)(ms % 1000 * MS) };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

bool test_until(_Atomic int *word, int wanted, uint64_t limit_ms)
{
	uint64_t limit = test_now() + limit_ms * MS;

	while (*word < wanted) {
		if (test_now() > limit)
			return false;
		test_sleep(1);
	}
	return true;
}

void subject_start_with(struct subject *subject, subject_body *before, subject_body *body)
{
	memset(subject, 0, sizeof(*subject));
	subject->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(subject->shared, MAP_FAILED);
	subject->shared->wait_ms = 300;
	if (before)
		before(subject->shared);
	subject->pid = fork();
	cr_assert_geq(subject->pid, 0);
	if (subject->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(subject->shared);
		subject->shared->done = 1;
		_exit(0);
	}
}

static void *pause_for_ever(void *arg)
{
	struct shared *shared = arg;

	shared->other = gettid();
	for (;;)
		(void)pause();
	return NULL;
}

void subject_thread(struct shared *shared)
{
	pthread_t other;

	(void)pthread_create(&other, NULL, pause_for_ever, shared);
}

void subject_vfork(struct shared *shared)
{
	shared->ready = 1;
	if (vfork() == 0) {
		while (!shared->go)
			(void)syscall(SYS_nanosleep, &shared->dwell, NULL);
		_exit(0);
	}
	for (;;)
		(void)pause();
}

void subject_start(struct subject *subject, subject_body *body)
{
	subject_start_with(subject, NULL, body);
}

int subject_wait(struct subject *subject, uint64_t limit_ms)
{
	uint64_t limit = test_now() + limit_ms * MS;
	int status = -1;

	while (subject->pid && test_now() < limit) {
		if (waitpid(subject->pid, &status, WNOHANG) == subject->pid) {
			subject->pid = 0;
			return status;
		}
		test_sleep(1);
	}
	return -1;
}

static void unmap(struct subject *subject)
{
	struct mr_target *target = &subject->target;

	unwinder_free(target->unwinder);
	target->unwinder = NULL;
	images_free(&target->images);
	maps_free(&target->maps);
	free(target->maps_text);
	target->maps_text = NULL;
}

void subject_end(struct subject *subject)
{
	if (subject->pid) {
		(void)kill(subject->pid, SIGKILL);
		(void)waitpid(subject->pid, NULL, 0);
		subject->pid = 0;
	}
	unmap(subject);
	memory_close(&subject->target.memory);
	(void)munmap(subject->shared, sizeof(struct shared));
}

void subject_map(struct subject *subject)
{
	struct mr_target *target = &subject->target;
	struct mr_error err = MR_ERROR_INIT;
	size_t size;

	if (target->maps_text)
		unmap(subject);
	else
		target->memory = (struct memory){ subject->pid, -1 };
	target->pid = subject->pid;
	cr_assert_eq(mr_look(subject->pid, &target->facts, &err), 0);
	cr_assert_eq(proc_read(subject->pid, "maps", &target->maps_text, &size), 0);
	cr_assert_eq(maps_parse(target->maps_text, size, &target->maps), 0);
	cr_assert_eq(images_find(&target->maps, subject->pid, &target->images), 0);
	target->unwinder = unwinder_new(&target->images);
	cr_assert_not_null(target->unwinder);
}

bool subject_blocked(pid_t pid, pid_t tid, long nr)
{
	uint64_t limit = test_now() + 5000 * MS;

	while (test_now() < limit) {
		struct proc_syscall in = { .nr = -1 };
		char name[64], *text = NULL;
		size_t size = 0;
		bool there;

		(void)snprintf(name, sizeof(name), "task/%d/syscall", (int)tid);
		there = proc_read(pid, name, &text, &size) == 0 && syscall_parse(text, size, &in) == 0 &&
			in.kind == PROC_SYSCALL_IN && (nr < 0 || in.nr == nr);
		free(text);
		if (there)
			return true;
		test_sleep(1);
	}
	return false;
}

char subject_state(pid_t pid, pid_t tid)
{
	char name[64], *text = NULL, state = 0;
	struct proc_stat stat;
	size_t size = 0;

	(void)snprintf(name, sizeof(name), "task/%d/stat", (int)tid);
	if (proc_read(pid, name, &text, &size) == 0 && stat_parse(text, size, &stat) == 0)
		state = stat.state;
	free(text);
	return state;
}

pid_t subject_tracer(pid_t pid, pid_t tid)
{
	char name[64], *text = NULL;
	struct proc_status status = { .tracer = -1 };
	size_t size = 0;

	(void)snprintf(name, sizeof(name), "task/%d/status", (int)tid);
	if (proc_read(pid, name, &text, &size) == 0)
		(void)status_parse(text, size, &status);
	free(text);
	return status.tracer;
}
