// SPDX-License-Identifier: Apache-2.0
/*
 * Tables of too many rules or rows, of files that have none, and the table alone.
 */
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "profiler/base/buffer.h"
#include "tests/unit/symbolizer_compiled.h"

/* A function of many rules; rows are one byte apart. */
static int many_rules(uint32_t count)
{
	struct buffer program = BUFFER_INIT(1 << 20);
	struct frames f;

	for (uint32_t i = 0; i < count; i++) {
		const unsigned char step[] = { 0x0e, (unsigned char)(i | 0x80),
					       (unsigned char)(i >> 7), 0x41 };

		buffer_append(&program, step, sizeof(step));
	}
	frames_init(&f, FRAMES_EH);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT, 0x5000, program.data, program.len);
	buffer_release(&program);
	return frames_file(&f);
}

static void test_too_many_rules(void **state)
{
	uint32_t fits = UNWIND_MAX_FILE_RULES - UNWIND_RULE_FIRST;
	int fd = many_rules(fits + 10);
	struct compiled c;

	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, UNWIND_MAX_ROWS), 0);
	assert_int_equal(c.table.rule_count, UNWIND_MAX_FILE_RULES);
	assert_true(c.table.rules_refused >= 10);
	assert_int_equal(rows_find(&c.table, FRAMES_TEXT + fits - 1)->cfa_offset, fits - 1);
	assert_int_equal(rows_find(&c.table, FRAMES_TEXT + fits)->kind, UNWIND_UNSUPPORTED);
	assert_int_equal(rows_find(&c.table, FRAMES_TEXT + fits + 9)->kind, UNWIND_UNSUPPORTED);
	compiled_release(&c);
	close(fd);
}

/* The table ends where its rows do, and a second one can go on there. */
static void test_limits(void **state)
{
	int fd = many_rules(1500);
	struct compiled c;
	uint64_t limit;

	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, 100), 0);
	assert_int_equal(c.table.rows.count, 100);
	assert_true(c.outcome.too_large);
	limit = c.table.limit;
	assert_int_equal(limit, FRAMES_TEXT + 100);
	assert_int_equal(rows_find(&c.table, limit - 1)->cfa_offset, 99);
	assert_int_equal(rows_find(&c.table, limit)->kind, UNWIND_NONE);
	compiled_release(&c);

	assert_int_equal(compile_region(&c, fd, limit, limit + 50, UNWIND_MAX_ROWS), 0);
	assert_false(c.outcome.too_large);
	assert_int_equal(rows_find(&c.table, limit - 1)->kind, UNWIND_NONE);
	assert_int_equal(rows_find(&c.table, limit)->cfa_offset, 100);
	assert_int_equal(rows_find(&c.table, limit + 49)->cfa_offset, 149);
	assert_int_equal(rows_find(&c.table, limit + 50)->kind, UNWIND_NONE);
	compiled_release(&c);

	assert_int_equal(compile_region(&c, fd, FRAMES_TEXT + 0x5000, UINT64_MAX, 100), 0);
	expect_rows("behind the text", &c, "");
	compiled_release(&c);
	assert_int_equal(compile_region(&c, fd, 0, FRAMES_TEXT - 0x800, 100), 0);
	expect_rows("before it", &c, "");
	assert_true(c.table.start <= c.table.limit && c.table.limit <= FRAMES_TEXT - 0x800);
	compiled_release(&c);
	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, 0), 0);
	expect_rows("no rows", &c, "");
	compiled_release(&c);
	close(fd);
}

/* The kernel's image in this process: a file without a name. */
static void test_vdso(void **state)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	int fd = memfd_create("vdso", MFD_CLOEXEC);
	struct compiled c;

	if (!image)
		skip();
	assert_int_equal(fd_write_all(fd, image, 4096), 0);
	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, UNWIND_MAX_ROWS), 0);
	if (c.outcome.fdes < 4 || c.outcome.fdes_refused || c.outcome.fdes_damaged)
		fail_msg("%s", buffer_cstr(&c.text));
	compiled_release(&c);
	close(fd);
}

static void test_other_files(void **state)
{
	static const char text[] = "#!/bin/sh\n";
	struct compiled c;
	struct frames f;
	int fd = memfd_create("script", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, text, sizeof(text)), 0);
	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, 100), -ENOEXEC);
	compiled_release(&c);
	close(fd);

	frames_init(&f, FRAMES_EH);
	fd = frames_file(&f);
	assert_int_equal(pwrite(fd, &(uint16_t){ EM_AARCH64 }, 2, offsetof(Elf64_Ehdr, e_machine)),
			 2);
	assert_int_equal(compile_region(&c, fd, 0, UINT64_MAX, 100), -ENOEXEC);
	compiled_release(&c);
	close(fd);
}

/* The same numbers in each run (Knuth's MMIX). */
static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* Rows as they were put in, for each address. */
static void test_table(void **state)
{
	struct unwind_table *t = malloc(sizeof(*t));
	uint16_t expected[5 * UNWIND_PAGE_BYTES] = { 0 };
	uint32_t at = 0, now = 0;
	uint64_t seed = 1;

	assert_non_null(t);
	unwind_table_init(t, 0x1000, UNWIND_MAX_ROWS);
	while (at < sizeof(expected) / sizeof(expected[0])) {
		uint32_t span = next_random(&seed) % 4 ? 1 + next_random(&seed) % 8
						       : next_random(&seed) % 9000;
		struct unwind_rule rule = { .kind = UNWIND_SP };

		now = 8 + next_random(&seed) % 20;
		rule.cfa_offset = (int32_t)now;
		if (span == 0)
			continue;
		assert_int_equal(unwind_table_add(t, 0x1000 + at, &rule), 0);
		for (; span && at < sizeof(expected) / sizeof(expected[0]); span--)
			expected[at++] = (uint16_t)now;
	}
	assert_int_equal(unwind_table_finish(t, 0x1000 + at), 0);
	for (uint32_t i = 0; i < at; i++) {
		if (rows_find(t, 0x1000 + i)->cfa_offset != expected[i])
			fail_msg("0x%x: got %d, expected %d", 0x1000 + i,
				 rows_find(t, 0x1000 + i)->cfa_offset, expected[i]);
	}
	assert_int_equal(rows_find(t, 0xfff)->kind, UNWIND_NONE);
	assert_int_equal(rows_find(t, 0x1000 + at)->kind, UNWIND_NONE);
	unwind_table_release(t);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_rules), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_vdso),           cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
