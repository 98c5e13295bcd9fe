/* SPDX-License-Identifier: MIT
 *
 * The request block: what is put into the region's data part, and what is read back from it.
 */
#ifndef MR_BLOCK_H
#define MR_BLOCK_H

#include "region.h"
#include "target.h"

/* How many bytes of data the request needs, a multiple of the page size. */
uint64_t block_size(const struct mr_target *target, const struct mr_request *request);

/* Writes stub, block and the rest into the mapped region. Errors: ENDED, MEMORY, BUG. */
int block_write(struct mr_target *target, const struct region *region, const struct mr_request *request,
		struct mr_error *err);

int block_read(struct mr_target *target, const struct region *region, struct request_block *ret, struct mr_error *err);

/* Writes one field of the block. */
int block_set(struct mr_target *target, const struct region *region, size_t offset, const void *value, size_t size,
	      struct mr_error *err);
#define BLOCK_SET(target, region, field, value, err)                                                             \
	block_set(target, region, offsetof(struct request_block, field),                                        \
		  &(__typeof__(((struct request_block *)0)->field)){ value },                                   \
		  sizeof(((struct request_block *)0)->field), err)

/* Answers the question that our code in the tracee asks. It is asked once; what goes wrong is told as no answer. */
int block_tell(struct mr_target *target, const struct region *region, const struct mr_request *request,
	       const struct request_block *block, struct mr_error *err);

/* Takes the answer out. Lengths in the block are the tracee's word and are limited by what was asked for. */
int block_answer(struct mr_target *target, const struct region *region, const struct mr_request *request,
		 const struct request_block *block, struct mr_answer *ret, struct mr_error *err);

#endif
