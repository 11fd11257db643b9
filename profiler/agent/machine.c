// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/stat (Documentation/filesystems/proc.rst, 1.7).
 * Refused: the "cpu" line that sums all CPUs, since a profile may cover some of them only.
 */
#include "profiler/agent/machine.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"

enum {
	FIELD_USER,
	FIELD_NICE,
	FIELD_SYSTEM,
	FIELD_IDLE,
	FIELD_IOWAIT,
	FIELD_IRQ,
	FIELD_SOFTIRQ,
	FIELD_STEAL,
	FIELD_COUNT
};

#define CPUS_HASH_FACTOR 0x100000001b3ULL /* FNV's prime */

/* The next word of a line that ends at `end`; an empty one at the end. */
static const char *word_next(const char **at, const char *end, size_t *ret_len)
{
	const char *start = *at;

	while (start < end && *start == ' ')
		start++;
	*at = start;
	while (*at < end && **at != ' ')
		(*at)++;
	*ret_len = (size_t)(*at - start);
	return start;
}

/* "cpu3 1 2 3 …" → 3 and its fields. */
static bool cpu_line_parse(const char *line, const char *end, uint32_t ncpus, uint64_t *ret_cpu,
			   uint64_t fields[FIELD_COUNT])
{
	size_t len;
	const char *word = word_next(&line, end, &len);

	if (len < 4 || memcmp(word, "cpu", 3) != 0 ||
	    number_parse(word + 3, len - 3, UINT32_MAX, ret_cpu) < 0 || *ret_cpu >= ncpus)
		return false;
	for (int i = 0; i < FIELD_COUNT; i++) {
		word = word_next(&line, end, &len);
		if (number_parse(word, len, UINT64_MAX, &fields[i]) < 0)
			return false;
	}
	return true;
}

int machine_usage_parse(const char *text, size_t len, const uint8_t *cpus, uint32_t ncpus,
			uint64_t ticks_per_s, struct machine_usage *ret)
{
	const char *end = text + len;
	struct machine_usage sum = { 0 };
	uint64_t tick_ns = NS_PER_S / ticks_per_s;
	bool found = false;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		uint64_t cpu, f[FIELD_COUNT];

		if (cpu_line_parse(text, line_end, ncpus, &cpu, f) &&
		    (cpus[cpu / 8] >> (cpu % 8) & 1)) {
			found = true;
			sum.busy_ns += tick_ns * (f[FIELD_USER] + f[FIELD_NICE] + f[FIELD_SYSTEM] +
						  f[FIELD_IRQ] + f[FIELD_SOFTIRQ]);
			sum.idle_ns += (f[FIELD_IDLE] + f[FIELD_IOWAIT]) * tick_ns;
			sum.steal_ns += f[FIELD_STEAL] * tick_ns;
			sum.cpus = (sum.cpus ^ (cpu + 1)) * CPUS_HASH_FACTOR;
		}
		text = newline ? newline + 1 : end;
	}
	if (!found)
		return -EINVAL;
	*ret = sum;
	return 0;
}

int machine_usage_read(int fd, const uint8_t *cpus, uint32_t ncpus, struct machine_usage *ret)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(16 << 20);
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : buffer_read_fd(&text, fd);

	if (r < 0)
		return r;
	return machine_usage_parse(text.data, text.len, cpus, ncpus, (uint64_t)sysconf(_SC_CLK_TCK),
				   ret);
}

bool machine_usage_since(const struct machine_usage *start, const struct machine_usage *end,
			 struct machine_usage *ret)
{
	if (!start->cpus || start->cpus != end->cpus)
		return false;
	*ret = (struct machine_usage){
		.busy_ns = end->busy_ns - start->busy_ns,
		/* The kernel's own account of waiting for I/O may go back. */
		.idle_ns = end->idle_ns > start->idle_ns ? end->idle_ns - start->idle_ns : 0,
		.steal_ns = end->steal_ns - start->steal_ns,
		.cpus = end->cpus,
	};
	return true;
}
