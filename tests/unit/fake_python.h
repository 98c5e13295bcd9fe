/* SPDX-License-Identifier: MIT
 *
 * The stub as it goes into a tracee, in a page of our own, with a block, and fakes in CPython's place that write down who
 * was called.
 */
#ifndef MR_TEST_FAKE_PYTHON_H
#define MR_TEST_FAKE_PYTHON_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../payload/request.h"

enum { FAKE_BLOCK_SIZE = 65536 };

extern struct fake_python {
	uint8_t *code;			/* of the stub */
	struct request_block *block;
	char journal[4096];		/* what happened, as words */

	/* how the fakes answer */
	int initialized, finalizing, interpreters, held, no_state, no_frame, queue_result, runs_that_fail, recursion_limit, tracing_calls, frames_below;
	const char *file;		/* of the frame; NULL: it is no text */
	void *code_object;		/* NULL: it cannot be compiled */
	void (*during_run)(void);

	/* what they saw */
	uint32_t phase_at_run, inside_at_run, limit_at_run;
	sigset_t mask_at_run, mask_at_first;
	int runs;
	int (*queued_call)(void *);
	void *queued_arg;
} fake;

/* Makes all of it anew; kind is MAP_PRIVATE or MAP_SHARED. */
void fake_setup(int kind);

/* Calls an entry of the stub. */
void fake_enter(size_t entry);

/* Spoils all registers that a function may spoil, of the extended state too. */
void fake_clobber(void);

/* PyGILState_Ensure */
int fake_ensure(void);

/* Waits for it. */
bool fake_comes_true(const uint32_t *word, uint32_t wanted);

#endif
