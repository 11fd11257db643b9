// SPDX-License-Identifier: Apache-2.0
/*
 * libdw FILE: what an index of lines and inlined functions is made of, by libdw: dwarf_getsrclines() of each unit, and a
 * walk over its entries for the ranges, name and place of each function. It keeps what it finds and sorts nothing: less
 * than the indexer does. On stdout: nanoseconds that it took, of time and of CPU time; bytes of memory at the most; rows and
 * functions.
 *
 * It is what our own reader is measured against (docs/decisions).
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/peak.h"

#define MAX_DEPTH 1024

struct row {
	uint64_t addr;
	const char *file;
	int line;
};

struct range {
	uint64_t start, limit;
	uint32_t function;
};

struct function {
	const char *name, *call_file;
	uint64_t call_line;
	uint32_t parent;
};

struct found {
	struct row *rows;
	struct range *ranges;
	struct function *functions;
	size_t row_count, range_count, function_count, row_room, range_room, function_room;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? 2 * *room : 1024;
	items = reallocarray(items, *room, size);
	if (!items) {
		fprintf(stderr, "libdw: out of memory\n");
		exit(1);
	}
	return items;
}

static void lines_take(struct found *f, Dwarf_Die *unit)
{
	Dwarf_Lines *lines;
	size_t count;

	if (dwarf_getsrclines(unit, &lines, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		struct row row = { .file = dwarf_linesrc(line, NULL, NULL) };

		dwarf_lineaddr(line, &row.addr);
		dwarf_lineno(line, &row.line);
		f->rows = grow(f->rows, f->row_count, &f->row_room, sizeof(row));
		f->rows[f->row_count++] = row;
	}
}

static uint64_t number(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute a;
	Dwarf_Word value = 0;

	if (dwarf_attr(die, attribute, &a))
		dwarf_formudata(&a, &value);
	return value;
}

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute a;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a))
		return dwarf_formstring(&a);
	return dwarf_attr_integrate(die, DW_AT_name, &a) ? dwarf_formstring(&a) : NULL;
}

/* Its number, or `parent` if it has no code. */
static uint32_t function_take(struct found *f, Dwarf_Die *die, Dwarf_Files *files, uint32_t parent)
{
	uint32_t number_of = (uint32_t)f->function_count;
	Dwarf_Addr base, start, limit;
	ptrdiff_t offset = 0;
	bool any = false;

	while ((offset = dwarf_ranges(die, offset, &base, &start, &limit)) > 0) {
		if (start >= limit)
			continue;
		f->ranges = grow(f->ranges, f->range_count, &f->range_room, sizeof(*f->ranges));
		f->ranges[f->range_count++] = (struct range){ start, limit, number_of };
		any = true;
	}
	if (!any)
		return parent;
	f->functions =
		grow(f->functions, f->function_count, &f->function_room, sizeof(*f->functions));
	f->functions[f->function_count++] = (struct function){
		.name = name_of(die),
		.call_file = files ? dwarf_filesrc(files, number(die, DW_AT_call_file), NULL, NULL)
				   : NULL,
		.call_line = number(die, DW_AT_call_line),
		.parent = parent,
	};
	return number_of;
}

/* The children of a unit and theirs, in the order of the file. */
static void entries_take(struct found *f, Dwarf_Die *unit, Dwarf_Files *files)
{
	static Dwarf_Die dies[MAX_DEPTH];
	static uint32_t parents[MAX_DEPTH + 1];
	int depth = 0;

	parents[0] = UINT32_MAX;
	if (dwarf_child(unit, &dies[0]) != 0)
		return;
	while (depth >= 0) {
		int tag = dwarf_tag(&dies[depth]);
		uint32_t here = parents[depth];

		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
			here = function_take(f, &dies[depth], files, here);
		if (depth + 1 < MAX_DEPTH && dwarf_child(&dies[depth], &dies[depth + 1]) == 0) {
			parents[++depth] = here;
			continue;
		}
		while (depth >= 0 && dwarf_siblingof(&dies[depth], &dies[depth]) != 0)
			depth--;
	}
}

int main(int argc, char **argv)
{
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	Dwarf *dwarf = fd < 0 ? NULL : dwarf_begin(fd, DWARF_C_READ);
	struct found f = { 0 };
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;

	if (!dwarf) {
		fprintf(stderr, "libdw: %s: %s\n", argc == 2 ? argv[1] : "",
			fd < 0 ? strerror(errno) : dwarf_errmsg(-1));
		return 1;
	}
	while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &unit, NULL) == 0) {
		Dwarf_Files *files = NULL;
		size_t count;

		if (dwarf_getsrcfiles(&unit, &files, &count) != 0)
			files = NULL;
		lines_take(&f, &unit);
		entries_take(&f, &unit, files);
	}
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %zu\n", now_ns(CLOCK_MONOTONIC) - start_ns,
	       now_ns(CLOCK_PROCESS_CPUTIME_ID), peak_bytes(), f.row_count, f.function_count);
	free(f.rows);
	free(f.ranges);
	free(f.functions);
	dwarf_end(dwarf);
	close(fd);
	return 0;
}
