/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and what they have mapped, at the time of a sample.
 *
 * The kernel's events (fork, exec, mmap, exit) are applied in the order of their times, and samples
 * asked about in the same order: so a process that lived 50 ms is as well known as any other. What
 * events can't say (processes that were there before us, lost events) comes from /proc, with
 * per-process back-off: 100 ms, doubled up to 25 s.
 *
 * A process image is (pid, start time, exec id). An exited process is kept 1 s, in the clock of the
 * events, past its exit or the last sign of it: a leader may exit before its threads, which goes on with
 * their samples and exits. The table holds at most `max_processes`: beyond it the longest dead are
 * dropped first, then those that /proc no longer has, then new ones refused and counted. Not thread safe.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/process/file.h"
#include "profiler/process/source.h"

struct process_table;

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_VDSO,
	MAPPING_ANONYMOUS, /* executable memory without a file */
	MAPPING_UNKNOWN_PROCESS, /* no such process, or nothing is known of it */
	MAPPING_UNMAPPED, /* the address lies in no executable mapping */
};

/* An executable mapping. */
struct mapping {
	uint64_t start, end; /* process addresses */
	uint64_t offset; /* file offset of start */
	uint32_t file; /* number in the file table, if MAPPING_FILE */
	uint32_t kind; /* enum mapping_kind */
	uint64_t replaced_ns; /* when it took the place of something else; 0: it was the first there */
};

/* An executable mapping as MMAP2 reports it. */
struct mapping_event {
	uint64_t start, end, offset;
	uint64_t ino, generation;
	uint32_t major, minor;
	const char *path; /* NUL-terminated; "//anon", "[vdso]" as the kernel has it */
};

/* What a mapping is of, by its path in maps (without " (deleted)") and its inode number. */
enum mapping_kind mapping_kind_of(const char *path, uint64_t ino);

#define PROCESS_MAX_MAPPINGS 8192 /* executable ones, of one process */

/* Borrows all for its life. */
int process_table_new(struct process_table **ret, const struct process_source *source,
		      struct file_table *files, struct counters *counters, uint32_t max_processes);
void process_table_free(struct process_table *t);

/* Reads all processes that are there now. `time_ns`: CLOCK_MONOTONIC. 0 or negative errno. */
int process_table_scan(struct process_table *t, uint64_t time_ns);

/* The events. Threads' forks and exits (pid of parent equal, tid not the leader's) change nothing. */
void process_table_fork(struct process_table *t, uint64_t time_ns, uint32_t pid,
			uint32_t parent_pid);
void process_table_exec(struct process_table *t, uint64_t time_ns, uint32_t pid);
void process_table_mmap(struct process_table *t, uint64_t time_ns, uint32_t pid,
			const struct mapping_event *m);
void process_table_exit(struct process_table *t, uint64_t time_ns, uint32_t pid, uint32_t tid);
/* Events were lost: what is known of any process may be stale, and is read anew when next asked for. */
void process_table_lost(struct process_table *t);

/*
 * The executable mappings of a process as they are now: sorted, without overlaps, at most PROCESS_MAX_MAPPINGS; 0 if
 * it isn't known, or events that it may have had were lost and /proc wasn't read since. *ret is borrowed until the next call that takes the table.
 */
uint32_t process_table_mappings(struct process_table *t, uint32_t pid, const struct mapping **ret);

/* How many there are, those that ended lately included. */
uint32_t process_table_count(const struct process_table *t);

/* Which processes there are: the pid of the next living one, from *at on, which begins as 0; 0 at the end. */
uint32_t process_table_next(struct process_table *t, uint32_t *at);

/* Buries those whose exits were missed, by what /proc has. Of its own accord it does so only when it is full. */
void process_table_sweep(struct process_table *t, uint64_t time_ns);

/* Sets mapped[file] for each file that a process maps, or mapped and is not forgotten yet; there is room for all files. */
void process_table_mapped(struct process_table *t, bool *mapped);

/* Tells the file table which files living processes map now (file_table_mapped). */
void process_table_mark_files(struct process_table *t, uint64_t now_ns);

struct process_id {
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	uint32_t pid;
	uint32_t exec_id;
};

/*
 * Where `addr` lay in the process at `time_ns`. *ret->kind says if it is known; for MAPPING_FILE the
 * file is pinned (once). Counts FRAMES_UNMAPPED, FRAMES_UNKNOWN_PROCESS and FRAMES_ANONYMOUS.
 */
void process_table_resolve(struct process_table *t, uint64_t time_ns, const struct process_id *id,
			   uint64_t addr, struct mapping *ret);

/*
 * From now on process_table_resolve() leaves a file that was let go of with its names (FILE_DONE) as it is, and process_table_pin()
 * opens it again: for the mapping that was resolved last, which is *m.
 */
void process_table_pin_sparingly(struct process_table *t);
void process_table_pin(struct process_table *t, uint32_t pid, struct mapping *m);

#endif
