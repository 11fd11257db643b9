// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/truncations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

#define NO_ROW "[truncated: no unwind information]"
#define TOO_DEEP "[truncated: too deep]"
#define NO_FRAME "[truncated: no valid frame]"

static void expect(const struct calltree *t, const struct truncations *all, enum truncation why,
		   uint64_t count, const char *module, uint64_t module_count)
{
	const struct truncation_place *got = &all->places[why];
	const struct call_module *m = &t->modules.items[got->module];

	if (got->count != count || got->module_count != module_count || m->len != strlen(module) ||
	    memcmp(m->text, module, m->len) != 0)
		fail_msg("\"%s\": got %d, %d of them in \"%.*s\", want %d, %d in \"%s\"",
			 truncation_words(why), (int)got->count, (int)got->module_count,
			 (int)m->len, m->text, (int)count, (int)module_count, module);
}

static void find(const struct profile *p, struct calltree *t, struct truncations *ret)
{
	assert_int_equal(calltree_init(t, p), 0);
	assert_int_equal(truncations_find(t, ret), 0);
}

static void test_where_they_end(void **state)
{
	struct truncations all;
	struct calltree t;
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "ffmpeg", 1, 1);
	test_stack(&p, s, 5, NO_ROW, "pixel_sad@/usr/lib/libx264.so.164", NULL);
	test_stack(&p, s, 2, NO_ROW, "pixel_sad@/usr/lib/libx264.so.164", "irq@[kernel.kallsyms]",
		   NULL);
	test_stack(&p, s, 1, NO_ROW, "scale@/usr/lib/libswscale.so.6", NULL);
	/* The last frame that was found counts, not the leaf. */
	test_stack(&p, s, 1, NO_ROW, "start@/lib/musl", "sad@/usr/lib/libx264.so.164", NULL);
	test_stack(&p, s, 3, NO_FRAME, "[anonymous memory]@[anon]", "[anonymous memory]@[anon]",
		   NULL);
	test_stack(&p, s, 4, TOO_DEEP, NULL);
	test_stack(&p, s, 50, "_start@/usr/bin/ffmpeg", "main@/usr/bin/ffmpeg", NULL);
	test_stack(&p, s, 7, NULL);
	find(&p, &t, &all);
	expect(&t, &all, TRUNCATED_NO_ROW, 9, "libx264.so.164", 7);
	expect(&t, &all, TRUNCATED_BAD_FRAME, 3, "[anon]", 3);
	expect(&t, &all, TRUNCATED_TOO_DEEP, 4, "", 4);
	expect(&t, &all, TRUNCATED_LOST, 0, "", 0);
	assert_int_equal(all.places[TRUNCATED_NO_ROW].kind, PROFILE_MAPPING_USER);
	assert_int_equal(all.places[TRUNCATED_BAD_FRAME].kind, PROFILE_MAPPING_ANONYMOUS);
	calltree_release(&t);
	profile_release(&p);
}

/* Whatever comes first: the answer to the same samples is the same. */
static void test_as_many_in_two(void **state)
{
	for (int turn = 0; turn < 2; turn++) {
		const char *frames[] = { "f@/lib/b.so", "f@/lib/a.so" };
		struct truncations all;
		struct calltree t;
		struct profile p;
		uint32_t s;

		test_profile(&p);
		s = test_series(&p, "x", 1, 1);
		test_stack(&p, s, 2, NO_ROW, frames[turn], NULL);
		test_stack(&p, s, 2, NO_ROW, frames[!turn], NULL);
		find(&p, &t, &all);
		expect(&t, &all, TRUNCATED_NO_ROW, 4, "a.so", 2);
		calltree_release(&t);
		profile_release(&p);
	}
}

/* A program may call its functions so: a stand-in is in no file, and it is the outermost. */
static void test_names_that_only_look_so(void **state)
{
	static const char word[] = NO_ROW "@/usr/bin/liar";
	struct truncations all;
	struct calltree t;
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "liar", 1, 1);
	test_stack(&p, s, 2, word, "f@/usr/bin/liar", NULL);
	test_stack(&p, s, 2, "_start@/usr/bin/liar", NO_ROW, NULL);
	test_stack(&p, s, 2, "[truncated: whatever]", "f@/usr/bin/liar", NULL);
	find(&p, &t, &all);
	for (enum truncation why = 0; why < TRUNCATION_COUNT; why++)
		expect(&t, &all, why, 0, "", 0);
	calltree_release(&t);
	profile_release(&p);
}

static int find_again(void *ctx)
{
	struct truncations all;

	return truncations_find(ctx, &all);
}

static void test_torture(void **state)
{
	struct calltree t;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "x", 1, 1), 1, NO_ROW, "f@/lib/a.so", NULL);
	assert_int_equal(calltree_init(&t, &p), 0);
	assert_int_equal(torture(find_again, &t), 2);
	calltree_release(&t);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_they_end),
		cmocka_unit_test(test_as_many_in_two),
		cmocka_unit_test(test_names_that_only_look_so),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
