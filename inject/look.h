/* SPDX-License-Identifier: MIT */
#ifndef MR_LOOK_H
#define MR_LOOK_H

#include "inject.h"

/* The part of mr_look() that changes while a command is at work: who it is, its state, its tracer. Same errors. */
int look_again(pid_t pid, struct mr_facts *facts, struct mr_error *err);

#endif
