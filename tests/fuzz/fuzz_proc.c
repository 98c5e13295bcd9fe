/* SPDX-License-Identifier: MIT
 *
 * The parsers of /proc on any bytes. The first byte chooses the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../inject/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_maps(const char *text, size_t size)
{
	struct mr_maps maps;
	char path[64];
	uint64_t end = 0;

	if (maps_parse(text, size, &maps))
		return;
	for (size_t i = 0; i < maps.count; i++) {
		const struct mr_map *map = &maps.map[i];

		if (map->start < end || map->end < map->start)
			abort();	/* maps_find relies on the order */
		end = map->end;
		if (map->path && (map->path < text || map->path + map->path_size > text + size))
			abort();
		if (map->start < map->end && maps_find(&maps, map->start) != map)
			abort();
		(void)map_path(map, path, sizeof(path));
	}
	maps_free(&maps);
}

static void try_cgroup(const char *text, size_t size)
{
	char path[64];

	(void)cgroup_parse(text, size, "", path, sizeof(path));
	(void)cgroup_parse(text, size, "freezer", path, sizeof(path));
	(void)cgroup_frozen(text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_syscall sc;
	struct proc_status status;
	struct proc_stat stat;
	size_t rest = size ? size - 1 : 0;
	char *text = malloc(rest);	/* of exactly this size, so that a step beyond it is seen */

	if (!size || !text) {
		free(text);
		return 0;
	}
	memcpy(text, data + 1, rest);
	switch (data[0] % 5) {
	case 0:
		try_maps(text, rest);
		break;
	case 1:
		(void)status_parse(text, rest, &status);
		break;
	case 2:
		if (!stat_parse(text, rest, &stat) && strnlen(stat.comm, sizeof(stat.comm)) == sizeof(stat.comm))
			abort();
		break;
	case 3:
		(void)syscall_parse(text, rest, &sc);
		break;
	default:
		try_cgroup(text, rest);
	}
	free(text);
	return 0;
}
