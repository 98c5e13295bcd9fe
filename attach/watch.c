/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#define LOOK_EVERY_NS 100000000
#define STACK_SIZE (8 << 20)		/* bytes, of addresses: `ulimit -s` would make it what it says, however little */

static bool left_any;

static bool ended(pthread_t thread)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_EVERY_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return !pthread_timedjoin_np(thread, NULL, &until);
}

static int start(pthread_t *ret, void *(*work)(void *data), void *data)
{
	pthread_attr_t attr;
	int r;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(ret, &attr, work, data);
	(void)pthread_attr_destroy(&attr);
	return r;
}

bool watch(void *(*work)(void *data), bool (*overdue)(void *data), void *data)
{
	pthread_t thread;
	sigset_t chld;

	/* inject/thread.c waits for SIGCHLD: here, where it is ignored, it would get lost. */
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)pthread_sigmask(SIG_BLOCK, &chld, NULL);
	if (start(&thread, work, data)) {
		(void)work(data);
		return true;
	}
	while (!ended(thread))
		if (overdue(data)) {
			left_any = true;
			return false;
		}
	return true;
}

bool watch_left_any(void)
{
	return left_any;
}
