// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an ELF file in which a table of Go's functions is looked for and read: all that it has of each,
 * and whatever is asked for by address.
 *
 * The corpus: CORPUS=tests/fuzz/corpus/symbolizer_go_pclntab build/tests/unit/symbolizer_go_pclntab
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "symbolizer/go_pclntab.h"
#include "symbolizer/unwind_sections.h"

#define MAX_FUNCTIONS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void function(struct go_pclntab *t, const struct go_function *f)
{
	const uint32_t programs[] = { f->frame_values, f->file_values, f->line_values };
	char text[32];
	uint32_t line;

	check(f->start < f->limit);
	check(go_pclntab_end(t, f) >= f->start && go_pclntab_end(t, f) <= f->limit);
	check(go_pclntab_name(t, f, text, sizeof(text)) < sizeof(text));
	go_pclntab_line(t, f->start, text, sizeof(text), &line);
	go_pclntab_line(t, f->limit - 1, text, sizeof(text), &line);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		uint64_t at = f->start;
		struct go_values v;

		go_values_begin(t, f, programs[i], &v);
		for (; go_values_next(&v); at = v.limit)
			check(v.start == at && v.limit > at && v.limit <= f->limit);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct unwind_sections sections;
	struct go_pclntab *t = NULL;
	struct go_function f;
	struct elf_file file;

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	if (elf_file_open(&file, fd) == 0 && unwind_sections_find(&file, &sections) == 0 &&
	    go_pclntab_open(&file, &sections.go_table, &t) == 0) {
		for (uint32_t i = 0; i < go_pclntab_count(t) && i < MAX_FUNCTIONS; i++)
			if (go_pclntab_function(t, i, &f))
				function(t, &f);
		check(go_pclntab_find(t, size) == GO_NONE ||
		      go_pclntab_find(t, size) < go_pclntab_count(t));
	}
	go_pclntab_free(t);
	elf_file_release(&file);
	close(fd);
	return 0;
}
