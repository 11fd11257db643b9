// SPDX-License-Identifier: Apache-2.0
/*
 * One table drives both directions. Numbers only; the event is a number too, since the names of events
 * are static strings of ours.
 */
#include "profiler/agent/facts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/number.h"

static const struct {
	const char *event, *value_type, *value_unit;
} events[] = {
	{ "cpu-clock", "cpu", "nanoseconds" },
	{ "cycles", "cycles", "count" },
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

#define MAX_NS (1ULL << 62)
#define MAX_COUNT (1ULL << 56) /* of a counter: all of them together stay within 64 bits */

/* Fields are uint64_t or uint32_t, by size. */
static const struct field {
	const char *name;
	size_t offset, size;
	uint64_t max;
} fields[] = {
#define AT(member) offsetof(struct facts, member), sizeof(((struct facts *)0)->member)
	{ "time_ns", AT(profile.time_ns), MAX_NS },
	{ "duration_ns", AT(profile.duration_ns), MAX_NS },
	{ "period", AT(profile.period), MAX_NS },
	{ "frequency_hz", AT(profile.frequency_hz), 1000000 },
	{ "cpus_profiled", AT(profile.cpus_profiled), 65536 },
	{ "cpus_online", AT(profile.cpus_online), 65536 },
	{ "machine_ns", AT(profile.machine_ns), MAX_NS },
	{ "busy_ns", AT(profile.busy_ns), MAX_NS },
	{ "steal_ns", AT(profile.steal_ns), MAX_NS },
	{ "own_cpu_ns", AT(profile.own_cpu_ns), MAX_NS },
	{ "own_bpf_ns", AT(profile.own_bpf_ns), MAX_NS },
	{ "own_memory_bytes", AT(profile.own_memory_bytes), MAX_NS },
	{ "own_kernel_bytes", AT(profile.own_kernel_bytes), MAX_NS },
	{ "memory_kernel_bytes", AT(profile.memory_kernel_bytes), MAX_NS },
	{ "memory_budget_bytes", AT(profile.memory_budget_bytes), MAX_NS },
	{ "start_ns", AT(start_ns), MAX_NS },
	{ "end_ns", AT(end_ns), UINT64_MAX },
	{ "lets_go", AT(lets_go), 1 },
#undef AT
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool counter_is_recorded(enum counter id)
{
	return id < (enum counter)BPF_COUNTER_COUNT || id == COUNTER_CPUS_FAILED ||
	       id == COUNTER_SAMPLES_MISSED || id == COUNTER_TICKS_MISSED ||
	       (id >= COUNTER_DEBUG_FILES_MISSING && id <= COUNTER_DEBUG_FILES_UNASKED) ||
	       (id >= COUNTER_LINES_NONE && id <= COUNTER_LINES_LET_GO) ||
	       id == COUNTER_CODE_MAPS_UNASKED ||
	       (id >= COUNTER_LINE_INDEXES_MADE && id <= COUNTER_LINE_INDEXES_UNKEPT) ||
	       id == COUNTER_SYMBOLIZER_FAILED || id == COUNTER_OPENER_FAILED ||
	       (id >= COUNTER_UNWIND_REFUSED && id <= COUNTER_UNWIND_FILES_BAD);
}

void facts_write(const struct facts *f, struct buffer *out)
{
	for (size_t i = 0; i < EVENTS; i++)
		if (f->profile.event && !strcmp(f->profile.event, events[i].event))
			buffer_printf(out, "event %zu\n", i);
	buffer_printf(out, "filtered %d\n", f->profile.filtered);
	for (size_t i = 0; i < FIELDS; i++) {
		const void *at = (const char *)f + fields[i].offset;
		uint64_t value;

		value = fields[i].size == 4 ? *(const uint32_t *)at : *(const uint64_t *)at;
		buffer_printf(out, "%s %" PRIu64 "\n", fields[i].name, value);
	}
	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		if (counter_is_recorded(id))
			buffer_printf(out, "counter.%s %" PRIu64 "\n", counter_name(id),
				      counter_get(&f->counters, id));
}

static bool name_is(const char *name, size_t len, const char *what)
{
	return strlen(what) == len && !memcmp(name, what, len);
}

static int field_set(struct facts *f, const char *name, size_t len, uint64_t value)
{
	static const char prefix[] = "counter.";
	size_t skip = sizeof(prefix) - 1;

	if (name_is(name, len, "event")) {
		if (value >= EVENTS)
			return -EINVAL;
		f->profile.event = events[value].event;
		f->profile.value_type = events[value].value_type;
		f->profile.value_unit = events[value].value_unit;
	}
	if (name_is(name, len, "filtered"))
		f->profile.filtered = value != 0;
	for (size_t i = 0; i < FIELDS; i++) {
		void *at = (char *)f + fields[i].offset;

		if (!name_is(name, len, fields[i].name))
			continue;
		if (value > fields[i].max)
			return -EINVAL;
		if (fields[i].size == 4)
			*(uint32_t *)at = (uint32_t)value;
		else
			*(uint64_t *)at = value;
	}
	for (enum counter id = 0; len > skip && id < COUNTER_COUNT; id++)
		if (!memcmp(name, prefix, skip) && counter_is_recorded(id) &&
		    name_is(name + skip, len - skip, counter_name(id))) {
			if (value > MAX_COUNT)
				return -EINVAL;
			f->counters.value[id] = value;
		}
	return 0;
}

int facts_parse(struct facts *f, const char *text, size_t len, struct err *err)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *space = memchr(text, ' ', (size_t)(end - text));
		uint64_t value;
		int r = -EINVAL;

		if (newline && space && space < newline)
			r = number_parse(space + 1, (size_t)(newline - space - 1), UINT64_MAX,
					 &value);
		if (r == 0)
			r = field_set(f, text, (size_t)(space - text), value);
		if (r < 0)
			return err_set(err, -EINVAL, "the recording's facts are damaged");
		text = newline + 1;
	}
	return 0;
}
