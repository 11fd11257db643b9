// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/truncation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/counter.h"

/* A frame's name has to fit into a line, and into collapsed stacks, whose frames are apart by ';'. */
#define MAX_WORDS 32

static void frame_and_counter_have_the_words(void **state)
{
	for (enum truncation t = 0; t < TRUNCATION_COUNT; t++) {
		const char *words = truncation_words(t);
		char frame[64], help[64];

		if (!*words || strlen(words) > MAX_WORDS || strpbrk(words, ";\"\n[]"))
			fail_msg("%u: \"%s\" are no words for a frame", t, words);
		snprintf(frame, sizeof(frame), "[truncated: %s]", words);
		snprintf(help, sizeof(help), "user stacks truncated: %s", words);
		assert_string_equal(truncation_frame(t), frame);
		assert_string_equal(counter_help(counter_of_truncation(t)), help);
		for (enum truncation other = 0; other < t; other++)
			assert_string_not_equal(words, truncation_words(other));
	}
}

static void each_has_its_counter(void **state)
{
	assert_string_equal(counter_name(counter_of_truncation(TRUNCATED_NO_ROW)),
			    "stacks_truncated_no_row");
	assert_string_equal(counter_name(counter_of_truncation(TRUNCATED_TOO_DEEP)),
			    "stacks_truncated_too_deep");
	assert_int_equal(counter_of_truncation(TRUNCATION_COUNT - 1), COUNTER_COUNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_and_counter_have_the_words),
		cmocka_unit_test(each_has_its_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
