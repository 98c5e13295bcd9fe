/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/maps: "start-end perms offset major:minor inode      path"
 */
#include "proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"

int map_parse(const char *line, size_t size, struct mr_map *ret)
{
	struct cursor c = { line, line + size };

	memset(ret, 0, sizeof(*ret));
	if (!cursor_number(&c, 16, &ret->start) || !cursor_char(&c, '-') || !cursor_number(&c, 16, &ret->end) ||
	    !cursor_char(&c, ' ') || c.end - c.at < 4 || ret->end < ret->start)
		return -EINVAL;
	memcpy(ret->perms, c.at, 4);
	c.at += 4;
	if (!cursor_char(&c, ' ') || !cursor_number(&c, 16, &ret->offset) || !cursor_char(&c, ' ') ||
	    !cursor_u32(&c, 16, &ret->dev_major) || !cursor_char(&c, ':') || !cursor_u32(&c, 16, &ret->dev_minor) ||
	    !cursor_char(&c, ' ') || !cursor_number(&c, 10, &ret->inode))
		return -EINVAL;
	/*
	 * The kernel pads to a fixed column and then writes the path, which always begins with '/', '[' or a letter:
	 * blanks here are padding, blanks later belong to the path.
	 */
	if (c.at < c.end && *c.at != ' ')
		return -EINVAL;
	cursor_skip_blanks(&c);
	if (c.at < c.end) {
		ret->path = c.at;
		ret->path_size = (size_t)(c.end - c.at);
	}
	return 0;
}

static int maps_append(struct mr_maps *maps, size_t *room, const struct mr_map *map)
{
	if (maps->count >= PROC_MAPS_MAX)
		return -E2BIG;
	if (maps->count == *room) {
		size_t wanted = *room ? *room * 2 : 256;
		struct mr_map *more = reallocarray(maps->map, wanted, sizeof(*more));

		if (!more)
			return -ENOMEM;
		maps->map = more;
		*room = wanted;
	}
	maps->map[maps->count++] = *map;
	return 0;
}

int maps_parse(const char *text, size_t size, struct mr_maps *ret)
{
	struct cursor c = { text, text + size }, line;
	struct mr_maps maps = { NULL, 0 };
	uint64_t floor = 0;
	size_t room = 0;
	int r = 0;

	while (!r && cursor_line(&c, &line)) {
		struct mr_map map;

		r = map_parse(line.at, (size_t)(line.end - line.at), &map);
		/*
		 * The file is read in pieces while the process runs on: a mapping may grow or move between two reads and
		 * then shows up again. The later line is the newer truth; keep the order that maps_find relies on.
		 */
		if (!r && map.start < floor) {
			while (maps.count && maps.map[maps.count - 1].end > map.start)
				maps.count--;
		}
		if (!r)
			r = maps_append(&maps, &room, &map);
		if (!r)
			floor = map.end;
	}
	if (r) {
		maps_free(&maps);
		return r;
	}
	*ret = maps;
	return 0;
}

void maps_free(struct mr_maps *maps)
{
	free(maps->map);
	maps->map = NULL;
	maps->count = 0;
}

const struct mr_map *maps_find(const struct mr_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mr_map *map = &maps->map[middle];

		if (addr < map->start)
			high = middle;
		else if (addr >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

static const char deleted[] = " (deleted)";

bool map_deleted(const struct mr_map *map)
{
	size_t size = sizeof(deleted) - 1;

	return map->path_size > size && !memcmp(map->path + map->path_size - size, deleted, size);
}

bool map_path_is(const struct mr_map *map, const char *path)
{
	return map->path_size == strlen(path) && map->path_size && !memcmp(map->path, path, map->path_size);
}

int map_path(const struct mr_map *map, char *ret, size_t size)
{
	size_t length = map->path_size - (map_deleted(map) ? sizeof(deleted) - 1 : 0), used = 0;

	for (size_t i = 0; i < length; i++) {
		char ch = map->path[i];

		if (used + 1 >= size)
			return -E2BIG;
		if (ch == '\\' && length - i >= 4 && !memcmp(map->path + i, "\\012", 4)) {
			ch = '\n';
			i += 3;
		}
		ret[used++] = ch;
	}
	if (!size)
		return -E2BIG;
	ret[used] = '\0';
	return 0;
}
