/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a target: a library that stands before libc's condition variables and calls libc in its turn, as libfaketime and
 * tracers of locks do.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

typedef int clockwait_function(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

static clockwait_function *clockwait;
static volatile long waits;

__attribute__((constructor)) static void find(void)
{
	clockwait = (clockwait_function *)dlsym(RTLD_NEXT, "pthread_cond_clockwait");
}

/* CPython's condition variables know CLOCK_MONOTONIC only. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
	int r = clockwait(condition, mutex, CLOCK_MONOTONIC, until);

	waits++;	/* and so no tail call */
	return r;
}
