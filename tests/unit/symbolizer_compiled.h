/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file, compiled to rows, and these as text.
 */
#ifndef TESTS_UNIT_SYMBOLIZER_COMPILED_H
#define TESTS_UNIT_SYMBOLIZER_COMPILED_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "symbolizer/unwind_compile.h"
#include "tests/unit/symbolizer_frames.h"
#include "tests/unit/symbolizer_rows.h"

struct compiled {
	struct unwind_table table;
	struct unwind_outcome outcome;
	struct buffer text; /* the rows */
};

static inline int compile_region(struct compiled *c, int fd, uint64_t start, uint64_t limit,
				 uint32_t max_rows)
{
	struct elf_file f;
	int r = elf_file_open(&f, fd);

	buffer_init(&c->text, 16 << 20);
	unwind_table_init(&c->table, 0, 0);
	if (r == 0)
		r = unwind_compile(&f, start, limit, max_rows, &c->table, &c->outcome);
	elf_file_release(&f);
	if (r == 0)
		rows_dump(&c->table, &c->outcome, &c->text);
	return r;
}

static inline void compiled_release(struct compiled *c)
{
	unwind_table_release(&c->table);
	buffer_release(&c->text);
}

/* The rows without what is said about them all. */
static inline const char *rows_of(struct compiled *c)
{
	const char *text = buffer_cstr(&c->text);

	while (text && *text == '#') {
		const char *newline = strchr(text, '\n');

		text = newline ? newline + 1 : "";
	}
	return text ? text : "(no memory)";
}

static inline void compile(struct compiled *c, struct frames *f)
{
	int fd = frames_file(f);

	assert_true(fd >= 0);
	assert_int_equal(compile_region(c, fd, 0, UINT64_MAX, UNWIND_MAX_ROWS), 0);
	close(fd);
}

static inline void expect_rows(const char *name, struct compiled *c, const char *expected)
{
	if (strcmp(rows_of(c), expected) != 0)
		fail_msg("%s: got\n%sexpected\n%s", name, rows_of(c), expected);
}

#endif
