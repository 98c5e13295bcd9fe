/* SPDX-License-Identifier: MIT
 *
 * Raw system calls of x86-64, for code that has no libc. The Makefile includes the file of the CPU before stage.c and stub.c.
 */
#ifndef MR_SYSCALL_RAW_H
#define MR_SYSCALL_RAW_H

#include <stdint.h>

#define RAW_RT_SIGACTION	13
#define RAW_RT_SIGPROCMASK	14
#define RAW_GETPID		39
#define RAW_RT_SIGPENDING	127
#define RAW_GETTID		186
#define RAW_CLOCK_GETTIME	228

static inline int64_t raw_syscall6(int64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "+a"(nr)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return nr;
}

static inline int64_t raw_syscall(int64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return raw_syscall6(nr, a, b, c, d, 0, 0);
}

/* CLOCK_MONOTONIC in nanoseconds */
static inline uint64_t raw_now(void)
{
	uint64_t ts[2] = { 0, 0 };

	(void)raw_syscall(RAW_CLOCK_GETTIME, 1, (uint64_t)ts, 0, 0);
	return ts[0] * 1000000000 + ts[1];
}

#endif
