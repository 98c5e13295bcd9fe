/* SPDX-License-Identifier: MIT
 *
 * The entry of the stub that ends our code when its time is over, with fakes in CPython's place.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../payload/embed.h"
#include "fake_python.h"

static void setup(void)
{
	fake_setup(MAP_PRIVATE);
}

TestSuite(interrupt, .init = setup, .timeout = 20);

static void interrupt_comes(void)
{
	fake_enter(STUB_INTERRUPT);
}

/*
 * The work's time is over: the thread is sent to the fourth entry in the middle of our code, nested. When that has ended, some
 * more of our code runs: the exception must not be raised in the program's.
 */
Test(interrupt, raises_in_our_code_only)
{
	const char *ours, *more;

	fake.during_run = interrupt_comes;
	fake_enter(STUB_PARKED);
	ours = strstr(fake.journal, "async(4711,KeyboardInterrupt) ");
	cr_assert_not_null(ours);
	more = strstr(ours, "compile(settle()\n,<mr-attach>,257) run(code,names) ");
	cr_expect_not_null(more);
	cr_expect_null(strstr(ours, "async(4711,NULL)"), "it leaves the interpreter's alarm on");
	cr_expect_eq(fake.block->interrupted, 1, "once all is done nobody interrupts");
	cr_expect_eq(fake.block->phase, PHASE_DONE);
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 3);
}

Test(interrupt, that_comes_too_late_does_nothing)
{
	fake_enter(STUB_PARKED);
	fake.journal[0] = 0;
	errno = 33;
	fake.block->interrupt = INTERRUPT_PARKED;
	fake_enter(STUB_INTERRUPT);
	cr_expect_eq(errno, 33);
	cr_expect_str_eq(fake.journal, "check ensure release(5) ");
	cr_expect_eq(fake.block->interrupted, 0);
}

/* Who waits for the GIL has its condition variable in hand: asking for it again there is a deadlock. */
Test(interrupt, never_takes_the_gil_in_a_thread_that_may_wait_for_it)
{
	fake.block->phase = PHASE_RUNNING;
	fake.block->interrupt = INTERRUPT_HOLDER;
	fake_enter(STUB_INTERRUPT);
	cr_expect_str_eq(fake.journal, "check ");
	cr_expect_eq(fake.block->interrupted, 0);
	cr_expect_eq(fake.block->inside, 0);
	cr_expect_eq(fake.block->arrived, 1);
}

static void block_waits(void)
{
	fake.block->phase = PHASE_RUNNING;
	fake.block->interrupt = INTERRUPT_PARKED;
	fake.block->ident = 4711;
	fake.block->thread = (uint64_t)gettid();
}

/* Parked in the midst of our code: it says where. */
Test(interrupt, of_what_waits_tells_the_line)
{
	static char path[2 * WHERE_MAX];

	block_waits();
	fake.file = "/srv/shop/cart.py";
	fake_enter(STUB_INTERRUPT);
	cr_expect_str_eq(fake.journal, "check ensure frame fetch decref(object) decref(code) restore async(4711,KeyboardInterrupt) "
				       "release(5) ");
	cr_expect_str_eq(fake.block->file, "/srv/shop/cart.py");
	cr_expect_eq(fake.block->line, 31);
	(void)memset(path, 'x', sizeof(path) - 1);
	fake.file = path;
	fake_enter(STUB_INTERRUPT);
	cr_expect_eq(strlen(fake.block->file), (size_t)WHERE_MAX - 1);
	fake.file = NULL;
	fake_enter(STUB_INTERRUPT);
	cr_expect_eq(fake.block->line, 0);
	fake.journal[0] = 0;
	fake.block->thread++;
	fake_enter(STUB_INTERRUPT);
	cr_expect_null(strstr(fake.journal, "frame"), "another thread runs it: this one waits in the program's own code");
}

Test(interrupt, with_the_gil_held_takes_it_not)
{
	fake.block->phase = PHASE_RUNNING;
	fake.block->ident = 4711;
	fake.held = 1;
	fake_enter(STUB_INTERRUPT);
	cr_expect_str_eq(fake.journal, "check async(4711,KeyboardInterrupt) ");
}
