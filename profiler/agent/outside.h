/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the openers: all that it learns of processes and their files passes through here.
 * Starts an opener, asks it, and starts another when it died, hung or lied; the request at fault then
 * fails, and is not repeated. Counts OPENER_FAILED; that a slow file system gave no answer is the file table's
 * to count.
 *
 * While one is waited for, the rings fill, and hold 2 s: so none is waited for longer than 1 s. Requests
 * that failed may cost 10 s (1 s is given back in 10), those to the opener and those to the fetcher; then all fail at once. Before
 * that, those about the same process, or for a copy from the same file system, do. Not thread safe.
 */
#ifndef AGENT_OUTSIDE_H
#define AGENT_OUTSIDE_H

#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/base/err.h"
#include "profiler/process/debug_file.h"
#include "profiler/process/source.h"
#include "profiler/role/starter.h"

struct outside;

/* Borrows both; the opener is started at once, a fetcher when there is something to fetch. */
int outside_new(struct outside **ret, const struct starter *starter, struct counters *counters,
		struct err *err);
void outside_free(struct outside *o);

/*
 * As profiler/process/source.h has it. Texts of processes that PROCESS_TEXT_PIDS listed are read ahead,
 * many in a request, and are then at most 100 ms old.
 */
const struct process_source *outside_source(struct outside *o);

/*
 * /proc/kallsyms and /proc/modules (-1 if there are none), opened by who may see addresses; the caller's
 * to close. 0, or negative errno and a sentence.
 */
int outside_kernel(struct outside *o, int *ret_kallsyms, int *ret_modules, struct err *err);

/*
 * Looks for a debug file (process/debug_file.h) from candidate `first` on. Its number, a descriptor, the
 * caller's to close, and its owner; or negative errno. For a process that made somebody wait: -ETIMEDOUT.
 */
int outside_debug(struct outside *o, const struct debug_place *place, uint32_t first, int *ret_fd,
		  uint32_t *ret_uid);

/* Of a request, in ns. For tests; the default is 1 s. */
void outside_set_deadline(struct outside *o, uint64_t ns);

#endif
