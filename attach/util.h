/* SPDX-License-Identifier: MIT
 *
 * Local resources that clean up after themselves.
 */
#ifndef MR_ATTACH_UTIL_H
#define MR_ATTACH_UTIL_H

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_free(char **text)
{
	free(*text);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_json(json_t **value)
{
	json_decref(*value);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_fd)))
#define AUTO_JSON __attribute__((cleanup(cleanup_json)))

#endif
