// SPDX-License-Identifier: Apache-2.0
/*
 * Unwind tables asked for and answered: a real file's, and what the check makes of it when a field lies.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>

#include "symbolizer/unwind_compile.h"
#include "tests/unit/symbolizer_ask.h"

static struct buffer ask_unwind(int fd, const struct unwind_request *request)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);

	assert_int_equal(request_answer_unwind(request, sizeof(*request), &fd, 1, &reply), 0);
	return reply;
}

static const struct unwind_request all = { .limit = UINT64_MAX, .max_rows = UNWIND_REPLY_MAX_ROWS };

static int self_open(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The compiler's table is what arrives. */
static void test_whole(void **state)
{
	struct unwind_table *t = calloc(1, sizeof(*t));
	struct unwind_outcome outcome;
	struct unwind_answer a;
	struct elf_file f;
	struct err err = { "" };
	int fd = self_open();
	struct buffer reply = ask_unwind(fd, &all);

	assert_int_equal(unwind_check(reply.data, reply.len, &all, &a, &err), 0);
	assert_int_equal(elf_file_open(&f, fd), 0);
	assert_int_equal(unwind_compile(&f, 0, UINT64_MAX, UNWIND_REPLY_MAX_ROWS, t, &outcome), 0);
	assert_int_equal(a.reply->status, SYMBOLS_OK);
	assert_int_equal(a.reply->start, t->start);
	assert_int_equal(a.reply->limit, t->limit);
	assert_int_equal(a.reply->fdes, outcome.fdes);
	assert_true(a.reply->page_count > 5 && a.reply->page_count == t->pages.count);
	assert_memory_equal(a.pages, t->pages.items, t->pages.count * sizeof(*a.pages));
	assert_memory_equal(a.rows, t->rows.items, t->rows.count * sizeof(*a.rows));
	assert_memory_equal(a.rules, t->rules, t->rule_count * sizeof(*a.rules));
	assert_int_equal(a.reply->segment_count, 1);
	assert_true(t->start <= a.segments[0].vaddr &&
		    t->limit == a.segments[0].vaddr + a.segments[0].size);
	elf_file_release(&f);
	unwind_table_release(t);
	free(t);
	buffer_release(&reply);
	close(fd);
}

/* A part, and as far as so many rows reach. */
static void test_parts(void **state)
{
	int fd = self_open();
	struct buffer whole = ask_unwind(fd, &all);
	struct unwind_answer a, part;
	uint32_t cut = 0;

	assert_int_equal(unwind_check(whole.data, whole.len, &all, &a, NULL), 0);
	for (uint32_t rows = 0; rows < 60; rows++) {
		struct unwind_request request = { .start = a.reply->start + 0x2000,
						  .limit = a.reply->start + 0x5000,
						  .max_rows = rows };
		struct buffer reply = ask_unwind(fd, &request);
		struct err err = { "" };

		unwind_check(reply.data, reply.len, &request, &part, &err);
		assert_string_equal(err.text, "");
		assert_true(part.reply->row_count <= rows && part.reply->page_count <= 3);
		cut += part.reply->limit < request.limit;
		buffer_release(&reply);
	}
	assert_true(cut > 5);
	buffer_release(&whole);
	close(fd);
}

static void test_no_elf(void **state)
{
	int fd = memory_file("no ELF file\n", 12);
	struct buffer reply = ask_unwind(fd, &all);
	struct unwind_answer a;

	assert_int_equal(unwind_check(reply.data, reply.len, &all, &a, NULL), 0);
	assert_int_equal(a.reply->status, SYMBOLS_NOT_ELF);
	assert_int_equal(a.reply->page_count, 0);
	buffer_release(&reply);
	close(fd);
}

static void test_requests(void **state)
{
	static const struct {
		struct unwind_request request;
		size_t len;
		uint32_t fds;
	} bad[] = {
		{ { 0, 1, 1, 0 }, 23, 1 },
		{ { 0, 1, 1, 0 }, 24, 0 },
		{ { 2, 1, 1, 0 }, 24, 1 },
		{ { 0, 1, UNWIND_REPLY_MAX_ROWS + 1, 0 }, 24, 1 },
	};
	struct buffer reply = BUFFER_INIT(1 << 20);
	int fd = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(request_answer_unwind(&bad[i].request, bad[i].len, &fd, bad[i].fds,
						       &reply),
				 -EPROTO);
	buffer_release(&reply);
}

/* ---- replies that lie ---- */

struct small {
	struct unwind_reply reply;
	struct unwind_segment segments[2];
	struct unwind_rule rules[3];
	struct unwind_page pages[3];
	uint32_t rows[4];
};
_Static_assert(sizeof(struct small) == 72 + 48 + 24 + 24 + 16, "without holes");

/* Three pages: one row, the same and another, one more. */
static const struct small good = {
	{ .start = 0x1000,
	  .limit = 0x3800,
	  .segment_count = 2,
	  .rule_count = 3,
	  .page_count = 3,
	  .row_count = 4 },
	{ { 0x1000, 0, 0x1000 }, { 0x2000, 0x8000, 0x1800 } },
	{ { UNWIND_NONE, 0, 0, 0 }, { UNWIND_UNSUPPORTED, 0, 0, 0 }, { UNWIND_SP, 0, 0, 8 } },
	{ { 0, 1, 0 }, { 0, 2, 0 }, { 2, 2, 0 } },
	{ UNWIND_ROW(0, 2), UNWIND_ROW(0xfff, 0), UNWIND_ROW(0, 0), UNWIND_ROW(1, 1) },
};

#define LIE(field, value)                                                        \
	{                                                                        \
#field, offsetof(struct small, field), sizeof(good.field), value \
	}
static const struct {
	const char *name;
	size_t offset, size;
	uint64_t value;
} lies[] = {
	LIE(reply.status, SYMBOLS_STATUS_COUNT),
	LIE(reply.status, SYMBOLS_NOT_ELF), /* with a table */
	LIE(reply.flags, UNWIND_REPLY_FLAGS + 1),
	LIE(reply.start, 0x1001),
	LIE(reply.start, 0),
	LIE(reply.start, 0xfffffffffffff000),
	LIE(reply.limit, 0x1000),
	LIE(reply.limit, 0x3000),
	LIE(reply.limit, 0x4001),
	LIE(reply.limit, UINT64_MAX),
	LIE(reply.segment_count, 1),
	LIE(reply.segment_count, UINT32_MAX),
	LIE(reply.rule_count, 2),
	LIE(reply.rule_count, UINT32_MAX),
	LIE(reply.page_count, 2),
	LIE(reply.page_count, UINT32_MAX),
	LIE(reply.row_count, 3),
	LIE(reply.row_count, UINT32_MAX),
	LIE(segments[0].size, 0),
	LIE(segments[0].size, 0x1001),
	LIE(segments[1].vaddr, 0x1fff),
	LIE(segments[1].size, UINT64_MAX),
	LIE(segments[1].offset, UINT64_MAX),
	LIE(rules[0].kind, UNWIND_SP),
	LIE(rules[1].kind, UNWIND_SP),
	LIE(rules[2].kind, UNWIND_KIND_COUNT),
	LIE(rules[2].how, UNWIND_HOW(UNWIND_FP_SAME, 4)),
	LIE(pages[0].row, 1),
	LIE(pages[0].count, 0),
	LIE(pages[0].count, 2),
	LIE(pages[1].row, 1),
	LIE(pages[1].row, 2),
	LIE(pages[1].count, 1),
	LIE(pages[2].row, 1),
	LIE(pages[2].row, UINT32_MAX),
	LIE(pages[2].count, 1),
	LIE(pages[2].count, 3),
	LIE(pages[2].count, 0xffff),
	LIE(pages[2].reserved, 1),
	LIE(rows[0], UNWIND_ROW(1, 2)),
	LIE(rows[0], UNWIND_ROW(0, 3)),
	LIE(rows[1], UNWIND_ROW(0, 0)),
	LIE(rows[1], UNWIND_ROW(0x1000, 0)),
	LIE(rows[3], UNWIND_ROW(1, 0xffff)),
};

static void test_lies(void **state)
{
	static const struct unwind_request request = { 0x1000, 0x4000, 4, 0 };
	static const struct unwind_request others[] = { { 0x2000, 0x4000, 4, 0 },
							{ 0x1000, 0x3000, 4, 0 },
							{ 0x1000, 0x4000, 3, 0 } };
	struct unwind_answer a;
	struct small s = good;

	assert_int_equal(unwind_check(&s, sizeof(s), &request, &a, NULL), 0);
	assert_ptr_equal(a.rows, s.rows);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct err err = { "" };

		s = good;
		memcpy((char *)&s + lies[i].offset, &lies[i].value, lies[i].size);
		if (unwind_check(&s, sizeof(s), &request, &a, &err) != -EINVAL || !*err.text)
			fail_msg("%s = %#lx was believed", lies[i].name, lies[i].value);
	}
	s = good;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(unwind_check(&s, sizeof(s), &others[i], &a, NULL), -EINVAL);
	for (size_t len = 0; len < sizeof(s); len++)
		assert_int_equal(unwind_check(&s, len, &request, &a, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),  cmocka_unit_test(test_parts),
		cmocka_unit_test(test_no_elf), cmocka_unit_test(test_requests),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
