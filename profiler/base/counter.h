/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every drop, miss and give-up has a counter here or in bpf/counters.h: one list, from which the
 * quality report, the pprof comments and /metrics are made. A gap without a counter is a bug.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdint.h>

#include "bpf/counters.h"
#include "profiler/base/truncation.h"

/* X(identifier, "metric_name", "one clause for people") */
#define AGENT_COUNTERS(X)                                                                          \
	X(SAMPLES, "samples", "samples received")                                                  \
	X(SAMPLES_MISSED, "samples_missed",                                                        \
	  "timer ticks of busy CPUs that the kernel passed over")                                  \
	X(TICKS_MISSED, "ticks_missed",                                                            \
	  "timer ticks that the kernel passed over, whoever's they were")                          \
	X(SAMPLES_MALFORMED, "samples_malformed", "sample records refused by the decoder")         \
	X(SAMPLES_DROPPED_MEMORY, "samples_dropped_memory",                                        \
	  "samples dropped: their share of --memory was full")                                     \
	X(NAMES_DROPPED_MEMORY, "names_dropped_memory",                                            \
	  "names left out: their share of --memory was full")                                      \
	X(SAMPLES_LATE, "samples_late", "samples that came after later ones were counted")         \
	X(EVENTS_MALFORMED, "events_malformed", "process events refused by the decoder")           \
	X(EVENTS_LATE, "events_late", "process events that came after later ones were applied")    \
	X(EVENTS_LOST, "events_lost", "process events lost: perf ring buffer full")                \
	X(FRAMES, "frames", "user frames received")                                                \
	X(FRAMES_GUESSED, "frames_guessed", "user frames found by frame pointer: guesses")         \
	X(STACKS_TRUNCATED, "stacks_truncated",                                                    \
	  "user stacks that end before their outermost frame")                                     \
	X(STACKS_FINISHED, "stacks_finished",                                                      \
	  "user stacks of new processes or files, finished by a copy of the stack")                \
	X(STACKS_UNFINISHED, "stacks_unfinished",                                                  \
	  "user stacks of new processes or files that no copy of the stack could finish")          \
	X(FRAMES_UNMAPPED, "frames_unmapped", "frames outside every known mapping")                \
	X(FRAMES_UNKNOWN_PROCESS, "frames_unknown_process",                                        \
	  "frames of processes gone before they were seen")                                        \
	X(FRAMES_ANONYMOUS, "frames_anonymous", "frames in memory without a file (JIT code)")      \
	X(PROCESSES_REFUSED, "processes_refused",                                                  \
	  "processes beyond the limit of the process table")                                       \
	X(MAPPINGS_REFUSED, "mappings_refused", "mappings beyond the limit of a process")          \
	X(MAPS_MALFORMED, "maps_malformed", "lines of /proc/PID/maps not understood")              \
	X(PROC_UNREADABLE, "proc_unreadable",                                                      \
	  "/proc reads that failed (process gone, or access refused)")                             \
	X(FILES_REFUSED, "files_refused", "binaries beyond the limit of the file table")           \
	X(FILES_UNOPENED, "files_unopened", "binaries that could not be opened")                   \
	X(FILES_UNFETCHED, "files_unfetched",                                                      \
	  "binaries on slow file systems that could not be copied in time")                        \
	X(FILES_PIN_EVICTED, "files_pin_evicted", "binaries let go before their names were read")  \
	X(FILES_BAD, "files_bad", "binaries that are no usable ELF file")                          \
	X(DEBUG_FILES_MISSING, "debug_files_missing",                                              \
	  "stripped binaries whose debug file is not on this machine")                             \
	X(DEBUG_FILES_REFUSED, "debug_files_refused",                                              \
	  "stripped binaries whose debug file is another build's, another owner's or no ELF file") \
	X(DEBUG_FILES_UNREAD, "debug_files_unread",                                                \
	  "stripped binaries whose debug file could not be read in time")                          \
	X(DEBUG_FILES_UNASKED, "debug_files_unasked",                                              \
	  "stripped binaries beyond the limit of those whose debug file is looked for")            \
	X(LINES_NONE, "lines_none",                                                                \
	  "binaries without source lines, in themselves or in a debug file")                       \
	X(LINES_BAD, "lines_bad",                                                                  \
	  "times that a part of a binary's source lines could not be read")                        \
	X(LINES_UNREAD, "lines_unread",                                                            \
	  "binaries whose source lines could not be read: too large, or reading them failed")      \
	X(LINES_LATE, "lines_late", "binaries whose source lines took too long to read")           \
	X(LINES_UNASKED, "lines_unasked",                                                          \
	  "binaries whose source lines were not read: the time for all of them was spent")         \
	X(LINES_LET_GO, "lines_let_go",                                                            \
	  "binaries without processes that were not kept open for their source lines")             \
	X(CODE_REFUSED, "code_refused",                                                            \
	  "processes with code made at run time beyond the limit of their table")                  \
	X(CODE_MAPS_REFUSED, "code_maps_refused",                                                  \
	  "perf maps that were not taken: another's, no plain file, or on a slow file system")     \
	X(CODE_MAPS_BAD, "code_maps_bad",                                                          \
	  "perf maps and jitdumps that are damaged in part, or too long")                          \
	X(CODE_MAPS_UNASKED, "code_maps_unasked",                                                  \
	  "processes whose perf map or jitdump was not read: those before had taken too long")     \
	X(BPF_NAMES_WITHHELD, "bpf_names_withheld",                                                \
	  "addresses in BPF programs of which no event says whose they were")                      \
	X(SYMBOLIZER_FAILED, "symbolizer_failed",                                                  \
	  "requests on which the symbolizer died, hung or lied")                                   \
	X(LINE_INDEXES_MADE, "line_indexes_made", "indexes of lines made from a binary's DWARF")   \
	X(LINE_INDEXES_USED, "line_indexes_used", "indexes of lines found in the cache")           \
	X(LINE_INDEXES_BAD, "line_indexes_bad",                                                    \
	  "indexes of lines in the cache that were damaged or another's, and thrown away")         \
	X(LINE_INDEXES_UNKEPT, "line_indexes_unkept",                                              \
	  "indexes of lines that the cache did not take: too large, no room, or too slow")         \
	X(OPENER_FAILED, "opener_failed", "requests on which the opener died, hung or lied")       \
	X(CPUS_FAILED, "cpus_failed", "CPUs that came online and could not be profiled")           \
	X(UNWIND_REFUSED, "unwind_refused", "unwind tables for which there was no room")           \
	X(UNWIND_EVICTED, "unwind_evicted", "unwind tables that made room for others")             \
	X(UNWIND_RULES_REFUSED, "unwind_rules_refused",                                            \
	  "unwind rules for which there was no room: their code ends stacks")                      \
	X(UNWIND_PROCESSES_REFUSED, "unwind_processes_refused",                                    \
	  "processes whose mappings found no room among the unwind tables")                        \
	X(UNWIND_COPIES_DROPPED, "unwind_copies_dropped",                                          \
	  "copies of stacks dropped: their share of --memory was full")                            \
	X(UNWIND_FILES_BAD, "unwind_files_bad", "binaries without a usable unwind table")          \
	X(WINDOWS_DROPPED_STORE, "windows_dropped_store",                                          \
	  "windows that the store could not take: disk full or failing, or its limit reached")     \
	X(SAMPLES_DROPPED_STORE, "samples_dropped_store",                                          \
	  "samples of windows that the store could not take")

/* What STACKS_TRUNCATED counts, by why: each such stack is in one of these. */
#define COUNTER_OF_TRUNCATED(words) "user stacks truncated: " words

#define COUNTERS(X) BPF_COUNTERS(X) AGENT_COUNTERS(X) TRUNCATIONS(X, COUNTER_OF_TRUNCATED)

enum counter {
#define X(id, name, help) COUNTER_##id,
	COUNTERS(X)
#undef X
		COUNTER_COUNT
};

struct counters {
	uint64_t value[COUNTER_COUNT];
};

/* Static strings; `id` < COUNTER_COUNT. */
const char *counter_name(enum counter id);
const char *counter_help(enum counter id);

static inline void counter_add(struct counters *c, enum counter id, uint64_t n)
{
	c->value[id] += n;
}

static inline uint64_t counter_get(const struct counters *c, enum counter id)
{
	return c->value[id];
}

static inline enum counter counter_of_truncation(enum truncation t)
{
	return (enum counter)(COUNTER_TRUNCATED_NO_ROW + t);
}

/* Samples that were taken but are in no result, whatever the reason. */
uint64_t counters_lost(const struct counters *c);

#endif
