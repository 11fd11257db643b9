// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/stat. The kernel writes it, so this is about lines of kernels to come rather than about enemies:
 * the sum over all CPUs is the sum over each of them, and a text that is refused changes nothing.
 */
#include "profiler/agent/machine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CPUS 24
#define TICKS_PER_S 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct machine_usage untouched = { 1, 2, 3, 4 };
	struct machine_usage all = untouched, sum = { 0 };
	const char *text = (const char *)data;
	uint8_t every[CPUS / 8];
	int r, found = 0;

	memset(every, 0xff, sizeof(every));
	r = machine_usage_parse(text, size, every, CPUS, TICKS_PER_S, &all);
	for (uint32_t i = 0; i < CPUS; i++) {
		uint8_t one[CPUS / 8] = { 0 };
		struct machine_usage m;

		one[i / 8] = (uint8_t)(1U << i % 8);
		if (machine_usage_parse(text, size, one, CPUS, TICKS_PER_S, &m) < 0)
			continue;
		found++;
		sum.busy_ns += m.busy_ns;
		sum.idle_ns += m.idle_ns;
		sum.steal_ns += m.steal_ns;
	}
	assert(r == (found ? 0 : -EINVAL));
	if (!found)
		sum = untouched;
	assert(all.busy_ns == sum.busy_ns && all.idle_ns == sum.idle_ns &&
	       all.steal_ns == sum.steal_ns);
	return 0;
}
