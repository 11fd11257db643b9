// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/mapping_list.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define F MAPPING_FILE
#define A MAPPING_ANONYMOUS

static struct mapping_budget budget = { .max = UINT32_MAX };

static void expect(const char *what, const struct mapping_list *l, const struct mapping *want,
		   uint32_t count)
{
	if (mapping_list_count(l) != count)
		fail_msg("%s: %u mappings, want %u", what, mapping_list_count(l), count);
	for (uint32_t i = 0; i < count; i++) {
		const struct mapping *m = mapping_list_at(l, i), *w = &want[i];

		if (m->start != w->start || m->end != w->end || m->offset != w->offset ||
		    m->file != w->file || m->kind != w->kind)
			fail_msg("%s, mapping %u: got %" PRIx64 "-%" PRIx64 " +%" PRIx64
				 " file %u kind %u, want %" PRIx64 "-%" PRIx64 " +%" PRIx64
				 " file %u kind %u",
				 what, i, m->start, m->end, m->offset, m->file, m->kind, w->start,
				 w->end, w->offset, w->file, w->kind);
	}
}

static void insert(struct mapping_list **l, uint64_t start, uint64_t end, uint64_t offset,
		   uint32_t file, uint32_t kind)
{
	struct mapping m = { start, end, offset, file, kind, 0 };

	assert_int_equal(mapping_list_insert(l, &budget, &m), 0);
}

/* One mapping goes over file 1 at 0x40-0x60 (offset 0x1000) and file 2 at 0x80-0xa0 (offset 0x2000). */
static const struct replacement {
	const char *what;
	struct mapping m, want[4];
	uint32_t count;
} replacements[] = {
	{ "before",
	  { 0x20, 0x3f, 9, 9, F, 0 },
	  { { 0x20, 0x3f, 9, 9, F, 0 },
	    { 0x40, 0x60, 0x1000, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "up to begin",
	  { 0x20, 0x40, 9, 9, F, 0 },
	  { { 0x20, 0x40, 9, 9, F, 0 },
	    { 0x40, 0x60, 0x1000, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "one into begin",
	  { 0x20, 0x41, 9, 9, F, 0 },
	  { { 0x20, 0x41, 9, 9, F, 0 },
	    { 0x41, 0x60, 0x1001, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "up to end-1",
	  { 0x20, 0x5f, 9, 9, F, 0 },
	  { { 0x20, 0x5f, 9, 9, F, 0 },
	    { 0x5f, 0x60, 0x101f, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "up to end",
	  { 0x20, 0x60, 9, 9, F, 0 },
	  { { 0x20, 0x60, 9, 9, F, 0 }, { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  2 },
	{ "beyond end",
	  { 0x20, 0x61, 9, 9, F, 0 },
	  { { 0x20, 0x61, 9, 9, F, 0 }, { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  2 },
	{ "exactly",
	  { 0x40, 0x60, 9, 9, F, 0 },
	  { { 0x40, 0x60, 9, 9, F, 0 }, { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  2 },
	{ "the same again",
	  { 0x40, 0x60, 0x1000, 1, F, 0 },
	  { { 0x40, 0x60, 0x1000, 1, F, 0 }, { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  2 },
	{ "inside",
	  { 0x48, 0x50, 9, 9, A, 0 },
	  { { 0x40, 0x48, 0x1000, 1, F, 0 },
	    { 0x48, 0x50, 9, 9, A, 0 },
	    { 0x50, 0x60, 0x1010, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  4 },
	{ "its first byte",
	  { 0x40, 0x41, 9, 9, F, 0 },
	  { { 0x40, 0x41, 9, 9, F, 0 },
	    { 0x41, 0x60, 0x1001, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "its last byte",
	  { 0x5f, 0x60, 9, 9, F, 0 },
	  { { 0x40, 0x5f, 0x1000, 1, F, 0 },
	    { 0x5f, 0x60, 9, 9, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "from end",
	  { 0x60, 0x70, 9, 9, F, 0 },
	  { { 0x40, 0x60, 0x1000, 1, F, 0 },
	    { 0x60, 0x70, 9, 9, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "between",
	  { 0x60, 0x80, 9, 9, F, 0 },
	  { { 0x40, 0x60, 0x1000, 1, F, 0 },
	    { 0x60, 0x80, 9, 9, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 } },
	  3 },
	{ "over both ends",
	  { 0x50, 0x90, 9, 9, F, 0 },
	  { { 0x40, 0x50, 0x1000, 1, F, 0 },
	    { 0x50, 0x90, 9, 9, F, 0 },
	    { 0x90, 0xa0, 0x2010, 2, F, 0 } },
	  3 },
	{ "over both", { 0x40, 0xa0, 9, 9, F, 0 }, { { 0x40, 0xa0, 9, 9, F, 0 } }, 1 },
	{ "over everything", { 0, UINT64_MAX, 9, 9, F, 0 }, { { 0, UINT64_MAX, 9, 9, F, 0 } }, 1 },
	{ "behind",
	  { 0xa0, UINT64_MAX, 9, 9, F, 0 },
	  { { 0x40, 0x60, 0x1000, 1, F, 0 },
	    { 0x80, 0xa0, 0x2000, 2, F, 0 },
	    { 0xa0, UINT64_MAX, 9, 9, F, 0 } },
	  3 },
};

static void replace(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replacements); i++) {
		struct mapping_list *l = NULL;

		insert(&l, 0x80, 0xa0, 0x2000, 2, F);
		insert(&l, 0x40, 0x60, 0x1000, 1, F);
		assert_int_equal(mapping_list_insert(&l, &budget, &replacements[i].m), 0);
		expect(replacements[i].what, l, replacements[i].want, replacements[i].count);
		mapping_list_drop(l);
	}
}

/* Anonymous memory has no offset that could move. */
static void anonymous_split(void **state)
{
	static const struct mapping want[] = { { 0x40, 0x48, 0, 0, A, 0 },
					       { 0x48, 0x50, 7, 1, F, 0 },
					       { 0x50, 0x60, 0, 0, A, 0 } };
	struct mapping_list *l = NULL;

	(void)state;
	insert(&l, 0x40, 0x60, 0, 0, A);
	insert(&l, 0x48, 0x50, 7, 1, F);
	expect("anonymous", l, want, 3);
	mapping_list_drop(l);
}

/* Put in at time 7 over file 1 at 0x40-0x60, offset 0x1000, and what is there since time 5 instead of another. */
static void replaced(void **state)
{
	static const struct {
		const char *what;
		struct mapping m;
		uint64_t want;
	} rows[] = {
		{ "the first there", { 0x60, 0x80, 0x1000, 2, F, 7 }, 0 },
		{ "another file", { 0x40, 0x60, 0x1000, 2, F, 7 }, 7 },
		{ "another file, over one byte", { 0x5f, 0x80, 0x1000, 2, F, 7 }, 7 },
		{ "another place in the file", { 0x40, 0x60, 0x2000, 1, F, 7 }, 7 },
		{ "the same place in the file", { 0x48, 0x50, 0x1008, 1, F, 7 }, 0 },
		{ "memory", { 0x40, 0x60, 0, 0, A, 7 }, 7 },
		{ "memory over memory", { 0xc0, 0xd0, 0, 0, A, 7 }, 0 },
		{ "the same as what replaced another", { 0x80, 0x90, 0x3000, 3, F, 7 }, 5 },
		{ "over it and another", { 0x40, 0xa0, 0x3000, 3, F, 7 }, 7 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mapping_list *l = NULL;
		uint64_t got;

		insert(&l, 0x40, 0x60, 0x1000, 1, F);
		insert(&l, 0x80, 0xa0, 0, 4, F);
		insert(&l, 0xc0, 0xe0, 0, 0, A);
		assert_int_equal(
			mapping_list_insert(&l, &budget,
					    &(struct mapping){ 0x80, 0xa0, 0x3000, 3, F, 5 }),
			0);
		assert_int_equal(mapping_list_insert(&l, &budget, &rows[i].m), 0);
		got = mapping_list_at(l, mapping_list_find(l, rows[i].m.start, 0))->replaced_ns;
		if (got != rows[i].want)
			fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].what, got, rows[i].want);
		mapping_list_drop(l);
	}
}

static void find(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t want;
	} rows[] = {
		{ 0, UINT32_MAX },
		{ 0x3f, UINT32_MAX },
		{ 0x40, 0 },
		{ 0x41, 0 },
		{ 0x5f, 0 },
		{ 0x60, UINT32_MAX },
		{ 0x7f, UINT32_MAX },
		{ 0x80, 1 },
		{ 0x9f, 1 },
		{ 0xa0, 2 },
		{ 0xaf, 2 },
		{ 0xb0, UINT32_MAX },
		{ UINT64_MAX, UINT32_MAX },
	};
	struct mapping_list *l = NULL;

	(void)state;
	assert_int_equal(mapping_list_find(NULL, 0x40, 0), UINT32_MAX);
	insert(&l, 0x40, 0x60, 0, 1, F);
	insert(&l, 0x80, 0xa0, 0, 2, F);
	insert(&l, 0xa0, 0xb0, 0, 3, F);
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (uint32_t hint = 0; hint < 5; hint++) {
			uint32_t got = mapping_list_find(l, rows[i].addr, hint);

			if (got != rows[i].want)
				fail_msg("%" PRIx64 " from %u: got %u, want %u", rows[i].addr, hint,
					 got, rows[i].want);
		}
	}
	mapping_list_drop(l);
}

static void copy_on_write(void **state)
{
	static const struct mapping before[] = { { 0x40, 0x60, 0, 1, F, 0 } };
	static const struct mapping after[] = { { 0x40, 0x60, 0, 1, F, 0 },
						{ 0x80, 0x90, 0, 2, F, 0 } };
	struct mapping_list *parent = NULL, *child;

	(void)state;
	insert(&parent, 0x40, 0x60, 0, 1, F);
	child = mapping_list_share(parent);
	assert_ptr_equal(child, parent);

	insert(&child, 0x40, 0x60, 0, 1, F);
	assert_ptr_equal(child, parent); /* nothing new: nothing to copy */
	insert(&child, 0x80, 0x90, 0, 2, F);
	assert_ptr_not_equal(child, parent);
	expect("parent", parent, before, 1);
	expect("child", child, after, 2);
	mapping_list_drop(parent);
	expect("orphan", child, after, 2);
	mapping_list_drop(child);
}

static void limit(void **state)
{
	struct mapping_list *l = NULL;
	struct mapping m = { .kind = A };

	(void)state;
	for (uint64_t i = 0; i < PROCESS_MAX_MAPPINGS; i++)
		insert(&l, i * 0x20, i * 0x20 + 0x10, 0, 0, A);
	assert_int_equal(mapping_list_count(l), PROCESS_MAX_MAPPINGS);
	/* one more; one that splits */
	m.start = PROCESS_MAX_MAPPINGS * 0x20ULL;
	m.end = m.start + 0x10;
	assert_int_equal(mapping_list_insert(&l, &budget, &m), -E2BIG);
	m.start = 0x24;
	m.end = 0x28;
	m.kind = F;
	assert_int_equal(mapping_list_insert(&l, &budget, &m), -E2BIG);
	assert_int_equal(mapping_list_count(l), PROCESS_MAX_MAPPINGS);
	assert_int_equal(mapping_list_at(l, 1)->end, 0x30);
	/* one that makes room for itself */
	m.start = 0x20;
	m.end = 0x60;
	assert_int_equal(mapping_list_insert(&l, &budget, &m), 0);
	assert_int_equal(mapping_list_count(l), PROCESS_MAX_MAPPINGS - 1);
	mapping_list_drop(l);
}

/* The room of all lists is bounded together; sharing costs nothing, changing what is shared does. */
static void all_together(void **state)
{
	struct mapping_budget small = { .max = 100 };
	struct mapping_list *l = NULL, *copies[64];
	struct mapping m = { .kind = A };
	uint32_t used;
	int n, r = 0;

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		m.start = i * 0x20;
		m.end = m.start + 0x10;
		assert_int_equal(mapping_list_insert(&l, &small, &m), 0);
	}
	used = small.used;
	assert_in_range(used, 10, 30);
	m.start = 0x8000;
	m.end = 0x9000;
	for (n = 0; n < 64 && r >= 0; n++) {
		copies[n] = mapping_list_share(l);
		r = mapping_list_insert(&copies[n], &small, &m);
	}
	assert_int_equal(r, -E2BIG);
	assert_in_range(n, 4, 11);
	assert_in_range(small.used, 80, 100);
	assert_ptr_equal(copies[n - 1], l); /* as it was */
	while (n-- > 0)
		mapping_list_drop(copies[n]);
	assert_int_equal(small.used, used);
	mapping_list_drop(l);
	assert_int_equal(small.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replace),  cmocka_unit_test(anonymous_split),
		cmocka_unit_test(find),     cmocka_unit_test(copy_on_write),
		cmocka_unit_test(limit),    cmocka_unit_test(all_together),
		cmocka_unit_test(replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
