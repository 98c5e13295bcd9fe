/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a seccomp filter, on the data of a call: the first bytes. It ends, and says the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "../../inject/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_data call;
	struct sock_filter *program;
	size_t count;
	uint32_t action;

	if (size < sizeof(call))
		return 0;
	memcpy(&call, data, sizeof(call));
	count = (size - sizeof(call)) / sizeof(*program);
	program = malloc(count * sizeof(*program) + 1);
	if (!program)
		return 0;
	memcpy(program, data + sizeof(call), count * sizeof(*program));
	action = seccomp_run(program, count, &call);
	if (seccomp_run(program, count, &call) != action)
		abort();
	free(program);
	return 0;
}
