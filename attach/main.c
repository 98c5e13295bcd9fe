/* SPDX-License-Identifier: MIT
 *
 * mr-attach: argv, a request, the processes one after the other, the exit status.
 */
#include <malloc.h>
#include <stdlib.h>

#include "program.h"

#define RESERVE (16 << 20)

/*
 * Room for all of a run is taken at once, and in one heap for all threads: so that memory is lacking before a process is
 * touched, or not at all; libdw does not stand it. No page of it exists before it is used.
 */
static void memory_reserve(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TOP_PAD, RESERVE);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * RESERVE);
	(void)mallopt(M_MMAP_THRESHOLD, RESERVE);
	free(malloc(1));
}

int main(int argc, char **argv)
{
	memory_reserve();
	return program_main(argc, argv);
}
