/* SPDX-License-Identifier: MIT
 *
 * One request on its way through the tracee: the steps of mr_run, each in a file of its own.
 */
#ifndef MR_DELIVERY_H
#define MR_DELIVERY_H

#include "block.h"
#include "lease.h"
#include "visit.h"

struct delivery {
	struct mr_target *target;
	const struct mr_request *request;
	struct mr_answer *answer;
	struct region region;
	struct lease lease;
	bool alone;			/* no other region was there at the beginning */
	bool mapped;			/* the region is there, as far as we know */
	struct visit visit;
	struct request_block head;	/* as last read */
	uint64_t begun_ns, start_limit_ns;
	uint64_t told_ns;		/* when progress was last told */
	uint64_t sent_ns;		/* of the redirection that the timing counts from */
	uint32_t sent;			/* redirections to entries */
	uint64_t traced_ns;		/* since when another tracer has held the thread at each visit, 0: it did not at the last */
};

/* setup.c: makes sure that the stage and a filled region are there. */
int delivery_setup(struct delivery *d, struct mr_error *err);
/* setup.c: takes the region out again, and idle ones of others with it. Leaves it, and says so, when it is still in use. */
void delivery_cleanup(struct delivery *d);

/* start.c: until our Python code runs. After an error nothing runs, and nothing will. */
int delivery_start(struct delivery *d, struct mr_error *err);

/* finish.c: until it has ended; interrupts it at the time-out. Takes the answer. */
int delivery_finish(struct delivery *d, struct mr_error *err);

/* delivery.c: what the steps share */
bool delivery_cancelled(const struct delivery *d);
void delivery_tell(struct delivery *d, const char *text);
int delivery_read(struct delivery *d, struct mr_error *err);
/* A pause while another mr-attach is at work there. Errors: CANCELLED, BUSY. */
int delivery_await(struct delivery *d, struct mr_error *err);
/* Whether a visit that returned r ends the run: not one that found no moment, nor a tracer that has not been there for long. */
bool delivery_fails(struct delivery *d, int r, const struct mr_error *error);
/* Sends the held thread to an entry of the stub. */
int delivery_send(struct delivery *d, uint64_t entry, struct mr_error *err);
void delivery_where(struct delivery *d);

#endif
