// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A good reply: two addresses, one function, one module, a build id. */
struct message {
	struct symbol_reply reply;
	struct symbol_answer answers[2];
	struct symbol_function functions[1];
	struct symbol_module modules[1];
	char strings[16];
};

static const struct message good = {
	.reply = { SYMBOLS_OK, 2, 1, 1, 16, 10 },
	.answers = { { 0x100, 0, 0 }, { 0, SYMBOLS_NONE, SYMBOLS_NONE } },
	.functions = { { 0x100, 1, 1, 5 } },
	.modules = { { 0x100, 0x101, 0, 0, 0 } },
	.strings = "\0foo\0Zfoo\0 0af9",
};

#define FIELD(f) offsetof(struct message, f), sizeof(((struct message *)0)->f)

/* clang-format off */
static const struct lie {
	const char *name;
	size_t offset, size;
	uint64_t value;
} lies[] = {
	{ "unknown status", FIELD(reply.status), SYMBOLS_STATUS_COUNT },
	{ "an answer too many", FIELD(reply.answer_count), 3 },
	{ "an answer too few", FIELD(reply.answer_count), 1 },
	{ "a function too many", FIELD(reply.function_count), 2 },
	{ "functions whose size wraps", FIELD(reply.function_count), UINT32_MAX },
	{ "a module too many", FIELD(reply.module_count), 2 },
	{ "strings too long", FIELD(reply.string_bytes), 17 },
	{ "strings too short", FIELD(reply.string_bytes), 15 },
	{ "build id outside", FIELD(reply.build_id), 16 },
	{ "build id of other letters", FIELD(reply.build_id), 1 },
	{ "function that isn't there", FIELD(answers[0].function), 1 },
	{ "function of another address", FIELD(answers[1].function), 0 },
	{ "address behind its function and module", FIELD(answers[0].vaddr), 0x101 },
	{ "address before its function and module", FIELD(answers[0].vaddr), 0xff },
	{ "module that isn't there", FIELD(answers[0].module), 1 },
	{ "module of another address", FIELD(answers[1].module), 0 },
	{ "function without a size", FIELD(functions[0].size), 0 },
	{ "function that wraps", FIELD(functions[0].size), UINT64_MAX - 0xff },
	{ "name outside", FIELD(functions[0].name), 16 },
	{ "system name outside", FIELD(functions[0].system_name), UINT32_MAX },
	{ "module of nothing", FIELD(modules[0].limit), 0x100 },
	{ "module name outside", FIELD(modules[0].name), 16 },
	{ "no empty string", FIELD(strings[0]), 'x' },
	{ "last string without an end", FIELD(strings[15]), 'x' },
};
/* clang-format on */

static struct message sound(void)
{
	struct message m = good;

	m.reply.build_id = 11;
	m.strings[10] = '\0';
	return m;
}

static void test_good(void **state)
{
	struct message m = sound();
	struct err err = { .text = "" };
	struct symbols s;
	int r;

	r = symbols_check(&m, sizeof(m), 2, &s, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	assert_ptr_equal(s.reply, &m.reply);
	assert_ptr_equal(s.answers, m.answers);
	assert_ptr_equal(s.functions, m.functions);
	assert_ptr_equal(s.modules, m.modules);
	assert_ptr_equal(s.strings, m.strings);
	assert_string_equal(s.strings + s.functions[0].name, "foo");
	assert_string_equal(s.strings + s.functions[0].system_name, "Zfoo");
	assert_string_equal(s.strings + s.reply->build_id, "0af9");
	m.functions[0].size = UINT64_MAX - 0x100; /* up to the last address */
	assert_int_equal(symbols_check(&m, sizeof(m), 2, &s, NULL), 0);
}

static void test_lies(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct message m = sound();
		struct err err = { .text = "" };
		char got[600], want[600];
		struct symbols s;
		int r;

		memcpy((char *)&m + lies[i].offset, &lies[i].value, lies[i].size);
		r = symbols_check(&m, sizeof(m), 2, &s, &err);
		snprintf(got, sizeof(got), "%s: %d", lies[i].name, r);
		snprintf(want, sizeof(want), "%s: %d", lies[i].name, -EINVAL);
		assert_string_equal(got, want);
		assert_int_not_equal(strlen(err.text), 0);
	}
}

/* In a block of exactly its size, so that a sanitizer sees one byte read too far. */
static void test_truncated(void **state)
{
	const struct message m = sound();

	for (size_t len = 0; len < sizeof(m); len++) {
		void *part = malloc(len ? len : 1);
		struct symbols s;

		assert_non_null(part);
		memcpy(part, &m, len);
		assert_int_equal(symbols_check(part, len, 2, &s, NULL), -EINVAL);
		free(part);
	}
}

/* One long string that many functions name would cost the reader any amount. */
static void test_long_string(void **state)
{
	struct {
		struct symbol_reply reply;
		char strings[2 * SYMBOLS_MAX_NAME];
	} m = { .reply = { .string_bytes = sizeof(m.strings) } };
	struct symbols s;

	memset(m.strings + 1, 'x', SYMBOLS_MAX_NAME);
	assert_int_equal(symbols_check(&m, sizeof(m), 0, &s, NULL), 0);
	m.strings[1 + SYMBOLS_MAX_NAME] = 'x';
	assert_int_equal(symbols_check(&m, sizeof(m), 0, &s, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_long_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
