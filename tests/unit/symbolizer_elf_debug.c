// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/elf_debug.h"

#include <errno.h>
#include <lzma.h>

#include "tests/unit/symbolizer_ask.h"
#include "tests/unit/symbolizer_sections.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const unsigned char id_a[] = { 4,   0,   0,   0, 8, 0, 0, 0, 3, 0, 0, 0,
				      'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 6, 7, 8 };
static const unsigned char id_b[] = { 4,   0,   0,   0, 8, 0, 0, 0, 3, 0, 0, 0,
				      'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 6, 7, 9 };
static const unsigned char id_short[] = { 4,   0,   0,   0, 7, 0, 0, 0, 3, 0, 0, 0,
					  'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 6, 7, 0 };

/* ---- what a file says ---- */

/* 255 bytes, the longest name. */
#define X15 "xxxxxxxxxxxxxxx"
#define X255 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15

static const struct {
	const char *what;
	const char *name;
	const char *bytes;
	uint64_t len, held;
	const char *link, *alternate; /* "": refused */
	uint32_t crc;
	bool damaged;
} saids[] = {
	{ "a link", ".gnu_debuglink", "a.debug\0\x78\x56\x34\x12", 12, 0, "a.debug", "", 0x12345678,
	  false },
	{ "padded", ".gnu_debuglink", "ab.debug\0\0\0\0\x78\x56\x34\x12", 16, 0, "ab.debug", "",
	  0x12345678, false },
	{ "the longest", ".gnu_debuglink", X255 "\0\x78\x56\x34\x12", 260, 0, X255, "", 0x12345678,
	  false },
	{ "longer", ".gnu_debuglink", X255 "x\0\0\0\0\x78\x56\x34\x12", 264, 0, "", "", 0, true },
	{ "no name", ".gnu_debuglink", "\0\0\0\0\x78\x56\x34\x12", 8, 0, "", "", 0, true },
	{ "a path", ".gnu_debuglink", "/a.debug\0\0\0\0\x78\x56\x34\x12", 16, 0, "", "", 0, true },
	{ "a way up", ".gnu_debuglink", "../a\0\0\0\0\x78\x56\x34\x12", 12, 0, "", "", 0, true },
	{ "the folder above", ".gnu_debuglink", "..\0\0\x78\x56\x34\x12", 8, 0, "", "", 0, true },
	{ "the folder", ".gnu_debuglink", ".\0\0\0\x78\x56\x34\x12", 8, 0, "", "", 0, true },
	{ "no CRC", ".gnu_debuglink", "a.debug", 8, 0, "", "", 0, true },
	{ "half a CRC", ".gnu_debuglink", "a.debug\0\x78\x56", 10, 0, "", "", 0, true },
	{ "no end", ".gnu_debuglink", "a.debug.of.this", 12, 0, "", "", 0, true },
	{ "nothing", ".gnu_debuglink", "", 0, 0, "", "", 0, true },
	{ "what isn't in the file", ".gnu_debuglink", "a.debug", 1ull << 40, 8, "", "", 0, true },
	{ "an alternate", ".gnu_debugaltlink", "/usr/lib/debug/.dwz/x\0\1\2\3\4", 26, 0, "",
	  "/usr/lib/debug/.dwz/x", 0, false },
	{ "a relative one", ".gnu_debugaltlink", "../../.dwz/x\0\1\2\3\4", 17, 0, "",
	  "../../.dwz/x", 0, false },
	{ "no id", ".gnu_debugaltlink", "/x", 3, 0, "", "", 0, true },
	{ "no path", ".gnu_debugaltlink", "\0\1\2\3\4", 5, 0, "", "", 0, true },
	{ "no end", ".gnu_debugaltlink", "/usr/lib/debug", 14, 0, "", "", 0, true },
	{ "an id too long", ".gnu_debugaltlink", "/x\0" X15 X15 X15 X15 X15, 3 + 65, 0, "", "", 0,
	  true },
	{ "all too long", ".gnu_debugaltlink", "/x", 1ull << 62, 3, "", "", 0, true },
	{ "another section", ".gnu_debuglinks", "a.debug\0\x78\x56\x34\x12", 12, 0, "", "", 0,
	  false },
	{ "the name's beginning", ".gnu_debug", "a.debug\0\x78\x56\x34\x12", 12, 0, "", "", 0,
	  false },
};

static void what_a_file_says(void **state)
{
	for (size_t i = 0; i < COUNT(saids); i++) {
		const struct section list[] = { { saids[i].name, SHT_PROGBITS, saids[i].bytes,
						  saids[i].len, saids[i].held },
						{ NULL } };
		struct buffer image = sections_make(list);
		char got[2000], want[2000];
		struct elf_debug d;
		struct elf_file f;

		assert_int_equal(elf_file_open_bytes(&f, image.data, image.len), 0);
		elf_debug_read(&f, &d);
		snprintf(got, sizeof(got), "%s: \"%s\" %x \"%s\" %d", saids[i].what, d.link,
			 d.link_crc, d.alternate, f.damaged);
		snprintf(want, sizeof(want), "%s: \"%s\" %x \"%s\" %d", saids[i].what,
			 saids[i].link, saids[i].crc, saids[i].alternate, saids[i].damaged);
		assert_string_equal(got, want);
		elf_file_release(&f);
		buffer_release(&image);
	}
}

/* ---- does it belong? ---- */

static struct debug_reply question(enum debug_question which, int file, int other)
{
	const struct debug_request request = { .question = which };
	struct buffer bytes = BUFFER_INIT(1 << 16);
	const int fds[] = { file, other };
	struct debug_reply reply;

	assert_int_equal(elf_debug_answer(&request, fds, which == DEBUG_OF_FILE ? 1 : 2, &bytes),
			 0);
	assert_int_equal(debug_check(bytes.data, bytes.len, &reply, NULL), 0);
	buffer_release(&bytes);
	return reply;
}

static int file_of(const struct section *list)
{
	struct buffer b = sections_make(list);
	int fd = memory_file(b.data, b.len);

	buffer_release(&b);
	return fd;
}

/* A file that names `candidate`, whose CRC it has unless it is told a wrong one. */
static int linked_file(struct section id, int candidate, uint32_t wrong)
{
	char bytes[4096 * 4], link[12] = "a.debug";
	ssize_t n = pread(candidate, bytes, sizeof(bytes), 0);
	uint32_t crc = lzma_crc32((const uint8_t *)bytes, (size_t)n, 0) ^ wrong;

	assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
	memcpy(link + 8, &crc, sizeof(crc));
	return file_of((const struct section[]){
		{ ".gnu_debuglink", SHT_PROGBITS, link, sizeof(link), 0 }, id, { NULL } });
}

static const struct {
	const char *what;
	struct section file, candidate;
	uint32_t wrong; /* CRC */
	bool belongs;
} pairs[] = {
	{ "same id", SECTIONS_BUILD_ID(id_a), SECTIONS_BUILD_ID(id_a), 0, true },
	{ "same id, whatever the CRC", SECTIONS_BUILD_ID(id_a), SECTIONS_BUILD_ID(id_a), 1, true },
	{ "another id, whatever the CRC", SECTIONS_BUILD_ID(id_a), SECTIONS_BUILD_ID(id_b), 0,
	  false },
	{ "its beginning", SECTIONS_BUILD_ID(id_a), SECTIONS_BUILD_ID(id_short), 0, false },
	{ "no ids: the CRC", { NULL }, { NULL }, 0, true },
	{ "no ids, another CRC", { NULL }, { NULL }, 1, false },
	{ "one id: the CRC", SECTIONS_BUILD_ID(id_a), { NULL }, 0, true },
	{ "one id, another CRC", { NULL }, SECTIONS_BUILD_ID(id_a), 1 << 31, false },
};

static void whether_it_belongs(void **state)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		int candidate = file_of((const struct section[]){ pairs[i].candidate, { NULL } });
		int file = linked_file(pairs[i].file, candidate, pairs[i].wrong);
		struct debug_reply r = question(DEBUG_OF_SEPARATE, file, candidate);
		char got[100], want[100];

		snprintf(got, sizeof(got), "%s: %d", pairs[i].what,
			 (r.flags & DEBUG_REPLY_BELONGS) != 0);
		snprintf(want, sizeof(want), "%s: %d", pairs[i].what, pairs[i].belongs);
		assert_string_equal(got, want);
		close(file);
		close(candidate);
	}
}

static void without_link_or_id_nothing_belongs(void **state)
{
	int file = file_of(NULL), other = file_of(NULL);

	assert_int_equal(question(DEBUG_OF_SEPARATE, file, other).flags, 0);
	assert_int_equal(question(DEBUG_OF_ALTERNATE, file, other).flags, 0);
	close(file);
	close(other);
}

static void an_alternate_belongs_by_its_id(void **state)
{
	static const char link[] = "/x\0\1\2\3\4\5\6\7\x8";
	const struct section alternate = { ".gnu_debugaltlink", SHT_PROGBITS, link,
					   sizeof(link) - 1, 0 };
	int file = file_of((const struct section[]){ alternate, { NULL } });
	int good = file_of((const struct section[]){ SECTIONS_BUILD_ID(id_a), { NULL } });
	int bad = file_of((const struct section[]){ SECTIONS_BUILD_ID(id_b), { NULL } });
	struct debug_reply said = question(DEBUG_OF_FILE, file, -1);

	assert_string_equal(said.alternate, "/x");
	assert_int_equal(said.alternate_id_bytes, 8);
	assert_true(question(DEBUG_OF_ALTERNATE, file, good).flags & DEBUG_REPLY_BELONGS);
	assert_false(question(DEBUG_OF_ALTERNATE, file, bad).flags & DEBUG_REPLY_BELONGS);
	close(file);
	close(good);
	close(bad);
}

static void no_elf_file_is_an_answer(void **state)
{
	int good = file_of(NULL), bad = memory_file("text", 4);

	assert_int_equal(question(DEBUG_OF_FILE, bad, -1).status, SYMBOLS_NOT_ELF);
	assert_int_equal(question(DEBUG_OF_SEPARATE, bad, good).status, SYMBOLS_NOT_ELF);
	assert_int_equal(question(DEBUG_OF_SEPARATE, good, bad).status, SYMBOLS_NOT_ELF);
	close(good);
	close(bad);
}

static void requests_that_are_none(void **state)
{
	static const struct {
		uint32_t question, fds;
	} bad[] = { { DEBUG_OF_FILE, 0 },     { DEBUG_OF_FILE, 2 },      { DEBUG_OF_SEPARATE, 1 },
		    { DEBUG_OF_SEPARATE, 3 }, { DEBUG_OF_ALTERNATE, 1 }, { 3, 1 },
		    { UINT32_MAX, 2 } };
	int fd = file_of(NULL);
	const int fds[] = { fd, fd, fd };

	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct debug_request request = { .question = bad[i].question };
		struct buffer reply = BUFFER_INIT(1 << 16);

		if (elf_debug_answer(&request, fds, bad[i].fds, &reply) != -EPROTO)
			fail_msg("question %u with %u descriptors was answered", bad[i].question,
				 bad[i].fds);
		buffer_release(&reply);
	}
	close(fd);
}

/* ---- the check of a reply ---- */

static void replies_that_are_refused(void **state)
{
	struct debug_reply good = { .link = "a.debug", .alternate = "/x" }, r, got;

	assert_int_equal(debug_check(&good, sizeof(good), &got, NULL), 0);
	assert_int_equal(debug_check(&good, sizeof(good) - 1, &got, NULL), -EINVAL);
#define REFUSED(change)                                                \
	do {                                                           \
		r = good;                                              \
		change;                                                \
		if (debug_check(&r, sizeof(r), &got, NULL) != -EINVAL) \
			fail_msg("%s was believed", #change);          \
	} while (0)
	REFUSED(r.status = SYMBOLS_NO_TABLE);
	REFUSED(r.status = UINT32_MAX);
	REFUSED(r.flags = DEBUG_REPLY_FLAGS + 1);
	REFUSED(r.build_id_bytes = sizeof(r.build_id) + 1);
	REFUSED(r.alternate_id_bytes = sizeof(r.alternate_id) + 1);
	REFUSED(memset(r.link, 'x', sizeof(r.link)));
	REFUSED(memset(r.alternate, 'x', sizeof(r.alternate)));
	REFUSED(memcpy(r.link, "a/b", sizeof("a/b")));
	REFUSED(memcpy(r.link, "..", sizeof("..")));
	REFUSED(memcpy(r.link, ".", sizeof(".")));
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_file_says),
		cmocka_unit_test(whether_it_belongs),
		cmocka_unit_test(without_link_or_id_nothing_belongs),
		cmocka_unit_test(an_alternate_belongs_by_its_id),
		cmocka_unit_test(no_elf_file_is_an_answer),
		cmocka_unit_test(requests_that_are_none),
		cmocka_unit_test(replies_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
