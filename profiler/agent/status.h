/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent that goes on tells of itself once a second: its counters so far, and how full whatever it fills is. One list, from
 * which /metrics is made. As bytes it goes from process to process: both are of one build.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <stdint.h>

#include "profiler/base/counter.h"

/*
 * X(identifier, "metric_name", "one clause for people"). What is true now; a gauge that is another's limit has its name
 * and "_limit".
 */
#define AGENT_GAUGES(X)                                                                         \
	X(PROCESSES, "processes", "processes known, those that ended lately included")          \
	X(PROCESSES_LIMIT, "processes_limit", "processes that there is room for")               \
	X(FILES, "files", "binaries known")                                                     \
	X(FILES_LIMIT, "files_limit", "binaries that there is room for")                        \
	X(PINS, "file_pins", "binaries held open")                                              \
	X(PINS_LIMIT, "file_pins_limit", "binaries held open at most")                          \
	X(CGROUPS, "cgroups", "control groups known")                                           \
	X(WINDOW_BYTES, "epoch_bytes", "memory of the epoch's stacks, as they are counted")     \
	X(WINDOW_BYTES_LIMIT, "epoch_bytes_limit",                                              \
	  "memory that the epoch's stacks may take; a new epoch begins before")                 \
	X(NAME_BYTES, "epoch_name_bytes", "memory of the epoch's names")                        \
	X(NAME_BYTES_LIMIT, "epoch_name_bytes_limit", "memory that the epoch's names may take") \
	X(SERIES, "epoch_series", "series of the epoch")                                        \
	X(LOCATIONS, "epoch_locations", "locations of the epoch")                               \
	X(NODES, "epoch_stack_nodes", "nodes of the epoch's tree of stacks")                    \
	X(WINDOWS_PENDING, "windows_pending",                                                   \
	  "windows that the storekeeper has not yet committed")                                 \
	X(KERNEL_BYTES, "kernel_bytes", "memory of BPF maps and rings")                         \
	X(CPUS_PROFILED, "cpus_profiled", "CPUs that are sampled")                              \
	X(CPUS_ONLINE, "cpus_online", "CPUs that are online")

enum agent_gauge {
#define X(id, name, help) AGENT_GAUGE_##id,
	AGENT_GAUGES(X)
#undef X
		AGENT_GAUGE_COUNT
};

/* Static strings; `id` < AGENT_GAUGE_COUNT. */
const char *agent_gauge_name(enum agent_gauge id);
const char *agent_gauge_help(enum agent_gauge id);

struct agent_status {
	uint64_t start_ns; /* CLOCK_REALTIME when sampling began */
	uint64_t time_ns; /* CLOCK_REALTIME of this */
	uint64_t windows; /* that were cut */
	uint64_t windows_committed; /* of them */
	uint64_t windows_failed; /* of them, that could not be made, for want of memory */
	uint64_t epochs; /* that were begun */
	uint64_t epochs_early; /* of them, since the one before was nearly full */
	uint64_t last_end_ns; /* CLOCK_REALTIME of the last window's end */
	uint64_t cut_ns, cut_most_ns; /* what the last cut took, and the longest one */
	uint64_t own_cpu_ns; /* of all our processes, from SAMPLING on, to the last window */
	uint64_t own_memory_bytes; /* PSS of all our processes, when it was last asked for */
	uint64_t gauges[AGENT_GAUGE_COUNT];
	struct counters
		counters; /* from SAMPLING on; samples that came and are in no window yet included */
};

#endif
