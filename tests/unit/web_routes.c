// SPDX-License-Identifier: Apache-2.0
#include "web/routes.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

#define PAGE "docs/HTTP.md"
/* A line of its table of addresses begins so. */
#define ROW "\n| `/"

static void read_page(struct buffer *page)
{
	_cleanup_(fd_close) int fd = open(PAGE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("no " PAGE " here: run this in the top folder");
	assert_int_equal(buffer_read_fd(page, fd), 0);
	assert_non_null(buffer_cstr(page));
}

/* What is answered is described, but for the address without its slash, which is a line about 301. */
static void test_documented(void **state)
{
	_cleanup_(buffer_release) struct buffer page = BUFFER_INIT(1 << 20);

	read_page(&page);
	for (size_t i = 0; i < route_count(); i++) {
		char row[128];

		snprintf(row, sizeof(row), "\n| `%s` |", route_at(i)->path);
		if (strcmp(route_at(i)->path, "/debug/pprof") != 0 && !strstr(page.data, row))
			fail_msg(PAGE " has no line about %s", route_at(i)->path);
	}
}

static void test_described_is_there(void **state)
{
	_cleanup_(buffer_release) struct buffer page = BUFFER_INIT(1 << 20);
	int rows = 0;

	read_page(&page);
	for (const char *at = strstr(page.data, ROW); at; at = strstr(at + 1, ROW)) {
		const char *path = at + strlen(ROW) - 1;
		char text[128];

		snprintf(text, sizeof(text), "%.*s", (int)strcspn(path, "`"), path);
		if (!route_find(text))
			fail_msg(PAGE " has a line about %s, which there isn't", text);
		rows++;
	}
	assert_int_equal(rows, route_count() - 1);
}

static void test_find(void **state)
{
	assert_null(route_find(""));
	assert_null(route_find("/api"));
	assert_null(route_find("/healthz/"));
	assert_null(route_find("/HEALTHZ"));
	assert_true(route_find("/healthz")->open);
	assert_true(route_find("/readyz")->open);
	for (size_t i = 0; i < route_count(); i++) {
		const struct route *r = route_at(i);

		assert_ptr_equal(route_find(r->path), r);
		assert_int_equal(r->open, strstr(r->path, "yz") || strstr(r->path, "thz"));
		if (r->endpoint && strcmp(r->endpoint, "pprof") != 0)
			assert_string_equal(r->endpoint, r->path + strlen("/api/v1/"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_described_is_there),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
