/* SPDX-License-Identifier: MIT
 *
 * The tables of what a system call needs after a stop. tests/unit/test_stage.c asks the kernel itself.
 */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../../inject/wait.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

Test(wait, numbers_are_this_kernels)
{
	const struct cpu_numbers *n = &cpu_numbers;

	cr_expect_eq(n->mmap, SYS_mmap);
	cr_expect_eq(n->munmap, SYS_munmap);
	cr_expect_eq(n->futex, SYS_futex);
	cr_expect_eq(n->select, SYS_select);
	cr_expect_eq(n->pselect6, SYS_pselect6);
	cr_expect_eq(n->ppoll, SYS_ppoll);
	cr_expect_eq(n->poll, SYS_poll);
	cr_expect_eq(n->epoll_wait, SYS_epoll_wait);
	cr_expect_eq(n->epoll_pwait, SYS_epoll_pwait);
	cr_expect_eq(n->epoll_pwait2, SYS_epoll_pwait2);
	cr_expect_eq(n->rt_sigtimedwait, SYS_rt_sigtimedwait);
	cr_expect_eq(n->semtimedop, SYS_semtimedop);
	cr_expect_eq(n->recvfrom, SYS_recvfrom);
	cr_expect_eq(n->recvmsg, SYS_recvmsg);
	cr_expect_eq(n->accept, SYS_accept);
	cr_expect_eq(n->accept4, SYS_accept4);
	cr_expect_eq(n->connect, SYS_connect);
	cr_expect_eq(n->sendto, SYS_sendto);
	cr_expect_eq(n->sendmsg, SYS_sendmsg);
	cr_expect_eq(n->sendfile, SYS_sendfile);
	cr_expect_eq(n->splice, SYS_splice);
	cr_expect_eq(n->restart_syscall, SYS_restart_syscall);
	cr_expect_eq(n->nanosleep, SYS_nanosleep);
	cr_expect_eq(n->clock_nanosleep, SYS_clock_nanosleep);
	cr_expect_eq(n->wait4, SYS_wait4);
	cr_expect_eq(n->waitid, SYS_waitid);
	cr_expect_eq(n->pause, SYS_pause);
	cr_expect_eq(n->read, SYS_read);
	cr_expect_eq(n->readv, SYS_readv);
	cr_expect_eq(n->write, SYS_write);
	cr_expect_eq(n->writev, SYS_writev);
	cr_expect_eq(n->recvmmsg, SYS_recvmmsg);
	cr_expect_eq(n->sendmmsg, SYS_sendmmsg);
	cr_expect_eq(n->semop, SYS_semop);
	cr_expect_eq(n->io_getevents, SYS_io_getevents);
	cr_expect_eq(n->io_pgetevents, SYS_io_pgetevents);
	cr_expect_eq(n->io_uring_enter, SYS_io_uring_enter);
}

Test(wait, these_break_at_a_stop)
{
	static const long breaks[] = { SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_rt_sigtimedwait, SYS_semtimedop,
				       SYS_recvfrom, SYS_recvmsg, SYS_accept, SYS_accept4, SYS_connect, SYS_sendto,
				       SYS_sendmsg, SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_recvmmsg, SYS_sendmmsg,
				       SYS_semop, SYS_io_getevents, SYS_io_pgetevents, SYS_io_uring_enter };
	static const long mends_itself[] = { SYS_poll, SYS_select, SYS_nanosleep, SYS_futex, SYS_wait4, SYS_close, -1 };

	for (size_t i = 0; i < COUNT(breaks); i++)
		cr_expect(wait_breaks(breaks[i]), "%ld", breaks[i]);
	for (size_t i = 0; i < COUNT(mends_itself); i++)
		cr_expect_not(wait_breaks(mends_itself[i]), "%ld", mends_itself[i]);
}

Test(wait, finite)
{
	const uint64_t forever[6] = { 3, 0, 8, UINT32_MAX }, at_once[6] = { 3, 0, 8, 0 }, some[6] = { 3, 0, 8, 250 };
	const uint64_t high_bits[6] = { 3, 0, 8, UINT64_C(0xdead0000ffffffff) }, null[6] = { 1 };

	const uint64_t limited[6] = { 1, 1, 1, 4096, 4096 }, plain[6] = { 3, 0, 1, 1 }, more[6] = { 3, 0, 1, 9, 4096, 24 };

	cr_expect_not(wait_finite(SYS_epoll_wait, forever));
	cr_expect_not(wait_finite(SYS_epoll_pwait, high_bits), "an int: the upper half is rubbish");
	cr_expect(wait_finite(SYS_epoll_wait, at_once));
	cr_expect(wait_finite(SYS_epoll_pwait, some));
	cr_expect(wait_finite(SYS_epoll_pwait2, some));
	cr_expect_not(wait_finite(SYS_epoll_pwait2, null));
	cr_expect(wait_finite(SYS_semtimedop, some));
	cr_expect_not(wait_finite(SYS_semtimedop, null));
	cr_expect(wait_finite(SYS_rt_sigtimedwait, some));
	cr_expect_not(wait_finite(SYS_rt_sigtimedwait, null));
	cr_expect(wait_finite(SYS_io_getevents, limited));
	cr_expect_not(wait_finite(SYS_io_getevents, forever));
	cr_expect(wait_finite(SYS_io_pgetevents, limited));
	cr_expect(wait_finite(SYS_io_uring_enter, more), "IORING_ENTER_EXT_ARG");
	cr_expect_not(wait_finite(SYS_io_uring_enter, plain));
	cr_expect_not(wait_finite(SYS_recvfrom, some));
	cr_expect_not(wait_finite(SYS_poll, some));
}

Test(wait, partial)
{
	const uint64_t little[6] = { 3, 0, 4096 }, much[6] = { 3, 0, 4097 }, all[6] = { 3, 0, 100, MSG_WAITALL };
	const uint64_t all_of_message[6] = { 3, 0, MSG_WAITALL };

	cr_expect_not(wait_partial(SYS_write, little));
	cr_expect(wait_partial(SYS_write, much));
	cr_expect(wait_partial(SYS_sendto, much));
	cr_expect(wait_partial(SYS_recvfrom, all));
	cr_expect_not(wait_partial(SYS_recvfrom, much));
	cr_expect(wait_partial(SYS_recvmsg, all_of_message));
	cr_expect(wait_partial(SYS_sendfile, little));
	cr_expect(wait_partial(SYS_splice, little));
	cr_expect(wait_partial(SYS_writev, little));
	cr_expect_not(wait_partial(SYS_read, much));
	cr_expect_not(wait_partial(SYS_poll, much));
}

Test(wait, again)
{
	struct cpu_call call = { .in = true, .nr = SYS_epoll_wait, .arg = { 3, 0, 8, 250 }, .result = -4 };

	cr_expect_not(wait_again(&call, true), "CPython computes what is left");
	cr_expect(wait_again(&call, false));
	call.arg[3] = UINT32_MAX;
	cr_expect(wait_again(&call, true));
	call.in = false;
	cr_expect_not(wait_again(&call, true));
	call = (struct cpu_call){ .in = true, .nr = SYS_close, .result = -4 };
	cr_expect_not(wait_again(&call, false), "to close twice would be wrong");
	call.result = -516;
	cr_expect(wait_again(&call, false));
}

Test(wait, limit)
{
	uint64_t at = 0, unit = 0;
	struct cpu_call call = { .in = true, .nr = SYS_select, .arg = { 1, 2, 3, 4, 0x5000, 6 }, .result = -514 };

	cr_expect(wait_limit(&call, &at, &unit));
	cr_expect_eq(at, 0x5000);
	cr_expect_eq(unit, 1000, "microseconds");
	call.nr = SYS_pselect6;
	cr_expect(wait_limit(&call, &at, &unit));
	cr_expect_eq(unit, 1);
	call.nr = SYS_ppoll;
	cr_expect(wait_limit(&call, &at, &unit));
	cr_expect_eq(at, 3);
	call.arg[2] = 0;
	cr_expect_not(wait_limit(&call, &at, &unit), "no time-out");
	call.arg[2] = 3;
	call.result = -512;
	cr_expect_not(wait_limit(&call, &at, &unit), "not shortened by the kernel");
	call = (struct cpu_call){ .in = true, .nr = SYS_poll, .arg = { 1, 2, 3, 4, 5 }, .result = -516 };
	cr_expect_not(wait_limit(&call, &at, &unit));
	call = (struct cpu_call){ .nr = SYS_select, .arg = { 1, 2, 3, 4, 5 }, .result = -514 };
	cr_expect_not(wait_limit(&call, &at, &unit), "not in a call");
}
