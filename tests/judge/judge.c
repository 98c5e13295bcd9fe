/* SPDX-License-Identifier: MIT
 *
 * judge PID COUNT: holds the main thread COUNT times, asks inject/ what moment it is, lets it go, and prints one line for
 * each: "parked", "queue" and "spawn" as far as they were said, a colon, and the functions on the stack from the
 * innermost on, named by the full symbol tables on disk. inject/ itself has seen none of these. Where the interpreter has
 * only the dynamic symbols, it prints "stripped".
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../inject/util.h"
#include "../../inject/visit.h"

struct name {
	uint64_t start, end;
	const char *text;
};

struct table {
	const struct mr_map *map;
	uint64_t bias;
	bool full;		/* has more than the dynamic symbols */
	struct name *name;
	size_t count;
};

#define TABLES_MAX 64

static struct table tables[TABLES_MAX];
static size_t table_count;

static int by_start(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The file stays open, as the names point into it. */
static void section_read(struct table *table, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = shdr->sh_entsize ? shdr->sh_size / shdr->sh_entsize : 0;

	table->name = reallocarray(table->name, table->count + n, sizeof(*table->name));
	for (size_t i = 0; data && table->name && i < n; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC || !sym.st_value)
			continue;
		table->name[table->count++] = (struct name){ sym.st_value, sym.st_value + sym.st_size,
							     elf_strptr(elf, shdr->sh_link, sym.st_name) };
	}
}

static void table_read(struct table *table)
{
	char path[4096];
	int fd = map_path(table->map, path, sizeof(path)) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;

	while (elf && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &shdr) && (shdr.sh_type == SHT_SYMTAB || shdr.sh_type == SHT_DYNSYM)) {
			section_read(table, elf, section, &shdr);
			table->full |= shdr.sh_type == SHT_SYMTAB;
		}
	qsort(table->name, table->count, sizeof(*table->name), by_start);
}

static const struct table *table_of(const struct image *image)
{
	for (size_t i = 0; i < table_count; i++)
		if (tables[i].map == image->map)
			return &tables[i];
	if (table_count == TABLES_MAX)
		return &tables[0];
	tables[table_count] = (struct table){ .map = image->map, .bias = image->bias };
	table_read(&tables[table_count]);
	return &tables[table_count++];
}

static const char *name_of(const struct frame *frame)
{
	uint64_t pc = frame->exact ? frame->pc : frame->pc - 1;
	const struct table *table;
	size_t low = 0, high;

	if (!frame->image || !frame->image->map->path)
		return "?";
	table = table_of(frame->image);
	pc -= table->bias;
	high = table->count;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table->name[middle].start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < 8; i--)
		if (pc < table->name[i - 1].end)
			return table->name[i - 1].text;
	return "?";
}

static void sample(struct mr_target *target)
{
	struct visit visit = { .target = target };
	struct mr_timing timing = { 0 };
	struct mr_error err = MR_ERROR_INIT;
	bool queue, spawn;

	if (visit_begin(&visit, target, target->pid, now_ns() + NS_PER_S, &timing, &err) < 0) {
		(void)printf("missed:\n");
		return;
	}
	visit_look(&visit, UNWIND_FRAMES_MAX);
	queue = moment_queue(&visit.scene);
	spawn = moment_spawn(&visit.scene);
	visit_end(&visit);
	(void)printf("%s%s%s:", visit.parked ? "parked " : "", queue ? "queue " : "", spawn ? "spawn " : "");
	for (size_t i = 0; i < visit.scene.stack.count; i++)
		(void)printf(" %s", name_of(&visit.scene.stack.frame[i]));
	(void)printf("\n");
}

int main(int argc, char **argv)
{
	struct mr_error err = MR_ERROR_INIT;
	struct mr_target *target;
	struct mr_facts facts;
	int count = argc == 3 ? atoi(argv[2]) : 0;
	unsigned int random = 1;

	(void)elf_version(EV_CURRENT);
	if (!count || mr_look(atoi(argv[1]), &facts, &err) < 0 || mr_target_open(&facts, &target, &err) < 0) {
		(void)fprintf(stderr, "judge: %s: %s\n", count ? mr_code_name(err.code) : "PID COUNT", err.what);
		return 2;
	}
	if (!table_of(target->python.image)->full) {
		(void)printf("stripped\n");
		count = 0;
	}
	for (int i = 0; i < count; i++) {
		sample(target);
		random = random * 1103515245 + 12345;
		sleep_ns(200000 + random / 65536 % 2000 * 1000);
	}
	mr_target_close(target);
	return 0;
}
