// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply with lines: a good one passes, and each way of lying is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/protocol.h"

#define STRINGS "\0f\0/a.c\0ab12\0"

/* Two addresses: one with two places, one with none. */
struct reply {
	struct lines_reply head;
	struct lines_answer answers[2];
	struct lines_place places[2];
	char strings[16];
};

static struct reply good(void)
{
	struct reply r = {
		.head = { .status = SYMBOLS_OK,
			  .flags = LINES_COMPRESSED,
			  .units = 2,
			  .answer_count = 2,
			  .place_count = 2,
			  .string_bytes = sizeof(STRINGS) - 1,
			  .build_id = 8 },
		.answers = { { 0, 2 }, { 0, 0 } },
		.places = { { 1, 1, 3, 5 }, { 0, 0, 3, 0 } },
	};

	memcpy(r.strings, STRINGS, sizeof(STRINGS) - 1);
	return r;
}

#define LEN (offsetof(struct reply, strings) + sizeof(STRINGS) - 1)

static void test_good(void **state)
{
	struct reply r = good();
	struct lines_answers a;
	struct err err;

	(void)state;
	assert_int_equal(lines_check(&r, LEN, 2, &a, &err), 0);
	assert_ptr_equal(a.reply, &r);
	assert_int_equal(a.answers[0].count, 2);
	assert_string_equal(a.strings + a.places[0].file, "/a.c");
	assert_string_equal(a.strings + a.reply->build_id, "ab12");
	assert_int_equal(lines_bytes(&a), LEN);
}

/* A u32 at `offset` of the reply gets the value; each alone makes it unsound. */
static const struct {
	const char *what;
	size_t offset;
	uint32_t value;
} lies[] = {
	{ "status", offsetof(struct reply, head.status), SYMBOLS_STATUS_COUNT },
	{ "flags", offsetof(struct reply, head.flags), LINES_FLAGS + 1 },
	{ "an answer too many", offsetof(struct reply, head.answer_count), 3 },
	{ "an answer too few", offsetof(struct reply, head.answer_count), 1 },
	{ "a place too many", offsetof(struct reply, head.place_count), 3 },
	{ "a place too few", offsetof(struct reply, head.place_count), 1 },
	{ "all places", offsetof(struct reply, head.place_count), UINT32_MAX },
	{ "a byte too many", offsetof(struct reply, head.string_bytes), sizeof(STRINGS) },
	{ "a byte too few", offsetof(struct reply, head.string_bytes), sizeof(STRINGS) - 2 },
	{ "no strings", offsetof(struct reply, head.string_bytes), 0 },
	{ "build id outside", offsetof(struct reply, head.build_id), sizeof(STRINGS) - 1 },
	{ "build id that is none", offsetof(struct reply, head.build_id), 3 },
	{ "places that come later", offsetof(struct reply, answers[0].first), 1 },
	{ "fewer places than there are", offsetof(struct reply, answers[0].count), 1 },
	{ "more places than there are", offsetof(struct reply, answers[0].count), 3 },
	{ "far more", offsetof(struct reply, answers[0].count), UINT32_MAX },
	{ "places used twice", offsetof(struct reply, answers[1].count), 2 },
	{ "name outside", offsetof(struct reply, places[1].name), sizeof(STRINGS) - 1 },
	{ "system name outside", offsetof(struct reply, places[1].system_name), UINT32_MAX },
	{ "file outside", offsetof(struct reply, places[0].file), sizeof(STRINGS) - 1 },
};

static void test_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct reply r = good();
		struct lines_answers a;
		struct err err = { "" };

		memcpy((char *)&r + lies[i].offset, &lies[i].value, sizeof(uint32_t));
		if (lines_check(&r, LEN, 2, &a, &err) != -EINVAL)
			fail_msg("%s: believed", lies[i].what);
		if (!*err.text)
			fail_msg("%s: refused without a word", lies[i].what);
	}
}

/* Of a full reply the last ones are empty because there was no room for them. */
static void test_answered(void **state)
{
	static const struct {
		uint32_t flags, counts[2], want;
	} cases[] = {
		{ 0, { 2, 0 }, 2 },
		{ 0, { 0, 0 }, 2 },
		{ LINES_INCOMPLETE, { 2, 0 }, 1 },
		{ LINES_INCOMPLETE, { 0, 2 }, 2 },
		{ LINES_INCOMPLETE, { 0, 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct lines_answer answers[] = { { 0, cases[i].counts[0] },
							{ 0, cases[i].counts[1] } };
		const struct lines_reply head = { .flags = cases[i].flags, .answer_count = 2 };
		const struct lines_answers a = { .reply = &head, .answers = answers };

		if (lines_answered(&a) != cases[i].want)
			fail_msg("case %zu: %u of 2, not %u", i, lines_answered(&a), cases[i].want);
	}
}

static void test_bytes(void **state)
{
	struct reply r = good();
	struct lines_answers a;

	(void)state;
	for (size_t len = 0; len < LEN; len++)
		assert_int_equal(lines_check(&r, len, 2, &a, NULL), -EINVAL);
	assert_int_equal(lines_check(&r, LEN + 1, 2, &a, NULL), -EINVAL);
	assert_int_equal(lines_check(&r, LEN, 1, &a, NULL), -EINVAL);
	assert_int_equal(lines_check(&r, LEN, 3, &a, NULL), -EINVAL);
	r.strings[0] = 'x';
	assert_int_equal(lines_check(&r, LEN, 2, &a, NULL), -EINVAL);
	r = good();
	r.strings[sizeof(STRINGS) - 2] = 'x';
	assert_int_equal(lines_check(&r, LEN, 2, &a, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
