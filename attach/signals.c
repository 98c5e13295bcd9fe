/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "util.h"

/* A handler has nothing but this to speak through. */
static volatile int caught;

static void on_signal(int number)
{
	if (!caught)
		caught = number;
}

void signals_install(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action, old;

	memset(&action, 0, sizeof(action));
	(void)sigemptyset(&action.sa_mask);
	action.sa_handler = on_signal;	/* without SA_RESTART: reading standard input must end too */
	for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
		/* nohup and shells that start us in the background mean it when they ignore a signal. */
		if (!sigaction(ending[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(ending[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;	/* a closed pipe is an error of write, status 74 */
	(void)sigaction(SIGPIPE, &action, NULL);
	/*
	 * Whoever started us may have ignored SIGCHLD, and that is inherited. The kernel then keeps the notice of a
	 * stop to itself, and a wait for the thread we hold comes back late: it would be stopped for longer.
	 */
	action.sa_handler = SIG_DFL;
	(void)sigaction(SIGCHLD, &action, NULL);
}

void signals_hold_stops(bool hold)
{
	sigset_t stops;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGTSTP);
	(void)sigaddset(&stops, SIGTTIN);
	(void)sigaddset(&stops, SIGTTOU);
	(void)pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &stops, NULL);
}

int signals_caught(void)
{
	return caught;
}
