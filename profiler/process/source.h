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

/* A file beyond this is not fetched. */
#define PROCESS_MAX_COPY_BYTES (64u << 20)

enum process_text {
	PROCESS_TEXT_MAPS, /* /proc/PID/maps */
	PROCESS_TEXT_STAT, /* /proc/PID/stat */
	PROCESS_TEXT_CGROUP, /* /proc/PID/cgroup */
	PROCESS_TEXT_PIDS, /* the numeric names in /proc, a line each; pid is 0 */
	/* Equal for processes that see the same files under the same names: mount namespace and root. */
	PROCESS_TEXT_ROOT,
	PROCESS_TEXT_STATUS, /* /proc/PID/status */
	PROCESS_TEXT_THREADS, /* the names in /proc/PID/task, a line each */
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

/* What open() tells of a file, bits. */
enum process_file_kind {
	/*
	 * Mappings name it by a device and inode number that other files have, too (btrfs, and
	 * overlayfs before 6.8): what was learnt of it holds for processes with the same
	 * PROCESS_TEXT_ROOT only.
	 */
	PROCESS_FILE_AMBIGUOUS = 1,
	/* Its file system may never answer (FUSE, NFS): it was not opened, *ret_fd is -1; see fetch(). */
	PROCESS_FILE_SLOW = 2,
};

/* Which file a descriptor is of, as fstat() says: what mappings say of btrfs and overlayfs differs. */
struct file_identity {
	uint64_t dev, ino, size;
	uint64_t mtime_ns, ctime_ns;
};

struct process_source {
	void *ctx;
	/* Appends the text. 0 or negative errno (-ENOENT, -ESRCH: the process is gone). */
	int (*read)(void *ctx, enum process_text what, uint32_t pid, struct buffer *out);
	/*
	 * Opens a binary read-only: a regular file whose device and inode are those asked for
	 * (where the file system is truthful about them). enum process_file_kind bits, and *ret_fd,
	 * which may be -1 in a replay; or negative errno: -ESTALE if another file has its name now,
	 * -EINVAL if no regular one.
	 */
	int (*open)(void *ctx, const struct file_place *place, int *ret_fd);
	/*
	 * A copy, in memory and sealed, of a file that open() said is slow; to be closed when its
	 * names are read. 0; -ETIMEDOUT if its file system gave no answer, -EFBIG, or another
	 * negative errno.
	 */
	int (*fetch)(void *ctx, const struct file_place *place, int *ret_fd);
	/*
	 * Opens the perf map of the process `pid` that started then (process/perfmap.h). 0, or negative
	 * errno: -ENOENT if there is none, -ESRCH if there is no such process.
	 */
	int (*perfmap)(void *ctx, uint32_t pid, uint64_t start_ns, int *ret_fd);
	/*
	 * Appends a line "INODE NAME" for each directory in the directory `path` of the cgroup
	 * hierarchy mounted at `mount`, for itself first, as ".". 0 or negative errno (-EXDEV: no
	 * cgroup there).
	 */
	int (*cgroup)(void *ctx, const char *mount, const char *path, struct buffer *out);
	/*
	 * Which file the last open() gave, as `fd`; NULL: fstat() is asked. Only a recording and
	 * its replay have one. 0 or negative errno.
	 */
	int (*identify)(void *ctx, int fd, struct file_identity *ret);
};

/* The next pid of a PROCESS_TEXT_PIDS, from `*at` on, which begins as 0; false at its end. */
bool process_pids_next(const struct buffer *text, size_t *at, uint32_t *ret_pid);

/* The live /proc. A text larger than its buffer's maximum is cut there, in the middle of a line. */
extern const struct process_source process_source_live;

#endif
