/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a file table, for the two who write it: file.c (pins) and file_find.c (which file is it, and what is forgotten).
 */
#ifndef PROCESS_FILE_TABLE_H
#define PROCESS_FILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "profiler/process/file.h"
#include "profiler/process/root.h"

#define FILE_NONE UINT32_MAX
/* Paths are kept as long as the table; their average is taken for its limit. */
#define FILE_PATH_BYTES 256

struct entry {
	struct file file;
	uint64_t root; /* whose it is, with file.path; ROOT_UNASKED: everybody's */
	uint64_t mapped_ns; /* when a process was last seen to map it, at least; 0: not known */
	uint64_t retry_ns; /* after MAX_ATTEMPTS */
	uint64_t start, end; /* of a slow one: the mapping through which it was last seen */
	uint32_t pid, parent_pid;
	uint32_t same_inode; /* the next older one with this inode number */
	uint32_t newer, older; /* neighbours in the queue of pins */
	uint32_t last_pid; /* through which it was last tried */
	uint8_t attempts; /* that failed, since the last that didn't */
	bool asked_for; /* since it was last at the queue's old end */
	bool replaced; /* another file is in its place: it is found no more */
	bool forgotten; /* nobody's number; same_inode is the next one */
};

struct file_table {
	const struct process_source *source;
	struct counters *counters;
	ARRAY(struct entry) files;
	struct index by_inode; /* the first file with each inode number */
	struct index by_root; /* those that belong to a root; has stale items too: entries decide */
	struct roots roots;
	struct arena paths;
	size_t path_bytes; /* in it, at most FILE_PATH_BYTES a file */
	uint32_t max_files, max_pins;
	uint32_t forgotten, forgotten_count; /* the first such number, or FILE_NONE */
	uint32_t pins, newest, oldest;
	uint64_t now_ns; /* as far as we were told */
	uint32_t stale_next; /* file_table_stale() looks there next */
	uint32_t copied; /* the slow file that `copy_fd` is a copy of, or FILE_NONE */
	int copy_fd;
};

/* Is it the file of those with the root at `place`? */
bool file_belongs(struct file_table *t, const struct entry *e, const struct file_place *place,
		  uint64_t *root);

/* Whose it is from now on. Without memory it is found in its chain, if that is short. */
void file_root_set(struct file_table *t, uint32_t number, uint64_t root);

#endif
