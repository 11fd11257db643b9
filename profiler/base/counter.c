// SPDX-License-Identifier: Apache-2.0
/* The one list, unrolled. The kernel's part keeps its numbers: no table translates them. */
#include "profiler/base/counter.h"

#include <assert.h>

/* Kernel counters come first, so that a BPF counter's number is its number here too. */
#define X(id, name, help) \
	_Static_assert((int)COUNTER_##id == (int)BPF_COUNTER_##id, "counter lists disagree");
BPF_COUNTERS(X)
#undef X

/* So do those of truncated stacks with theirs. */
#define X(id, name, help)                                                       \
	_Static_assert((int)COUNTER_##id == (int)COUNTER_TRUNCATED_NO_ROW + id, \
		       "counters of truncated stacks in another order");
TRUNCATIONS(X, )
#undef X

static const struct {
	const char *name;
	const char *help;
} table[COUNTER_COUNT] = {
#define X(id, name, help) { name, help },
	COUNTERS(X)
#undef X
};

const char *counter_name(enum counter id)
{
	assert(id < COUNTER_COUNT);
	return table[id].name;
}

const char *counter_help(enum counter id)
{
	assert(id < COUNTER_COUNT);
	return table[id].help;
}

uint64_t counters_lost(const struct counters *c)
{
	static const enum counter lost[] = {
		COUNTER_SAMPLES_LOST_RING,     COUNTER_SAMPLES_LOST_CPU,
		COUNTER_SAMPLES_LOST_SCRATCH,  COUNTER_SAMPLES_MISSED,
		COUNTER_SAMPLES_MALFORMED,     COUNTER_SAMPLES_DROPPED_MEMORY,
		COUNTER_SAMPLES_DROPPED_STORE,
	};
	uint64_t sum = 0;

	for (unsigned int i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		sum += c->value[lost[i]];
	return sum;
}
