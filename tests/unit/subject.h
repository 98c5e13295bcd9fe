/* SPDX-License-Identifier: MIT
 *
 * A child process of the test to lay hands on: no Python, one C function, and a page that both see.
 */
#ifndef MR_TEST_SUBJECT_H
#define MR_TEST_SUBJECT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../../inject/target.h"

#define MS UINT64_C(1000000)

/* At the same address in test and child. */
struct shared {
	_Atomic int ready, done, go;
	_Atomic long counter, bad;
	int pipe[2], event, epoll, socket[2];
	int64_t result;		/* of the wait */
	int error;		/* errno after it */
	uint64_t began, ended;	/* around it, CLOCK_MONOTONIC */
	_Atomic uint64_t handled;	/* when the handler of SIGUSR1 ran */
	_Atomic int handlers;
	_Atomic pid_t other;	/* a second thread, or a child */
	sigset_t mask;		/* after the wait */
	struct timespec dwell;	/* for a nanosleep in the stage */
	uint64_t wait_ms;
};

struct subject {
	pid_t pid;
	struct shared *shared;
	struct mr_target target;
};

typedef void subject_body(struct shared *shared);

uint64_t test_now(void);
void test_sleep(uint64_t ms);
bool test_until(_Atomic int *word, int wanted, uint64_t limit_ms);

/* Forks; the child runs body and ends. `before` (may be NULL) makes pipes and the like first. */
void subject_start(struct subject *subject, subject_body *body);
void subject_start_with(struct subject *subject, subject_body *before, subject_body *body);
void subject_end(struct subject *subject);	/* kills it if need be */
int subject_wait(struct subject *subject, uint64_t limit_ms);	/* its status, -1 if it does not end */

/* Reads the maps of the child into subject->target. */
void subject_map(struct subject *subject);

/* For the child: starts a second thread, which pauses for ever; shared->other is its number, sooner or later. */
void subject_thread(struct shared *shared);

/* For the child: waits for the end of a vfork, deaf to all but SIGKILL, until shared->go; and then pauses. */
void subject_vfork(struct shared *shared);

/* Until the thread is blocked in this system call; nr -1: in any. */
bool subject_blocked(pid_t pid, pid_t tid, long nr);
char subject_state(pid_t pid, pid_t tid);	/* as in /proc/PID/stat; 0 when it is gone */
pid_t subject_tracer(pid_t pid, pid_t tid);

#endif
