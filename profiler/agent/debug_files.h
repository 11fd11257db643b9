/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug files of binaries: found by a binary's build id and .gnu_debuglink in its process's root, then in
 * ours, and believed only if they belong to it.
 *
 * The symbolizer reads what a binary says, the fetcher opens candidates, the symbolizer compares build id or CRC. And
 * a candidate must be root's or the binary's owner's: a build id is whatever its author wrote, and in a mount namespace of
 * his own everybody has a /usr/lib/debug, from which he could name the frames of a binary that others run, too.
 *
 * A binary without one is remembered, and not looked for again until it is forgotten. Counts DEBUG_FILES_MISSING (there is none), …_REFUSED
 * (there is one, and it is another's), …_UNREAD (it couldn't be told), and …_UNASKED beyond the limits of searches: their
 * number, and 10 s in all. Not
 * thread safe.
 */
#ifndef AGENT_DEBUG_FILES_H
#define AGENT_DEBUG_FILES_H

#include <stdint.h>

#include "profiler/agent/outside.h"
#include "profiler/agent/symbols.h"
#include "profiler/base/counter.h"
#include "profiler/process/source.h"

struct debug_files;

/* Of binaries, in the life of one. */
#define DEBUG_FILES_MAX_SEARCHES 1024u

/* Borrows all for its life. 0 or -ENOMEM. */
int debug_files_new(struct debug_files **ret, struct outside *outside,
		    struct symbols_client *client, struct counters *counters);
void debug_files_free(struct debug_files *d);

/*
 * The debug file of the binary `fd`, which is number `file` of a file table and was seen at `place`. 0 and *ret_fd, the
 * caller's to close; or negative errno, for any of the reasons above. A binary that has a .symtab and no link
 * has none.
 */
int debug_files_find(struct debug_files *d, uint32_t file, const struct file_place *place, int fd,
		     int *ret_fd);

/* The same for its lines: a binary without one is then not counted as missing, as it may have all names that it needs. */
int debug_files_find_lines(struct debug_files *d, uint32_t file, const struct file_place *place,
			   int fd, int *ret_fd);

/*
 * What was not there is looked for again, when it is next asked for: it may have come meanwhile. What is found then is
 * in no counter any more.
 */
void debug_files_forget(struct debug_files *d);

/* The same for one. */
void debug_files_forget_file(struct debug_files *d, uint32_t file);

/*
 * A life begins anew: nothing is remembered, of numbers that may be other files' now; what was counted stays counted, and limits are those of a new one.
 */
void debug_files_turn(struct debug_files *d);

/*
 * The alternate file (dwz) of `fd`: of a binary with DWARF of its own, or of the debug file of the binary at
 * `place`. As above, but that nothing is remembered; -ENOENT without a count if it names none.
 */
int debug_files_find_alternate(struct debug_files *d, const struct file_place *place, int fd,
			       int *ret_fd);

#endif
