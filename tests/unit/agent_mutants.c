// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged ELF files, asked for names and lines of the real symbolizer in its real sandbox: one process outlives them all,
 * none takes it more than two seconds, and its memory stays small. The symbolizer is this test itself, run with the role
 * as argv[1].
 *
 * MUTANTS, MUTANT_SEED and MUTANT as in symbolizer_mutants.c.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/agent/symbols.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/role/child.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/starter.h"
#include "symbolizer/protocol.h"
#include "tests/hostile/mutant.h"

#define MUTANTS 1000
#define MAX_NS (2 * NS_PER_S)
#define MAX_RESIDENT_BYTES (48u << 20) /* pages of libraries and of the program included */
#define MAX_OFFSETS 4096u

static int role_main(void)
{
	struct err err;

	if (child_enter() < 0 || sandbox_enter(role_find(SYMBOLS_ROLE), &err) < 0)
		return 1;
	return symbolizer_serve(ROLE_CHILD_SOCKET);
}

/* Starts are counted: there must be one. */
struct started_here {
	struct child child;
	uint32_t starts;
};

static int start(void *ctx, const char *role, struct started *ret, struct err *err)
{
	struct started_here *s = ctx;
	int r;

	child_stop(&s->child, NULL);
	r = child_start(&s->child, role, err);
	if (r < 0)
		return r;
	s->starts++;
	/* The socket is the client's now. */
	*ret = (struct started){ .socket = s->child.socket, .pid = s->child.pid };
	s->child.socket = -1;
	return 0;
}

/* The most memory that the process has had at once. */
static uint64_t peak_bytes(int pid)
{
	unsigned long long kb = 0;
	char path[64], line[256];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmHWM:", 6))
			kb = strtoull(line + 6, NULL, 10);
	fclose(status);
	assert_true(kb > 0);
	return kb << 10;
}

/* The time that it took, in ns. */
static uint64_t ask(struct mutants *m, struct symbols_client *client, int fd)
{
	static uint64_t offsets[MAX_OFFSETS];
	uint32_t count = (uint32_t)mutants_random(m, mutants_random(m, 32) ? 65 : MAX_OFFSETS);
	struct err err = { 0 };
	struct symbols s;
	struct debug_reply debug;
	struct lines_answers lines;
	const void *bytes;
	uint64_t begin;
	uint32_t len;

	mutants_offsets(m, offsets, count);
	begin = clock_ns(CLOCK_MONOTONIC);
	if (symbols_client_debug(client, DEBUG_OF_SEPARATE, (const int[]){ fd, fd }, 2, &debug,
				 &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	if (symbols_client_ask(client, SYMBOLS_ELF, (const int[]){ fd, fd }, 2, offsets, count, &s,
			       &bytes, &len, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	if (symbols_client_lines(client, &fd, 1, offsets, count, MAX_NS, &lines, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	return clock_ns(CLOCK_MONOTONIC) - begin;
}

static void test_mutants(void **state)
{
	struct mutants *m = mutants_new(mutants_setting("MUTANT_SEED", 0));
	uint64_t first = mutants_setting("MUTANT", 0);
	uint64_t count = first ? 1 : mutants_setting("MUTANTS", MUTANTS), worst = 0, peak;
	struct started_here here = { .child.socket = -1 };
	const struct starter starter = { .ctx = &here, .start = start };
	struct counters counters = { 0 };
	struct symbols_client *client;
	char worst_story[2048] = "", folder[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	mutants_add_folder(m, mutants_built_corpus("symbolizer_dwarf", folder, sizeof(folder)));
	printf("# MUTANT_SEED=%llu\n", (unsigned long long)mutants_seed(m));
	if (symbols_client_new(&client, &starter, &counters, &err) < 0)
		fail_msg("%s", err.text);
	symbols_client_set_deadline(client, MAX_NS);
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t took = ask(m, client, mutants_make(m, i));

		if (took <= worst)
			continue;
		worst = took;
		snprintf(worst_story, sizeof(worst_story), "%s", mutants_story(m));
	}
	peak = peak_bytes(here.child.pid);
	printf("# %llu: at worst %.1f ms; its memory %llu MiB at most\n# %s\n",
	       (unsigned long long)count, (double)worst / NS_PER_MS,
	       (unsigned long long)(peak >> 20), worst_story);
	assert_int_equal(here.starts, 1);
	assert_int_equal(counter_get(&counters, COUNTER_SYMBOLIZER_FAILED), 0);
	assert_true(ROLE_SANITIZED || peak <= MAX_RESIDENT_BYTES);
	symbols_client_free(client);
	child_stop(&here.child, NULL);
	mutants_free(m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(test_mutants, mutants_tell) };

	if (argc > 1)
		return strcmp(argv[1], SYMBOLS_ROLE) == 0 ? role_main() : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
