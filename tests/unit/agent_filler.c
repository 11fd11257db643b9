// SPDX-License-Identifier: Apache-2.0
/*
 * The tables by hand, from what the compiler makes of this process's files: nothing of the agent stands between, so
 * that a test knows what is in them.
 */
#include "tests/unit/agent_filler.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/process/maps.h"
#include "symbolizer/unwind_compile.h"

uint32_t filler_take(struct filler *f, uint32_t count)
{
	uint32_t left = UNWIND_CHUNK_WORDS - (f->word & (UNWIND_CHUNK_WORDS - 1)), word;

	assert_true(count <= UNWIND_CHUNK_WORDS);
	f->word += left < count ? left : 0;
	word = f->word;
	f->word += (count + 1) & ~1U;
	return word;
}

uint32_t *filler_words(struct filler *f, uint32_t word)
{
	uint32_t *chunk = tables_map_chunk(f->tables, word >> UNWIND_CHUNK_SHIFT);

	assert_non_null(chunk);
	return chunk + (word & (UNWIND_CHUNK_WORDS - 1));
}

static void fill_rows(struct filler *f, const struct unwind_table *t,
		      const struct unwind_page *from, struct unwind_page *to)
{
	uint32_t word = filler_take(f, from->count), *rows = filler_words(f, word);

	for (uint32_t i = 0; i < from->count; i++) {
		uint32_t row = t->rows.items[from->row + i], rule = unwind_row_rule(row);

		rule += rule >= UNWIND_RULE_FIRST ? f->rule : 0;
		rows[i] = UNWIND_ROW(unwind_row_within(row), rule);
	}
	*to = (struct unwind_page){ .row = word, .count = from->count };
}

static void fill_exe(struct filler *f, const struct unwind_table *t)
{
	uint32_t index = filler_take(f, (uint32_t)t->pages.count * 2);
	struct unwind_page *pages = (struct unwind_page *)filler_words(f, index);

	assert_true(f->rule + t->rule_count < UNWIND_MAX_RULES && f->exe < UNWIND_MAX_EXES);
	for (uint32_t i = 0; i < t->pages.count; i++) {
		const struct unwind_page *page = &t->pages.items[i];

		if (i && page->row == page[-1].row && page->count == page[-1].count)
			pages[i] = pages[i - 1];
		else
			fill_rows(f, t, page, &pages[i]);
	}
	tables_rules(f->tables)[UNWIND_RULE_UNSUPPORTED].kind = UNWIND_UNSUPPORTED;
	memcpy(tables_rules(f->tables) + UNWIND_RULE_FIRST + f->rule, t->rules + UNWIND_RULE_FIRST,
	       (t->rule_count - UNWIND_RULE_FIRST) * sizeof(t->rules[0]));
	f->rule += t->rule_count - UNWIND_RULE_FIRST;
	tables_exes(f->tables)[f->exe] = (struct unwind_exe){
		.start = t->start,
		.index = index,
		.pages = (uint32_t)t->pages.count,
	};
}

static int open_mapped(const struct maps_line *line)
{
	int fd;

	if (strcmp(line->path, "[vdso]") != 0)
		return open(line->path, O_RDONLY | O_CLOEXEC);
	fd = memfd_create("vdso", MFD_CLOEXEC);
	assert_int_equal(
		fd_write_all(fd, (void *)getauxval(AT_SYSINFO_EHDR), line->end - line->start), 0);
	return fd;
}

static void fill_mapping(struct filler *f, const struct maps_line *line)
{
	_cleanup_(fd_close) int fd = open_mapped(line);
	struct unwind_mapping *m = &f->mappings[f->count];
	struct unwind_outcome outcome;
	struct unwind_table table;
	struct elf_file file;

	assert_true(fd >= 0 && f->count < sizeof(f->mappings) / sizeof(f->mappings[0]));
	assert_int_equal(elf_file_open(&file, fd), 0);
	assert_int_equal(unwind_compile(&file, 0, UINT64_MAX, UNWIND_MAX_ROWS, &table, &outcome),
			 0);
	*m = (struct unwind_mapping){ .start = line->start, .end = line->end, .exe = f->exe };
	for (size_t i = 0; i < file.segments.count; i++) {
		const struct elf_segment *segment = &file.segments.items[i];

		if (segment->executable && line->offset + 4096 > segment->offset &&
		    line->offset < segment->offset + segment->size)
			m->vaddr = segment->vaddr - segment->offset + line->offset;
	}
	fill_exe(f, &table);
	f->exe++;
	f->count++;
	unwind_table_release(&table);
	elf_file_release(&file);
}

void filler_fill(struct filler *f, struct tables *tables)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(1 << 20);
	_cleanup_(fd_close) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	static struct maps_line line;
	size_t used;

	*f = (struct filler){ .tables = tables, .word = 2, .exe = 1, .lists = f->lists };
	assert_int_equal(buffer_read_fd(&text, fd), 0);
	for (size_t at = 0; maps_line_parse(text.data + at, text.len - at, &line, &used) == 0;
	     at += used) {
		if (!line.executable || line.start >> 63)
			continue;
		if (line.start <= (uintptr_t)filler_fill && (uintptr_t)filler_fill < line.end) {
			f->own_start = line.start;
			f->own_end = line.end;
		}
		if (line.path[0])
			fill_mapping(f, &line);
		else
			f->mappings[f->count++] = (struct unwind_mapping){
				.start = line.start,
				.end = line.end,
				.kind = UNWIND_MAPPING_ANONYMOUS,
			};
	}
}

struct unwind_process filler_entry(struct filler *f, const struct record_sample *s, uint32_t stamp)
{
	const struct unwind_list list = { .id = ++f->lists, .count = f->count };
	uint32_t bytes = f->count * (uint32_t)sizeof(f->mappings[0]);
	uint32_t word = filler_take(f, UNWIND_LIST_WORDS + bytes / (uint32_t)sizeof(uint32_t));

	memcpy(filler_words(f, word), &list, sizeof(list));
	memcpy(filler_words(f, word) + UNWIND_LIST_WORDS, f->mappings, bytes);
	return (struct unwind_process){
		.start_ns = s->start_ns,
		.exec_id = s->exec_id,
		.mappings = word + UNWIND_LIST_WORDS,
		.id = list.id,
		.count = list.count,
		.stamp = stamp,
	};
}
