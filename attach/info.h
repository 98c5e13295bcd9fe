/* SPDX-License-Identifier: MIT
 *
 * The command info: everything that can be told of a process from outside, and whether attaching would be allowed.
 */
#ifndef MR_INFO_H
#define MR_INFO_H

#include <jansson.h>

#include "preflight.h"

/*
 * Fills the report's "info". refusal is what the preflight or mr_target_open() said, of code MR_OK when all is well;
 * target may be NULL. Returns 0, or -1 when out of memory.
 */
int info_fill(json_t *report, const struct mr_facts *facts, struct mr_target *target, const struct mr_error *refusal);

#endif
