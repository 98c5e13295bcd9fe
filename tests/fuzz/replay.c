/* SPDX-License-Identifier: MIT
 *
 * Feeds files to a fuzz target, each in memory of exactly its size: `make check` needs no libFuzzer. Arguments are folders.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *data = NULL;
	long size = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		perror(path);
		exit(2);
	}
	rewind(file);
	data = malloc((size_t)size);
	if ((size && !data) || fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		exit(2);
	}
	(void)fclose(file);
	(void)fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		const struct dirent *entry;

		while (folder && (entry = readdir(folder)))
			if (entry->d_name[0] != '.')
				count += feed(argv[i], entry->d_name);
		if (folder)
			(void)closedir(folder);
	}
	(void)printf("replayed: %d\n", count);
	return count ? 0 : 2;
}
