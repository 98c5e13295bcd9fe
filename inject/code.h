/* SPDX-License-Identifier: MIT
 *
 * The compiled payload that is carried along for some Pythons; payload/compile.py makes it.
 */
#ifndef MR_CODE_H
#define MR_CODE_H

#include <stdint.h>

#include "inject.h"

struct bytes {
	const unsigned char *at;
	uint64_t size;
};

/* All empty where there is none. Whether it is for the very Python, its magic number tells over there: see block.c. */
struct code {
	char magic[17];		/* of its .pyc files, in hex */
	struct bytes boot, base, engine;
};

struct code code_for(const struct mr_python *python);

#endif
