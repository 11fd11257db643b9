// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged perf maps and jitdumps, asked for names in this very process: whatever is in them, the answer is one that the
 * agent believes, and it takes less than a second. Each half of them are asked about together with another that is
 * damaged the same way, as a process may have a map and a dump.
 *
 * MUTANTS, MUTANT_SEED and MUTANT as in symbolizer_mutants.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"
#include "tests/hostile/mutant.h"

#define MUTANTS 20000
#define MAX_NS (NS_PER_S)
#define ADDRESSES 64u

struct request {
	struct symbol_request head;
	uint64_t addresses[ADDRESSES];
	struct symbol_moment moments[ADDRESSES];
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Around the addresses of the corpus, which are small, and anywhere. */
static void request_fill(struct mutants *m, struct request *ret)
{
	ret->head = (struct symbol_request){ SYMBOLS_CODE, ADDRESSES };
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		ret->addresses[i] = mutants_random(m, UINT64_MAX) >> mutants_random(m, 64);
		if (mutants_random(m, 4))
			ret->addresses[i] = mutants_random(m, 0x4000);
		ret->moments[i] =
			(struct symbol_moment){ mutants_random(m, 4096), mutants_random(m, 4096) };
	}
	qsort(ret->addresses, ADDRESSES, sizeof(ret->addresses[0]), compare);
}

static uint64_t ask(struct mutants *m, int fd, uint32_t *statuses, uint32_t *names)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct request request;
	struct err err = { 0 };
	struct symbols s;
	uint64_t took;
	int r;

	request_fill(m, &request);
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	r = request_answer(&request, sizeof(request), (const int[]){ fd, fd },
			   1 + (uint32_t)mutants_random(m, 2), &reply);
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - took;
	if (r < 0)
		fail_msg("%s: no answer: %s", mutants_story(m), strerror(-r));
	if (symbols_check(reply.data, reply.len, ADDRESSES, &s, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	if (took > MAX_NS)
		fail_msg("%s: took %.3f s", mutants_story(m), (double)took / NS_PER_S);
	statuses[s.reply->status]++;
	*names += s.reply->function_count;
	buffer_release(&reply);
	return took;
}

static void test_mutants(void **state)
{
	struct mutants *m = mutants_bare(mutants_setting("MUTANT_SEED", 0));
	uint64_t first = mutants_setting("MUTANT", 0),
		 count = first ? 1 : mutants_setting("MUTANTS", MUTANTS), worst = 0;
	uint32_t statuses[SYMBOLS_STATUS_COUNT] = { 0 }, names = 0;

	(void)state;
	mutants_add_folder(m, "tests/fuzz/corpus/symbolizer_code");
	printf("# MUTANT_SEED=%llu\n", (unsigned long long)mutants_seed(m));
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t took = ask(m, mutants_make(m, i), statuses, &names);

		worst = took > worst ? took : worst;
	}
	printf("# of %llu: %u good, %u damaged, %u too much, %u names; at worst %.1f ms\n",
	       (unsigned long long)count, statuses[SYMBOLS_OK], statuses[SYMBOLS_DAMAGED],
	       statuses[SYMBOLS_LIMIT], names, (double)worst / NS_PER_MS);
	if (count >= MUTANTS) {
		assert_true(statuses[SYMBOLS_OK] > count / 20);
		assert_true(statuses[SYMBOLS_DAMAGED] > count / 20);
		assert_true(names > count / 20);
	}
	mutants_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(test_mutants, mutants_tell) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
