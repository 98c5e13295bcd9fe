/* SPDX-License-Identifier: MIT
 *
 * The word of those who work in a process and do not see each other's lock.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../inject/lease.h"
#include "../../inject/stage.h"
#include "subject.h"

#define OTHERS UINT64_C(0x7777700000000001)	/* of a mount that is none of ours */

static struct subject subject;
static struct lease lease;

static void body(struct shared *shared)
{
	(void)shared;
	for (;;)
		(void)pause();
}

static void setup(void)
{
	struct mr_error err = MR_ERROR_INIT;
	char path[64];

	subject_start(&subject, body);
	cr_assert(subject_blocked(subject.pid, subject.pid, -1));
	subject_map(&subject);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)subject.pid);
	subject.target.memory.fd = open(path, O_RDWR | O_CLOEXEC);	/* the lock's */
	cr_assert_eq(stage_place(&subject.target, NULL, &err), 0);
	lease = (struct lease){ .own = 0 };
}

static void end(void)
{
	subject_end(&subject);
}

TestSuite(lease, .init = setup, .fini = end, .timeout = 20);

static bool lives_for(uint64_t ms)
{
	for (uint64_t until = test_now() + ms * MS; test_now() < until; test_sleep(5))
		if (!lease_other(&lease, &subject.target))
			return false;
	return true;
}

Test(lease, it_is_taken_and_given_back)
{
	cr_expect_not(lease_other(&lease, &subject.target));
	cr_expect(lease_take(&lease, &subject.target));
	cr_expect_neq(stage_lease(&subject.target), 0);
	cr_expect_not(lease_other(&lease, &subject.target), "it is ours");
	lease_give(&lease, &subject.target);
	cr_expect_eq(stage_lease(&subject.target), 0);
}

/* We have the lock of this mount. */
Test(lease, of_the_same_mount_it_is_of_the_dead)
{
	struct lease dead = { .own = 0 };

	cr_assert(lease_take(&dead, &subject.target));
	cr_expect_not(lease_other(&lease, &subject.target));
	cr_expect(lease_take(&lease, &subject.target));
}

Test(lease, one_that_is_kept_fresh_is_respected)
{
	uint64_t until = test_now() + 1500 * MS;

	for (uint64_t word = OTHERS; test_now() < until; word++) {
		stage_lease_note(&subject.target, word);
		cr_assert(lives_for(100));
		cr_assert_not(lease_take(&lease, &subject.target));
	}
	stage_lease_note(&subject.target, 0);
	cr_expect_not(lease_other(&lease, &subject.target));
}

Test(lease, one_that_stays_the_same_is_of_the_dead)
{
	stage_lease_note(&subject.target, OTHERS);
	cr_expect(lives_for(800));
	test_sleep(400);
	cr_expect_not(lease_other(&lease, &subject.target));
	cr_expect(lease_take(&lease, &subject.target));
	cr_expect_neq(stage_lease(&subject.target), OTHERS);
}

Test(lease, it_is_kept_fresh)
{
	uint64_t before;

	cr_assert(lease_take(&lease, &subject.target));
	before = stage_lease(&subject.target);
	lease_keep(&lease, &subject.target);
	cr_expect_eq(stage_lease(&subject.target), before, "not at each look");
	test_sleep(250);
	lease_keep(&lease, &subject.target);
	cr_expect_neq(stage_lease(&subject.target), before);
	cr_expect_not(lease_other(&lease, &subject.target));
}

/* We were stopped for long, and another one took us for dead. */
Test(lease, one_that_was_lost_is_left_alone)
{
	cr_assert(lease_take(&lease, &subject.target));
	stage_lease_note(&subject.target, OTHERS);
	test_sleep(250);
	lease_keep(&lease, &subject.target);
	lease_give(&lease, &subject.target);
	cr_expect_eq(stage_lease(&subject.target), OTHERS);
}
