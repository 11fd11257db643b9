// SPDX-License-Identifier: Apache-2.0
/*
 * The maps of unwind tables as user space sees them. What the kernel makes of their content is in
 * agent_unwind_live.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/collect/session.h"

#define NEEDS_ROOT()                                            \
	do {                                                    \
		if (geteuid() != 0) {                           \
			print_message("needs root: skipped\n"); \
			skip();                                 \
		}                                               \
	} while (0)

/* No process has it: above the largest pid that the kernel gives. */
#define NOBODY (5u << 20)

static struct session *session;
static struct tables *t;

static int begin(void **state)
{
	const struct session_config config = { .frequency_hz = 99, .cgroup_controller = "" };
	struct err err = { "" };
	int r;

	if (geteuid() != 0)
		return 0;
	r = session_new(&session, &config, &err);
	if (r < 0)
		print_error("session_new: %d: %s\n", r, err.text);
	else
		t = session_tables(session);
	return r;
}

static int end(void **state)
{
	session_free(session);
	session = NULL;
	return 0;
}

static void test_chunks(void **state)
{
	uint64_t before, chunk;
	uint32_t *words;

	NEEDS_ROOT();
	before = session_memory_bytes(session);
	assert_int_equal(tables_bytes(t), 0);
	assert_null(tables_map_chunk(t, UNWIND_MAX_CHUNKS));
	assert_null(tables_map_chunk(t, UINT32_MAX));
	assert_int_equal(tables_bytes(t), 0);

	words = tables_map_chunk(t, 3);
	assert_non_null(words);
	assert_ptr_equal(tables_map_chunk(t, 3), words);
	chunk = tables_bytes(t);
	assert_in_range(chunk, UNWIND_CHUNK_BYTES, UNWIND_CHUNK_BYTES * 11 / 10);
	assert_in_range(session_memory_bytes(session) - before, UNWIND_CHUNK_BYTES,
			UNWIND_CHUNK_BYTES * 11 / 10);
	for (uint32_t i = 0; i < UNWIND_CHUNK_WORDS; i++)
		assert_int_equal(words[i], 0);
	words[0] = 1;
	words[UNWIND_CHUNK_WORDS - 1] = 2;

	/* What is in it stays when it isn't mapped. */
	tables_release_chunk(t, 3);
	tables_release_chunk(t, 3);
	tables_release_chunk(t, 4);
	tables_release_chunk(t, UINT32_MAX);
	assert_int_equal(tables_bytes(t), chunk);
	words = tables_map_chunk(t, 3);
	assert_non_null(words);
	assert_int_equal(words[0], 1);
	assert_int_equal(words[UNWIND_CHUNK_WORDS - 1], 2);

	words = tables_map_chunk(t, UNWIND_MAX_CHUNKS - 1);
	assert_non_null(words);
	assert_int_equal(words[0], 0);
	assert_int_equal(tables_bytes(t), 2 * chunk);
}

static void test_rules_and_exes(void **state)
{
	NEEDS_ROOT();
	assert_int_equal(tables_rules(t)[UNWIND_RULE_NONE].kind, UNWIND_NONE);
	tables_rules(t)[UNWIND_MAX_RULES - 1].kind = UNWIND_STOP;
	assert_int_equal(tables_rules(t)[UNWIND_MAX_RULES - 1].kind, UNWIND_STOP);
	assert_int_equal(tables_exes(t)[0].index, 0);
	tables_exes(t)[UNWIND_MAX_EXES - 1].pages = 7;
	assert_int_equal(tables_exes(t)[UNWIND_MAX_EXES - 1].pages, 7);
}

static void test_processes(void **state)
{
	const struct unwind_process p = { 1, 2, 3, 4, 5, 6, 7, 0 },
				    q = { 8, 9, 10, 11, 12, 13, 14, 0 };
	struct unwind_process got = { 0 };

	NEEDS_ROOT();
	assert_int_equal(tables_get_process(t, NOBODY, &got), -ENOENT);
	assert_int_equal(tables_remove_process(t, NOBODY), -ENOENT);
	assert_int_equal(tables_set_process(t, NOBODY, &p), 0);
	assert_int_equal(tables_get_process(t, NOBODY, &got), 0);
	assert_memory_equal(&got, &p, sizeof(p));
	assert_int_equal(tables_set_process(t, NOBODY, &q), 0);
	assert_int_equal(tables_get_process(t, NOBODY, &got), 0);
	assert_memory_equal(&got, &q, sizeof(q));
	assert_int_equal(tables_remove_process(t, NOBODY), 0);
	assert_int_equal(tables_get_process(t, NOBODY, &got), -ENOENT);
}

static uint64_t processes_full(void)
{
	struct counters counters = { 0 };

	session_counters(session, &counters);
	return counter_get(&counters, COUNTER_PROCESSES_FULL);
}

static void exec_true(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	waitpid(pid, NULL, 0);
}

/* When there is no room for a process, both sides say so; and when there is again, it is used. */
static void test_full(void **state)
{
	const struct unwind_process p = { 1, 2, 3, 4, 5, 6, 7, 0 };
	uint32_t count = 0;
	int r = 0;

	NEEDS_ROOT();
	exec_true();
	assert_int_equal(processes_full(), 0);
	while (count <= UNWIND_MAX_PROCESSES && r == 0) {
		r = tables_set_process(t, NOBODY + count, &p);
		count += r == 0;
	}
	assert_int_equal(r, -E2BIG);
	assert_in_range(count, 1000, UNWIND_MAX_PROCESSES);
	exec_true();
	assert_true(processes_full() > 0);
	while (count--)
		assert_int_equal(tables_remove_process(t, NOBODY + count), 0);
	assert_int_equal(tables_set_process(t, NOBODY, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_chunks, begin, end),
		cmocka_unit_test_setup_teardown(test_rules_and_exes, begin, end),
		cmocka_unit_test_setup_teardown(test_processes, begin, end),
		cmocka_unit_test_setup_teardown(test_full, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
