/* SPDX-License-Identifier: MIT */
#ifndef STORM_HELPER_H
#define STORM_HELPER_H

#include <stdint.h>

#define EXPECT(what) do { if (!(what)) return __LINE__; } while (0)

int storm_malloc(uint32_t seed, int rounds);
int storm_dlopen(const char *path, int rounds);
int storm_answer(void);
int storm_registers(uint64_t spins);
double storm_sum(const double *numbers, int count, int rounds);
int storm_relay(int rounds);
int storm_queue(int (*add)(int (*)(void *), void *), int rounds);
long storm_queue_left(void);
int storm_small_stack(long every_us, long wait_us);
int storm_small_stack_check(void);
int storm_seccomp(void);
void storm_leave_main(void);

/*
 * One wait of the named kind for `ns`. Returns how many nanoseconds it lasted, or -errno when it ended as it should not
 * (an EINTR above all), -1000 for a kind that is not known.
 */
int64_t storm_wait(const char *kind, uint64_t ns);

#endif
