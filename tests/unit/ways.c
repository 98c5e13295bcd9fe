/* SPDX-License-Identifier: MIT */
#include "ways.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what a child waits in ---------------------------------------------------------------------------------------- */

static struct shared *child_shared;

static void on_signal(int number)
{
	(void)number;
	child_shared->handled = test_now();
	child_shared->handlers++;
}

void way_handle(struct shared *shared, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	child_shared = shared;
	(void)sigaction(SIGUSR1, &action, NULL);
}

static struct timespec span(const struct shared *shared)
{
	return (struct timespec){ (time_t)(shared->wait_ms / 1000), (long)(shared->wait_ms % 1000 * MS) };
}

static int64_t wait_poll(struct shared *s)
{
	return poll(NULL, 0, (int)s->wait_ms);
}

static int64_t wait_ppoll(struct shared *s)
{
	struct timespec limit = span(s);

	return syscall(SYS_ppoll, NULL, 0, &limit, NULL, 8);
}

static int64_t wait_select(struct shared *s)
{
	struct timeval limit = { (time_t)(s->wait_ms / 1000), (suseconds_t)(s->wait_ms % 1000 * 1000) };

	return syscall(SYS_select, 0, NULL, NULL, NULL, &limit);
}

static int64_t wait_pselect(struct shared *s)
{
	struct timespec limit = span(s);

	return pselect(0, NULL, NULL, NULL, &limit, NULL);
}

static int64_t wait_nanosleep(struct shared *s)
{
	struct timespec limit = span(s), rest;

	return syscall(SYS_nanosleep, &limit, &rest);
}

static int64_t wait_clock_absolute(struct shared *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(s->wait_ms * MS);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int64_t wait_futex(struct shared *s)
{
	struct timespec limit = span(s);
	int word = 0;
	int64_t r = syscall(SYS_futex, &word, 0, 0, &limit, NULL, 0);

	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static int64_t wait_semaphore(struct shared *s)
{
	struct timespec until;
	sem_t sem;

	(void)sem_init(&sem, 0, 0);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(s->wait_ms * MS);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(&sem, &until) < 0 && errno == ETIMEDOUT ? 0 : -1;
}

/* These wait for the test, which lets them go after wait_ms. */
static int64_t wait_read(struct shared *s)
{
	char byte;

	return read(s->pipe[0], &byte, 1) - 1;
}

static int64_t wait_epoll(struct shared *s)
{
	struct epoll_event event;

	return epoll_wait(s->epoll, &event, 1, -1) - 1;
}

static int64_t wait_epoll_pwait(struct shared *s)
{
	struct epoll_event event;
	sigset_t none;

	(void)sigemptyset(&none);
	return epoll_pwait(s->epoll, &event, 1, -1, &none) - 1;
}

static int64_t wait_recv(struct shared *s)
{
	char byte;

	return recv(s->socket[0], &byte, 1, 0) - 1;
}

/* With a time-out on the socket, which is not among the arguments: longer than the test takes. */
static int64_t receive_limited(struct shared *s, int how)
{
	const struct timeval limit = { 20, 0 };
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct mmsghdr many = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	(void)setsockopt(s->socket[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	switch (how) {
	case 0: return recv(s->socket[0], iov.iov_base, 1, 0) - 1;
	case 1: return read(s->socket[0], iov.iov_base, 1) - 1;
	case 2: return readv(s->socket[0], &iov, 1) - 1;
	case 3: return recvmsg(s->socket[0], &many.msg_hdr, 0) - 1;
	default: return recvmmsg(s->socket[0], &many, 1, 0, NULL) - 1;
	}
}

static int64_t wait_recv_limited(struct shared *s)
{
	return receive_limited(s, 0);
}

static int64_t wait_read_limited(struct shared *s)
{
	return receive_limited(s, 1);
}

static int64_t wait_readv_limited(struct shared *s)
{
	return receive_limited(s, 2);
}

static int64_t wait_recvmsg_limited(struct shared *s)
{
	return receive_limited(s, 3);
}

static int64_t wait_recvmmsg_limited(struct shared *s)
{
	return receive_limited(s, 4);
}

static int64_t wait_sigtimedwait(struct shared *s)
{
	sigset_t set;

	s->other = getpid();
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return sigwaitinfo(&set, NULL) - SIGUSR2;
}

static int64_t wait_flock(struct shared *s)
{
	return flock(s->event, LOCK_EX);
}

static int64_t semaphore_set(struct shared *s, int how)
{
	struct sembuf op = { 0, -1, 0 };

	if (how == 0)
		return syscall(SYS_semop, s->event, &op, 1UL);
	return syscall(SYS_semtimedop, s->event, &op, 1UL, NULL);
}

static int64_t wait_semop(struct shared *s)
{
	return semaphore_set(s, 0);
}

static int64_t wait_semtimedop(struct shared *s)
{
	return semaphore_set(s, 1);
}

static int64_t wait_msgrcv(struct shared *s)
{
	struct {
		long type;
		char text[8];
	} message;

	return msgrcv(s->event, &message, sizeof(message.text), 0, 0) - 1;
}

static int64_t wait_aio(struct shared *s)
{
	struct iocb ask = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)s->pipe[0], .aio_buf = POLLIN };
	struct iocb *list = &ask;
	struct io_event event;
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) < 0 || syscall(SYS_io_submit, context, 1, &list) != 1)
		return -1;
	return syscall(SYS_io_getevents, context, 1, 1, &event, NULL) - 1;
}

static int64_t wait_child(struct shared *s)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		test_sleep(s->wait_ms);
		_exit(0);
	}
	return waitpid(pid, &status, 0) - pid;
}

static int64_t wait_accept(struct shared *s)
{
	return accept(s->event, NULL, NULL) < 0 ? -1 : 0;
}

/* --- what they need before, and what lets them go ----------------------------------------------------------------- */

static void prepare(struct shared *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	cr_assert_eq(pipe2(s->pipe, O_CLOEXEC), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->socket), 0);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	cr_assert_eq(epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->pipe[0], &event), 0);
}

static int test_file = -1;

static void prepare_file(struct shared *s)
{
	char name[] = "/tmp/mr-test-XXXXXX", path[64];

	test_file = mkstemp(name);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", test_file);
	s->event = open(path, O_RDWR | O_CLOEXEC);
	(void)unlink(name);
	cr_assert_eq(flock(test_file, LOCK_EX), 0);
}

static void prepare_semaphores(struct shared *s)
{
	s->event = semget(IPC_PRIVATE, 1, 0600);
	cr_assert_geq(s->event, 0);
}

static void prepare_messages(struct shared *s)
{
	s->event = msgget(IPC_PRIVATE, 0600);
	cr_assert_geq(s->event, 0);
}

static void prepare_listener(struct shared *s)
{
	s->event = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s->event, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)), 0);
	cr_assert_eq(listen(s->event, 1), 0);
}

static void free_pipe(struct shared *s)
{
	cr_assert_eq(write(s->pipe[1], "x", 1), 1);
}

static void free_socket(struct shared *s)
{
	cr_assert_eq(write(s->socket[1], "x", 1), 1);
}

static void free_signal(struct shared *s)
{
	(void)kill(s->other, SIGUSR2);
}

static void free_lock(struct shared *s)
{
	(void)s;
	(void)flock(test_file, LOCK_UN);
}

static void free_semaphore(struct shared *s)
{
	struct sembuf op = { 0, 1, 0 };

	cr_assert_eq(semop(s->event, &op, 1), 0);
}

static void free_message(struct shared *s)
{
	struct {
		long type;
		char text[8];
	} message = { 1, "x" };

	cr_assert_eq(msgsnd(s->event, &message, 1, 0), 0);
}

static void free_listener(struct shared *s)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} address;
	socklen_t size = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(getsockname(s->event, (struct sockaddr *)&address, &size), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, size), 0);
}

static void remove_semaphores(struct shared *s)
{
	(void)semctl(s->event, 0, IPC_RMID);
}

static void remove_messages(struct shared *s)
{
	(void)msgctl(s->event, IPC_RMID, NULL);
}

const struct way ways[] = {
	{ "poll", wait_poll, NULL, NULL, NULL, true },
	{ "ppoll", wait_ppoll, NULL, NULL, NULL, true },
	{ "select", wait_select, NULL, NULL, NULL, true },
	{ "pselect", wait_pselect, NULL, NULL, NULL, true },
	{ "nanosleep", wait_nanosleep, NULL, NULL, NULL, true },
	{ "clock_nanosleep", wait_clock_absolute, NULL, NULL, NULL, true },
	{ "futex", wait_futex, NULL, NULL, NULL, true },
	{ "sem_timedwait", wait_semaphore, NULL, NULL, NULL, true },
	{ "waitpid", wait_child, NULL, NULL, NULL, false },
	{ "read", wait_read, prepare, free_pipe, NULL, false },
	{ "epoll_wait", wait_epoll, prepare, free_pipe, NULL, true },
	{ "epoll_pwait", wait_epoll_pwait, prepare, free_pipe, NULL, true },
	{ "io_getevents", wait_aio, prepare, free_pipe, NULL, true },
	{ "recv", wait_recv, prepare, free_socket, NULL, false },
	{ "sigwaitinfo", wait_sigtimedwait, NULL, free_signal, NULL, true },
	{ "flock", wait_flock, prepare_file, free_lock, NULL, false },
	{ "semop", wait_semop, prepare_semaphores, free_semaphore, remove_semaphores, true },
	{ "semtimedop", wait_semtimedop, prepare_semaphores, free_semaphore, remove_semaphores, true },
	{ "msgrcv", wait_msgrcv, prepare_messages, free_message, remove_messages, true },
	{ "accept", wait_accept, prepare_listener, free_listener, NULL, false },
};

const size_t ways_count = sizeof(ways) / sizeof(*ways);

const struct way ways_limited[] = {
	{ "recv with SO_RCVTIMEO", wait_recv_limited, prepare, free_socket, NULL, true },
	{ "read with SO_RCVTIMEO", wait_read_limited, prepare, free_socket, NULL, true },
	{ "readv with SO_RCVTIMEO", wait_readv_limited, prepare, free_socket, NULL, true },
	{ "recvmsg with SO_RCVTIMEO", wait_recvmsg_limited, prepare, free_socket, NULL, true },
	{ "recvmmsg with SO_RCVTIMEO", wait_recvmmsg_limited, prepare, free_socket, NULL, true },
};

const size_t ways_limited_count = sizeof(ways_limited) / sizeof(*ways_limited);

const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < ways_count; i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	cr_assert_fail("there is no way %s", name);
	return NULL;
}

/* --- the child ---------------------------------------------------------------------------------------------------- */

static const struct way *chosen;
static int chosen_flags;

static void body(struct shared *shared)
{
	way_handle(shared, chosen_flags);
	shared->ready = 1;
	shared->began = test_now();
	shared->result = chosen->wait(shared);
	shared->error = errno;
	shared->ended = test_now();
	(void)sigprocmask(SIG_SETMASK, NULL, &shared->mask);
}

void way_start(struct subject *subject, const struct way *way, int flags)
{
	chosen = way;
	chosen_flags = flags;
	subject_start_with(subject, way->prepare, body);
}
