/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a question of the target for paths: there is an answer for each or none at all, no descriptor stays, and we are
 * who we were. The first byte says how much room there is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "../../attach/evidence.h"
#include "../../inject/inject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int next_descriptor(void)
{
	int fd = dup(0);

	(void)close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_facts facts = { .pid = getpid(), .cap_effective = UINT64_MAX, .uid = { 0, 0, 0, geteuid() },
				  .gid = { 0, 0, 0, getegid() } };
	size_t room = size ? data[0] * sizeof(int64_t) : 0;
	char *ret = malloc(room + 1), *question = malloc(size);
	int fd = next_descriptor();
	ssize_t told;

	if (!size || !ret || !question) {
		free(ret);
		free(question);
		return 0;
	}
	memcpy(question, data + 1, size - 1);
	told = evidence_tell(&facts, question, size - 1, ret, room);
	if (told > (ssize_t)room || next_descriptor() != fd || (uid_t)setfsuid((uid_t)-1) != geteuid())
		abort();
	for (ssize_t i = 0; i + 8 <= told; i += 8) {
		int64_t newest;

		memcpy(&newest, ret + i, sizeof(newest));
		if (newest < EVIDENCE_MISSING)
			abort();
	}
	free(question);
	free(ret);
	return 0;
}
