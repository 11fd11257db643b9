// SPDX-License-Identifier: Apache-2.0
/*
 * Which samples share a moment, by a map that is as long as the test says.
 */
#include "profiler/agent/jit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "tests/unit/torture.h"

#define DRAIN_NS (100 * NS_PER_MS)

/* ---- a machine with one process, and its map ---- */

struct bench {
	const char *maps;
	int result;
	uint64_t bytes;
	uint32_t looks;
	struct counters counters;
	struct file_table *files;
	struct process_table *processes;
	struct process_source source;
	struct jit *jit;
	uint64_t now_ns;
};

static int bench_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	const struct bench *b = ctx;

	if (what == PROCESS_TEXT_PIDS)
		buffer_text(out, "100\n");
	else if (what == PROCESS_TEXT_MAPS && pid == 100)
		buffer_text(out, b->maps);
	else if (what == PROCESS_TEXT_STAT)
		buffer_text(out, "100 (x) R 1 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 10 0 0\n");
	else
		return -ENOENT;
	return buffer_error(out);
}

static int bench_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	*ret_fd = -1;
	return 0;
}

static int look(void *ctx, uint32_t owner, const struct process_id *id, uint64_t *ret_bytes)
{
	struct bench *b = ctx;

	(void)owner;
	(void)id;
	b->looks++;
	if (b->result == 0)
		*ret_bytes = b->bytes;
	return b->result;
}

static struct bench *bench_new(const char *maps)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct code_source code = { b, look };

	assert_non_null(b);
	b->maps = maps;
	b->now_ns = 1000 * NS_PER_S;
	b->source = (struct process_source){ .ctx = b, .read = bench_read, .open = bench_open };
	assert_int_equal(file_table_new(&b->files, &b->source, &b->counters, 100, 10), 0);
	assert_int_equal(process_table_new(&b->processes, &b->source, b->files, &b->counters, 100),
			 0);
	assert_int_equal(process_table_scan(b->processes, b->now_ns), 0);
	assert_int_equal(jit_new(&b->jit, b->processes, b->files, &b->counters), 0);
	jit_set_source(b->jit, &code);
	return b;
}

static void bench_free(struct bench *b)
{
	jit_free(b->jit);
	process_table_free(b->processes);
	file_table_free(b->files);
	free(b);
}

static const struct process_id process = { .start_ns = 100 * NS_PER_MS, .pid = 100, .exec_id = 1 };

/* One drain with a sample of `id`. */
static uint32_t drain(struct bench *b, const struct process_id *id)
{
	uint32_t space;

	b->now_ns += DRAIN_NS;
	jit_begin(b->jit, b->now_ns);
	space = jit_space(b->jit, id);
	jit_end(b->jit);
	return space;
}

static void expect_moment(struct bench *b, uint32_t space, uint64_t bytes, uint64_t time_ns)
{
	struct symbol_moment m = jit_moment(b->jit, space);

	if (m.map_bytes != bytes || m.time_ns != time_ns)
		fail_msg("space %u: %llu bytes at %llu, want %llu at %llu", space,
			 (unsigned long long)m.map_bytes, (unsigned long long)m.time_ns,
			 (unsigned long long)bytes, (unsigned long long)time_ns);
}

static void test_moments(void **state)
{
	struct bench *b = bench_new("1000000-1200000 r-xp 00000000 fe:00 77 /usr/bin/node\n");
	uint32_t first, second, third;

	(void)state;
	b->bytes = 500;
	first = drain(b, &process);
	assert_true(jit_is_code(first));
	expect_moment(b, first, 500, b->now_ns);
	assert_int_equal(drain(b, &process), first);
	expect_moment(b, first, 500, b->now_ns);
	b->bytes = 600;
	second = drain(b, &process);
	assert_int_not_equal(second, first);
	expect_moment(b, first, 500, b->now_ns - DRAIN_NS);
	expect_moment(b, second, 600, b->now_ns);
	/* Without a sample there is no moment. */
	b->bytes = 700;
	jit_begin(b->jit, b->now_ns);
	jit_end(b->jit);
	b->bytes = 800;
	third = drain(b, &process);
	assert_int_equal(third, second + 1);
	expect_moment(b, third, 800, b->now_ns);
	assert_int_equal(jit_owner(b->jit, first), jit_owner(b->jit, third));
	assert_true(jit_has_names(b->jit, jit_owner(b->jit, first)));
	assert_int_equal(jit_runtime(b->jit, jit_owner(b->jit, first)), RUNTIME_NODE);
	assert_int_equal(jit_dump(b->jit, jit_owner(b->jit, first)), JIT_NO_FILE);
	jit_give_up(b->jit, jit_owner(b->jit, first));
	assert_false(jit_has_names(b->jit, jit_owner(b->jit, first)));
	bench_free(b);
}

/* Another process, and another image of the same, is another owner. */
static void test_owners(void **state)
{
	struct bench *b = bench_new("");
	struct process_id executed = process, other = process;
	uint32_t owners[3];

	(void)state;
	executed.exec_id++;
	other.pid++;
	owners[0] = jit_owner(b->jit, drain(b, &process));
	owners[1] = jit_owner(b->jit, drain(b, &executed));
	owners[2] = jit_owner(b->jit, drain(b, &other));
	assert_int_not_equal(owners[0], owners[1]);
	assert_int_not_equal(owners[0], owners[2]);
	assert_int_not_equal(owners[1], owners[2]);
	assert_int_equal(jit_owner(b->jit, drain(b, &process)), owners[0]);
	bench_free(b);
}

/* A map that is shorter than it was is another one: nothing is known of what it said before. */
static void test_rewritten(void **state)
{
	struct bench *b = bench_new("");
	uint32_t first, second;

	(void)state;
	b->bytes = 500;
	first = drain(b, &process);
	b->bytes = 100;
	second = drain(b, &process);
	expect_moment(b, first, 100, b->now_ns - DRAIN_NS);
	expect_moment(b, second, 100, b->now_ns);
	bench_free(b);
}

/* One that comes late says all that can be said. */
static void test_late(void **state)
{
	struct bench *b = bench_new("");
	uint32_t space;

	(void)state;
	b->result = -ENOENT;
	space = drain(b, &process);
	assert_false(jit_has_names(b->jit, jit_owner(b->jit, space)));
	expect_moment(b, space, 0, b->now_ns);
	b->result = 0;
	b->bytes = 300;
	/* It is not looked for with each drain; but with the last one. */
	drain(b, &process);
	assert_int_equal(b->looks, 1);
	jit_begin(b->jit, UINT64_MAX);
	assert_int_equal(b->looks, 2);
	assert_true(jit_has_names(b->jit, jit_owner(b->jit, space)));
	expect_moment(b, space, 300, b->now_ns);
	bench_free(b);
}

static void test_patience(void **state)
{
	struct bench *b = bench_new("");

	(void)state;
	b->result = -ENOENT;
	for (int i = 0; i < 600; i++) /* a minute: at 0, 1, and every 2 s then */
		drain(b, &process);
	assert_in_range(b->looks, 29, 31);
	assert_int_equal(counter_get(&b->counters, COUNTER_CODE_MAPS_REFUSED), 0);
	b->result = -EPERM;
	for (int i = 0; i < 1000; i++)
		drain(b, &process);
	assert_int_equal(counter_get(&b->counters, COUNTER_CODE_MAPS_REFUSED), 1);
	b->result = -ESRCH;
	b->looks = 0;
	for (int i = 0; i < 1000; i++)
		drain(b, &process);
	assert_int_equal(b->looks, 1);
	bench_free(b);
}

/* Many that have none take turns: one look a drain. */
static void test_turns(void **state)
{
	struct bench *b = bench_new("");
	uint64_t before;

	(void)state;
	b->result = -ENOENT;
	for (uint32_t i = 0; i < 50; i++) {
		struct process_id id = process;

		id.pid += i;
		drain(b, &id);
	}
	for (int i = 0; i < 100; i++) {
		before = b->looks;
		drain(b, &process);
		assert_in_range(b->looks - before, 0, 1);
	}
	/* Each had its turn, and again after 5 s. */
	before = b->looks;
	for (int i = 0; i < 50; i++)
		drain(b, &process);
	assert_in_range(b->looks - before, 48, 50);
	before = b->looks;
	jit_begin(b->jit, UINT64_MAX);
	assert_int_equal(b->looks - before, 50);
	bench_free(b);
}

/* Who compiles all the time has 16 moments, and then one a second. */
static void test_limit(void **state)
{
	struct bench *b = bench_new("");
	uint32_t first, last = 0;

	(void)state;
	first = drain(b, &process);
	for (int i = 0; i < 600; i++) {
		b->bytes++;
		last = drain(b, &process);
		expect_moment(b, last, b->bytes, b->now_ns);
	}
	if (last - first < 70 || last - first > 80)
		fail_msg("%u moments in a minute", last - first);
	bench_free(b);
}

static void test_dump(void **state)
{
	struct bench *b = bench_new("1000000-1200000 r-xp 00000000 fe:00 77 /usr/bin/node\n"
				    "2000000-2001000 r-xp 00000000 fe:00 78 /tmp/jit-100.dump\n"
				    "3000000-3001000 r-xp 00000000 fe:00 79 /tmp/jit-x.dump\n");
	uint32_t first, owner, second;

	(void)state;
	b->result = -ENOENT;
	first = drain(b, &process);
	owner = jit_owner(b->jit, first);
	assert_true(jit_has_names(b->jit, owner));
	assert_int_not_equal(jit_dump(b->jit, owner), JIT_NO_FILE);
	assert_string_equal(file_table_get(b->files, jit_dump(b->jit, owner))->path,
			    "/tmp/jit-100.dump");
	assert_int_equal(file_table_get(b->files, jit_dump(b->jit, owner))->state, FILE_PINNED);
	/* Its times count, not its length: a moment is a second at most. */
	for (int i = 0; i < 9; i++)
		assert_int_equal(drain(b, &process), first);
	second = drain(b, &process);
	assert_int_equal(second, first + 1);
	bench_free(b);
}

static int torture_drains(void *ctx)
{
	struct bench *b = ctx;
	struct jit *jit;
	const struct code_source code = { b, look };
	struct process_id id = process;
	int r = jit_new(&jit, b->processes, b->files, &b->counters);

	if (r < 0)
		return r;
	jit_set_source(jit, &code);
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t space;

		id.pid = 200 + i;
		jit_begin(jit, b->now_ns);
		space = jit_space(jit, &id);
		assert_true(jit_is_code(space) || space == WINDOW_SPACE_ANONYMOUS);
		if (space == WINDOW_SPACE_ANONYMOUS)
			r = -ENOMEM;
		jit_end(jit);
	}
	jit_free(jit);
	return r;
}

static void test_torture(void **state)
{
	struct bench *b = bench_new("");

	(void)state;
	assert_true(torture(torture_drains, b) > 3);
	assert_true(counter_get(&b->counters, COUNTER_CODE_REFUSED) > 0);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments),   cmocka_unit_test(test_owners),
		cmocka_unit_test(test_rewritten), cmocka_unit_test(test_late),
		cmocka_unit_test(test_patience),  cmocka_unit_test(test_turns),
		cmocka_unit_test(test_limit),     cmocka_unit_test(test_dump),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
