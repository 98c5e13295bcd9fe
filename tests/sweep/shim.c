/* SPDX-License-Identifier: MIT
 *
 * Preloaded into mr-attach: counts the calls by which it touches a target, and at the n-th dies, is late, or lets it fail.
 *
 * SHIM_AT=n	which call; 0 only counts
 * SHIM_MODE=die|late|fail	SIGKILL before the call; 50 ms before it; or the SHIM_WHICH-th error of its manual instead of it
 * SHIM_LOG=path	gets one line: the name of the call at which it happened, its number, the number of the first ptrace(), how
 *		many errors its manual has, and which one it was; or at a normal end "end", the count, and the number of the first
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATE_NS 50000000

static long counted, first_ptrace, at = -1;
static bool dies, late;
static size_t which;

/* What section 2 says may go wrong, whether or not it can here. NOTHING: it returns 0, as at the end of a file. */
enum { NOTHING = -1, MOST = 8 };
static const struct { const char *names; int error[MOST]; } manual[] = {
	{ " ptrace ", { EIO, EPERM, ESRCH, EBUSY, EFAULT, EINVAL } },
	{ " waitpid wait4 waitid ", { ECHILD, EINTR } },
	{ " process_vm_readv process_vm_writev ", { EFAULT, EPERM, ESRCH, ENOMEM } },
	{ " pread pread64 __pread_chk __pread64_chk pwrite pwrite64 read __read_chk ",
	  { EIO, EINTR, EAGAIN, ESRCH, ENOMEM, EACCES, NOTHING } },
	{ " open open64 openat openat64 __open_2 __openat_2 fopen opendir ",
	  { EIO, EACCES, EPERM, EMFILE, ENFILE, ENOENT, ENOMEM, EINTR } },
	{ " readlink readlinkat ", { EIO, EACCES, ENOENT, ENOMEM } },
	{ " kill tgkill ", { EIO, EPERM, ESRCH } },
	{ " poll __poll_chk ppoll ", { EIO, EINTR, ENOMEM } },
	{ " nanosleep clock_nanosleep usleep sigtimedwait ", { EIO, EINTR, EAGAIN } },
	{ " flock ", { EIO, EINTR, ENOLCK, EWOULDBLOCK } },
	{ " prlimit sched_setscheduler ", { EIO, EPERM, ESRCH } },
	{ " pthread_create ", { EAGAIN, EPERM } },
	{ " mmap ", { ENOMEM, EAGAIN, EPERM } },
	{ "", { EIO, ENOSYS, EPERM, EMFILE, ENOMEM, ESRCH, EINTR } },	/* syscall(2) */
};

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static const int *errors_of(const char *name)
{
	char word[50];
	size_t i = 0;

	(void)snprintf(word, sizeof(word), " %s ", name);
	while (manual[i].names[0] && !strstr(manual[i].names, word))
		i++;
	return manual[i].error;
}

static void note(const char *text)
{
	const char *path = getenv("SHIM_LOG");
	const int *errors = errors_of(text);
	size_t count = 0;
	char line[100];
	int fd, size;

	if (!path)
		return;
	while (count < MOST && errors[count])
		count++;
	size = snprintf(line, sizeof(line), "%s %ld %ld %zu %d\n", text, counted, first_ptrace, count,
			which < count ? errors[which] : 0);
	fd = (int)raw(SYS_open, (long)path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600, 0, 0, 0);
	raw(SYS_write, fd, (long)line, size, 0, 0, 0);
	raw(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void setup(void)
{
	const char *text = getenv("SHIM_AT"), *mode = getenv("SHIM_MODE"), *number = getenv("SHIM_WHICH");

	at = text ? atol(text) : 0;
	dies = mode && strcmp(mode, "die") == 0;
	late = mode && strcmp(mode, "late") == 0;
	which = number ? (size_t)atol(number) : 0;
}

__attribute__((destructor)) static void finish(void)
{
	if (at < 0)
		setup();
	if (at == 0 || counted < at)
		note("end");
}

/* True when this call is to fail instead of being made. */
static bool strikes(const char *name)
{
	struct timespec pause = { 0, LATE_NS };
	int saved = errno;

	if (at < 0)
		setup();
	if (++counted != at)
		return false;
	note(name);
	if (dies)
		raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
	if (late)
		raw(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	errno = late ? saved : errors_of(name)[which];
	return !late;
}

/* What such a call returns: -1, or 0 where errno says NOTHING. */
static int failure(void)
{
	return errno == NOTHING ? 0 : -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The plain ones: same name, same arguments, -1 on failure. */
#define SHIM(type, name, params, args)			\
	type name params;				\
	type name params				\
	{						\
		static type(*real) params;		\
							\
		if (strikes(#name))			\
			return (type)failure();		\
		if (!real)				\
			real = (type(*) params)dlsym(RTLD_NEXT, #name); \
		return real args;			\
	}

#pragma GCC diagnostic ignored "-Wpedantic"
SHIM(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
SHIM(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage), (pid, status, options, usage))
SHIM(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
SHIM(ssize_t, process_vm_readv, (pid_t pid, const struct iovec *l, unsigned long ln, const struct iovec *r,
	unsigned long rn, unsigned long flags), (pid, l, ln, r, rn, flags))
SHIM(ssize_t, process_vm_writev, (pid_t pid, const struct iovec *l, unsigned long ln, const struct iovec *r,
	unsigned long rn, unsigned long flags), (pid, l, ln, r, rn, flags))
SHIM(ssize_t, pread, (int fd, void *buf, size_t n, off_t off), (fd, buf, n, off))
SHIM(ssize_t, pread64, (int fd, void *buf, size_t n, off64_t off), (fd, buf, n, off))
SHIM(ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t off, size_t size), (fd, buf, n, off, size))
SHIM(ssize_t, __pread64_chk, (int fd, void *buf, size_t n, off64_t off, size_t size), (fd, buf, n, off, size))
SHIM(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t off), (fd, buf, n, off))
SHIM(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t off), (fd, buf, n, off))
SHIM(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
SHIM(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size), (fd, buf, n, size))
SHIM(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t n), (dir, path, buf, n))
SHIM(ssize_t, readlink, (const char *path, char *buf, size_t n), (path, buf, n))
SHIM(int, flock, (int fd, int operation), (fd, operation))
SHIM(int, prlimit, (pid_t pid, enum __rlimit_resource what, const struct rlimit *new, struct rlimit *old), (pid, what, new, old))
SHIM(int, sched_setscheduler, (pid_t pid, int policy, const struct sched_param *param), (pid, policy, param))
SHIM(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *t), (set, info, t))
SHIM(int, kill, (pid_t pid, int number), (pid, number))
SHIM(int, tgkill, (pid_t group, pid_t thread, int number), (group, thread, number))
SHIM(int, poll, (struct pollfd *fds, nfds_t n, int ms), (fds, n, ms))
SHIM(int, __poll_chk, (struct pollfd *fds, nfds_t n, int ms, size_t size), (fds, n, ms, size))
SHIM(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *m), (fds, n, t, m))
SHIM(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left))
SHIM(int, usleep, (useconds_t us), (us))
SHIM(int, __open_2, (const char *path, int flags), (path, flags))
SHIM(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags))

/* This one returns its error. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left)
{
	return strikes("clock_nanosleep") ? errno : REAL(clock_nanosleep)(clock, flags, t, left);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	return strikes("pthread_create") ? errno : REAL(pthread_create)(thread, attr, start, arg);
}

void *mmap(void *place, size_t size, int prot, int flags, int fd, off_t off)
{
	return strikes("mmap") ? MAP_FAILED : REAL(mmap)(place, size, prot, flags, fd, off);
}

#define NAMED_ARGUMENT(type, last)	\
	({				\
		va_list list;		\
		type value;		\
					\
		va_start(list, last);	\
		value = va_arg(list, type); \
		va_end(list);		\
		value;			\
	})

#define SHIM_OPEN(name, params, last, first_args)		\
	int name params						\
	{							\
		int mode = NAMED_ARGUMENT(int, last);		\
								\
		if (strikes(#name))				\
			return -1;				\
		return ((int (*)())dlsym(RTLD_NEXT, #name))first_args; \
	}

#pragma GCC diagnostic ignored "-Wstrict-prototypes"
SHIM_OPEN(open, (const char *path, int flags, ...), flags, (path, flags, mode))
SHIM_OPEN(open64, (const char *path, int flags, ...), flags, (path, flags, mode))
SHIM_OPEN(openat, (int dir, const char *path, int flags, ...), flags, (dir, path, flags, mode))
SHIM_OPEN(openat64, (int dir, const char *path, int flags, ...), flags, (dir, path, flags, mode))

FILE *fopen(const char *path, const char *mode)
{
	return strikes("fopen") ? NULL : REAL(fopen)(path, mode);
}

DIR *opendir(const char *path)
{
	return strikes("opendir") ? NULL : REAL(opendir)(path);
}

long ptrace(enum __ptrace_request request, ...)
{
	static long (*real)(enum __ptrace_request, ...);
	va_list list;
	void *address, *data;
	pid_t pid;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	address = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	if (!first_ptrace)
		first_ptrace = counted + 1;
	if (strikes("ptrace"))
		return -1;
	if (!real)
		real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
	return real(request, pid, address, data);
}

/* pidfd_open and whatever else has no wrapper. */
long syscall(long number, ...)
{
	va_list list;
	long a[6], ret;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (strikes("syscall"))
		return -1;
	ret = raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}
