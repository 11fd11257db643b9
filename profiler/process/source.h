/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where facts about processes come from: the live /proc, or a recording of what it said. All that
 * profiler/process learns from outside passes through here, which is what makes a recorded capture
 * replay to the same answer.
 */
#ifndef PROCESS_SOURCE_H
#define PROCESS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

enum process_text {
	PROCESS_TEXT_MAPS, /* /proc/PID/maps */
	PROCESS_TEXT_STAT, /* /proc/PID/stat */
	PROCESS_TEXT_CGROUP, /* /proc/PID/cgroup */
	PROCESS_TEXT_PIDS, /* the numeric names in /proc, a line each; pid is 0 */
	PROCESS_TEXT_COUNT
};

/* A binary as a mapping names it. */
struct file_place {
	uint32_t pid, parent_pid; /* either may be gone; 0: not known */
	uint64_t start, end; /* the mapping's, for /proc/PID/map_files */
	uint64_t ino;
	uint64_t generation; /* the inode's; 0: not known */
	uint32_t major, minor;
	const char *path; /* in that process's root; without " (deleted)" */
};

struct process_source {
	void *ctx;
	/* Appends the text. 0 or negative errno (-ENOENT, -ESRCH: the process is gone). */
	int (*read)(void *ctx, enum process_text what, uint32_t pid, struct buffer *out);
	/*
	 * Opens a binary read-only: a regular file whose device and inode are those asked for (where
	 * the file system is truthful about them). 0 and *ret_fd, which may be -1 in a replay; or
	 * negative errno: -ESTALE if another file has its name now, -EINVAL if no regular one.
	 */
	int (*open)(void *ctx, const struct file_place *place, int *ret_fd);
};

/* The next pid of a PROCESS_TEXT_PIDS, from `*at` on, which begins as 0; false at its end. */
bool process_pids_next(const struct buffer *text, size_t *at, uint32_t *ret_pid);

/* The live /proc. A text larger than its buffer's maximum is cut there, in the middle of a line. */
extern const struct process_source process_source_live;

#endif
