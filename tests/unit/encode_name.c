// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/text.h"

static void test_table(void **state)
{
	static const struct {
		const char *name;
		size_t columns;
		const char *expected;
	} cases[] = {
		{ "main", 10, "main" },
		{ "main", 4, "main" },
		{ "exactly_ten", 10, "exa…ly_ten" },
		{ "", 5, "" },
		{ "f(int, char)", 12, "f(int, char)" },
		{ "f(int, char)", 11, "f(…)" },
		{ "f()", 3, "f()" },
		{ "ns::f(std::vector<int>)", 15, "ns::f(…)" },
		{ "std::map<int, long>::find(int const&)", 30, "std::map<int, long>::find(…)" },
		{ "std::map<int, long>::find(int const&)", 20, "std::map<…>::find(…)" },
		{ "A<B<C>, D<E> >::f", 12, "A<…>::f" },
		{ "(anonymous namespace)::f(int)", 28, "(anonymous namespace)::f(…)" },
		{ "std::operator<< <char>(std::ostream&)", 28, "std::operator<< <char>(…)" },
		{ "std::operator<< <char>(std::ostream&)", 24, "std::operator<< <…>(…)" },
		{ "S::operator()(int, long) const", 24, "S::operator()(…) const" },
		{ "S::operator->() const", 21, "S::operator->() const" },
		{ "<alloc::vec::Vec<T> as core::Extend>::extend", 20, "<…>::extend" },
		{ "f<(a)->b>(int) and more of it", 22, "f<…>(…) and more of it" },
		/* Unbalanced: its middle goes. */
		{ "a<b::cccccccccccccccc", 10, "a<b…cccccc" },
		{ "a>b::cccccccccccccccc", 10, "a>b…cccccc" },
		{ "ääääääääää", 5, "ä…äää" },
		{ "abcdef", 1, "…" },
		{ "abcdef", 2, "…f" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer out = BUFFER_INIT(1000);

		name_fit(&out, cases[i].name, strlen(cases[i].name), cases[i].columns, false);
		assert_string_equal(buffer_cstr(&out), cases[i].expected);
		buffer_release(&out);
	}
}

static void test_padding(void **state)
{
	struct buffer out = BUFFER_INIT(1000);

	name_fit(&out, "ab", 2, 5, true);
	buffer_text(&out, "|");
	assert_string_equal(buffer_cstr(&out), "ab   |");
	buffer_clear(&out);
	name_fit(&out, "f(int, char)", 12, 6, true);
	buffer_text(&out, "|");
	assert_string_equal(buffer_cstr(&out), "f(…)  |");
	buffer_release(&out);
}

/* Whatever the brackets: it fits, and is clean text. */
static void test_any_brackets(void **state)
{
	static const char *const words[] = {
		"<", ">", "(", ")", "-", "a", ":", " ", "ä", "operator"
	};
	uint64_t seed = 7;

	for (uint32_t i = 0; i < 20000; i++) {
		struct buffer name = BUFFER_INIT(1000), out = BUFFER_INIT(1000);
		size_t columns = 1 + i % 30;

		for (uint32_t j = 0; j < i % 40; j++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			buffer_text(&name, words[(seed >> 33) % 10]);
		}
		name_fit(&out, buffer_cstr(&name), name.len, columns, true);
		assert_int_equal(buffer_error(&out), 0);
		assert_true(text_is_clean(out.data, out.len));
		assert_int_equal(text_width(out.data, out.len), columns);
		buffer_release(&name);
		buffer_release(&out);
	}
}

static void test_ten_thousand(void **state)
{
	struct buffer out = BUFFER_INIT(100000);
	char name[10000];

	memset(name, '<', sizeof(name));
	name_fit(&out, name, sizeof(name), 40, true);
	assert_int_equal(text_width(out.data, out.len), 40);
	buffer_clear(&out);
	memset(name + 5000, '>', 5000);
	name_fit(&out, name, sizeof(name), 40, false);
	assert_string_equal(buffer_cstr(&out), "<…>");
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_any_brackets),
		cmocka_unit_test(test_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
