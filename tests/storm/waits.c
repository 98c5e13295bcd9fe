/* SPDX-License-Identifier: MIT
 *
 * Waits in C with exact durations, that must end by their time-out and by nothing else.
 */
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

static struct timespec span(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Each returns 0 when the wait ended by its time-out, else an errno. */

static int ended(long result, long wanted)
{
	return result == wanted ? 0 : result < 0 ? errno : -1;
}

static int failed_with(long result, int wanted)
{
	return result < 0 && errno == wanted ? 0 : result < 0 ? errno : -1;
}

static int wait_poll(uint64_t ns)
{
	return ended(poll(NULL, 0, (int)(ns / 1000000)), 0);
}

static int wait_ppoll(uint64_t ns)
{
	struct timespec ts = span(ns);

	return ended(ppoll(NULL, 0, &ts, NULL), 0);
}

static int wait_select(uint64_t ns)
{
	struct timeval tv = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S / 1000) };

	return ended(select(0, NULL, NULL, NULL, &tv), 0);
}

static int wait_pselect(uint64_t ns)
{
	struct timespec ts = span(ns);

	return ended(pselect(0, NULL, NULL, NULL, &ts, NULL), 0);
}

static int wait_nanosleep(uint64_t ns)
{
	struct timespec ts = span(ns);

	return ended(nanosleep(&ts, NULL), 0);
}

static int wait_clock(uint64_t ns)
{
	struct timespec ts = span(now_ns(CLOCK_MONOTONIC) + ns);

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int wait_semaphore(uint64_t ns)
{
	struct timespec ts = span(now_ns(CLOCK_REALTIME) + ns);
	sem_t semaphore;

	(void)sem_init(&semaphore, 0, 0);
	return failed_with(sem_timedwait(&semaphore, &ts), ETIMEDOUT);
}

static int wait_condition(uint64_t ns)
{
	struct timespec ts = span(now_ns(CLOCK_REALTIME) + ns);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	int result;

	(void)pthread_mutex_lock(&mutex);
	result = pthread_cond_timedwait(&condition, &mutex, &ts);
	(void)pthread_mutex_unlock(&mutex);
	return result == ETIMEDOUT ? 0 : result ? result : -1;
}

static int wait_mutex(uint64_t ns)
{
	struct timespec ts = span(now_ns(CLOCK_REALTIME) + ns);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int result;

	(void)pthread_mutex_lock(&mutex);
	result = pthread_mutex_timedlock(&mutex, &ts);
	return result == ETIMEDOUT ? 0 : result ? result : -1;
}

static int wait_epoll(uint64_t ns)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC), result = ended(epoll_wait(fd, &event, 1, (int)(ns / 1000000)), 0);

	(void)close(fd);
	return result;
}

static int wait_signal(uint64_t ns)
{
	struct timespec ts = span(ns);
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	return failed_with(sigtimedwait(&set, NULL, &ts), EAGAIN);
}

static int wait_receive(uint64_t ns)
{
	struct timeval tv = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S / 1000) };
	int fd[2], result;
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return errno;
	(void)setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	result = failed_with(recv(fd[0], &byte, 1, 0), EAGAIN);
	(void)close(fd[0]);
	(void)close(fd[1]);
	return result;
}

static int wait_sysv(uint64_t ns)
{
	struct sembuf take = { 0, -1, 0 };
	struct timespec ts = span(ns);
	int id = semget(IPC_PRIVATE, 1, 0600), result;

	if (id < 0)
		return errno;
	result = failed_with(semtimedop(id, &take, 1, &ts), EAGAIN);
	(void)semctl(id, 0, IPC_RMID);
	return result;
}

static const struct {
	const char *name;
	int (*wait)(uint64_t ns);
} waits[] = {
	{ "poll", wait_poll }, { "ppoll", wait_ppoll }, { "select", wait_select }, { "pselect", wait_pselect },
	{ "nanosleep", wait_nanosleep }, { "clock", wait_clock }, { "semaphore", wait_semaphore },
	{ "condition", wait_condition }, { "mutex", wait_mutex }, { "epoll", wait_epoll }, { "signal", wait_signal },
	{ "receive", wait_receive }, { "sysv", wait_sysv },
};

int64_t storm_wait(const char *kind, uint64_t ns)
{
	for (unsigned int i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		if (strcmp(waits[i].name, kind) == 0) {
			uint64_t began = now_ns(CLOCK_MONOTONIC);
			int result = waits[i].wait(ns);

			return result ? -(int64_t)(result < 0 ? 999 : result) : (int64_t)(now_ns(CLOCK_MONOTONIC) - began);
		}
	return -1000;
}
