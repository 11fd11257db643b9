/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is looked at: what it has mapped to execute, and which files that is. Not thread safe.
 */
#ifndef DUMP_TARGET_H
#define DUMP_TARGET_H

#include <stdint.h>

#include "profiler/agent/names.h"
#include "profiler/base/array.h"
#include "profiler/base/err.h"
#include "profiler/dump/protocol.h"
#include "profiler/process/file.h"
#include "profiler/process/status.h"

/* Numbers of files: the file table's, and this one. */
#define TARGET_VDSO (UNWINDER_NO_FILE - 1)

/* What all targets share; borrowed. */
struct target_sources {
	const struct process_source *source;
	struct file_table *files;
	struct live_names *names; /* for the vDSO */
};

struct target {
	const struct target_sources *from;
	uint32_t pid;
	struct process_status status;
	ARRAY(struct unwinder_mapping) mappings; /* executable, by address, without overlaps */
};

/* The status of a process or thread. 0, or negative errno and a sentence: -ESRCH if there is none. */
int target_status(const struct target_sources *from, uint32_t pid, struct process_status *ret,
		  struct err *err);

/*
 * What target_read() does first: is there such a process? And the text of its mappings. 0, or negative errno and a sentence;
 * after target_begin() target_release() may be called in every case.
 */
#define TARGET_MAX_MAPS_BYTES ((size_t)16 << 20)
int target_begin(struct target *t, const struct target_sources *from, uint32_t pid,
		 struct err *err);
int target_maps(const struct target *t, struct buffer *text, struct err *err);

/* 0, or negative errno and a sentence. In every case target_release() may be called. */
int target_read(struct target *t, const struct target_sources *from, uint32_t pid, struct err *err);
void target_release(struct target *t);

/* The mapping that has the address, or NULL. */
const struct unwinder_mapping *target_mapping(const struct target *t, uint64_t addr);

/* A descriptor of a file, borrowed until the next call. 0 or negative errno. */
int target_file(const struct target_sources *from, uint32_t file, int *ret_fd);

/* Its path as the process sees it; "" for what is no file. */
const char *target_path(const struct target_sources *from, uint32_t file);

#endif
