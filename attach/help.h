/* SPDX-License-Identifier: MIT */
#ifndef MR_HELP_H
#define MR_HELP_H

#include <stdio.h>

void help_print(FILE *out);
void version_print(FILE *out);

#endif
