/* SPDX-License-Identifier: MIT
 *
 * The C side of the storm's targets, loaded by ctypes: work outside the interpreter that checks its own results. Knows
 * nothing of mr-attach. Functions return 0 when all was right, else the line that says what was not.
 */
#include "helper.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* --- allocating and loading --------------------------------------------------------------------------------------- */

enum { BLOCKS = 64, BLOCK_MAX = 6000 };

int storm_malloc(uint32_t seed, int rounds)
{
	unsigned char *block[BLOCKS] = { 0 };
	size_t size[BLOCKS] = { 0 };

	for (int i = 0; i < rounds; i++) {
		size_t n = (seed = seed * 1103515245u + 12345u) >> 16 & (BLOCKS - 1);

		for (size_t j = 0; j < size[n]; j += 61)
			EXPECT(block[n][j] == (unsigned char)n);
		free(block[n]);
		size[n] = (seed >> 8) % BLOCK_MAX + 1;
		block[n] = malloc(size[n]);
		EXPECT(block[n]);
		memset(block[n], (int)n, size[n]);
	}
	for (size_t n = 0; n < BLOCKS; n++)
		free(block[n]);
	return 0;
}

int storm_dlopen(const char *path, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		int (*answer)(void) = library ? (int (*)(void))dlsym(library, "storm_answer") : NULL;

		EXPECT(answer && answer() == 42);
		EXPECT(dlclose(library) == 0);
	}
	return 0;
}

int storm_answer(void)
{
	return 42;
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__
#define SIXTEEN(op, type, width)                                                                                       \
	op(0, type, width) op(1, type, width) op(2, type, width) op(3, type, width) op(4, type, width)                 \
	op(5, type, width) op(6, type, width) op(7, type, width) op(8, type, width) op(9, type, width)                 \
	op(10, type, width) op(11, type, width) op(12, type, width) op(13, type, width) op(14, type, width)            \
	op(15, type, width)
#define LOWER(n, type, width) "xmm" #n,
#define LOAD(n, type, width) "vmovups " #n "*" #width "(%[in]), %%" #type #n "\n\t"
#define STORE(n, type, width) "vmovups %%" #type #n ", " #n "*" #width "(%[out])\n\t"
#define SPIN "1: dec %[spins]\n\tjnz 1b\n\t"
#define KEEP(type, width)                                                                                              \
	__asm__ volatile(SIXTEEN(LOAD, type, width) SPIN SIXTEEN(STORE, type, width) "vzeroupper"                      \
			 : [spins] "+r"(spins)                                                                         \
			 : [in] "r"(in), [out] "r"(out)                                                                \
			 : SIXTEEN(LOWER, x, 0) "memory", "cc")

/* Each vector register holds its own bytes while a loop spins. */
static int vectors_keep(uint64_t spins)
{
	unsigned char in[16 * 64], out[16 * 64];
	size_t width = __builtin_cpu_supports("avx512f") ? 64 : 32;

	if (!__builtin_cpu_supports("avx"))
		return 0;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 37 + spins);
	memset(out, 0, sizeof(out));
	if (width == 64)
		KEEP(zmm, 64);
	else
		KEEP(ymm, 32);
	EXPECT(memcmp(in, out, 16 * width) == 0);
	return 0;
}

/* The x87 stack holds numbers while a loop spins, and neither unit rounds as by default. */
static int scalars_keep(uint64_t spins)
{
	uint32_t mxcsr = 0x7f80, mxcsr_after, mxcsr_default = 0x1f80;
	uint16_t control = 0x0f7f, control_after;
	double one = 0, pi = 0;

	__asm__ volatile("fninit\n\tfldcw %[control]\n\tldmxcsr %[mxcsr]\n\tfld1\n\tfldpi\n\t" SPIN
			 "fstpl %[pi]\n\tfstpl %[one]\n\tfnstcw %[control_after]\n\tstmxcsr %[mxcsr_after]\n\t"
			 "fninit\n\tldmxcsr %[mxcsr_default]"
			 : [spins] "+r"(spins), [pi] "=m"(pi), [one] "=m"(one), [control_after] "=m"(control_after),
			   [mxcsr_after] "=m"(mxcsr_after)
			 : [control] "m"(control), [mxcsr] "m"(mxcsr), [mxcsr_default] "m"(mxcsr_default)
			 : "cc", "memory");
	EXPECT(one == 1.0 && pi > 3.14159265 && pi < 3.14159266);
	EXPECT(control_after == control && (mxcsr_after & ~0x3fu) == mxcsr);
	return 0;
}
#else
static int vectors_keep(uint64_t spins) { return spins == 0; }
static int scalars_keep(uint64_t spins) { return spins == 0; }
#endif

int storm_registers(uint64_t spins)
{
	int line = vectors_keep(spins);

	return line ? line : scalars_keep(spins);
}

/* A sum whose order of operations is fixed, so that its last bit is. */
double storm_sum(const double *numbers, int count, int rounds)
{
	double lane[8] = { 0 }, sum = 0;

	for (int r = 0; r < rounds; r++)
		for (int i = 0; i + 8 <= count; i += 8)
			for (int j = 0; j < 8; j++)
				lane[j] += numbers[i + j] * 1.0000001;
	for (int j = 0; j < 8; j++)
		sum += lane[j];
	return sum;
}

/* --- locks between two threads of C ---------------------------------------------------------------------------------- */

struct relay {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int turn, left;
};

struct runner {
	struct relay *relay;
	int self;
};

static void *relay_run(void *arg)
{
	struct runner *runner = arg;
	struct relay *relay = runner->relay;

	(void)pthread_mutex_lock(&relay->mutex);
	while (relay->left > 0) {
		if (relay->turn != runner->self) {
			(void)pthread_cond_wait(&relay->changed, &relay->mutex);
			continue;
		}
		relay->left--;
		relay->turn = !runner->self;
		(void)pthread_cond_signal(&relay->changed);
	}
	(void)pthread_cond_signal(&relay->changed);
	(void)pthread_mutex_unlock(&relay->mutex);
	return NULL;
}

int storm_relay(int rounds)
{
	struct relay relay = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, rounds };
	struct runner here = { &relay, 0 }, there = { &relay, 1 };
	pthread_t other;

	EXPECT(pthread_create(&other, NULL, relay_run, &there) == 0);
	(void)relay_run(&here);
	EXPECT(pthread_join(other, NULL) == 0);
	EXPECT(relay.left == 0);
	return 0;
}

/* --- CPython's queue of pending calls -------------------------------------------------------------------------------- */

static long queued, called;

static int count_call(void *arg)
{
	called += arg == &called;
	return 0;
}

/* With the GIL held. `add` is Py_AddPendingCall. */
int storm_queue(int (*add)(int (*)(void *), void *), int rounds)
{
	for (int i = 0; i < rounds; i++)
		queued += add(count_call, &called) == 0;
	return 0;
}

/* How many of those that were queued have not been called. */
long storm_queue_left(void)
{
	return queued - called;
}

/* --- a handler on a small stack of its own ------------------------------------------------------------------------------ */

enum { BELOW = 16384 };

static volatile sig_atomic_t handled, handled_wrong;
static char *small_stack;	/* right behind BELOW bytes that are not for anybody */
static size_t small_size;
static struct timespec small_wait;

/* Stays a while, asleep, on that stack. */
static void on_small_stack(int number)
{
	char *here = __builtin_frame_address(0);
	int saved = errno;

	(void)number;
	if (nanosleep(&small_wait, NULL) != 0)
		handled_wrong = 1;
	for (const char *byte = small_stack - BELOW; byte < small_stack; byte++)
		if (*byte)
			handled_wrong = 2;
	if (gettid() == getpid() && (here < small_stack || here >= small_stack + small_size))
		handled_wrong = 3;
	handled++;
	errno = saved;
}

int storm_small_stack(long every_us, long wait_us)
{
	struct sigaction action = { .sa_handler = on_small_stack, .sa_flags = SA_ONSTACK | SA_RESTART };
	const struct itimerval every = { { 0, every_us }, { 0, every_us } };
	stack_t stack;

	small_wait = (struct timespec){ wait_us / 1000000, wait_us % 1000000 * 1000 };
	small_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 1024;
	small_stack = calloc(1, BELOW + small_size);
	EXPECT(small_stack);
	small_stack += BELOW;
	stack = (stack_t){ .ss_sp = small_stack, .ss_size = small_size };
	EXPECT(sigaltstack(&stack, NULL) == 0);
	EXPECT(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
	return 0;
}

int storm_small_stack_check(void)
{
	return (int)handled_wrong;
}

/* --- a seccomp filter ---------------------------------------------------------------------------------------------------- */

/* What CPython and its C library call all the time; anything else is fatal. */
static const unsigned short allowed[] = {
	SYS_read, SYS_write, SYS_close, SYS_openat, SYS_fstat, SYS_newfstatat, SYS_lseek, SYS_mmap, SYS_mprotect, SYS_munmap,
	SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_ioctl, SYS_pread64, SYS_select,
	SYS_pselect6, SYS_poll, SYS_futex, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_getpid, SYS_gettid,
	SYS_getrandom, SYS_sched_yield, SYS_madvise, SYS_exit, SYS_exit_group, SYS_restart_syscall, SYS_getdents64,
	SYS_readlink, SYS_fcntl, SYS_getcwd, SYS_clone, 435 /* clone3 */, SYS_set_robust_list, 334 /* rseq */, SYS_sigaltstack,
	SYS_tgkill, SYS_stat, SYS_lstat, SYS_open, SYS_mremap, SYS_sysinfo, SYS_prlimit64, SYS_sched_getaffinity, SYS_unlink,
	SYS_rename, SYS_dup, SYS_mkdir, SYS_geteuid, SYS_getuid, SYS_getegid, SYS_getgid, SYS_ftruncate, SYS_statx,
};

int storm_seccomp(void)
{
	enum { COUNT = sizeof(allowed) / sizeof(*allowed) };
	struct sock_filter code[COUNT + 3];
	struct sock_fprog program = { COUNT + 3, code };

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* the number */);
	for (unsigned int i = 0; i < COUNT; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (unsigned char)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
	return 0;
}

/* --- the main thread's end ------------------------------------------------------------------------------------------------- */

void storm_leave_main(void)
{
	pthread_exit(NULL);
}
