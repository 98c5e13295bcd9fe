/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a target: a thread that has nothing to do with Python sleeps 200 us again and again and notes the
 * longest gap between two wake-ups in the file MR_GAP, as one uint64_t of nanoseconds. Whoever stops all threads of the
 * target shows up here. Writing 0 there starts anew.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *watch(void *data)
{
	volatile uint64_t *longest = data;
	const struct timespec nap = { 0, 200000 };
	uint64_t before = now(), after;

	for (;; before = after) {
		nanosleep(&nap, NULL);
		after = now();
		if (after - before > *longest)
			*longest = after - before;
	}
	return NULL;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("MR_GAP");
	pthread_t thread;
	sigset_t all, before;
	void *shared;
	int fd;

	if (!path || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared == MAP_FAILED)
		return;
	unsetenv("MR_GAP");
	unsetenv("LD_PRELOAD");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(&thread, NULL, watch, shared);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
