// SPDX-License-Identifier: Apache-2.0
/*
 * Findings as text and JSON, with names from hostile places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/command/finding.h"
#include "version.h"

static void fill(struct finding f[2], const char *text)
{
	f[0] = (struct finding){ .group = "A", .name = "first" };
	f[1] = (struct finding){ .group = "B", .name = "second" };
	finding_set(&f[0], VERDICT_DEGRADED, "%s", text);
	finding_mend(&f[0], "do \"it\"");
	finding_set(&f[1], VERDICT_FINE, "works");
}

static void test_text(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(65536);
	const struct text_options look = { 0 };
	struct finding f[2];

	fill(f, "evil\x1b[2J\nname");
	assert_int_equal(findings_text(f, 2, &look, &out), 0);
	assert_string_equal(buffer_cstr(&out),
			    "A\n"
			    "  first                  degraded evil\\x1b[2J\\nname\n"
			    "                                  mend: do \"it\"\n"
			    "B\n"
			    "  second                 fine     works\n"
			    "Profiling will work; see above what 1 degraded line costs.\n");
	f[1].verdict = VERDICT_FATAL;
	buffer_clear(&out);
	assert_int_equal(findings_text(f, 2, &look, &out), 0);
	assert_non_null(strstr(buffer_cstr(&out), "\nProfiling will not work"));
}

static void test_json(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(65536);
	struct finding f[2];

	fill(f, "\"\\\x01\xff\xe2\x80\xa8é\t");
	assert_int_equal(findings_json(f, 2, &out), 0);
	assert_string_equal(
		buffer_cstr(&out),
		"{\n\t\"version\": \"" SLOWBURN_VERSION "\",\n\t\"profiling\": true,\n"
		"\t\"checks\": [\n"
		"\t\t{\"group\": \"A\", \"name\": \"first\", \"verdict\": \"degraded\",\n"
		"\t\t \"text\": \"\\\"\\\\\\\\x01\\\\xff\\\\xe2\\\\x80\\\\xa8é\\\\t\",\n"
		"\t\t \"mend\": \"do \\\"it\\\"\"},\n"
		"\t\t{\"group\": \"B\", \"name\": \"second\", \"verdict\": \"fine\",\n"
		"\t\t \"text\": \"works\",\n"
		"\t\t \"mend\": \"\"}\n\t]\n}\n");
}

static void test_limits(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(64);
	const struct text_options look = { 0 };
	struct finding f[2];
	char text[1000];

	memset(text, '\x01', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fill(f, text); /* each byte becomes four */
	assert_int_equal(strlen(f[0].text), sizeof(f[0].text) - 1);
	assert_true(findings_json(f, 2, &out) < 0);
	buffer_clear(&out);
	assert_true(findings_text(f, 2, &look, &out) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
