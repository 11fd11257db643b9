// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/protocol.h"
#include "symbolizer/reply.h"
#include "tests/unit/symbolizer_ask.h"

struct request {
	struct symbol_request head;
	uint64_t addresses[3];
};

static const struct {
	const char *name;
	struct request request;
	size_t len;
	uint32_t fd_count;
	int want;
} requests[] = {
	{ "good", { { SYMBOLS_ELF, 3 }, { 1, 1, 2 } }, 32, 1, 0 },
	{ "of nothing", { { SYMBOLS_ELF, 0 }, { 0 } }, 8, 1, 0 },
	{ "no kernel text in that file", { { SYMBOLS_KERNEL, 1 }, { 5 } }, 16, 1, 0 },
	{ "descending", { { SYMBOLS_ELF, 3 }, { 1, 2, 1 } }, 32, 1, -EPROTO },
	{ "unknown space", { { 0, 3 }, { 1, 2, 3 } }, 32, 1, -EPROTO },
	{ "unknown space", { { 3, 3 }, { 1, 2, 3 } }, 32, 1, -EPROTO },
	{ "no descriptor", { { SYMBOLS_ELF, 3 }, { 1, 2, 3 } }, 32, 0, -EPROTO },
	{ "empty", { { SYMBOLS_ELF, 0 }, { 0 } }, 0, 1, -EPROTO },
	{ "half a head", { { SYMBOLS_ELF, 0 }, { 0 } }, 7, 1, -EPROTO },
	{ "an address too few", { { SYMBOLS_ELF, 3 }, { 1, 2, 3 } }, 24, 1, -EPROTO },
	{ "an address too many", { { SYMBOLS_ELF, 2 }, { 1, 2, 3 } }, 32, 1, -EPROTO },
	{ "half an address", { { SYMBOLS_ELF, 3 }, { 1, 2, 3 } }, 31, 1, -EPROTO },
	{ "a count beyond all", { { SYMBOLS_ELF, UINT32_MAX }, { 1, 2, 3 } }, 32, 1, -EPROTO },
};

static void test_requests(void **state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
		int fd = memory_file("no ELF file\n", 12);
		char got[100], want[100];
		struct symbols s;
		int r;

		r = request_answer(&requests[i].request, requests[i].len, &fd, requests[i].fd_count,
				   &reply);
		snprintf(got, sizeof(got), "%s: %d", requests[i].name, r);
		snprintf(want, sizeof(want), "%s: %d", requests[i].name, requests[i].want);
		assert_string_equal(got, want);
		if (r == 0)
			assert_int_equal(symbols_check(reply.data, reply.len,
						       requests[i].request.head.count, &s, NULL),
					 0);
		buffer_release(&reply);
		close(fd);
	}
}

/* A full reply refuses more and is still one that can be sent. */
static void test_full_reply(void **state)
{
	static char name[SYMBOLS_MAX_NAME + 10];
	struct buffer bytes = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct reply reply;
	struct symbols s;
	uint32_t number, added = 0;
	int r;

	memset(name, 'n', sizeof(name));
	assert_int_equal(reply_init(&reply, SYMBOLS_MAX_ADDRESSES), 0);
	while ((r = reply_add_function(&reply, 1, 1, name, sizeof(name), NULL, &number)) == 0)
		assert_int_equal(number, added++);
	assert_int_equal(r, -E2BIG);
	assert_true(added > 3000);
	/* What is small still fits. */
	assert_int_equal(reply_add_function(&reply, 1, 1, "x", 1, NULL, &number), 0);
	assert_int_equal(reply_write(&reply, &bytes), 0);
	assert_int_equal(symbols_check(bytes.data, bytes.len, SYMBOLS_MAX_ADDRESSES, &s, NULL), 0);
	assert_int_equal(strlen(s.strings + s.functions[0].name), SYMBOLS_MAX_NAME);
	assert_string_equal(s.strings + s.functions[added].name, "x");
	buffer_release(&bytes);
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_full_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
