/* SPDX-License-Identifier: MIT
 *
 * mr-attach: argv, a request, the processes one after the other, the exit status.
 */
#include "program.h"

int main(int argc, char **argv)
{
	return program_main(argc, argv);
}
