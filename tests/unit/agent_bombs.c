// SPDX-License-Identifier: Apache-2.0
/*
 * The worst DWARF that we could think of: small files that want all memory and all time. Each is asked about in the real
 * sandbox, with the memory that a profile's symbolizer has and with what `slowburn symbolize` gives it. Whatever
 * is in it there is an answer, which says that the file is damaged or too large; the process lives, took no more memory than
 * it has been given, and no longer than whoever asks would wait.
 *
 * BOMB_MIB=N: what a section becomes when it is decompressed (`make hostile`: 384).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/agent/symbols.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/role/child.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/starter.h"
#include "symbolizer/protocol.h"
#include "tests/hostile/bomb.h"
#include "tests/unit/symbolizer_sections.h"

#define BOMB_MIB 48u
#define PROFILE_BYTES (64ull << 20) /* of a profile's symbolizer, at most */
#define SYMBOLIZE_BYTES (1ull << 30) /* the role's RLIMIT_DATA */
#define LIBRARY_BYTES (48ull << 20) /* pages of libraries and of the program */
#define MAX_NS (15 * NS_PER_S) /* who asks waits for 30 */

/* ---- the symbolizer ---- */

static int role_main(void)
{
	struct err err;

	if (child_enter() < 0 || sandbox_enter(role_find(SYMBOLS_ROLE), &err) < 0)
		return 1;
	return symbolizer_serve(ROLE_CHILD_SOCKET);
}

struct started_here {
	struct child child;
	uint64_t bytes;
	uint32_t starts;
};

static int start(void *ctx, const char *role, struct started *ret, struct err *err)
{
	struct started_here *s = ctx;
	int r;

	child_stop(&s->child, NULL);
	r = child_start_limited(&s->child, role, s->bytes, err);
	if (r < 0)
		return r;
	s->starts++;
	*ret = (struct started){ .socket = s->child.socket, .pid = s->child.pid };
	s->child.socket = -1;
	return 0;
}

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

/* Too large, or damaged: never just an answer. */
static bool says_so(const struct lines_reply *r)
{
	return r->status == SYMBOLS_LIMIT || r->units_damaged || (r->flags & LINES_DAMAGED);
}

static void explode(const char *name, int fd, uint64_t bytes, bool honest)
{
	struct started_here here = { .child.socket = -1, .bytes = bytes };
	const struct starter starter = { .ctx = &here, .start = start };
	const uint64_t addresses[] = { SECTIONS_CODE, SECTIONS_CODE + 16 };
	struct counters counters = { 0 };
	struct symbols_client *client;
	struct lines_answers a;
	struct err err = { 0 };
	uint64_t took, peak;

	if (symbols_client_new(&client, &starter, &counters, &err) < 0)
		fail_msg("%s", err.text);
	took = clock_ns(CLOCK_MONOTONIC);
	if (symbols_client_lines(client, &fd, 1, addresses, 2, ROLE_SANITIZED ? 8 * MAX_NS : MAX_NS,
				 &a, &err) < 0)
		fail_msg("%s, %llu MiB: %s", name, (unsigned long long)bytes >> 20, err.text);
	took = clock_ns(CLOCK_MONOTONIC) - took;
	peak = peak_bytes(here.child.pid);
	printf("# %-22s of %4llu MiB: status %u, flags %#x, %u of %u units damaged; %4llu MiB, %.3f s\n",
	       name, (unsigned long long)bytes >> 20, a.reply->status, a.reply->flags,
	       a.reply->units_damaged, a.reply->units, (unsigned long long)(peak >> 20),
	       (double)took / NS_PER_S);
	assert_true(honest || says_so(a.reply));
	assert_int_equal(here.starts, 1);
	assert_int_equal(counter_get(&counters, COUNTER_SYMBOLIZER_FAILED), 0);
	assert_true(ROLE_SANITIZED || peak <= bytes + LIBRARY_BYTES);
	symbols_client_free(client);
	child_stop(&here.child, NULL);
}

static uint64_t section_bytes(void)
{
	const char *text = getenv("BOMB_MIB");
	uint64_t mib = BOMB_MIB;

	if (text && number_parse(text, strlen(text), 1024, &mib) < 0)
		fail_msg("BOMB_MIB is \"%s\", no number up to 1024", text);
	return mib << 20;
}

static void test_bombs(void **state)
{
	(void)state;
	for (size_t i = 0; i < bomb_count; i++) {
		int fd = bomb_make(&bombs[i], section_bytes());

		explode(bombs[i].name, fd, PROFILE_BYTES, bombs[i].honest);
		explode(bombs[i].name, fd, SYMBOLIZE_BYTES, bombs[i].honest);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bombs) };

	if (argc > 1)
		return strcmp(argv[1], SYMBOLS_ROLE) == 0 ? role_main() : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
