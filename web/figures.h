/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor tells the web process of all of slowburn once a second, beside the counters: one list, from which
 * /metrics and /api/v1/status are made. A figure that isn't known is WEB_UNKNOWN, and shown nowhere.
 *
 * X(identifier, "metric", "labels", kind, unit, "help"): the metric's name without slowburn_; those of one name stand together and
 * have one help.
 */
#ifndef WEB_FIGURES_H
#define WEB_FIGURES_H

#include <stdint.h>

#include "profiler/base/counter.h"

#define WEB_UNKNOWN UINT64_MAX

enum web_kind { WEB_COUNTER, WEB_GAUGE };
enum web_unit { WEB_ONE, WEB_NANOSECONDS }; /* which people see as seconds */

#define WEB_HELP_RESTARTS "times that a process died or was replaced, and was started again"
#define WEB_HELP_UP "is the process running?"
#define WEB_HELP_ITEMS "entries of the agent's tables"
#define WEB_HELP_ITEMS_MAX "the most entries that a table takes"
#define WEB_HELP_STORE "bytes of the store's files, by level"
#define WEB_HELP_OLDEST "beginning of the oldest window of a level, seconds since 1970"

#define WEB_FIGURES(X)                                                                             \
	X(START, "start_time_seconds", "", WEB_GAUGE, WEB_NANOSECONDS,                             \
	  "when serve was started, seconds since 1970")                                            \
	X(AGENT_UP, "process_up", "process=\"agent\"", WEB_GAUGE, WEB_ONE, WEB_HELP_UP)            \
	X(KEEPER_UP, "process_up", "process=\"storekeeper\"", WEB_GAUGE, WEB_ONE, WEB_HELP_UP)     \
	X(AGENT_RESTARTS, "process_restarts_total", "process=\"agent\"", WEB_COUNTER, WEB_ONE,     \
	  WEB_HELP_RESTARTS)                                                                       \
	X(KEEPER_RESTARTS, "process_restarts_total", "process=\"storekeeper\"", WEB_COUNTER,       \
	  WEB_ONE, WEB_HELP_RESTARTS)                                                              \
	X(WEB_RESTARTS, "process_restarts_total", "process=\"web\"", WEB_COUNTER, WEB_ONE,         \
	  WEB_HELP_RESTARTS)                                                                       \
	X(SERVED_RESTARTS, "process_restarts_total", "process=\"opener, fetcher, symbolizer\"",    \
	  WEB_COUNTER, WEB_ONE, WEB_HELP_RESTARTS)                                                 \
	X(READERS_STARTED, "readers_started_total", "", WEB_COUNTER, WEB_ONE,                      \
	  "readers started, one for each question")                                                \
	X(READERS_KILLED, "readers_killed_total", "", WEB_COUNTER, WEB_ONE,                        \
	  "readers that took too long and were killed")                                            \
	X(CPU, "cpu_seconds_total", "", WEB_COUNTER, WEB_NANOSECONDS,                              \
	  "CPU time of all processes of slowburn")                                                 \
	X(BPF_CPU, "bpf_cpu_seconds_total", "", WEB_COUNTER, WEB_NANOSECONDS,                      \
	  "CPU time within slowburn's BPF programs")                                               \
	X(MEMORY, "memory_bytes", "", WEB_GAUGE, WEB_ONE,                                          \
	  "memory of all processes of slowburn, proportional set size")                            \
	X(KERNEL_MEMORY, "kernel_memory_bytes", "", WEB_GAUGE, WEB_ONE,                            \
	  "memory of slowburn's BPF maps and rings")                                               \
	X(MEMORY_MAX, "memory_limit_bytes", "", WEB_GAUGE, WEB_ONE, "what --memory allows in all") \
	X(CPUS, "cpus", "", WEB_GAUGE, WEB_ONE, "CPUs that are sampled")                           \
	X(FREQUENCY, "sampling_frequency_hertz", "", WEB_GAUGE, WEB_ONE,                           \
	  "samples a second and busy CPU")                                                         \
	X(PROCESSES, "table_entries", "table=\"processes\"", WEB_GAUGE, WEB_ONE, WEB_HELP_ITEMS)   \
	X(FILES, "table_entries", "table=\"files\"", WEB_GAUGE, WEB_ONE, WEB_HELP_ITEMS)           \
	X(PINS, "table_entries", "table=\"pins\"", WEB_GAUGE, WEB_ONE, WEB_HELP_ITEMS)             \
	X(STACKS, "table_entries", "table=\"stacks\"", WEB_GAUGE, WEB_ONE, WEB_HELP_ITEMS)         \
	X(LOCATIONS, "table_entries", "table=\"locations\"", WEB_GAUGE, WEB_ONE, WEB_HELP_ITEMS)   \
	X(PROCESSES_MAX, "table_entries_limit", "table=\"processes\"", WEB_GAUGE, WEB_ONE,         \
	  WEB_HELP_ITEMS_MAX)                                                                      \
	X(FILES_MAX, "table_entries_limit", "table=\"files\"", WEB_GAUGE, WEB_ONE,                 \
	  WEB_HELP_ITEMS_MAX)                                                                      \
	X(PINS_MAX, "table_entries_limit", "table=\"pins\"", WEB_GAUGE, WEB_ONE,                   \
	  WEB_HELP_ITEMS_MAX)                                                                      \
	X(STACKS_MAX, "table_entries_limit", "table=\"stacks\"", WEB_GAUGE, WEB_ONE,               \
	  WEB_HELP_ITEMS_MAX)                                                                      \
	X(LOCATIONS_MAX, "table_entries_limit", "table=\"locations\"", WEB_GAUGE, WEB_ONE,         \
	  WEB_HELP_ITEMS_MAX)                                                                      \
	X(TABLES_BYTES, "unwind_tables_bytes", "", WEB_GAUGE, WEB_ONE,                             \
	  "unwind tables in the kernel")                                                           \
	X(TABLES_BYTES_MAX, "unwind_tables_limit_bytes", "", WEB_GAUGE, WEB_ONE,                   \
	  "the most that unwind tables may take")                                                  \
	X(WINDOWS, "windows_committed_total", "", WEB_COUNTER, WEB_ONE,                            \
	  "windows that the store has taken since serve was started")                              \
	X(WINDOWS_DROPPED, "windows_dropped_total", "", WEB_COUNTER, WEB_ONE,                      \
	  "windows that no storekeeper took in time")                                              \
	X(WINDOWS_PENDING, "windows_pending", "", WEB_GAUGE, WEB_ONE,                              \
	  "windows that the storekeeper has not committed yet")                                    \
	X(WINDOW_END, "last_window_end_seconds", "", WEB_GAUGE, WEB_NANOSECONDS,                   \
	  "end of the last window that was committed, seconds since 1970")                         \
	X(WINDOW_SAMPLES, "last_window_samples", "", WEB_GAUGE, WEB_ONE, "samples in that window") \
	X(WINDOW_LENGTH, "window_seconds", "", WEB_GAUGE, WEB_NANOSECONDS,                         \
	  "how long a window is that is not cut earlier")                                          \
	X(STORE_BYTES_0, "store_bytes", "level=\"10s\"", WEB_GAUGE, WEB_ONE, WEB_HELP_STORE)       \
	X(STORE_BYTES_1, "store_bytes", "level=\"5min\"", WEB_GAUGE, WEB_ONE, WEB_HELP_STORE)      \
	X(STORE_BYTES_2, "store_bytes", "level=\"1h\"", WEB_GAUGE, WEB_ONE, WEB_HELP_STORE)        \
	X(STORE_BYTES_3, "store_bytes", "level=\"1d\"", WEB_GAUGE, WEB_ONE, WEB_HELP_STORE)        \
	X(STORE_BYTES_MAX, "store_limit_bytes", "", WEB_GAUGE, WEB_ONE,                            \
	  "the most bytes that the store may take, all of its files and its directory")            \
	X(STORE_FILES, "store_files", "", WEB_GAUGE, WEB_ONE, "files of the store")                \
	X(STORE_OLDEST_0, "store_oldest_seconds", "level=\"10s\"", WEB_GAUGE, WEB_NANOSECONDS,     \
	  WEB_HELP_OLDEST)                                                                         \
	X(STORE_OLDEST_1, "store_oldest_seconds", "level=\"5min\"", WEB_GAUGE, WEB_NANOSECONDS,    \
	  WEB_HELP_OLDEST)                                                                         \
	X(STORE_OLDEST_2, "store_oldest_seconds", "level=\"1h\"", WEB_GAUGE, WEB_NANOSECONDS,      \
	  WEB_HELP_OLDEST)                                                                         \
	X(STORE_OLDEST_3, "store_oldest_seconds", "level=\"1d\"", WEB_GAUGE, WEB_NANOSECONDS,      \
	  WEB_HELP_OLDEST)                                                                         \
	X(STORE_EXPIRED, "store_files_expired_total", "", WEB_COUNTER, WEB_ONE,                    \
	  "files of the store that were too old, or gave way to the byte limit")                   \
	X(STORE_FREE, "store_disk_free_bytes", "", WEB_GAUGE, WEB_ONE,                             \
	  "what is free on the store's disk")

enum web_figure {
#define X(id, metric, labels, kind, unit, help) WEB_FIGURE_##id,
	WEB_FIGURES(X)
#undef X
		WEB_FIGURE_COUNT
};

/* The status as it is sent: of one build of slowburn, so that the lists are the same on both sides. */
struct web_status {
	uint64_t figure[WEB_FIGURE_COUNT];
	uint64_t sequence; /* of the last window that was committed; 0: none */
	struct counters counters; /* of the agent, since serve was started */
};

#endif
