/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <limits.h>
#include <sys/socket.h>

enum { EINTR_RESULT = -4, RESTART_NOHAND = -514 };
enum { ENTER_EXT_ARG = 8 };	/* IORING_ENTER_EXT_ARG of io_uring_enter(2) */

bool wait_breaks(long nr)
{
	const struct cpu_numbers *n = &cpu_numbers;

	return nr == n->epoll_wait || nr == n->epoll_pwait || nr == n->epoll_pwait2 || nr == n->rt_sigtimedwait ||
	       nr == n->semtimedop || nr == n->recvfrom || nr == n->recvmsg || nr == n->accept || nr == n->accept4 ||
	       nr == n->connect || nr == n->sendto || nr == n->sendmsg || nr == n->read || nr == n->readv ||
	       nr == n->write || nr == n->writev || nr == n->recvmmsg || nr == n->sendmmsg || nr == n->semop ||
	       nr == n->io_getevents || nr == n->io_pgetevents || nr == n->io_uring_enter;
}

bool wait_finite(long nr, const uint64_t arg[6])
{
	const struct cpu_numbers *n = &cpu_numbers;

	if (nr == n->epoll_wait || nr == n->epoll_pwait)
		return (int32_t)arg[3] >= 0;
	if (nr == n->epoll_pwait2 || nr == n->semtimedop)
		return arg[3] != 0;
	if (nr == n->rt_sigtimedwait)
		return arg[2] != 0;
	if (nr == n->io_getevents || nr == n->io_pgetevents)
		return arg[4] != 0;
	if (nr == n->io_uring_enter)
		return (arg[3] & ENTER_EXT_ARG) != 0;	/* it may hold a time-out */
	return false;	/* a socket's time-out is not among the arguments: see socket.h */
}

bool wait_partial(long nr, const uint64_t arg[6])
{
	const struct cpu_numbers *n = &cpu_numbers;

	if (nr == n->write || nr == n->sendto)
		return arg[2] > PIPE_BUF;	/* less is written in one piece, or not at all: pipe(7) */
	if (nr == n->recvfrom)
		return arg[3] & MSG_WAITALL;
	if (nr == n->recvmsg)
		return arg[2] & MSG_WAITALL;
	return nr == n->writev || nr == n->sendmsg || nr == n->sendmmsg || nr == n->sendfile || nr == n->splice;
}

bool wait_again(const struct cpu_call *call, bool python_caller)
{
	if (!call->in)
		return false;
	if (call->result != EINTR_RESULT)
		return true;
	return wait_breaks(call->nr) && !(python_caller && wait_finite(call->nr, call->arg));
}

bool wait_limit(const struct cpu_call *call, uint64_t *ret_at, uint64_t *ret_unit)
{
	const struct cpu_numbers *n = &cpu_numbers;

	if (!call->in || call->result != RESTART_NOHAND)
		return false;
	*ret_unit = call->nr == n->select ? 1000 : 1;
	if (call->nr == n->select || call->nr == n->pselect6)
		*ret_at = call->arg[4];
	else if (call->nr == n->ppoll)
		*ret_at = call->arg[2];
	else
		return false;
	return *ret_at != 0;
}
