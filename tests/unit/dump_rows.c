// SPDX-License-Identifier: Apache-2.0
#include "profiler/dump/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOWHERE 1u

/* Offsets to addresses: of code, and of where a mapping begins. */
static void finds_addresses(void **state)
{
	/* As lld lays them out: the second and the third share a page of the file. */
	static const struct unwind_segment segments[] = {
		{ .vaddr = 0x15f0, .offset = 0x5f0, .size = 0x300 },
		{ .vaddr = 0x13000, .offset = 0x3000, .size = 0x1800 },
		{ .vaddr = 0x25800, .offset = 0x4800, .size = 0x2000 },
		{ .vaddr = 0x47000, .offset = 0x9000, .size = UINT64_MAX - 0x9000 },
	};
	static const struct {
		uint64_t offset, code, mapping;
	} rows[] = {
		{ 0x5f0, 0x15f0, 0x15f0 },
		{ 0x8ef, 0x18ef, 0x18ef },
		{ 0, 0x1000, 0x1000 }, /* the page begins before the segment */
		{ 0x8f0, NOWHERE, NOWHERE },
		{ 0x2fff, NOWHERE, NOWHERE },
		{ 0x3000, 0x13000, 0x13000 },
		{ 0x4000, 0x14000, 0x25000 }, /* the end of one, and the mapping of the next */
		{ 0x47ff, 0x147ff, 0x257ff },
		{ 0x4800, 0x25800, 0x25800 },
		{ 0x67ff, 0x277ff, 0x277ff },
		{ 0x6800, NOWHERE, NOWHERE },
		{ 0x9000, 0x47000, 0x47000 },
		{ UINT64_MAX, NOWHERE, NOWHERE },
	};
	const struct unwind_reply reply = { .segment_count = COUNT(segments) };
	struct rows_file f = { 0 };
	struct rows_part *part = array_push(&f.parts, ROWS_MAX_PARTS);

	(void)state;
	assert_non_null(part);
	part->answer = (struct unwind_answer){ .reply = &reply, .segments = segments };
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t code = NOWHERE, mapping = NOWHERE;

		rows_vaddr(&f, rows[i].offset, &code);
		rows_mapping_vaddr(&f, rows[i].offset, &mapping);
		if (code != rows[i].code || mapping != rows[i].mapping)
			fail_msg("%#lx: %#lx, mapping %#lx; should be %#lx, mapping %#lx",
				 rows[i].offset, code, mapping, rows[i].code, rows[i].mapping);
	}
	array_release(&f.parts);
}

static void nothing_without_an_answer(void **state)
{
	const struct rows_file f = { 0 };
	uint64_t vaddr;

	(void)state;
	assert_false(rows_vaddr(&f, 0, &vaddr));
	assert_false(rows_mapping_vaddr(&f, 0, &vaddr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(nothing_without_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
