/* SPDX-License-Identifier: MIT
 *
 * Work that ends, and work that does not.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "../../attach/watch.h"

TestSuite(watch, .timeout = 30);

static int asked;
static pthread_t worker;

static void *end_at_once(void *data)
{
	worker = pthread_self();
	*(int *)data = 42;
	return NULL;
}

static void *never_end(void *data)
{
	(void)data;
	for (;;)
		(void)pause();
	return NULL;
}

static bool never_overdue(void *data)
{
	(void)data;
	return false;
}

static bool overdue_the_third_time(void *data)
{
	(void)data;
	return ++asked == 3;
}

Test(watch, work_that_ends)
{
	sigset_t mask;
	int result = 0;

	cr_expect(watch(end_at_once, never_overdue, &result));
	cr_expect_eq(result, 42);
	cr_expect_not(watch_left_any());
	cr_expect_not(pthread_equal(worker, pthread_self()));
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	cr_expect(sigismember(&mask, SIGCHLD), "the worker waits for it, so nobody else may take it");
}

Test(watch, work_that_is_left_behind)
{
	cr_expect_not(watch(never_end, overdue_the_third_time, NULL));
	cr_expect_eq(asked, 3);
	cr_expect(watch_left_any());
}
