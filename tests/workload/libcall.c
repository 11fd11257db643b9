/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc's rand_r(), again and again; or with FILE the bytes that FILE has at the same place, mapped from there: code that
 * says it is libc's.
 * usage: libcall CPU-SECONDS [FILE]
 */
#include "truth.h"

#include <sys/mman.h>

#define PAGE_BYTES 4096u

static int (*call)(unsigned int *seed) = rand_r;

static PROFILED void libcall_loop(uint64_t rounds)
{
	unsigned int seed = 1;

	for (uint64_t i = 0; i < rounds / 8; i++)
		call(&seed);
}

/* Where in libc's file rand_r is. */
static uint64_t own_offset(void)
{
	uint64_t address = (uint64_t)(uintptr_t)rand_r, found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];

	if (!maps)
		abort();
	while (fgets(line, sizeof(line), maps)) {
		char *p = line;
		uint64_t start = strtoull(p, &p, 16), end = strtoull(p + 1, &p, 16);

		if (address >= start && address < end)
			found = strtoull(p + 6, NULL, 16) + (address - start);
	}
	fclose(maps);
	return found;
}

static void map_from(const char *path)
{
	uint64_t offset = own_offset(), page = offset / PAGE_BYTES * PAGE_BYTES;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *map;

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	map = mmap(NULL, 2ul * PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)page);
	if (map == MAP_FAILED || memcmp(map + (offset - page), (const void *)rand_r, 16) != 0)
		abort();
	close(fd);
	*(void **)&call = map + (offset - page);
}

int main(int argc, char **argv)
{
	struct account account = { .name = "libcall_loop", .work = libcall_loop, .share = 1 };
	uint64_t random = truth_seed();

	if (argc > 2)
		map_from(argv[2]);
	truth_wait_for_go();
	accounts_run(&account, 1, truth_cpu_seconds(argc, argv, 1), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("libcall");
	return 0;
}
