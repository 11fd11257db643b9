/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binaries that processes have mapped. A file is pinned (held open) from when it must be, until its
 * names have been read, so that deleted, upgraded and in-container files still resolve.
 *
 * Two mappings show the same file if device, inode and inode generation agree. MMAP2 tells the
 * generation, /proc/PID/maps doesn't (0): then the path must agree too, unless the file is pinned, which
 * keeps its inode number from being used again.
 *
 * Pins are bounded: beyond the limit the oldest one that nobody asked for lately is closed and counted
 * (FILES_PIN_EVICTED), and opened again when it is asked for.
 */
#ifndef PROCESS_FILE_H
#define PROCESS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/process/source.h"

struct file_table;

enum file_state {
	FILE_UNSEEN, /* known by name only, or evicted; opened when it is needed */
	FILE_PINNED, /* fd is open */
	FILE_DONE, /* was pinned; let go, its names are known; opened again when asked for */
	FILE_FAILED, /* could not be opened: `error` says why */
};

struct file {
	const char *path; /* as the kernel printed it, without " (deleted)"; the table's */
	uint64_t ino;
	uint64_t generation; /* the inode's; 0: not known */
	uint32_t major, minor;
	uint32_t state; /* enum file_state */
	int fd;
	int error; /* negative errno if FILE_FAILED */
};

/* `max_files` ≤ 2^24 known, `max_pins` open at once. Borrows source and counters for its life. */
int file_table_new(struct file_table **ret, const struct process_source *source,
		   struct counters *counters, uint32_t max_files, uint32_t max_pins);
void file_table_free(struct file_table *t);

/* The number of the file at `place`, made if need be; or -E2BIG, -ENOMEM (FILES_REFUSED). */
int file_table_intern(struct file_table *t, const struct file_place *place);

/* Valid until the next call that takes a non-const table. */
const struct file *file_table_get(const struct file_table *t, uint32_t file);
uint32_t file_table_count(const struct file_table *t);
/* How many are held open now. */
uint32_t file_table_pinned(const struct file_table *t);

/*
 * Makes sure that it was tried to open it. `place` is the mapping through which it was seen this time: a
 * file that failed is tried again through another process's mapping, at most 8 times in all.
 * FILES_UNOPENED counts those that are FILE_FAILED.
 */
void file_table_pin(struct file_table *t, uint32_t file, const struct file_place *place);

/* Lets go of it: its names are known, or never will be. */
void file_table_unpin(struct file_table *t, uint32_t file);

#endif
