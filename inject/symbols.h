/* SPDX-License-Identifier: MIT
 *
 * Names in an image: what needs only the dynamic symbols, the relocations and the unwind table, which every stripped
 * binary keeps.
 */
#ifndef MR_SYMBOLS_H
#define MR_SYMBOLS_H

#include "image.h"

/* The address of a dynamic symbol that the image defines, or 0. */
uint64_t symbols_find(struct image *image, const char *name);

/* The name of the symbol that a GOT slot is relocated with, or NULL. */
const char *symbols_slot(struct image *image, uint64_t slot);

/* The range of the function (of its FDE, to the start of the next one) that covers pc; false where the table has none. */
bool symbols_function(struct image *image, uint64_t pc, uint64_t *start, uint64_t *end);

/*
 * Fetches what libdw will read to unwind from pc: the entry of its function, found by the table as libdw does; where there
 * is no such table or no entry, all that follows the table's header.
 */
void symbols_unwind(struct image *image, uint64_t pc);

#endif
