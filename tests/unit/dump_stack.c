// SPDX-License-Identifier: Apache-2.0
#include "profiler/dump/stack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void keep(struct stacks *s, const char *ips, enum dump_end end, uint64_t sp,
		 struct stack *ret)
{
	struct walk *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->end = end;
	for (; ips[w->count]; w->count++)
		w->frames[w->count] =
			(struct dump_frame){ .ip = (uint64_t)ips[w->count], .sp = sp + w->count };
	assert_int_equal(stacks_keep(s, w, ret), 0);
	free(w);
}

static void compares(void **state)
{
	static const struct {
		const char *a, *b; /* a letter a frame */
		enum dump_end a_end, b_end;
		enum agreement agreement;
		uint32_t differ, first;
	} rows[] = {
		{ "abc", "abc", DUMP_END_BOTTOM, DUMP_END_BOTTOM, AGREEMENT_SAME, 0, UINT32_MAX },
		{ "", "", DUMP_END_BOTTOM, DUMP_END_BOTTOM, AGREEMENT_SAME, 0, UINT32_MAX },
		{ "abc", "axc", DUMP_END_BOTTOM, DUMP_END_BOTTOM, AGREEMENT_DIFFERS, 1, 1 },
		{ "abc", "xyz", DUMP_END_BOTTOM, DUMP_END_BOTTOM, AGREEMENT_DIFFERS, 3, 0 },
		/* who says that the stack is whole while the other goes on differs */
		{ "abc", "ab", DUMP_END_BOTTOM, DUMP_END_BOTTOM, AGREEMENT_DIFFERS, 1, 2 },
		{ "a", "abc", DUMP_END_BOTTOM, DUMP_END_NO_INFO, AGREEMENT_DIFFERS, 2, 1 },
		/* who says that he can't go on doesn't */
		{ "abc", "ab", DUMP_END_BOTTOM, DUMP_END_NO_INFO, AGREEMENT_UNFINISHED, 0,
		  UINT32_MAX },
		{ "a", "abc", DUMP_END_BAD_READ, DUMP_END_BOTTOM, AGREEMENT_UNFINISHED, 0,
		  UINT32_MAX },
		{ "abc", "abc", DUMP_END_NO_INFO, DUMP_END_NO_INFO, AGREEMENT_UNFINISHED, 0,
		  UINT32_MAX },
		{ "abc", "abc", DUMP_END_BOTTOM, DUMP_END_LOST, AGREEMENT_UNFINISHED, 0,
		  UINT32_MAX },
		{ "", "ab", DUMP_END_FAILED, DUMP_END_BOTTOM, AGREEMENT_UNFINISHED, 0, UINT32_MAX },
		/* but not where both are, and not the same */
		{ "axc", "ab", DUMP_END_BOTTOM, DUMP_END_NO_INFO, AGREEMENT_DIFFERS, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stacks s = { 0 };
		struct stack a, b;
		struct comparison c;

		keep(&s, rows[i].a, rows[i].a_end, 0x1000, &a);
		keep(&s, rows[i].b, rows[i].b_end, 0x1000, &b);
		c = stacks_compare(&s, &a, &b);
		if (c.agreement != rows[i].agreement || c.differ != rows[i].differ ||
		    c.first != rows[i].first)
			fail_msg(
				"\"%s\" and \"%s\": %d, %u from %u on; should be %d, %u from %u on",
				rows[i].a, rows[i].b, c.agreement, c.differ, c.first,
				rows[i].agreement, rows[i].differ, rows[i].first);
		stacks_release(&s);
	}
}

/* The same function at another depth of a recursion is another frame. */
static void the_stack_pointer_counts(void **state)
{
	struct stacks s = { 0 };
	struct stack a, b;

	(void)state;
	keep(&s, "aaa", DUMP_END_BOTTOM, 0x1000, &a);
	keep(&s, "aaa", DUMP_END_BOTTOM, 0x1008, &b);
	assert_int_equal(stacks_compare(&s, &a, &b).differ, 3);
	stacks_release(&s);
}

static void room(void **state)
{
	struct walk *deepest = calloc(1, sizeof(*deepest));
	struct stacks s = { 0 };
	uint32_t threads = 0;

	(void)state;
	assert_non_null(deepest);
	deepest->count = DUMP_MAX_FRAMES;
	while (stacks_have_room(&s)) {
		struct thread_stacks *t = stacks_add(&s);

		assert_non_null(t);
		assert_int_equal(stacks_keep(&s, deepest, &t->theirs), 0);
		assert_int_equal(stacks_keep(&s, deepest, &t->ours), 0);
		threads++;
	}
	assert_int_equal(threads, STACKS_MAX_FRAMES / (2 * DUMP_MAX_FRAMES));
	stacks_clear(&s);
	for (threads = 0; stacks_have_room(&s); threads++)
		assert_non_null(stacks_add(&s));
	assert_int_equal(threads, STACKS_MAX_THREADS);
	assert_null(stacks_add(&s));
	stacks_release(&s);
	free(deepest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(the_stack_pointer_counts),
		cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
