/* SPDX-License-Identifier: MIT
 *
 * The stage at work in a child that waits: it makes its calls, and the wait goes on as if nobody had come, for as long as
 * was asked for; a signal that arrives meanwhile ends it as the kernel would have. Time-outs are exact to TOLERANCE.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../inject/visit.h"
#include "subject.h"

#define TOLERANCE (20 * MS)
#define DWELL 60	/* ms that the thread spends in the stage */
#define TRIES 8

static struct subject subject;
static struct visit visit;
static struct mr_timing timing;
static struct mr_error err;

static void setup(void)
{
	visit = (struct visit){ .target = NULL };
	err = (struct mr_error)MR_ERROR_INIT;
}

TestSuite(stage, .init = setup, .timeout = 120);

/* --- what a child waits in ---------------------------------------------------------------------------------------- */

static struct shared *child_shared;

static void on_signal(int number)
{
	(void)number;
	child_shared->handled = test_now();
	child_shared->handlers++;
}

static void handle(struct shared *shared, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	child_shared = shared;
	(void)sigaction(SIGUSR1, &action, NULL);
}

static struct timespec span(const struct shared *shared)
{
	return (struct timespec){ (time_t)(shared->wait_ms / 1000), (long)(shared->wait_ms % 1000 * MS) };
}

typedef int64_t waiter(struct shared *shared);

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

	(void)s;
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
	(void)s;
	(void)kill(subject.pid, SIGUSR2);
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

struct way {
	const char *name;
	waiter *wait;
	subject_body *prepare, *let_go, *remove;	/* let_go NULL: it ends by itself after wait_ms */
	bool ended_by_signal;	/* with SA_RESTART */
};

static const struct way ways[] = {
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
	{ "recv", wait_recv, prepare, free_socket, NULL, false },
	{ "sigwaitinfo", wait_sigtimedwait, NULL, free_signal, NULL, true },
	{ "flock", wait_flock, prepare_file, free_lock, NULL, false },
	{ "semop", wait_semop, prepare_semaphores, free_semaphore, remove_semaphores, true },
	{ "semtimedop", wait_semtimedop, prepare_semaphores, free_semaphore, remove_semaphores, true },
	{ "msgrcv", wait_msgrcv, prepare_messages, free_message, remove_messages, true },
	{ "accept", wait_accept, prepare_listener, free_listener, NULL, false },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static const struct way *chosen;
static int chosen_flags;

static void body(struct shared *shared)
{
	handle(shared, chosen_flags);
	shared->ready = 1;
	shared->began = test_now();
	shared->result = chosen->wait(shared);
	shared->error = errno;
	shared->ended = test_now();
	(void)sigprocmask(SIG_SETMASK, NULL, &shared->mask);
}

/* --- the visits --------------------------------------------------------------------------------------------------- */

static void start_way(const struct way *way, int flags)
{
	chosen = way;
	chosen_flags = flags;
	subject_start_with(&subject, way->prepare, body);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	test_sleep(20);
	cr_assert(subject_blocked(subject.pid, subject.pid, -1), "%s", way->name);
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
}

static void begin(void)
{
	cr_assert_eq(visit_begin(&visit, &subject.target, subject.pid, test_now() + 2000 * MS, &timing, &err), 0, "%s: %s",
		     chosen->name, err.what);
}

static void hold_and_release(void)
{
	begin();
	visit_end(&visit);
}

/* Through the stage with getpid, and perhaps a sleep there (not by nanosleep, which forgets what it is to restart). */
static void through_the_stage(uint64_t dwell_ms)
{
	struct stage_call *calls = visit.frame.frame.calls;

	begin();
	visit_frame(&visit);
	calls[0] = (struct stage_call){ .nr = SYS_getpid };
	if (dwell_ms)
		calls[1] = (struct stage_call){ .nr = SYS_poll, .arg = { 0, 0, dwell_ms } };
	cr_assert_eq(visit_redirect(&visit, &err), 0, "%s: %s", chosen->name, err.what);
}

static void calls_were_made(void)
{
	struct stage_frame frame;
	bool made = false;

	for (int i = 0; i < 1000 && !made; i++) {
		cr_assert_eq(memory_read(&subject.target.memory, visit.frame.at, &frame, sizeof(frame)), 0);
		made = frame.calls[0].result == subject.pid;
		test_sleep(1);
	}
	cr_expect(made, "%s: getpid() in the stage", chosen->name);
}

static void home_again(void)
{
	for (int i = 0; i < 2000; i++) {
		struct proc_syscall in;

		target_syscall(&subject.target, subject.pid, &in);
		if (in.kind == PROC_SYSCALL_IN && !stage_holds(&subject.target, in.pc))
			return;
		test_sleep(1);
	}
	cr_assert_fail("%s: it does not come home", chosen->name);
}

/* Returns whether it ended in time; on a machine with other work on it, that may take another try. */
static bool ends_undisturbed(const struct way *way)
{
	uint64_t took, wait_ms = subject.shared->wait_ms;

	if (way->let_go) {
		while (test_now() < subject.shared->began + subject.shared->wait_ms * MS)
			test_sleep(1);
		way->let_go(subject.shared);
	}
	cr_expect_eq(subject_wait(&subject, 3000), 0, "%s does not end", way->name);
	took = subject.shared->ended - subject.shared->began;
	cr_expect_eq(subject.shared->result, 0, "%s: %ld, %s", way->name, (long)subject.shared->result,
		     strerror(subject.shared->error));
	cr_expect_geq(took, subject.shared->wait_ms * MS, "%s ended too early, after %lu us", way->name, took / 1000);
	cr_expect_leq(took, subject.shared->wait_ms * MS + 500 * MS, "%s ended late, after %lu us", way->name, took / 1000);
	cr_expect(sigismember(&subject.shared->mask, SIGUSR1) == 0, "%s: the mask", way->name);
	if (way->remove)
		way->remove(subject.shared);
	subject_end(&subject);
	return took <= wait_ms * MS + TOLERANCE;
}

static void each_way(void (*disturb)(void))
{
	for (size_t i = 0; i < WAYS; i++) {
		bool in_time = false;

		for (int tries = 0; tries < TRIES && !in_time; tries++) {
			start_way(&ways[i], 0);
			disturb();
			in_time = ends_undisturbed(&ways[i]);
		}
		cr_expect(in_time, "%s is late each time", ways[i].name);
	}
}

static void three_stops(void)
{
	for (int i = 0; i < 3; i++) {
		hold_and_release();
		test_sleep(10);
	}
}

static void three_stages(void)
{
	for (int i = 0; i < 3; i++) {
		through_the_stage(0);
		calls_were_made();
		home_again();
	}
}

static void long_stage(void)
{
	through_the_stage(DWELL);
	calls_were_made();
	test_sleep(DWELL);
	home_again();
}

/* How long such a wait still lasts cannot be known, and it would begin anew: it is not even stopped. */
static const struct way limited[] = {
	{ "recv with SO_RCVTIMEO", wait_recv_limited, prepare, free_socket, NULL, true },
	{ "read with SO_RCVTIMEO", wait_read_limited, prepare, free_socket, NULL, true },
	{ "readv with SO_RCVTIMEO", wait_readv_limited, prepare, free_socket, NULL, true },
	{ "recvmsg with SO_RCVTIMEO", wait_recvmsg_limited, prepare, free_socket, NULL, true },
	{ "recvmmsg with SO_RCVTIMEO", wait_recvmmsg_limited, prepare, free_socket, NULL, true },
};

Test(stage, a_socket_with_a_time_out_is_left_alone)
{
	for (size_t i = 0; i < sizeof(limited) / sizeof(*limited); i++) {
		start_way(&limited[i], 0);
		cr_expect_eq(visit_begin(&visit, &subject.target, subject.pid, test_now() + 2000 * MS, &timing, &err),
			     -MR_E_NO_SAFE_POINT, "%s", limited[i].name);
		cr_expect_eq(timing.stops, 0);
		cr_expect(subject_blocked(subject.pid, subject.pid, -1));
		subject_end(&subject);
	}
}

Test(stage, waits_go_on_after_a_stop)
{
	each_way(three_stops);
}

Test(stage, waits_go_on_after_the_stage)
{
	each_way(three_stages);
}

Test(stage, time_spent_in_the_stage_is_not_added)
{
	each_way(long_stage);
}

/* A wait that is over when the thread comes home. */
Test(stage, time_that_runs_out_in_the_stage)
{
	for (size_t i = 0; i < WAYS; i++) {
		uint64_t took;

		if (ways[i].let_go)
			continue;
		start_way(&ways[i], 0);
		through_the_stage(350);
		cr_expect_eq(subject_wait(&subject, 2000), 0);
		took = subject.shared->ended - subject.shared->began;
		cr_expect_eq(subject.shared->result, 0, "%s: %s", ways[i].name, strerror(subject.shared->error));
		cr_expect_leq(took, 350 * MS + 300 * MS, "%s: %lu us", ways[i].name, took / 1000);
		subject_end(&subject);
	}
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

static void signal_in_the_stage(const struct way *way, int flags)
{
	start_way(way, flags);
	through_the_stage(DWELL);
	test_sleep(DWELL / 3);
	(void)kill(subject.pid, SIGUSR1);
}

Test(stage, a_handler_ends_the_wait_as_ever)
{
	for (size_t i = 0; i < WAYS; i++) {
		signal_in_the_stage(&ways[i], 0);
		cr_expect_eq(subject_wait(&subject, 2000), 0, "%s went on", ways[i].name);
		cr_expect_eq(subject.shared->result < 0 ? subject.shared->error : 0, EINTR, "%s: %ld", ways[i].name,
			     (long)subject.shared->result);
		cr_expect_eq(subject.shared->handlers, 1);
		cr_expect_lt(subject.shared->ended - subject.shared->began, 290 * MS, "%s", ways[i].name);
		cr_expect_eq(sigismember(&subject.shared->mask, SIGUSR1), 0);
		if (ways[i].remove)
			ways[i].remove(subject.shared);
		subject_end(&subject);
	}
}

Test(stage, a_handler_with_SA_RESTART)
{
	for (size_t i = 0; i < WAYS; i++) {
		signal_in_the_stage(&ways[i], SA_RESTART);
		if (ways[i].ended_by_signal) {
			cr_expect_eq(subject_wait(&subject, 2000), 0, "%s went on", ways[i].name);
			cr_expect_eq(subject.shared->result < 0 ? subject.shared->error : 0, EINTR, "%s: %ld", ways[i].name,
				     (long)subject.shared->result);
			if (ways[i].remove)
				ways[i].remove(subject.shared);
			subject_end(&subject);
		} else {
			(void)ends_undisturbed(&ways[i]);
		}
	}
}

/* What has no handler, or is blocked, ends nothing. */
static void body_blocked(struct shared *shared)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	handle(shared, 0);
	shared->ready = 1;
	shared->began = test_now();
	shared->result = wait_poll(shared);
	shared->error = errno;
	shared->ended = test_now();
	(void)sigprocmask(SIG_SETMASK, NULL, &shared->mask);
}

Test(stage, a_blocked_signal_ends_nothing)
{
	chosen = &ways[0];
	subject_start(&subject, body_blocked);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_poll));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	through_the_stage(DWELL);
	(void)kill(subject.pid, SIGUSR1);
	(void)kill(subject.pid, SIGCHLD);	/* ignored by default */
	cr_expect_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->result, 0);
	cr_expect_eq(subject.shared->handlers, 0);
	cr_expect(sigismember(&subject.shared->mask, SIGUSR1), "still blocked");
	cr_expect_geq(subject.shared->ended - subject.shared->began, 300 * MS);
	subject_end(&subject);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

Test(stage, the_registers_of_a_wait_come_back)
{
	struct cpu_regs before, after;

	start_way(&ways[9], 0);
	begin();
	before = visit.thread.regs;
	visit_end(&visit);
	through_the_stage(0);
	calls_were_made();
	home_again();
	begin();
	after = visit.thread.regs;
	cr_expect_eq(visit.thread.call.nr, SYS_read);
	visit_end(&visit);
	cr_expect_arr_eq(&before, &after, sizeof(before));
	(void)ends_undisturbed(&ways[9]);
}

/* Computes with every register, and counts what comes out wrong; the red zone is in use. */
static void body_busy(struct shared *shared)
{
	static const uint32_t round_down = 0x3f80;
	uint64_t wrong;

	__asm__ volatile("ldmxcsr %0" : : "m"(round_down));
	while (!shared->go) {
		__asm__ volatile("sub $256, %%rsp; mov $1, %%rax; mov $2, %%rbx; mov $3, %%rcx; mov $4, %%rdx; mov $5, %%rsi; mov $6, %%rdi\n\t"
				 "mov $7, %%r8; mov $8, %%r9; mov $9, %%r10; mov $10, %%r11; mov $11, %%r12; mov $12, %%r13\n\t"
				 "mov $13, %%r14; movq %%r14, %%xmm3; mov $5000, %%r15; movq $77, -8(%%rsp); movq $78, -120(%%rsp)\n\t"
				 "std\n"
				 "1: dec %%r15; jnz 1b\n\t"
				 "pushfq; popq %%r15; shr $10, %%r15; and $1, %%r15; xor $1, %%r15; cld\n\t"
				 "xor $1, %%rax; xor $2, %%rbx; xor $3, %%rcx; xor $4, %%rdx; xor $5, %%rsi; xor $6, %%rdi\n\t"
				 "xor $7, %%r8; xor $8, %%r9; xor $9, %%r10; xor $10, %%r11; xor $11, %%r12; xor $12, %%r13\n\t"
				 "xor $13, %%r14; or %%rbx, %%rax; or %%rcx, %%rax; or %%rdx, %%rax; or %%rsi, %%rax; or %%rdi, %%rax\n\t"
				 "or %%r8, %%rax; or %%r9, %%rax; or %%r10, %%rax; or %%r11, %%rax; or %%r12, %%rax; or %%r13, %%rax\n\t"
				 "or %%r14, %%rax; or %%r15, %%rax; movq %%xmm3, %%rbx; xor $13, %%rbx; or %%rbx, %%rax\n\t"
				 "mov -120(%%rsp), %%rbx; xor $78, %%rbx; or %%rbx, %%rax; add $256, %%rsp\n\t"
				 : "=a"(wrong)
				 :
				 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm3",
				   "memory", "cc");
		if (wrong)
			shared->bad++;
		shared->counter++;
		shared->ready = 1;
	}
}

Test(stage, a_running_thread_notices_nothing)
{
	chosen = &(const struct way){ .name = "busy" };
	subject_start(&subject, body_busy);
	cr_assert(test_until(&subject.shared->ready, 1, 2000));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	for (int i = 0; i < 100; i++) {
		long count;

		begin();
		if (visit_on_its_way(&visit, NULL)) {
			visit_end(&visit);
			continue;
		}
		visit_frame(&visit);
		visit.frame.frame.calls[0] = (struct stage_call){ .nr = SYS_getpid };
		cr_assert_eq(visit_redirect(&visit, &err), 0);
		calls_were_made();
		count = subject.shared->counter;
		for (int k = 0; k < 1000 && subject.shared->counter < count + 2; k++)
			test_sleep(1);
	}
	subject.shared->go = 1;
	cr_expect_eq(subject_wait(&subject, 2000), 0);
	cr_expect_eq(subject.shared->bad, 0, "%ld of %ld", subject.shared->bad, subject.shared->counter);
	cr_expect_gt(subject.shared->counter, 100);
	subject_end(&subject);
}

/* --- the place ---------------------------------------------------------------------------------------------------- */

Test(stage, it_is_placed_once)
{
	uint64_t at;

	start_way(&ways[9], 0);
	at = subject.target.stage;
	cr_expect(stage_there(&subject.target));
	cr_expect(stage_holds(&subject.target, at));
	cr_expect_not(stage_holds(&subject.target, at - 1));
	subject.target.stage = 0;
	cr_expect_not(stage_there(&subject.target));
	subject_map(&subject);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	cr_expect_eq(subject.target.stage, at);
	subject_end(&subject);
}

/* Another version's stage at the end of the page is stepped over. */
Test(stage, it_is_placed_below_another_one)
{
	const struct mr_map *vdso = NULL;
	uint64_t trailer[2] = { UINT64_C(0x006567617473726d), 256 }, at;

	chosen = &ways[9];
	subject_start_with(&subject, prepare, body);
	cr_assert(subject_blocked(subject.pid, subject.pid, SYS_read));
	subject_map(&subject);
	for (size_t i = 0; i < subject.target.maps.count; i++)
		if (map_path_is(&subject.target.maps.map[i], "[vdso]"))
			vdso = &subject.target.maps.map[i];
	cr_assert_not_null(vdso);
	cr_assert_eq(memory_force(&subject.target.memory, vdso->end - 16, trailer, sizeof(trailer)), 0);
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	at = subject.target.stage;
	if (at >= vdso->start && at < vdso->end)
		cr_expect_lt(at, vdso->end - 256);
	through_the_stage(0);
	calls_were_made();
	subject_end(&subject);
}
