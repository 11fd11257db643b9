// SPDX-License-Identifier: Apache-2.0
#include "profiler/reader/request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/clock.h"

#define NOW_NS (1763875800 * NS_PER_S)
#define HOUR_NS (3600 * NS_PER_S)

static struct reader_request request(void)
{
	return (struct reader_request){
		.now_ns = NOW_NS,
		.max_answer_bytes = 1 << 20,
		.endpoint = "top",
		.parameters = { { "query", "comm=\"\xff\n\"" }, { "show-from", "" } },
		.count = 2,
	};
}

static void test_way(void **state)
{
	const struct reader_request q = request();
	struct buffer bytes = BUFFER_INIT(1 << 20);
	struct reader_request is;

	(void)state;
	assert_int_equal(reader_request_write(&q, &bytes), 0);
	assert_int_equal(reader_request_parse(&is, &bytes), 0);
	assert_int_equal(is.now_ns, q.now_ns);
	assert_int_equal(is.max_answer_bytes, q.max_answer_bytes);
	assert_string_equal(is.endpoint, "top");
	assert_int_equal(is.count, 2);
	assert_string_equal(reader_request_find(&is, "query"), "comm=\"\xff\n\"");
	assert_string_equal(reader_request_find(&is, "show_from"), "");
	assert_null(reader_request_find(&is, "show_fro"));
	assert_null(reader_request_find(&is, "show_from_"));
	buffer_release(&bytes);
}

/* Cut anywhere, longer by anything, or with numbers that can't be. */
static void test_refused(void **state)
{
	const struct reader_request q = request();
	struct buffer bytes = BUFFER_INIT(1 << 20);
	struct reader_request is;
	size_t len;

	(void)state;
	assert_int_equal(reader_request_write(&q, &bytes), 0);
	len = bytes.len;
	for (bytes.len = 0; bytes.len < len; bytes.len++)
		if (reader_request_parse(&is, &bytes) != -EPROTO)
			fail_msg("%zu bytes of %zu are taken", bytes.len, len);
	buffer_append(&bytes, "", 1);
	assert_int_equal(reader_request_parse(&is, &bytes), -EPROTO);
	bytes.len = len;
	/* The number of parameters, what must be 0, and the largest answer. */
	for (size_t at = 8; at < 24; at++) {
		bytes.data[at] ^= (char)0x40;
		if (at != 8 && at != 9 && at != 10 && at != 11 &&
		    reader_request_parse(&is, &bytes) != -EPROTO)
			fail_msg("byte %zu makes no difference", at);
		bytes.data[at] ^= (char)0x40;
	}
	assert_int_equal(reader_request_parse(&is, &bytes), 0);
	buffer_release(&bytes);
}

static void test_limits(void **state)
{
	static char large[READER_MAX_REQUEST_BYTES];
	struct buffer bytes = BUFFER_INIT(1 << 20);
	struct reader_request q = request();

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	q.parameters[0].value = large;
	assert_int_equal(reader_request_write(&q, &bytes), -E2BIG);
	q.count = READER_MAX_PARAMETERS + 1;
	buffer_clear(&bytes);
	assert_int_equal(reader_request_write(&q, &bytes), -E2BIG);
	buffer_release(&bytes);
}

static void test_reply(void **state)
{
	struct reader_reply reply = { .status = 200, .content_type = "text/plain" }, is;
	struct buffer bytes = BUFFER_INIT(1 << 20);

	(void)state;
	buffer_append(&bytes, &reply, sizeof(reply));
	assert_int_equal(reader_reply_parse(&is, &bytes), 0);
	memset(bytes.data + offsetof(struct reader_reply, sentence), 'x', sizeof(reply.sentence));
	assert_int_equal(reader_reply_parse(&is, &bytes), -EPROTO);
	bytes.len--;
	assert_int_equal(reader_reply_parse(&is, &bytes), -EPROTO);
	bytes.len++;
	reply.status = 99;
	memcpy(bytes.data, &reply, sizeof(reply));
	assert_int_equal(reader_reply_parse(&is, &bytes), -EPROTO);
	buffer_release(&bytes);
}

static void test_ranges(void **state)
{
	static const struct {
		struct reader_parameter p[3];
		int r;
		uint32_t count;
		uint64_t ns[4]; /* before now */
	} table[] = {
		{ { { "by", "comm" } }, 0, 1, { HOUR_NS, 0 } },
		{ { { "from", "-2h" }, { "to", "-1h" } }, 0, 1, { 2 * HOUR_NS, HOUR_NS } },
		{ { { "compare", "2h" } }, 0, 2, { HOUR_NS, 0, 3 * HOUR_NS, 2 * HOUR_NS } },
		{ { { "compare-query", "" } }, 0, 2, { HOUR_NS, 0, HOUR_NS, 0 } },
		{ { { "compare_query", "" }, { "compare", "1h" } },
		  0,
		  2,
		  { HOUR_NS, 0, 2 * HOUR_NS, HOUR_NS } },
		{ { { "compare_from", "-3h" }, { "compare_to", "-2h" } },
		  0,
		  2,
		  { HOUR_NS, 0, 3 * HOUR_NS, 2 * HOUR_NS } },
		{ { { "compare_from", "-3h" } }, -EINVAL, 0, { 0 } },
		{ { { "compare_from", "-3h" }, { "compare_to", "-4h" } }, -EINVAL, 0, { 0 } },
		{ { { "compare", "1h" }, { "compare_to", "now" } }, -EINVAL, 0, { 0 } },
		{ { { "compare", "never" } }, -EINVAL, 0, { 0 } },
		{ { { "from", "first" }, { "compare", "1h" } }, -EINVAL, 0, { 0 } },
		{ { { "to", "-1h" } }, -EINVAL, 0, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reader_request q = { .now_ns = NOW_NS, .endpoint = "top" };
		struct reader_ranges ranges = { .count = 0 };
		struct err err = { "" };
		int r;

		for (; q.count < 3 && table[i].p[q.count].name; q.count++)
			q.parameters[q.count] = table[i].p[q.count];
		r = reader_request_ranges(&q, &ranges, &err);
		if (r != table[i].r || ranges.count != table[i].count || (r < 0) != !!*err.text)
			fail_msg("%zu: %d, %u ranges, \"%s\"", i, r, ranges.count, err.text);
		for (uint32_t j = 0; j < ranges.count; j++) {
			assert_int_equal(ranges.items[j].from_ns, NOW_NS - table[i].ns[2 * j]);
			assert_int_equal(ranges.items[j].to_ns, NOW_NS - table[i].ns[2 * j + 1]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_reply),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
