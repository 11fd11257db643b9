// SPDX-License-Identifier: Apache-2.0
/*
 * compiler LIST: compiles the whole unwind table of each file named by a line of LIST, and throws it away. A line for each
 * ELF file on stdout: rows, nanoseconds of CPU time (opening and reading the file included), path.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_compile.h"

static int compile(const char *path)
{
	static struct unwind_table table;
	struct unwind_outcome outcome;
	struct elf_file f = { 0 };
	uint64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return 0; /* gone since the list was made */
	unwind_table_init(&table, 0, 0);
	r = elf_file_open(&f, fd);
	if (r == 0)
		r = unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, &table, &outcome);
	if (r == 0)
		printf("%u %" PRIu64 " %s\n", table.rows.count,
		       clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns, path);
	elf_file_release(&f);
	unwind_table_release(&table);
	return r == -ENOEXEC ? 0 : r;
}

int main(int argc, char **argv)
{
	_cleanup_(file_close) FILE *list = argc == 2 ? fopen(argv[1], "re") : NULL;
	_cleanup_(free_ptr) char *line = NULL;
	size_t capacity = 0;

	if (!list) {
		fprintf(stderr, "compiler: no list of files\n");
		return 1;
	}
	while (getline(&line, &capacity, list) > 0) {
		int r;

		line[strcspn(line, "\n")] = '\0';
		r = compile(line);
		if (r < 0) {
			fprintf(stderr, "compiler: %s: %s\n", line, strerror(-r));
			return 1;
		}
	}
	return 0;
}
