/* SPDX-License-Identifier: MIT */
#ifndef MR_PROGRAM_H
#define MR_PROGRAM_H

/* All of mr-attach; main() apart, so that tests can link it. Returns the exit status. */
int program_main(int argc, char **argv);

#endif
