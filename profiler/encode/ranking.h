/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures behind the text answer: functions, processes and stacks with their shares, and the
 * hottest of each. No layout here.
 */
#ifndef ENCODE_RANKING_H
#define ENCODE_RANKING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "profiler/model/calltree.h"
#include "profiler/encode/truncations.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

/* All processes of one comm (a compile is one line, not two hundred), or of one group by other labels. */
struct ranking_process {
	struct profile_string name; /* "": not known */
	uint32_t pid_count;
	uint64_t count, value;
	uint64_t kernel_value; /* with a kernel function as the leaf */
};

struct ranking_pid {
	int64_t pid;
	uint32_t process;
	uint32_t zero; /* hashed as bytes */
	uint64_t value;
};

/* A stack by function, of the processes of one group. */
struct ranking_stack {
	uint32_t process;
	uint32_t node; /* of the call tree */
	uint64_t count, value;
};

/* A source line, of the innermost function there. */
struct ranking_line {
	uint32_t file, function; /* strings of the profile */
	uint32_t line;
	uint32_t zero; /* hashed as bytes */
	uint64_t count, value; /* with it as the leaf */
};

struct ranking {
	const struct profile *profile;
	struct calltree tree;
	struct call_sum *functions; /* one for each of tree.frames */
	struct truncations truncations;
	struct groups groups;
	ARRAY(struct ranking_process) processes; /* by number of the group */
	struct arena names;
	ARRAY(struct ranking_pid) pids;
	ARRAY(struct ranking_stack) stacks;
	ARRAY(struct ranking_line) lines;
	struct index pid_index, stack_index, line_index;
	uint64_t count, value; /* of all samples */
	uint64_t kernel_value;
	uint64_t unnamed_value; /* with a leaf that has no name */
	uint64_t file_value; /* with a leaf in a file */
	uint64_t lined_value; /* of these, with a source line */
	uint64_t stackless_value; /* without a leaf */
	bool is_time; /* values are CPU time */
	const char *noun; /* "CPU time", "cycles": what percentages are of */
};

/* `by` NULL: by comm. Borrows the profile until ranking_release(). 0, -ENOMEM or -E2BIG. */
int ranking_init(struct ranking *k, const struct profile *p, const struct group_keys *by);
void ranking_release(struct ranking *k);

/*
 * Numbers of the hottest, hottest first, at most `max`, and how many there are; equal ones by name, so
 * that the answer doesn't depend on the order of samples. Only those with a value: functions by self.
 */
uint32_t ranking_top_functions(const struct ranking *k, uint32_t max, uint32_t *ret_frames);
uint32_t ranking_top_unnamed(const struct ranking *k, uint32_t max, uint32_t *ret_frames);
uint32_t ranking_top_processes(const struct ranking *k, uint32_t max, uint32_t *ret_processes);
uint32_t ranking_top_pids(const struct ranking *k, uint32_t process, uint32_t max,
			  uint32_t *ret_pids);
uint32_t ranking_top_lines(const struct ranking *k, uint32_t max, uint32_t *ret_lines);
/* Those that were sampled more than once. */
uint32_t ranking_top_stacks(const struct ranking *k, uint32_t max, uint32_t *ret_stacks);

#endif
